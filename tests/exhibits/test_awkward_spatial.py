"""Spatial RD, its bandwidths, control types and balance on panels that have too little of something."""

import pytest

from tests.exhibits.small import attempted, study
from tests.exhibits.test_awkward_panels import AWKWARD
from tradelift.exhibits import EXHIBITS
from tradelift.exhibits.spatial import effect_values, size_of
from tradelift.report import figure_svg
from tradelift.report.tables import table_html

NAMES = ("balance", "spatial_rd", "bandwidth", "control_types")


@pytest.mark.parametrize("case", AWKWARD)
@pytest.mark.parametrize("name", NAMES)
def test_an_awkward_panel_is_shown_or_refused_in_words(name, case):
    make, bandwidth = AWKWARD[case]
    panel, about = (
        make(),
        study(model={"bandwidth_km": bandwidth}, exhibits={"bandwidth": {"grid_km": [bandwidth, 900]}}),
    )
    found, refused = attempted(name, panel, about)
    shown = EXHIBITS[name].shown(about, panel, found, refused)
    assert all(why.endswith((".", "'].")) and len(why) > 40 for why in refused.values())
    for table in shown.tables:
        table_html(table)
        for row in table.records():
            assert all(value is None or value == value for value in row.values())  # noqa: PLR0124  NaN is none
    for figure in shown.figures:
        for row in figure.records():
            assert all(value is None or value == value for value in row.values())  # noqa: PLR0124  NaN is none
    for figure in {type(figure): figure for figure in shown.figures}.values():  # to draw one of each kind is enough
        assert "NaN" not in figure_svg(figure)
    assert shown.tables or refused
    if name == "spatial_rd":
        leads = [f"log(trade), OLS, {direction}" for direction in panel.directions]
        assert (shown.headline is not None) == any(key in found for key in leads)


def test_an_error_that_is_only_rounding_is_not_shown():
    """One distance term more than the flows can bear: the equation fits them whole."""
    panel, about = AWKWARD["one side"][0](), study(model={"bandwidth_km": 1500.0})
    found, _ = attempted("spatial_rd", panel, about)
    whole = found["log(trade), OLS, both, 250 km, d"]
    assert not whole.std_errors[0] > 1e-9
    assert not size_of(whole).is_known
    values = effect_values(whole)
    assert values[0] == whole.coefficients[0]
    assert values[1:4] == (None, None, None)
    said = next(s for s in EXHIBITS["spatial_rd"].show(about, panel, found).sentences if s.startswith("Within 250 km"))
    assert "(error not known) with |d|" in said
