import numpy as np
import pytest

import tradelift as tl
from tests.designs.fixest import as_frame, with_pyfixest
from tests.exhibits.goods import whole
from tradelift.inference import HeldLog, Presence, SideBySide, joint

DIGITS = 1e-6  # beside pyfixest
EXACT = 1e-12


@pytest.fixture(scope="module")
def panel():
    return whole(goods=False)


def test_outcomes_side_by_side_are_joint(panel):
    design = tl.Gravity(direction="west->east", vcov="pair")
    names = ("top_seller_trade", "other_seller_trade")
    found = SideBySide(design=design, outcomes=names).estimate(panel)
    each = {n: tl.Gravity(outcome=n, direction="west->east", vcov="pair").estimate(panel) for n in names}
    twin = joint(each, controls=False)
    assert found.terms == ("partner[top_seller_trade]", "partner[other_seller_trade]")
    np.testing.assert_array_equal(found.coefficients, twin.coefficients)
    np.testing.assert_array_equal(found.covariance, twin.covariance)
    assert found.outcome == "top_seller_trade and other_seller_trade"


def test_presence_is_in_points_as_in_pyfixest(panel):
    found = Presence(design=tl.Gravity(vcov="pair")).estimate(panel)
    frame = as_frame(panel)
    frame["ln"], frame["there"] = np.log(frame["distance_km"]), 100.0 * (frame["trade"] > 0)
    fit = with_pyfixest("there ~ partner + ln | origin^period + destination^period", "gaussian", frame)
    np.testing.assert_allclose(found.coefficients, fit.coef(), rtol=DIGITS)
    np.testing.assert_allclose(found.std_errors, fit.se(), rtol=DIGITS)
    assert (found.outcome, found.n_obs) == ("any_trade", panel.n_cells)


def test_sellers_are_held_as_in_pyfixest(panel):
    found = HeldLog(design=tl.Gravity(outcome="seller_concentration", vcov="pair"), column="sellers").estimate(panel)
    frame = as_frame(panel).query("sellers > 0").dropna(subset=["seller_concentration"])
    frame["ln"], frame["ls"] = np.log(frame["distance_km"]), np.log(frame["sellers"])
    fit = with_pyfixest(
        "seller_concentration ~ partner + ln + ls | origin^period + destination^period", "gaussian", frame
    )
    assert found.terms == ("partner", "log(distance_km)", "log_of_sellers")
    np.testing.assert_allclose(found.coefficients, fit.coef(), rtol=DIGITS)
    np.testing.assert_allclose(found.std_errors, fit.se(), rtol=DIGITS)
    assert found.sample == "all pairs, sellers_positive = 1"


def test_sellers_are_held_in_spatial_rd_too(panel):
    """A column made by hand, on the rows that have sellers."""
    design = tl.SpatialRD(outcome="seller_concentration", bandwidth_km=200)
    found = HeldLog(design=design, column="sellers").estimate(panel)
    frame = panel.to_arrow().to_pandas()
    few = frame[frame["sellers"] > 0].assign(ls=np.log(frame["sellers"].where(frame["sellers"] > 0)))
    keep = ["origin", "destination", "period", "seller_concentration", "ls"]
    r, ids = panel.regions, panel.regions.ids
    regions = {
        "region": ids,
        "side": np.array(["east", "west"])[r.side],
        "longitude": r.longitude,
        "latitude": r.latitude,
    }
    partners = {"east": ids[panel.programme.first], "west": ids[panel.programme.second]}
    import pandas as pd

    twin = tl.Panel.from_frame(few[keep], regions=pd.DataFrame(regions), partners=pd.DataFrame(partners))
    by_hand = tl.SpatialRD(
        outcome="seller_concentration", bandwidth_km=200, controls=["log(distance_km)", "ls"]
    ).estimate(twin)
    np.testing.assert_allclose(found.coefficients, by_hand.coefficients, rtol=1e-8)
    np.testing.assert_allclose(found.std_errors, by_hand.std_errors, rtol=1e-8)


def test_what_does_not_vary_is_refused(panel):
    with pytest.raises(tl.DesignError, match="'seller_concentration' is positive in no cell"):
        Presence(design=tl.Gravity(outcome="seller_concentration")).estimate(
            _with(panel, "seller_concentration", np.nan)
        )
    with pytest.raises(tl.DesignError, match="'deals' is positive in every cell"):
        Presence(design=tl.Gravity(outcome="deals")).estimate(_with(panel, "deals", 1.0))
    empty = np.where((panel.pairs.origin == 0)[panel.pair_of_cell], 0.0, 5.0)  # all that one city exports
    gone = _with(panel, "trade", 1.0)
    gone.cells.columns["trade"][:] = empty
    with pytest.raises(tl.DesignError, match="the same, given the effects, in all flows"):
        Presence(design=tl.Gravity()).estimate(gone)
    with pytest.raises(tl.DesignError, match="nowhere positive"):
        HeldLog(design=tl.Gravity(), column="sellers").estimate(_with(panel, "sellers", 0.0))
    with pytest.raises(tl.DesignError, match="give two or more; found trade"):
        SideBySide(design=tl.Gravity(), outcomes=("trade", "trade"))


def _with(panel, name, value):
    from tradelift.panel.extension import with_columns

    return with_columns(panel, cells={name: np.full(panel.n_cells, value)})
