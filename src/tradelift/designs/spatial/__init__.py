"""Spatial regression discontinuity: partner pairs beside pairs that differ in a near city."""

from tradelift.designs.spatial.balance import Balance, Balanced
from tradelift.designs.spatial.beside import SameFlows
from tradelift.designs.spatial.borders import is_polygons, outlines, shared_borders
from tradelift.designs.spatial.matching import Matching
from tradelift.designs.spatial.near import NearPairs, near_pairs
from tradelift.designs.spatial.options import Near
from tradelift.designs.spatial.rd import SpatialRD
from tradelift.designs.spatial.single_groups import GroupInfluence, SingleGroups

__all__ = [
    "Balance",
    "Balanced",
    "GroupInfluence",
    "Matching",
    "Near",
    "NearPairs",
    "SameFlows",
    "SingleGroups",
    "SpatialRD",
    "is_polygons",
    "near_pairs",
    "outlines",
    "shared_borders",
]
