"""Spatial regression discontinuity: partner pairs beside pairs that differ in a near city."""

from tradelift.designs.spatial.borders import shared_borders
from tradelift.designs.spatial.near import NearPairs, near_pairs
from tradelift.designs.spatial.options import Near

__all__ = ["Near", "NearPairs", "near_pairs", "shared_borders"]
