from dataclasses import replace

import numpy as np

from tests.exhibits.small import one_side, study, two_sides
from tradelift.exhibits import EXHIBITS


def figure(panel):
    return EXHIBITS["map"].show(study(), panel, {}).figures[0]


def test_partnerships_join_places_of_the_two_sides():
    shown = figure(two_sides())
    assert [k.label for k in shown.kinds] == ["east, partner", "east, no partner", "west, partner", "west, no partner"]
    assert [k.shape for k in shown.kinds] == ["square", "square", "circle", "circle"]
    rows = list(shown.records())
    linked = [row for row in rows if row["second"] is not None]
    assert len(linked) == 4
    assert {row["first_kind"] for row in linked} == {"east, partner"}
    assert len(rows) == 4 + 2 + 2  # and the places that have no partner


def test_simulated_partnerships_are_lines_of_their_own():
    panel = two_sides()
    assert panel.programme is not None
    marked = replace(panel.programme, columns={"simulated": np.array(["no", "no", "yes", "no"])})
    kinds = [link.kind for link in figure(replace(panel, programme=marked)).links]
    assert kinds == ["partnership", "partnership", "simulated partnership", "partnership"]
    assert {link.kind for link in figure(panel).links} == {"partnership"}


def test_a_region_without_coordinates_is_counted_and_not_drawn():
    panel = two_sides()
    longitude = panel.regions.longitude.copy()
    longitude[0] = np.nan  # e1, of two partnerships
    shown = figure(replace(panel, regions=replace(panel.regions, longitude=longitude)))
    assert len(shown.places) == 10
    assert len(shown.links) == 2
    assert "1 of 11 regions have no coordinates and are not on the map." in shown.notes


def test_without_a_programme_the_largest_flows_are_drawn():
    panel = one_side()
    shown = figure(panel)
    weights = [link.weight for link in shown.links]
    assert len(weights) == 15
    assert weights == sorted(weights, reverse=True)
    assert np.isclose(sum(weights), panel.outcome("trade").sum())
    assert shown.title == "The 15 largest flows between regions"
