import re

import pytest

from tests.exhibits.small import one_side, show_all, study, two_sides
from tradelift.exhibits import EXHIBITS
from tradelift.exhibits.finding import LINK, by_way, compared, fitting, more, span, told, way
from tradelift.exhibits.headline import percent
from tradelift.exhibits.labels import plain
from tradelift.exhibits.shown import LONGEST_FINDING
from tradelift.exhibits.size import Size

UNKNOWN = Size(value=3.0, low=float("nan"), high=float("nan"), unit="%")
CLEAR = Size(value=22.94, low=9.04, high=38.56, unit="%")
LESS = Size(value=-4.0, low=-6.0, high=-2.0, unit="%")
UNCLEAR = Size(value=1.6, low=-8.5, high=12.8, unit="%")
POINTS = Size(value=0.345, low=0.1, high=0.6, unit="")


@pytest.fixture(scope="module")
def shown(panel):
    return show_all(panel, study(breaks={"turn": "2018-01"}))[0]


def rows(shown, name, **wanted):
    """Records of a table that have these values."""
    tables = {t.name: t for x in shown.values() for t in x.tables}
    return [r for r in tables[name].records() if all(r[k] == v for k, v in wanted.items())]


def say(sizes, panel, column="trade", **options):
    return compared(study(), panel, column, sizes, **({"than": "than near pairs"} | options))


def test_the_direction_that_is_clear_stands_beside_the_interval_of_the_other(panel):
    sizes = {"both": CLEAR, "east->west": UNCLEAR, "west->east": CLEAR}
    assert say(sizes, panel) == (
        "Partners trade 22.9% more from west to east than near pairs; from east to west no effect is seen "
        "(\N{MINUS SIGN}8.5 to 12.8%)"
    )


def test_both_directions_are_said_where_both_are_clear(panel):
    sizes = {"both": CLEAR, "east->west": LESS, "west->east": CLEAR}
    assert say(sizes, panel) == (
        "Partners trade 4.0% less from east to west and trade 22.9% more from west to east than near pairs"
    )


def test_where_no_direction_is_clear_all_flows_are_said_with_their_interval(panel):
    ways = {"east->west": UNCLEAR, "west->east": UNCLEAR}
    assert say({"both": CLEAR} | ways, panel) == (
        "Partners trade 22.9% more than near pairs (95% interval 9.0 to 38.6)"
    )
    none = "is seen: the 95% interval is \N{MINUS SIGN}8.5 to 12.8%"
    assert say({"both": UNCLEAR} | ways, panel) == f"No effect on trade {none}"
    assert say({"both": UNCLEAR}, panel, "deals", what=LINK) == f"No link with deals {none}"


def test_nothing_is_said_of_an_error_that_is_not_known(panel):
    assert say({}, panel) == say({"both": UNKNOWN, "west->east": CLEAR}, panel) == ""
    sizes = {"both": CLEAR, "east->west": UNKNOWN, "west->east": CLEAR}
    assert say(sizes, panel) == "Partners trade 22.9% more than near pairs (95% interval 9.0 to 38.6)"


@pytest.mark.parametrize(
    ("column", "size", "words"),
    [
        ("trade", LESS, "trade 4.0% less"),
        ("deals", LESS, "have 4.0% fewer deals"),
        ("deals", CLEAR, "have 22.9% more deals"),
        ("exports", CLEAR, "have 22.9% more exports"),
        ("seller_concentration", POINTS, "differ by +0.34 in Seller concentration (%)"),
    ],
)
def test_what_partners_do_is_said_by_outcome(panel, column, size, words):
    about = study(labels={"seller_concentration": "Seller concentration (%)", "exports": "exports"})
    assert more(about, panel, column, size) == words


def test_a_title_that_is_too_long_gives_way_to_a_shorter_one():
    long = "x" * (LONGEST_FINDING + 1)
    assert fitting(long, "short") == "short"
    assert fitting("", long) == ""
    assert fitting(long[1:]) == long[1:]


def test_directions_and_numbers_stand_in_words(panel):
    assert [way(panel, d) for d in panel.directions] == ["both ways", "from east to west", "from west to east"]
    assert way(one_side(), "both") == ""
    assert by_way(panel, {"both": "1%", "west->east": "2%"}) == "both ways 1%, from west to east 2%"
    assert by_way(one_side(), {"both": "1%"}) == "1%"
    assert told(UNKNOWN) == "3.0% (its error is not known)"
    assert told(POINTS, 2) == "0.34 (95% interval 0.10 to 0.60)"
    assert span(POINTS, 2) == "0.10 to 0.60"


def test_every_title_is_a_short_sentence_in_plain_words(shown):
    for x in shown.values():
        assert len(x.finding) <= LONGEST_FINDING
        assert not re.search(r"->|log\(|nan|inf\b|None|partner\[|_|\.$", x.finding)
        assert x.finding[:1] == x.finding[:1].upper()
    said = [name for name, x in shown.items() if x.finding]
    # randomization does not bound gravity here, placebos of so few partners are refused, and so is spending
    assert {*shown} - {*said} <= {"placebo", "spending"}


