"""What compares or reruns designs: randomization, and tests of several effects."""

from tradelift.inference.joint import joint
from tradelift.inference.multiple import benjamini_hochberg, romano_wolf
from tradelift.inference.parted import Parted
from tradelift.inference.placebo import PlaceboPartners, PlaceboPeriods
from tradelift.inference.randomization import randomize
from tradelift.inference.randomized import Randomized
from tradelift.inference.task import Randomization

__all__ = [
    "Parted",
    "PlaceboPartners",
    "PlaceboPeriods",
    "Randomization",
    "Randomized",
    "benjamini_hochberg",
    "joint",
    "randomize",
    "romano_wolf",
]
