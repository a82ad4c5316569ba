import pytest

from tests.exhibits.small import one_side, study, two_sides
from tradelift.exhibits import EXHIBITS, missing
from tradelift.study.model import EXHIBITS as NAMES


def test_the_exhibits_stand_in_report_order():
    assert list(EXHIBITS) == [name for name in NAMES if name in EXHIBITS]
    assert all(name == exhibit.name for name, exhibit in EXHIBITS.items())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("partners", "absent: give partners"),
        ("map", "absent: give longitude and latitude of the regions"),
        ("partner_shares", "absent: give partners"),
        ("gravity", "absent: give partners, coordinates of the regions, or controls"),
        ("summary", None),
        ("spatial_rd", "absent: give partners and longitude and latitude of the regions"),
    ],
)
def test_an_exhibit_says_what_it_lacks(name, why):
    assert missing(EXHIBITS[name], study(), one_side(coordinates=False)) == why


def test_nothing_is_missing_with_a_programme_and_a_map():
    enough = {"partners", "coordinates", "trade", "explanation", "months"}
    found = {name: missing(x, study(), two_sides()) for name, x in EXHIBITS.items() if x.needs <= enough}
    assert {"gravity", "spatial_rd", "spending"} <= set(found)
    assert set(found.values()) == {None}


def test_gravity_needs_neither_partners_nor_coordinates_where_there_are_controls():
    about = study(model={"controls": ["domestic"]})
    assert missing(EXHIBITS["gravity"], about, one_side(coordinates=False)) is None


def test_shares_of_trade_need_trade():
    import pyarrow as pa

    import tradelift as tl

    flows = pa.table({"origin": ["a", "b"], "destination": ["b", "a"], "deals": [1, 2]})
    panel = tl.Panel.from_frame(flows, partners=pa.table({"one": ["a"], "other": ["b"]}))
    assert missing(EXHIBITS["partner_shares"], study(), panel) == "absent: give a column of flows called trade"
