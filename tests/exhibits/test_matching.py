import numpy as np
import pytest

import tradelift as tl
from tests.exhibits.small import estimated, one_side, study, two_sides
from tradelift.exhibits import EXHIBITS, missing
from tradelift.exhibits.headline import numbers
from tradelift.exhibits.matching import VARIANTS
from tradelift.geography import great_circle_km

MATCHING = EXHIBITS["matching"]


@pytest.fixture(scope="module")
def found(panel):
    return estimated("matching", panel, study())


@pytest.fixture(scope="module")
def shown(panel, found):
    return MATCHING.show(study(), panel, found)


def test_logs_and_ratios_are_matched_in_every_way_and_direction(panel):
    tasks = MATCHING.plan(study(model={"bandwidth_km": 90, "controls": ["distance_km"]}), panel)
    assert len(tasks) == 3 * 3 * len(VARIANTS)  # directions, outcomes, variants
    usual = {"outcome": "log(deals)", "direction": "west->east", "controls": ("distance_km",)}
    assert tasks["3 nearest, log(deals), west->east"] == tl.Matching(**usual, nearest=3)
    assert tasks["1 nearest, within the bandwidth, log(deals), west->east"] == tl.Matching(**usual, bandwidth_km=90.0)
    bare = tl.Matching(**(usual | {"controls": ()}))
    assert tasks["1 nearest, not adjusted, log(deals), west->east"] == bare
    assert {task.outcome for task in tasks.values()} == {"log(trade)", "log(deals)", "seller_concentration"}


def test_the_table_holds_the_estimates(shown, found):
    rows = list(shown.tables[0].records())
    assert len(rows) == len(found)
    for row in rows:
        tidy = numbers(found[f"{row['matches']}, {row['outcome']}, {row['direction']}"].tidy(), "partner")
        assert {k: row[k] for k in ("estimate", "std_error", "p_value")} == {
            k: tidy[k] for k in ("estimate", "std_error", "p_value")
        }
        ratio = row["outcome"] == "seller_concentration"
        assert row["percent"] == (None if ratio else pytest.approx(100 * np.expm1(tidy["estimate"])))


def test_the_matches_are_counted_and_measured(panel, shown):
    """Distances of the nearest control on each side, by loops over the regions."""
    r, programme = panel.regions, panel.programme
    own = {frozenset((a, b)) for a, b in zip(programme.first, programme.second, strict=True)}

    def nearest(city, other):
        return min(
            float(great_circle_km(r.longitude[k], r.latitude[k], r.longitude[city], r.latitude[city]))
            for k in range(len(r))
            if r.side[k] == r.side[city] and k != city and frozenset((k, other)) not in own
        )

    km = [d for a, b in zip(programme.first, programme.second, strict=True) for d in (nearest(a, b), nearest(b, a))]
    row = next(x for x in shown.tables[1].records() if (x["direction"], x["matches"]) == ("both", "1 nearest"))
    assert (row["median_km"], row["farthest_km"]) == pytest.approx((np.median(km), max(km)))
    assert (row["partner_pairs"], row["without"], row["short"]) == (8, 0, 0)
    beyond = 2 * sum(d > 150 for d in km)  # in both directions
    assert f"the farthest at {max(km):.0f} km; {beyond} of {2 * len(km)} are beyond the bandwidth of 150 km" in (
        " ".join(shown.sentences)
    )


def test_partner_pairs_without_a_match_are_counted(panel):
    about = study(model={"bandwidth_km": 100})
    found = estimated("matching", panel, about)
    shown = MATCHING.show(about, panel, found)
    row = next(x for x in shown.tables[1].records() if x["matches"] == "1 nearest, within the bandwidth")
    matches = found["1 nearest, within the bandwidth, log(trade), both"].diagnostics.matches
    assert row["without"] == sum(matches.lost_groups.values()) > 0
    assert row["partner_pairs"] + row["without"] == 8


def test_flows_have_a_figure_and_the_sentence_its_numbers(shown, found):
    assert [f.name for f in shown.figures] == ["matching_trade", "matching_deals"]
    first = shown.figures[0].intervals[0]
    assert (first.row, first.series) == ("both", "1 nearest")
    percent = numbers(found["1 nearest, log(trade), both"].percent(), "partner")["percent"]
    assert first.value == pytest.approx(percent)
    assert f"partner pairs have +{percent:.1f}% (95% interval" in shown.sentences[0]


def test_without_estimates_nothing_is_shown(panel, found):
    assert MATCHING.show(study(), panel, {}).tables == ()
    few = {key: e for key, e in found.items() if key.startswith("3 nearest")}
    shown = MATCHING.show(study(), panel, few)
    assert {row["matches"] for row in shown.tables[0].records()} == {"3 nearest"}
    assert not any("nearest control on each side" in s for s in shown.sentences)


def test_it_is_absent_without_partners_or_coordinates():
    assert missing(MATCHING, study(), one_side()) == "absent: give partners"
    assert missing(MATCHING, study(), two_sides(coordinates=False)).startswith("absent: give longitude")
