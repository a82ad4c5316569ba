import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.panels import two_sided
from tradelift.panel.opening import open_parquet

SAME = {"rtol": 1e-9, "atol": 1e-11}  # coefficients of two exact solvers
SAME_ERRORS = {"rtol": 1e-7}  # errors start from what the solvers leave of the scores


def region_frame(panel):
    regions = panel.regions
    columns = {"region": regions.ids, "longitude": regions.longitude, "latitude": regions.latitude}
    if regions.sides is not None:
        columns["side"] = [regions.sides[s] for s in regions.side]
    return pd.DataFrame(columns | dict(regions.columns))


def partner_frame(panel):
    programme = panel.programme
    ids = panel.regions.ids
    first, second = panel.regions.sides or ("one", "other")
    frame = pd.DataFrame({first: ids[programme.first], second: ids[programme.second]})
    if programme.start.any():
        frame["start"] = np.array(panel.periods)[programme.start]
    return frame


def stored(panel, folder, part_cells=200, **options):
    """The panel written to files, and opened again."""
    panel.to_parquet(folder)
    given = {"regions": region_frame(panel), "partners": partner_frame(panel)} | options
    return open_parquet(folder, part_cells=part_cells, **given)


def assert_same(got, want):
    assert (got.terms, got.n_obs, got.n_pairs, got.dropped) == (want.terms, want.n_obs, want.n_pairs, want.dropped)
    assert (got.formula, got.sample, got.diagnostics.omitted) == (want.formula, want.sample, want.diagnostics.omitted)
    assert got.diagnostics.effect_rank == want.diagnostics.effect_rank
    assert got.diagnostics.notes == want.diagnostics.notes
    np.testing.assert_allclose(got.coefficients, want.coefficients, **SAME)
    np.testing.assert_allclose(got.std_errors, want.std_errors, **SAME_ERRORS)
    np.testing.assert_allclose(got.diagnostics.pseudo_r2, want.diagnostics.pseudo_r2, rtol=1e-9)


PANELS = {
    "complete": {},
    "gaps": {"missing": 0.1},
    "sparse": {"mean": 0.4},
    "sparse with gaps": {"mean": 0.8, "missing": 0.1, "periods": 6},
}

DESIGNS = {
    "default": {},
    "east->west": {"direction": "east->west", "vcov": "pair"},
    "control types": {"control_types": [4], "vcov": "max-two-way", "correction": "full"},
    "periods": {"where": {"period": {"from": "2017-02", "to": "2017-03"}}, "vcov": "robust"},
    "fixed column": {"where": {"control_type": [0, 4]}, "vcov": "two-way"},
    "deals": {"outcome": "deals", "vcov": "province"},
    "ols": {"outcome": "log(trade)", "vcov": "directed-pair"},
    "ratio": {"outcome": "seller_concentration", "vcov": "none"},
    "moving control": {"controls": ["log(distance_km)", "shock"]},
    "weights": {"weights": "deals"},
    "offset": {"offset": "shock"},
    "by": {"by": "control_type", "treatment": "distance_km", "controls": [], "vcov": "spatial"},
    "spelled out": {"effects": ["period^origin", "destination^period"]},
}


@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize("design", DESIGNS)
def test_estimates_as_in_memory(tmp_path, name, design):
    panel, _, _ = two_sided(seed=3, **PANELS[name])
    gravity = tl.Gravity(**DESIGNS[design])
    assert_same(gravity.estimate(stored(panel, tmp_path)), gravity.estimate(panel))
