"""Exposure to partnership, beside loops over pairs and least squares with dummies."""

from dataclasses import replace

import numpy as np
import pytest

import tradelift as tl
from tests.exhibits.small import large_provinces, one_side
from tradelift.errors import DesignError
from tradelift.geography import great_circle_km
from tradelift.inference.spillovers import Exposure, both_take_part, near_a_partner

EXACT = 1e-8  # least squares by dummies, and net of effects
STEP = 1e-6  # of a numerical derivative
KM = 400.0


@pytest.fixture(scope="module")
def panel():
    return large_provinces()


def by_loops(panel, within_km):
    """Cells near a partner pair in force, one by one."""
    r, programme = panel.regions, panel.programme
    km = great_circle_km(r.longitude[:, None], r.latitude[:, None], r.longitude, r.latitude)
    origin, destination, period = (panel.cells.column(c) for c in ("origin", "destination", "period"))
    treated = panel.column("partner") != 0
    out = np.zeros(panel.n_cells, dtype=bool)
    for cell in range(panel.n_cells):
        ends = {int(origin[cell]), int(destination[cell])}
        for k, pair in enumerate(zip(programme.first.tolist(), programme.second.tolist(), strict=True)):
            shared = ends & set(pair)
            if len(shared) != 1 or not programme.start[k] <= period[cell] <= programme.end[k]:
                continue
            (own,), (partner,) = ends - shared, set(pair) - shared
            if r.side[own] == r.side[partner] and km[own, partner] <= within_km and not treated[cell]:
                out[cell] = True
    return out


def test_near_pairs_are_those_that_loops_find(panel):
    found = near_a_partner(panel, KM)
    assert 0 < found.sum() < panel.n_cells
    np.testing.assert_array_equal(found, by_loops(panel, KM))


def test_pairs_are_exposed_only_while_the_partnership_is_in_force(panel):
    programme = panel.programme
    start = np.arange(len(programme.start)) % 3
    later = replace(panel, programme=replace(programme, start=start))
    found = near_a_partner(later, KM)
    np.testing.assert_array_equal(found, by_loops(later, KM))
    assert not np.array_equal(found, near_a_partner(panel, KM))


def test_pairs_of_partnered_regions_are_those_of_type_4(panel):
    np.testing.assert_array_equal(both_take_part(panel), panel.column("control_type") == 4)


@pytest.mark.parametrize(("kind", "term"), [("near", "near_partner"), ("both", "both_take_part")])
def test_exposure_is_a_regressor_beside_partnership(panel, kind, term):
    design = tl.Gravity(outcome="log(trade)", direction="west->east")
    found = Exposure(design=design, kind=kind, within_km=KM).estimate(panel)
    cells = np.flatnonzero(panel.pair_direction("west->east")[panel.pair_of_cell])
    exposed = by_loops(panel, KM) if kind == "near" else panel.column("control_type") == 4
    n, periods = len(panel.regions), len(panel.periods)
    period = panel.cells.column("period")[cells]
    dummies = np.zeros((len(cells), 2 * n * periods))
    dummies[np.arange(len(cells)), period * n + panel.cells.column("origin")[cells]] = 1
    dummies[np.arange(len(cells)), (periods + period) * n + panel.cells.column("destination")[cells]] = 1
    x = np.column_stack(
        [panel.column("partner")[cells], exposed[cells], np.log(panel.column("distance_km")[cells]), dummies]
    )
    b = np.linalg.lstsq(x, np.log(panel.column("trade")[cells]), rcond=None)[0]
    assert found.found.terms[:2] == ("partner", term)
    assert found.found.coefficients == pytest.approx(b[:3], rel=EXACT)
    assert found.exposed_pairs == len(np.unique(panel.pair_of_cell[cells][exposed[cells]]))
    assert found.exposed_pairs + found.other_pairs + 10 == 144
    trade = panel.column("trade")[cells]
    assert found.bases["partner"] == pytest.approx(trade[panel.column("partner")[cells] == 1].sum(), rel=EXACT)
    assert found.bases[term] == pytest.approx(trade[exposed[cells]].sum(), rel=EXACT)
    assert found.tidy().equals(found.found.tidy())
    assert (found.n_obs, found.n_pairs, found.direction) == (len(cells), 144, "west->east")
    assert (found.design, found.outcome, found.sample, found.se_type) == (
        "Gravity",
        "log(trade)",
        "all pairs",
        "dyadic",
    )


def test_money_of_both_has_the_error_of_both(panel):
    found = Exposure(design=tl.Gravity(vcov="pair"), within_km=KM).estimate(panel)
    terms = ("partner", "near_partner")
    b, base = found.found.coefficients[:2], np.array([found.bases[t] for t in terms])

    def total(coefficients):
        return float((base - base / np.exp(coefficients)).sum())

    slope = np.array([(total(b + STEP * unit) - total(b - STEP * unit)) / (2 * STEP) for unit in np.eye(2)])
    both = found.money(*terms)
    assert both.value == pytest.approx(total(b), rel=EXACT)
    assert both.std_error == pytest.approx(np.sqrt(slope @ found.found.covariance[:2, :2] @ slope), rel=1e-6)
    apart = [found.money(term).value for term in terms]
    assert sum(apart) == pytest.approx(both.value, rel=EXACT)
    assert (both.conf_low + both.conf_high) / 2 == pytest.approx(both.value, rel=EXACT)
    unknown = replace(found, found=replace(found.found, covariance=np.full_like(found.found.covariance, np.nan)))
    assert np.isnan(unknown.money(*terms).std_error)


def test_what_cannot_be_told_is_refused(panel):
    with pytest.raises(DesignError, match=r"kind is 'near' or 'both'; found 'far'"):
        Exposure(design=tl.Gravity(), kind="far")
    with pytest.raises(DesignError, match="the one treatment 'partner', without `by`"):
        Exposure(design=tl.Gravity(by="direction"))
    with pytest.raises(DesignError, match="this panel has none: give partners"):
        Exposure(design=tl.Gravity()).estimate(one_side())
    with pytest.raises(DesignError, match="No partner pair has a near control"):
        Exposure(design=tl.Gravity(), within_km=0.001).estimate(panel)
    everyone = tl.Gravity(outcome="log(trade)", control_types=[4])
    with pytest.raises(DesignError, match=r"which pairs are exposed \('both_take_part'\)"):
        Exposure(design=everyone, kind="both").estimate(panel)
    none = panel.pairs.control_type.copy()
    none[none == 4] = 3
    without = replace(panel, pairs=replace(panel.pairs, control_type=none))
    with pytest.raises(DesignError, match="No pair is exposed: none is of type 4"):
        Exposure(design=tl.Gravity(), kind="both").estimate(without)
    later = replace(panel.programme, start=np.full(10, 99), end=np.full(10, 99))
    with pytest.raises(DesignError, match="No pair is exposed: none is near a partner pair in force"):
        Exposure(design=tl.Gravity(), within_km=KM).estimate(replace(panel, programme=later))