def whole(shown, table, **wanted):
    """Percentages of a table over all flows, where the error is known."""
    return [r["percent"] for r in rows(shown, table, direction="both", **wanted) if r["std_error"] is not None]


def between(values):
    return f"{plain(min(values))} to {plain(max(values))}%"


def test_titles_hold_the_numbers_of_tables_that_describe(shown):
    shares = rows(shown, "partner_shares", direction="both", year="all years")
    assert f"have {plain(shares[0]['pooled'], 2)}% of the trade" in shown["partner_shares"].finding
    ways = [rows(shown, "summary", panel=d, variable="trade")[0]["mean"] for d in ("east->west", "west->east")]
    assert f" {plain(max(ways) / min(ways))} times " in shown["summary"].finding


def test_titles_hold_the_ranges_of_their_tables(shown):
    near = whole(shown, "bandwidth", distance_term="none", donut_km=None)
    assert shown["bandwidth"].finding.endswith(f"by {between(near)}")
    sets = whole(shown, "control_types")
    assert (
        shown["control_types"].finding == f"Over {len(sets)} sets of control pairs partners differ by {between(sets)}"
    )
    designs = [r for r in rows(shown, "rd_alternatives", direction="both") if r["design"] != "near controls"]
    said = f"{len(designs)} other spatial designs find both ways {between([r['percent'] for r in designs])}"
    assert shown["rd_alternatives"].finding.startswith(said)
    known = rows(shown, "specifications", direction="both")
    known = [r for r in known if r["std_error"] is not None and r["conf_low"] == r["conf_low"]]
    clear = [r for r in known if not r["conf_low"] <= 0 <= r["conf_high"]]
    assert shown["specifications"].finding.startswith(f"{len(clear)} of {len(known)} specifications leave out 0")


def test_titles_hold_the_estimates_of_their_tables(shown):
    # one of two directions is clear of 0, so that the title names both, whom with where there is room
    nearest = rows(shown, "matching", direction="east->west", matches="1 nearest", outcome="log(trade)")[0]
    assert shown["matching"].finding.startswith(f"Partners trade {plain(nearest['percent'])}% more from east to west; ")
    for d in ("east->west", "west->east"):
        own = rows(shown, "spatial_rd_beside", direction=d, outcome="log(trade)", comparison="rd")[0]
        assert f"{plain(own['percent'])}% more" in shown["spatial_rd"].finding
    money = rows(shown, "magnitude", direction="both", method="Spatial RD, OLS")[0]
    assert f"comes to {plain(money['estimate'] / 1e3)} thousand CNY" in shown["magnitude"].finding
    before, after, change = rows(shown, "dynamics_breaks", direction="both", design="spatial RD", estimator="OLS")
    spans = ["({} to {}%)".format(*(plain(percent(r[k])) for k in ("conf_low", "conf_high"))) for r in (before, after)]
    ends = f"is {plain(before['percent'])}% {spans[0]} before and {plain(after['percent'])}% {spans[1]} after"
    said = f"{ends} (both ways; change p = {plain(change['p_value'], 3)})"
    assert said in shown["dynamics"].finding
    robust = rows(shown, "sensitivity", direction="both", design="Spatial RD")[0]
    assert f"{plain(robust['robustness_value'])}% (spatial RD)" in shown["sensitivity"].finding


def test_one_direction_without_a_programme_has_titles_too():
    shown = show_all(one_side(), study())[0]
    assert set(shown) == {"map", "summary", "gravity"}
    assert shown["map"].finding == "The 15 largest flows are 100.0% of all trade"
    assert shown["summary"].finding == "0.0% of 30 observations have no trade"
    assert re.fullmatch(
        r"The distance elasticity is .0\.\d\d \(95% interval .0\.\d\d to .0\.\d\d\)", shown["gravity"].finding
    )


def test_columns_that_were_refused_leave_the_plain_title(panel):
    for name in ("gravity", "spatial_rd", "bandwidth", "matching", "placebo", "dynamics", "inference", "magnitude"):
        assert EXHIBITS[name].shown(study(), panel, {}, {"some column": "a reason."}).finding == ""


def test_partners_on_one_side_are_counted_once():
    import pandas as pd

    import tradelift as tl

    panel = two_sides()
    frame = pd.DataFrame({"origin": ["a", "b", "a", "c"], "destination": ["b", "a", "c", "a"], "trade": [1.0, 2, 3, 4]})
    partners = pd.DataFrame({"a": ["a"], "b": ["b"]})
    alone = tl.Panel.from_frame(frame, partners=partners)
    shown = EXHIBITS["partners"].show(study(), alone, {})
    assert shown.finding == "1 partnership pairs 2 of 3 regions"
    assert EXHIBITS["partners"].show(study(), panel, {}).finding == (
        "4 partnerships pair 3 of 5 east regions with 4 of 6 west regions"
    )
