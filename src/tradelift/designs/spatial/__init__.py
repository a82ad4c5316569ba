"""Spatial regression discontinuity: partner pairs beside pairs that differ in a near city."""

from tradelift.designs.spatial.borders import shared_borders
from tradelift.designs.spatial.matching import Matching
from tradelift.designs.spatial.near import NearPairs, near_pairs
from tradelift.designs.spatial.options import Near
from tradelift.designs.spatial.rd import SpatialRD

__all__ = ["Matching", "Near", "NearPairs", "SpatialRD", "near_pairs", "shared_borders"]
