"""Errors of the exhibits that look at parts of the flows."""

import tradelift as tl
from tradelift.exhibits.careful import careful


def test_ppml_is_taken_without_each_pair_where_the_cells_are_in_memory():
    for design in (tl.Gravity(), tl.SpatialRD(outcome="trade", family="poisson")):
        found = careful(design)
        assert (found.vcov, found.correction) == ("max-two-way", "leverage")
        assert careful(design, stored=True).correction == design.correction


def test_ols_keeps_its_correction():
    gravity, rd = careful(tl.Gravity(outcome="log(trade)")), careful(tl.SpatialRD())
    assert (gravity.vcov, gravity.correction) == ("max-two-way", "clusters")
    assert rd == tl.SpatialRD()
