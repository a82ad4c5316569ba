import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.panel.test_from_frame import flows, regions

PARTNERS = pd.DataFrame({"west": ["w0", "w1"], "east": ["e0", "e0"]})


def panel(partners=PARTNERS, periods=("2017-01", "2017-02", "2017-03"), **more):
    return tl.Panel.from_frame(flows(regions(), periods), regions=regions(), partners=partners, **more)


def test_control_types_are_those_of_the_definition():
    p = panel()
    got = {}
    ids = p.regions.ids
    for o, d, kind in zip(p.pairs.origin, p.pairs.destination, p.pairs.control_type, strict=True):
        got[ids[o], ids[d]] = kind
    east_in, west_in = {"e0"}, {"w0", "w1"}
    for (a, b), kind in got.items():
        e, w = (a, b) if a.startswith("e") else (b, a)
        if e == "e0" and w in west_in:
            assert kind == 0
        else:
            assert kind == 1 + (e in east_in) + 2 * (w in west_in)


def test_both_directions_are_treated_in_all_periods():
    p = panel()
    assert p.column("partner").sum() == 2 * 2 * 3
    assert p.is_fixed("partner")


def test_start_and_end_are_inclusive():
    partners = PARTNERS.assign(start=["2017-02", None], end=[None, "2017-01"])
    p = panel(partners)
    ids, period = p.regions.ids, p.cells.column("period")
    d = p.column("partner")
    pair = {
        w: (ids[p.cells.column("origin")] == "e0") & (ids[p.cells.column("destination")] == w) for w in ("w0", "w1")
    }
    assert [d[pair["w0"] & (period == t)][0] for t in range(3)] == [0, 1, 1]
    assert [d[pair["w1"] & (period == t)][0] for t in range(3)] == [1, 0, 0]
    assert not p.is_fixed("partner")


def test_a_start_before_the_data_is_the_first_period():
    p = panel(PARTNERS.assign(start="2010-06"))
    assert p.is_fixed("partner")


def test_an_end_covers_the_year_it_names():
    p = panel(PARTNERS.assign(end="2017"))
    assert p.is_fixed("partner")


def test_dose_replaces_one():
    p = panel(PARTNERS.assign(dose=[0.5, 2.0]))
    assert sorted(set(p.column("partner"))) == [0, 0.5, 2.0]


def test_what_else_the_list_says_stays_with_the_partnership():
    p = panel(PARTNERS.assign(simulated=["yes", "no"]))
    assert p.programme.columns["simulated"].tolist() == ["yes", "no"]


def test_one_sided_types_count_members():
    f = pd.DataFrame([(a, b) for a in "abcd" for b in "abcd" if a != b], columns=["origin", "destination"]).assign(
        trade=1.0
    )
    p = tl.Panel.from_frame(f, partners=pd.DataFrame({"x": ["a"], "y": ["b"]}))
    kinds = {}
    for o, d, k in zip(p.pairs.origin, p.pairs.destination, p.pairs.control_type, strict=True):
        kinds[p.regions.ids[o] + p.regions.ids[d]] = k
    assert kinds["ab"] == kinds["ba"] == 0
    assert kinds["ac"] == kinds["cb"] == 2
    assert kinds["cd"] == 1


BAD = {
    "unknown": (PARTNERS.assign(west=["w0", "w9"]), "not among the regions: w9"),
    "twice": (pd.concat([PARTNERS, PARTNERS.iloc[:1]]), "'e0' and 'w0' stand 2 times"),
    "one side": (pd.DataFrame({"a": ["e0"], "b": ["e1"]}), "both on the side 'east'"),
    "one column": (pd.DataFrame({"west": ["w0"], "start": ["2017-01"]}), "needs two columns"),
    "empty": (PARTNERS.iloc[:0], "no rows"),
    "backward": (
        PARTNERS.assign(start="2017-02", end=["2017-01", "2017-02"]),
        "1 partnerships end before they start, as one from 2017-02 to 2017-01",
    ),
    "dose": (PARTNERS.assign(dose=["much", "more"]), "must hold a number"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_partners_get_one_clear_message(name):
    partners, message = BAD[name]
    with pytest.raises(tl.DataError, match=message):
        panel(partners)


def test_a_region_is_not_its_own_partner():
    f = pd.DataFrame({"origin": ["a", "b"], "destination": ["b", "a"], "trade": 1.0})
    with pytest.raises(tl.DataError, match="its own partner"):
        tl.Panel.from_frame(f, partners=pd.DataFrame({"x": ["a"], "y": ["a"]}))


def test_undirected_covariates_are_the_same_both_ways():
    migration = pd.DataFrame({"west": ["w0", "w1", "zz"], "east": ["e0", "e2", "e0"], "migrants": [5.0, 7.0, 1.0]})
    p = panel(pairs=migration)
    values = p.pair_column("migrants")
    ids = p.regions.ids
    got = {(ids[o], ids[d]): v for o, d, v in zip(p.pairs.origin, p.pairs.destination, values, strict=True)}
    assert got["e0", "w0"] == got["w0", "e0"] == 5
    assert got["e2", "w1"] == 7
    assert np.isnan(got["e1", "w1"])
    stage = p.account.stages[-1]
    assert (stage.read_rows, stage.kept_rows) == (3, 2)
    assert [(e.reason, e.rows) for e in stage.exclusions] == [("unknown region", 1)]


def test_moving_directed_covariates():
    search = pd.DataFrame(
        {"origin": ["w0", "w0"], "destination": "e0", "period": ["2017-01", "2017-03"], "index": [1.0, 3.0]}
    )
    p = panel(pairs=[search])
    ids = p.regions.ids
    mine = (ids[p.cells.column("origin")] == "w0") & (ids[p.cells.column("destination")] == "e0")
    np.testing.assert_array_equal(p.column("index")[mine], [1, np.nan, 3])
    assert np.isnan(p.column("index")[~mine]).all()


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": ["w0"], "b": ["e0"], "x": [1.0]}), "must be keyed by"),
        (pd.DataFrame({"west": ["w0", "w0"], "east": ["e0", "e0"], "x": [1.0, 2.0]}), "'e0', 'w0' stands twice"),
        (pd.DataFrame({"west": ["w0"], "east": ["e0"], "trade": [1.0]}), "has a column 'trade' already"),
        (pd.DataFrame({"west": ["w0"], "east": ["e0"], "x": [np.inf]}), "infinite"),
    ],
)
def test_bad_covariates_get_one_clear_message(frame, message):
    with pytest.raises(tl.DataError, match=message):
        panel(pairs=frame)
