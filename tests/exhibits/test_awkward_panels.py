"""Spatial exhibits of panels that have too little of something: clear lines, and what can be shown."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.designs.panels import one_sided, rebuilt, two_sided
from tests.exhibits.small import study
from tradelift.errors import ConvergenceError, DesignError
from tradelift.exhibits import EXHIBITS

NAMES = ("rd_alternatives", "matching", "placebo")
FAR = 700.0  # km: the small panels have few regions


def with_categories():
    panel, frame, _ = two_sided(seed=2)
    both = pd.concat([frame.assign(category="a"), frame.assign(category="b", trade=frame["trade"] + 1)])
    return rebuilt(panel, both, category="category")


def without_some_coordinates():
    panel = two_sided(seed=2)[0]
    longitude = panel.regions.longitude.copy()
    longitude[[0, 9]] = np.nan
    distance = np.where(np.isin(panel.pairs.origin, [0, 9]) | np.isin(panel.pairs.destination, [0, 9]), np.nan, 1.0)
    columns = panel.pairs.columns | {"distance_km": panel.pairs.columns["distance_km"] * distance}
    regions = replace(panel.regions, longitude=longitude)
    return replace(panel, regions=regions, pairs=replace(panel.pairs, columns=columns))


AWKWARD = {
    "one month": (lambda: two_sided(seed=2, periods=1)[0], FAR),
    "one side": (lambda: one_sided(seed=2)[0], 1500.0),
    "categories": (with_categories, FAR),
    "some coordinates": (without_some_coordinates, FAR),
    "starts that differ": (lambda: two_sided(seed=7, periods=5, start=["2017-03", "2017-04", "2017-01"] * 4)[0], FAR),
    "many zero flows": (lambda: two_sided(seed=7, mean=1.0)[0], FAR),
    "one partner pair": (lambda: two_sided(seed=2, partners=1)[0], FAR),
    "nothing near": (lambda: two_sided(seed=2)[0], 1.0),
}
NOTHING = {("matching", "one partner pair"), ("placebo", "nothing near")}


@pytest.mark.parametrize("case", AWKWARD)
@pytest.mark.parametrize("name", NAMES)
def test_an_awkward_panel_is_shown_or_refused_in_words(name, case):
    make, bandwidth = AWKWARD[case]
    panel, about = make(), study(model={"bandwidth_km": bandwidth})
    found, refused = {}, {}
    for key, task in EXHIBITS[name].plan(about, panel).items():
        try:
            found[key] = task.estimate(panel)
        except (DesignError, ConvergenceError) as error:
            refused[key] = str(error)
    shown = EXHIBITS[name].shown(about, panel, found, refused)
    assert all(why.endswith((".", "'].")) and len(why) > 40 for why in refused.values())
    assert bool(shown.tables) == ((name, case) not in NOTHING)
    for table in shown.tables:
        for row in table.records():
            assert all(value is None or value == value for value in row.values())  # noqa: PLR0124  NaN is none
    said = [sentence for sentence in shown.sentences if sentence.startswith("Not estimated: ")]
    assert bool(said) == bool(refused)
    assert len(said) <= 9  # designs
    if not shown.tables:
        assert refused
