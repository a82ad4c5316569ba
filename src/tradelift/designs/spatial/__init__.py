"""Spatial regression discontinuity: partner pairs beside pairs that differ in a near city."""

from tradelift.designs.spatial.borders import shared_borders
from tradelift.designs.spatial.near import NearPairs, near_pairs
from tradelift.designs.spatial.options import Near
from tradelift.designs.spatial.rd import SpatialRD

__all__ = ["Near", "NearPairs", "SpatialRD", "near_pairs", "shared_borders"]
