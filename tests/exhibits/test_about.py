import pytest

from tests.exhibits.small import attempted
from tests.exhibits.worlds import about, world
from tradelift.exhibits import EXHIBITS
from tradelift.exhibits.about import errors_by


@pytest.fixture(scope="module")
def panel():
    return world()


@pytest.mark.parametrize("name", ["gravity", "bandwidth", "control_types", "matching", "magnitude", "sensitivity"])
def test_the_main_table_says_what_stands_behind_the_column_that_leads(panel, name):
    found, refused = attempted(name, panel, about())
    table = EXHIBITS[name].shown(about(), panel, found, refused).tables[0]
    (note,) = (n for n in table.notes if n.startswith("The column that leads: "))
    first = next(x for k, x in found.items() if k.endswith("both") or ", both, " in k)
    assert f"Errors: {first.se_type}" in note
    assert "feols(log(trade) ~ " in note or "fepois(trade ~ " in note
    assert ("on the rows of the stack" in note) == ("near controls within" in note and name != "matching")


def test_observations_that_are_not_used_are_counted_by_reason(panel):
    found, _ = attempted("gravity", panel, about())
    own = found["trade, PPML, both"]
    note = next(
        n for n in EXHIBITS["gravity"].show(about(), panel, found).tables[0].notes if n.startswith("The column")
    )
    assert f"{own.n_obs:,} observations of {own.n_pairs:,} directed pairs" in note
    lost = {k: n for k, n in own.dropped.items() if n}
    assert ("not used" in note) == bool(lost)
    assert f"fepois({own.formula})" in note


def test_errors_are_told_apart_only_where_they_differ():
    assert errors_by([("dyadic", "gravity"), ("dyadic", "spatial RD")]) == "dyadic"
    assert errors_by([("max-two-way", "spatial RD"), ("dyadic", "gravity"), ("dyadic", "gravity")]) == (
        "max-two-way (spatial RD), dyadic (gravity)"
    )
