import pytest

from tests.exhibits.small import one_side, study, two_sides
from tradelift.exhibits import EXHIBITS, missing


def test_the_exhibits_stand_in_report_order():
    assert list(EXHIBITS) == [
        "partners", "map", "summary", "partner_shares", "gravity", "balance", "spatial_rd",
        "bandwidth", "control_types", "rd_alternatives", "matching", "placebo",
    ]  # fmt: skip
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
    assert [missing(x, study(), two_sides()) for x in EXHIBITS.values()] == [None] * len(EXHIBITS)


def test_gravity_needs_neither_partners_nor_coordinates_where_there_are_controls():
    about = study(model={"controls": ["domestic"]})
    assert missing(EXHIBITS["gravity"], about, one_side(coordinates=False)) is None


def test_shares_of_trade_need_trade():
    import pyarrow as pa

    import tradelift as tl

    flows = pa.table({"origin": ["a", "b"], "destination": ["b", "a"], "deals": [1, 2]})
    panel = tl.Panel.from_frame(flows, partners=pa.table({"one": ["a"], "other": ["b"]}))
    assert missing(EXHIBITS["partner_shares"], study(), panel) == "absent: give a column of flows called trade"
