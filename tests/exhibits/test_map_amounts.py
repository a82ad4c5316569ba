import json
from dataclasses import replace

import numpy as np
import pytest

from tests.exhibits.small import PARTNERS, flows, one_side, study, two_sides
from tradelift.exhibits import EXHIBITS
from tradelift.exhibits.map_amounts import short, traded


def test_amounts_are_the_sums_of_the_flows():
    panel, frame = two_sides(), flows()
    found = traded(panel)
    ids = list(panel.regions.ids)
    sold, bought = (frame.groupby(end)["trade"].sum() for end in ("origin", "destination"))
    listed = {frozenset(pair) for pair in PARTNERS}
    own = frame[[frozenset(pair) in listed for pair in zip(frame["origin"], frame["destination"], strict=True)]]
    to, back = (own.groupby(end)["trade"].sum() for end in ("origin", "destination"))
    assert np.allclose(found.sold, [sold[i] for i in ids])
    assert np.allclose(found.bought, [bought[i] for i in ids])
    assert np.allclose(found.to_partners, [to.get(i, 0.0) for i in ids])
    assert np.allclose(found.from_partners, [back.get(i, 0.0) for i in ids])
    by_pair = frame.groupby(["origin", "destination"])["trade"].sum()
    for row, (first, second) in enumerate(zip(panel.programme.first, panel.programme.second, strict=True)):
        a, b = ids[first], ids[second]
        assert np.allclose(found.between[row], [by_pair[a, b], by_pair[b, a]])


def test_flows_within_a_region_do_not_count():
    panel = one_side()
    whole = traded(panel).sold.sum()
    pairs = panel.pairs
    own = replace(panel, pairs=replace(pairs, destination=np.where(pairs.origin == 0, 0, pairs.destination)))
    lost = panel.outcome("trade")[np.isin(panel.pair_of_cell, np.flatnonzero(pairs.origin == 0))].sum()
    assert traded(own).sold.sum() == pytest.approx(whole - lost)


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (0.0, "0.0"),
        (0.25, "0.2"),
        (950.4, "950"),
        (7_840.0, "7.8 thousand"),
        (45.61e6, "45.6 million"),
        (456.1e6, "456 million"),
        (2e12, "2,000 billion"),
    ],
)
def test_amounts_are_short(amount, said):
    assert short(amount) == said


def test_places_and_partnerships_have_their_amounts():
    panel = two_sides()
    figure = EXHIBITS["map"].show(study(), panel, {}).figures[0]
    found = traded(panel)
    assert figure.unit == "Trade (CNY), 2017-11 to 2018-01"
    for row, place in enumerate(figure.places):
        assert place.amounts == found.amounts(row)
        assert len(place.amounts) == len(figure.measures) == 4
    assert figure.links[0].amounts == tuple(short(float(x)) for x in found.between[0])
    alone = EXHIBITS["map"].show(study(), one_side(), {}).figures[0]
    assert len(alone.measures) == len(alone.places[0].amounts) == 2


def test_places_have_their_other_names_and_their_group():
    panel = two_sides()
    others = np.array([f"别名{i}" for i in range(len(panel.regions))])
    columns = {**panel.regions.columns, "name_zh": others, "area": np.arange(len(others))}
    figure = (
        EXHIBITS["map"].show(study(), replace(panel, regions=replace(panel.regions, columns=columns)), {}).figures[0]
    )
    assert figure.places[3].other_names == ("别名3",)
    assert figure.places[3].group == panel.regions.group[3]


def test_the_outlines_of_the_study_are_on_the_map_with_their_sides(tmp_path):
    def feature(region, x):
        ring = [[x, 28.0], [x + 1, 28.0], [x + 1, 29.0], [x, 29.0], [x, 28.0]]
        return {"properties": {"id": region}, "geometry": {"type": "Polygon", "coordinates": [ring]}}

    (tmp_path / "map.geojson").write_text(
        json.dumps({"features": [feature("e1", 119.0), feature("w1", 106.0), feature("nowhere", 110.0)]})
    )
    about = study(neighbours={"file": "map.geojson", "region": "id"}).model_copy(update={"folder": tmp_path})
    figure = EXHIBITS["map"].show(about, two_sides(), {}).figures[0]
    assert [outline.side for outline in figure.outlines] == [0, 1, None]
    assert figure.outlines[0].rings[0][0] == (119.0, 28.0)
    assert "Outlines: map.geojson, and Natural Earth, public domain." in figure.notes[0]
    listed = study(neighbours={"file": "neighbours.csv"})
    assert EXHIBITS["map"].show(listed, two_sides(), {}).figures[0].outlines == ()
