"""Exhibits of different effects, on panels that have too little of something."""

from dataclasses import replace

import numpy as np
import pytest

from tests.exhibits.goods import BREAK, whole
from tests.exhibits.small import study
from tests.exhibits.test_awkward_panels import AWKWARD
from tradelift.errors import ConvergenceError, DesignError
from tradelift.exhibits import EXHIBITS, missing

NAMES = ("concentration", "categories", "traits", "dynamics")
TRAITS = {"south": "latitude[destination]", "far": "distance_km"}
ABSENT = {("dynamics", "one month"), ("concentration", "one side")}  # beside categories, which none has beside it


@pytest.mark.parametrize("case", AWKWARD)
@pytest.mark.parametrize("name", NAMES)
def test_an_awkward_panel_is_shown_or_refused_in_words(name, case):
    make, bandwidth = AWKWARD[case]
    panel = make()
    about = study(model={"bandwidth_km": bandwidth}, traits=TRAITS, breaks={"turn": "2017-03"})
    why_absent = missing(EXHIBITS[name], about, panel)
    assert (why_absent is not None) == (name == "categories" or (name, case) in ABSENT)
    if why_absent is not None:
        assert why_absent.startswith(("absent: give flows ", "absent: give sellers: "))
        return
    found, refused = {}, {}
    for key, task in EXHIBITS[name].plan(about, panel).items():
        try:
            found[key] = task.estimate(panel)
        except (DesignError, ConvergenceError) as error:
            refused[key] = str(error)
    shown = EXHIBITS[name].shown(about, panel, found, refused)
    assert all(why.endswith((".", "'].")) and len(why) > 40 for why in refused.values())
    assert bool(shown.tables) == bool(found)
    assert all(sentence.endswith((".", "'].")) for sentence in shown.sentences)
    for table in shown.tables:
        for row in table.records():
            assert all(v is None or not isinstance(v, float) or not np.isinf(v) for v in row.values())


def test_a_category_without_trade_is_named_and_the_others_stand():
    panel = whole()
    trade = panel.goods.columns["trade"].copy()
    trade[panel.goods.edges[1] : panel.goods.edges[2]] = 0.0  # toys
    emptied = replace(panel, goods=replace(panel.goods, columns={"trade": trade}))
    about = study(model={"bandwidth_km": 200}, breaks={"turn": BREAK})
    found = {}
    for key, task in EXHIBITS["categories"].plan(about, emptied).items():
        try:
            found[key] = task.estimate(emptied)
        except DesignError as error:
            assert "toys" not in str(error)  # noqa: PT017 - groups without trade are refused whole
    shown = EXHIBITS["categories"].show(about, emptied, found)
    rows = list(shown.tables[0].records())
    assert {row["category"] for row in rows} == {"food", "wear"}
    assert any("Not estimated for toys" in note for note in shown.tables[0].notes)
