import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.fixest import as_frame, translated, with_pyfixest
from tests.designs.panels import one_sided, two_sided
from tradelift.designs import Prediction, prediction

FITTED = 1e-8  # beside pyfixest, both at their tightest
ADDS_UP = 1e-8
SAME = 1e-12  # the same arithmetic, or sums of it in another order

TWO_WAY = ["origin^period", "destination^period"]
PAIRS = [*TWO_WAY, "origin^destination"]


def small(seed=5, **options):
    _, frame, chosen = two_sided(seed, 6, 7, 3, **({"partners": 12} | options))
    rng = np.random.default_rng(seed)
    frame["w"] = rng.uniform(0.5, 2.0, len(frame)) * (rng.random(len(frame)) > 0.1)
    frame["o"] = rng.normal(0, 0.3, len(frame))
    return frame, pd.DataFrame(chosen)


def with_programme(**options):
    return two_sided(5, 6, 7, 3, **({"partners": 12} | options))[0]


def of_columns(**options):
    frame, partners = small(**options)
    return tl.Panel.from_frame(frame, partners=partners)


def of_categories():
    frame, partners = small(missing=0.1)
    both = pd.concat([frame.assign(category="food"), frame.assign(category="cloth", trade=frame["deals"])])
    return tl.Panel.from_frame(both, partners=partners, category="category")


PANELS = {
    "complete": with_programme,
    "gaps": lambda: with_programme(missing=0.2, mean=1.0),
    "zeros": lambda: with_programme(mean=0.5, missing=0.4),
    "columns": lambda: of_columns(missing=0.1, mean=3.0),
    "domestic": lambda: one_sided(n=7)[0],
    "categories": of_categories,
    "staggered": lambda: with_programme(start="2017-02", mean=4.0),
}

CASES = {
    "complete": ("complete", {}),
    "complete, one way": ("complete", {"direction": "west->east"}),
    "complete, log": ("complete", {"outcome": "log(trade)"}),
    "gaps": ("gaps", {}),
    "gaps, log": ("gaps", {"outcome": "log(trade)"}),
    "moving": ("gaps", {"controls": ["log(distance_km)", "shock"]}),
    "separated and alone": ("zeros", {"controls": [], "treatment": "shock"}),
    "by": ("complete", {"by": "direction"}),
    "where": ("complete", {"where": {"period": {"from": "2017-02"}}}),
    "weights": ("columns", {"weights": "w"}),
    "weights, log": ("columns", {"weights": "w", "outcome": "log(trade)"}),
    "offset": ("columns", {"offset": "o", "controls": ["shock"]}),
    "weights and offset": ("columns", {"offset": "o", "weights": "w"}),
    "domestic": ("domestic", {}),
    "domestic dummy": ("domestic", {"controls": ["domestic"]}),
    "domestic, OLS": ("domestic", {"family": "gaussian", "controls": ["domestic"]}),
    "categories": ("categories", {}),
    "pairs": ("staggered", {"controls": ["shock"], "effects": PAIRS}),
    "pairs, log": ("staggered", {"controls": ["shock"], "effects": PAIRS, "outcome": "log(trade)"}),
    "rows": ("gaps", {"effects": ["origin", "destination", "period"]}),
    "rows, OLS": ("gaps", {"effects": ["origin", "destination^period"], "family": "gaussian"}),
    "rows of categories": ("categories", {"effects": [*TWO_WAY, "category"]}),
    "rows with weights and offset": ("columns", {"effects": ["origin", "destination"], "weights": "w", "offset": "o"}),
    "constant": ("complete", {"effects": []}),
    "no terms": ("complete", {"treatment": None, "controls": []}),
}


@pytest.fixture(scope="module")
def found():
    """The panel, design and prediction of a case."""
    made, panels = {}, {}

    def get(name):
        if name not in made:
            kind, options = CASES[name]
            if kind not in panels:
                panels[kind] = PANELS[kind]()
            design = tl.Gravity(**({"vcov": "pair"} | options))
            made[name] = panels[kind], design, design.predict(panels[kind])
        return made[name]

    return get


def link(estimate, fitted):
    return np.log(fitted) if estimate.family == "poisson" else fitted


