from dataclasses import replace
from datetime import date

import numpy as np
import pytest

import tradelift as tl
from tests.designs.fixest import as_frame, with_pyfixest
from tests.designs.panels import two_sided
from tradelift.errors import DesignError
from tradelift.inference.calendar import are_months, new_years, year_ends
from tradelift.inference.spending import MONTHS, SpendingMonths

PUBLISHED = {  # first days of the Chinese year, as the Hong Kong Observatory publishes them
    1985: date(1985, 2, 20), 1999: date(1999, 2, 16), 2006: date(2006, 1, 29), 2007: date(2007, 2, 18),
    2008: date(2008, 2, 7), 2010: date(2010, 2, 14), 2013: date(2013, 2, 10), 2017: date(2017, 1, 28),
    2018: date(2018, 2, 16), 2019: date(2019, 2, 5), 2020: date(2020, 1, 25), 2021: date(2021, 2, 12),
    2033: date(2033, 1, 31), 2034: date(2034, 2, 19),
}  # fmt: skip
TIGHT = 1e-7  # relative: two solvers


def months(first, last):
    return [f"{year}-{month:02d}" for year in range(first, last + 1) for month in range(1, 13)]


@pytest.fixture(scope="module")
def panel():
    return two_sided(seed=2, periods=12)[0]


def test_new_year_falls_in_the_published_months():
    for year, day in PUBLISHED.items():
        labels = months(year, year)
        assert np.flatnonzero(new_years(labels)).tolist() == [day.month - 1], year


def test_every_known_year_has_one_new_year_in_its_first_two_months():
    labels = np.array(months(1950, 2100))
    found = labels[new_years(labels)]
    assert len(found) == 151
    assert {label[5:] for label in found} == {"01", "02"}


def test_decembers_are_marked():
    labels = np.array(months(2017, 2018))
    assert labels[year_ends(labels)].tolist() == ["2017-12", "2018-12"]


@pytest.mark.parametrize("label", ["2017", "2017-Q1", "2017-13", "1949-01", "2101-01", "all"])
def test_other_periods_are_refused(label):
    assert not are_months(["2017-01", label])
    for mark in (year_ends, new_years):
        with pytest.raises(DesignError, match=f"The period '{label}' is no month of 1950 to 2100"):
            mark(["2017-01", label])


@pytest.mark.parametrize("outcome", ["trade", "log(trade)"])
def test_the_interactions_are_those_of_a_regression_with_dummies_for_the_months(panel, outcome):
    found = SpendingMonths(design=tl.Gravity(outcome=outcome, vcov="pair")).estimate(panel)
    frame = as_frame(panel)
    frame["december"] = frame["partner"] * (frame["period"] == "2017-12")
    frame["january"] = frame["partner"] * (frame["period"] == "2017-01")
    family = "poisson" if outcome == "trade" else "gaussian"
    if family == "gaussian":
        frame = frame.loc[frame["trade"] > 0]
    formula = f"{outcome} ~ partner + log(distance_km) + december + january | origin^period + destination^period"
    other = with_pyfixest(formula, family, frame)
    names = {"partner": "partner", MONTHS[0]: "december", MONTHS[1]: "january"}
    for ours, theirs in names.items():
        k = found.terms.index(ours)
        assert found.coefficients[k] == pytest.approx(other.coef()[theirs], rel=TIGHT)
        assert found.std_errors[k] == pytest.approx(other.se()[theirs], rel=TIGHT)
    k = [found.terms.index(term) for term in MONTHS]
    b = found.coefficients[k]
    by_hand = b @ np.linalg.solve(found.covariance[np.ix_(k, k)], b) / 2
    assert found.wald(MONTHS).statistic == pytest.approx(by_hand, rel=1e-10)


@pytest.mark.parametrize(("outcome", "family"), [("log(trade)", "gaussian"), ("trade", "poisson")])
def test_in_spatial_rd_the_effect_of_a_month_is_that_of_its_flows_alone(panel, outcome, family):
    """Without controls months share nothing: every effect is by period."""
    design = tl.SpatialRD(outcome=outcome, family=family, bandwidth_km=900, controls=[])
    found = SpendingMonths(design=design).estimate(panel)
    for term, month in zip(MONTHS, ("2017-12", "2017-01"), strict=True):
        alone = replace(design, where={"period": month}).estimate(panel)
        assert found.combine({"partner": 1.0, term: 1.0}).estimate == pytest.approx(alone.coefficients[0], rel=TIGHT)


@pytest.mark.parametrize(("periods", "message"), [(3, "has no December"), (1, "has no December")])
def test_without_these_months_it_is_refused(periods, message):
    with pytest.raises(DesignError, match=message):
        SpendingMonths(design=tl.Gravity()).estimate(two_sided(seed=2, periods=periods)[0])


def test_without_partners_or_in_files_it_is_refused(panel, tmp_path):
    frame = as_frame(panel)[["origin", "destination", "period", "trade"]]
    with pytest.raises(DesignError, match="interacts partnership with months: give partners"):
        SpendingMonths(design=tl.Gravity()).estimate(tl.Panel.from_frame(frame))
    panel.to_parquet(tmp_path)
    with pytest.raises(DesignError, match="needs all cells in memory"):
        SpendingMonths(design=tl.Gravity()).estimate(tl.Panel.from_parquet(tmp_path))
