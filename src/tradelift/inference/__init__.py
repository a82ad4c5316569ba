"""What compares or reruns designs: randomization, and tests of several effects."""

from tradelift.inference.bounds import Bounded, SelectionBounds
from tradelift.inference.by_trait import ByTrait
from tradelift.inference.equivalence import Equivalence, equivalence
from tradelift.inference.event_study import EventStudy
from tradelift.inference.joint import joint
from tradelift.inference.joint_test import JointTest, joint_test
from tradelift.inference.mediated import Mediated
from tradelift.inference.mediation import Mediation
from tradelift.inference.multiple import benjamini_hochberg, romano_wolf
from tradelift.inference.parted import Parted
from tradelift.inference.placebo import PlaceboPartners, PlaceboPeriods
from tradelift.inference.randomization import randomize
from tradelift.inference.randomized import Randomized
from tradelift.inference.simultaneous import simultaneous
from tradelift.inference.spending import SpendingMonths
from tradelift.inference.task import Randomization
from tradelift.inference.variants import HeldLog, Presence, SideBySide

__all__ = [
    "Bounded",
    "ByTrait",
    "Equivalence",
    "EventStudy",
    "HeldLog",
    "JointTest",
    "Mediated",
    "Mediation",
    "Parted",
    "PlaceboPartners",
    "PlaceboPeriods",
    "Presence",
    "Randomization",
    "Randomized",
    "SelectionBounds",
    "SideBySide",
    "SpendingMonths",
    "benjamini_hochberg",
    "equivalence",
    "joint",
    "joint_test",
    "randomize",
    "romano_wolf",
    "simultaneous",
]