@pytest.mark.parametrize("name", [name for name in CASES if name != "no terms"])
def test_fitted_values_equal_pyfixest(found, name):
    panel, design, got = found(name)
    frame = as_frame(panel)
    options = {}
    if design.weights is not None:  # pyfixest takes no weight of 0
        frame = frame[frame["w"] > 0]
        options["weights"] = "w"
    if design.offset is not None:
        options["offset"] = "o"
    keys = ["origin", "destination", "period", *(["category"] if panel.categories else [])]
    mine = got.frame()
    assert list(mine.columns) == [*keys, "outcome", "fitted", "residual", "dropped"]
    frame = frame.merge(mine.loc[mine["dropped"] != "not in the sample", keys], on=keys)
    model = with_pyfixest(got.estimate.formula, got.estimate.family, frame, **options)
    theirs = model._data[keys].assign(
        theirs=model.predict(type="response") if got.estimate.family == "poisson" else model.predict()
    )
    both = mine.loc[mine["dropped"] == "", [*keys, "fitted"]].merge(theirs, on=keys, how="outer")
    assert len(both) == got.estimate.n_obs == model._N
    np.testing.assert_allclose(both["fitted"], both["theirs"], rtol=FITTED)


@pytest.mark.parametrize("name", CASES)
def test_the_estimate_is_the_designs_own(found, name):
    panel, design, got = found(name)
    alone = design.estimate(panel)
    np.testing.assert_array_equal(got.estimate.coefficients, alone.coefficients)
    np.testing.assert_array_equal(got.estimate.covariance, alone.covariance)
    assert got.estimate.dropped == alone.dropped


@pytest.mark.parametrize("name", CASES)
def test_every_cell_is_used_or_has_its_reason(found, name):
    panel, _, got = found(name)
    reasons = pd.Series(got.dropped).value_counts().to_dict()
    reasons.pop("not in the sample", 0)
    assert reasons.pop("") == got.estimate.n_obs
    assert reasons == {reason: count for reason, count in got.estimate.dropped.items() if count}
    np.testing.assert_array_equal(np.isfinite(got.fitted), got.dropped == "")
    np.testing.assert_array_equal(np.isfinite(got.effect_sum), got.dropped == "")
    assert len(got.fitted) == panel.n_cells


@pytest.mark.parametrize("name", CASES)
def test_fitted_values_are_effects_and_regressors(found, name):
    panel, design, got = found(name)
    frame = as_frame(panel)
    index = got.effect_sum.copy()
    for term, b in zip(got.estimate.terms, got.estimate.coefficients, strict=True):
        column, _, level = term.removesuffix("]").partition("[")
        values = eval(translated(column), {"np": np}, frame)
        index += b * np.where(frame["direction"] == level, values, 0.0) if level else b * values
    if design.offset is not None:
        index += frame["o"]
    used = got.dropped == ""
    np.testing.assert_allclose(index[used], link(got.estimate, got.fitted)[used], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_effects_add_up(found, name):
    panel, _, got = found(name)
    effects = got.effects()
    used = got.dropped == ""
    frame = got.frame()[used]
    total = np.zeros(len(frame))
    for effect, own in effects.groupby("effect"):
        level = "" if effect == "constant" else frame[effect.split("^")].agg("^".join, axis=1)
        values = own.set_index("level")["value"]
        assert values.index.is_unique
        assert effect == "constant" or set(values.index) == set(level)
        total += values[level].to_numpy() if effect != "constant" else values.iloc[0]
    assert tuple(dict.fromkeys(effects["effect"])) == (got.estimate.effects or ("constant",))
    np.testing.assert_allclose(total, got.effect_sum[used], atol=ADDS_UP)


@pytest.mark.parametrize("name", ["complete", "gaps", "moving", "weights", "categories", "pairs", "domestic"])
def test_ppml_gives_back_the_flows_of_each_effect(found, name):
    panel, design, got = found(name)
    frame = got.frame()
    frame["weight"] = as_frame(panel)["w"] if design.weights else 1.0
    frame = frame[got.dropped == ""]
    for effect in got.estimate.effects:
        flows = (frame["outcome"] * frame["weight"]).groupby([frame[part] for part in effect.split("^")]).sum()
        expected = (frame["fitted"] * frame["weight"]).groupby([frame[part] for part in effect.split("^")]).sum()
        np.testing.assert_allclose(expected, flows, rtol=1e-9)


@pytest.mark.parametrize("name", [name for name in CASES if "offset" not in name])
def test_deviance_and_pseudo_r2_by_hand(found, name):
    panel, design, got = found(name)
    used = got.dropped == ""
    y, mu = got.outcome[used], got.fitted[used]
    w = panel.column("w")[used] if design.weights else np.ones(used.sum())
    mean = (w * y).sum() / w.sum()

    def deviance(m):
        if got.estimate.family == "gaussian":
            return (w * (y - m) ** 2).sum()
        logs = np.where(y > 0, y * np.log(np.where(y > 0, y, 1.0) / m), 0.0)
        return 2 * (w * (logs - (y - m))).sum()

    about = got.estimate.diagnostics
    assert about.deviance == pytest.approx(deviance(mu), rel=1e-9)
    assert about.pseudo_r2 == pytest.approx(1 - deviance(mu) / deviance(mean), rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(got.residuals[used], y - mu, atol=SAME)


def test_separated_flows_and_flows_alone_are_told_apart(found):
    panel, _, got = found("separated and alone")
    assert min(got.estimate.dropped["separated"], got.estimate.dropped["singleton"]) > 0
    flows = panel.outcome("trade")
    assert (flows[got.dropped == "separated"] == 0).all()
    assert (flows[got.dropped == "singleton"] > 0).all()


def test_linked_effects_share_the_mean(found):
    _, _, got = found("complete")
    frame = got.frame()
    values = got.effects().set_index("level")["value"]
    for (_, period), own in frame.groupby([frame["origin"].str[0] == "e", "period"]):
        first = values[own["origin"] + "^" + period].mean()
        assert first == pytest.approx(values[own["destination"] + "^" + period].mean(), abs=1e-9)


def test_logs_are_fitted_as_logs(found):
    panel, _, got = found("gaps, log")
    flows = panel.outcome("trade")
    np.testing.assert_allclose(got.outcome[flows > 0], np.log(flows[flows > 0]), rtol=SAME)
    assert np.isnan(got.outcome[flows == 0]).all()
    assert (got.dropped[flows == 0] == "not_positive").all()
    assert np.nanmax(got.fitted) < np.log(flows.max()) + 1


def test_levels_of_numbers_and_words_are_text():
    frame, partners = small()
    frame["zone"] = frame["origin"].str[1:].astype(float) % 3
    frame["kind"] = np.where(frame["shock"] > 0, "high", "low")
    panel = tl.Panel.from_frame(frame, partners=partners)
    got = tl.Gravity(effects=["zone^period", "kind"]).predict(panel).effects()
    assert set(got.loc[got["effect"] == "kind", "level"]) == {"high", "low"}
    assert {"0^2017-01", "2^2017-03"} <= set(got.loc[got["effect"] == "zone^period", "level"])
    halves = tl.Panel.from_frame(frame.assign(zone=frame["zone"] / 2), partners=partners)
    levels = tl.Gravity(effects=["zone"]).predict(halves).effects()["level"]
    assert set(levels) == {"0", "0.5", "1"}


def test_a_correction_of_bias_leaves_the_fit(found):
    panel, _, plain = found("pairs")
    options = {"vcov": "directed-pair", "correction": "weidner-zylkin"}
    got = tl.Gravity(controls=["shock"], effects=PAIRS, **options).predict(panel)
    assert got.estimate.diagnostics.uncorrected == pytest.approx(tuple(plain.estimate.coefficients), rel=SAME)
    np.testing.assert_allclose(got.fitted, plain.fitted, rtol=SAME)
    np.testing.assert_allclose(got.effect_sum, plain.effect_sum, atol=1e-11)


def test_an_estimate_keeps_no_data():
    sizes = [len(pickle.dumps(tl.Gravity().estimate(two_sided(periods=t)[0]))) for t in (2, 20)]
    assert sizes[1] < 1.02 * sizes[0]


def test_a_prediction_is_frozen(found):
    _, _, got = found("complete")
    assert isinstance(got, Prediction)
    with pytest.raises(FrozenInstanceError):
        got.fitted = None


def test_effects_that_do_not_add_up_are_refused(found, monkeypatch):
    _, _, got = found("complete")
    monkeypatch.setattr(prediction, "ROUNDS", 0)
    with pytest.raises(tl.ConvergenceError, match="The effects miss their sums by"):
        got.effects()


def test_a_panel_in_files_is_refused(tmp_path):
    panel = two_sided()[0]
    panel.to_parquet(tmp_path)
    with pytest.raises(tl.DesignError, match="'predict' needs all cells in memory; this panel stays in its files"):
        tl.Gravity().predict(tl.Panel.from_parquet(tmp_path))
