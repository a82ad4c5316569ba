from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.panels import one_sided, two_sided
from tests.inference import twins
from tradelift.inference import products
from tradelift.inference.relabelling import draw_relabellings, under

EXACT = 1e-9  # relative: sums of the same few thousand numbers in another order
FITTED = 1e-6  # relative: where a Newton iteration stops
SEARCHED = 1e-4  # of an interval's half: its ends are found to a hundredth of that


def staggered(**options):
    """Partnerships that start and end at different times, with different doses."""
    panel, frame, chosen = two_sided(periods=5, **options)
    rng = np.random.default_rng(3)
    start, length = rng.integers(0, 4, len(chosen)), rng.integers(0, 3, len(chosen))
    programme = replace(
        panel.programme, start=start, end=np.minimum(start + length, 4), dose=rng.uniform(0.5, 2, len(chosen))
    )
    return replace(panel, programme=programme), frame, chosen


PANELS = {
    "complete": lambda: two_sided(seed=2)[0],
    "with gaps": lambda: two_sided(seed=3, missing=0.15)[0],
    "staggered": lambda: staggered(seed=4)[0],
    "staggered with gaps": lambda: staggered(seed=5, missing=0.1)[0],
    "one-sided": lambda: one_sided()[0],
}


def ols_draws(panel, frame, y, others, weights=None, draws=7, seed=5, scheme="relabel", keep=None):
    keep = np.ones(len(frame), dtype=bool) if keep is None else keep
    columns = [twins.treatment(frame, panel, p)[keep] for p in twins.programmes(panel, scheme, draws, seed)]
    w = None if weights is None else weights[keep]
    return np.array([twins.coefficients(y[keep], d[:, None], others[keep], w)[0] for d in columns])


@pytest.mark.parametrize("scheme", ["relabel", "free"])
@pytest.mark.parametrize("kind", PANELS)
def test_ols_draws_are_regressions_on_dummies(kind, scheme):
    panel = PANELS[kind]()
    frame = twins.observations(panel)
    positive = frame["trade"].to_numpy() > 0
    y = np.log(frame["trade"].where(positive, 1.0).to_numpy())
    controls = ["domestic"] if panel.regions.sides is None else []
    others = np.column_stack([twins.dummies(frame), frame["log_distance"], frame[controls]])
    design = tl.Gravity(outcome="log(trade)", controls=["log(distance_km)", *controls])
    found = tl.randomize(design, panel, scheme=scheme, draws=7, seed=5)
    expected = ols_draws(panel, frame, y, others, scheme=scheme, keep=positive)
    np.testing.assert_allclose(found.draws, expected, rtol=EXACT, atol=EXACT)
    assert found.statistics[0] == pytest.approx(found.estimate, rel=EXACT)
    assert found.p_value == pytest.approx((1 + (np.abs(expected) >= abs(found.estimate)).sum()) / 8)


def test_ols_draws_with_weights_offset_moving_control_and_one_direction():
    panel, frame, chosen = two_sided(seed=6, missing=0.1)
    rng = np.random.default_rng(0)
    frame["size"], frame["shift"] = rng.uniform(0.5, 3, len(frame)), rng.normal(size=len(frame))
    regions = pd.DataFrame({"region": panel.regions.ids, "side": np.array(panel.regions.sides)[panel.regions.side]})
    regions["group"] = panel.regions.group
    partners = pd.DataFrame(chosen, columns=["east", "west"])
    panel = tl.Panel.from_frame(frame, regions=regions, partners=partners)
    design = tl.Gravity(
        outcome="log1p(trade)", controls=["shock"], weights="size", offset="shift", direction="west->east",
        where={"period": ["2017-01", "2017-03"]},
    )  # fmt: skip
    found = tl.randomize(design, panel, draws=7, seed=5)
    rows = twins.observations(panel)
    keep = (rows["origin"].str.startswith("w") & rows["period"].isin(["2017-01", "2017-03"])).to_numpy()
    rows = rows[keep].reset_index(drop=True)
    expected = ols_draws(
        panel, rows, np.log1p(rows["trade"].to_numpy()) - rows["shift"].to_numpy(),
        np.column_stack([twins.dummies(rows), rows["shock"]]), rows["size"].to_numpy(),
    )  # fmt: skip
    np.testing.assert_allclose(found.draws, expected, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("kind", PANELS)
def test_ppml_draws_are_newton_steps_from_the_null_model(kind):
    panel = PANELS[kind]()
    frame = twins.observations(panel)
    y = frame["trade"].to_numpy()
    controls = ["domestic"] if panel.regions.sides is None else []
    others = np.column_stack([twins.dummies(frame), frame["log_distance"], frame[controls]])
    mu = twins.poisson(y, others)
    design = tl.Gravity(controls=["log(distance_km)", *controls], vcov="pair")
    found = tl.randomize(design, panel, draws=7, seed=5, interval=False)
    expected = ols_draws(panel, frame, (y - mu) / mu, others, mu)
    np.testing.assert_allclose(found.draws, expected, rtol=FITTED, atol=FITTED)


@pytest.mark.parametrize("vcov", ["dyadic", "pair", "max-two-way", "two-way"])
@pytest.mark.parametrize("kind", ["complete", "with gaps", "staggered with gaps", "one-sided"])
def test_studentized_ols_draws_are_t_statistics_of_refits(kind, vcov):
    panel = PANELS[kind]()
    design = tl.Gravity(outcome="log1p(trade)", controls=["log(distance_km)"], vcov=vcov, correction="full")
    found = tl.randomize(design, panel, draws=9, seed=5, studentized=True, interval=False)
    slow = tl.randomize(design, panel, draws=9, seed=5, studentized=True, refit=True, interval=False)
    np.testing.assert_allclose(found.draws, slow.draws, rtol=FITTED)
    estimate = design.estimate(panel)
    expected = estimate.coefficients[0] / estimate.std_errors[0]
    np.testing.assert_allclose(found.statistics[0], expected, rtol=FITTED)


def test_draws_in_parts_are_the_same(monkeypatch):
    panel = staggered(seed=4, missing=0.1)[0]
    whole = tl.randomize(tl.Gravity(vcov="pair"), panel, draws=23, studentized=True, interval=False)
    for name, size in (("ENTRIES", 150), ("CELLS", 500), ("CACHED", 200)):
        monkeypatch.setattr(products, name, size)
    parts = tl.randomize(tl.Gravity(vcov="pair"), panel, draws=23, studentized=True, interval=False)
    np.testing.assert_allclose(parts.draws, whole.draws, rtol=EXACT)
    np.testing.assert_allclose(parts.statistics, whole.statistics, rtol=EXACT)


def test_studentized_ppml_draws_are_over_the_dyadic_errors_of_newton_steps():
    panel = two_sided(seed=9, missing=0.1)[0]
    frame = twins.observations(panel)
    y, others = frame["trade"].to_numpy(), np.column_stack([twins.dummies(frame), frame["log_distance"]])
    mu = twins.poisson(y, others)
    expected = []
    for programme in twins.programmes(panel, "relabel", 5, 5):
        x = twins.net(twins.treatment(frame, panel, programme)[:, None], others, mu)[:, 0]
        b = x @ (y - mu) / (x @ (mu * x))
        expected.append(b / twins.dyadic_error(frame, x * (y - mu - mu * b * x) / (x @ (mu * x))))
    found = tl.randomize(tl.Gravity(), panel, draws=5, seed=5, studentized=True, interval=False)
    np.testing.assert_allclose(found.draws, expected, rtol=FITTED)


def test_schemes_that_are_not_made_of_pairs_are_studentized_by_dyads():
    panel = two_sided(seed=9)[0]
    dyadic = tl.randomize(tl.Gravity(), panel, draws=5, studentized=True, interval=False)
    for vcov in ("robust", ["origin"]):
        found = tl.randomize(tl.Gravity(vcov=vcov), panel, draws=5, studentized=True, interval=False)
        np.testing.assert_allclose(found.draws, dyadic.draws)
        assert found.statistic == "t statistic (dyadic), after one Newton step from the null model"


def test_a_statistic_that_is_not_known_counts_as_larger_and_is_told():
    panel = two_sided(seed=1)[0]
    found = tl.randomize(tl.Gravity(outcome="log(trade)"), panel, draws=40, studentized=True)
    assert np.isnan(found.p_value)
    assert np.isnan(found.conf_low)
    assert "The standard error is not known" in str(found)
    found = tl.randomize(tl.Gravity(outcome="log(trade)"), two_sided(missing=0.1)[0], draws=40, studentized=True)
    unknown = int(np.isnan(found.draws).sum())
    assert unknown > 0
    assert found.p_value >= (1 + unknown) / 41
    assert f"{unknown} draws have no such statistic" in str(found)


@pytest.mark.parametrize("by", ["direction", "period"])
def test_each_term_is_drawn_with_the_others_at_their_estimates(by):
    panel = staggered(seed=4, missing=0.1)[0]
    design = tl.Gravity(outcome="log1p(trade)", controls=["log(distance_km)"], by=by)
    found = tl.randomize(design, panel, draws=6, seed=5)
    frame = twins.observations(panel)
    others = np.column_stack([twins.dummies(frame), frame["log_distance"]])
    levels = [frame[by].to_numpy() == term.split("[")[1][:-1] for term in found.terms]
    y = np.log1p(frame["trade"].to_numpy())
    own = twins.treatment(frame, panel, _programme(panel))
    observed = np.column_stack([own * level for level in levels])
    b = twins.coefficients(y, observed, others)
    np.testing.assert_allclose(found.estimates, b, rtol=EXACT)
    for draw, programme in enumerate(twins.programmes(panel, "relabel", 6, 5)):
        d = twins.treatment(frame, panel, programme)
        drawn = np.column_stack([d * level for level in levels])
        if np.linalg.matrix_rank(np.column_stack([others, drawn])) < np.linalg.matrix_rank(others) + len(levels):
            assert np.isnan(found.null_draws[:, draw]).all()
            continue
        for k in range(len(levels)):
            rest = observed @ np.where(np.arange(len(b)) == k, 0.0, b)
            expected = twins.coefficients(y - rest, drawn, others)[k]
            assert found.null_draws[k, draw] == pytest.approx(expected, rel=FITTED)
    tidy = found.tidy()
    assert list(tidy["term"]) == list(found.terms)
    assert list(tidy.columns) == ["term", "estimate", "statistic", "p_value", "conf_low", "conf_high"]
    with pytest.raises(tl.DesignError, match=r"treatment terms, .*see tidy\(\)"):
        found.p_value  # noqa: B018


def _programme(panel):
    p, ids = panel.programme, panel.regions.ids
    return pd.DataFrame({"one": ids[p.first], "other": ids[p.second], "start": p.start, "end": p.end, "dose": p.dose})


def shifted(panel, frame, chosen, effect):
    """The same panel with a column `shift`, the hypothetical effect of the partners, and `rest`, the log without it."""
    pairs = {frozenset(p) for p in chosen}
    is_partner = [frozenset(p) in pairs for p in zip(frame["origin"], frame["destination"], strict=True)]
    new = frame.assign(shift=effect * np.array(is_partner))
    new["rest"] = np.log1p(new["trade"]) - new["shift"]
    regions = pd.DataFrame({"region": panel.regions.ids, "side": np.array(panel.regions.sides)[panel.regions.side]})
    regions["longitude"], regions["latitude"] = panel.regions.longitude, panel.regions.latitude
    regions["group"] = panel.regions.group
    return tl.Panel.from_frame(new, regions=regions, partners=pd.DataFrame(chosen, columns=["east", "west"]))


def large():
    """A panel in which a draw seldom repeats the programme."""
    return two_sided(seed=3, n_east=15, n_west=16, periods=2, partners=20, mean=40.0, missing=0.05)


@pytest.mark.parametrize("studentized", [False, True])
@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_the_interval_holds_what_is_not_rejected(family, studentized):
    panel, frame, chosen = large()
    options = {"draws": 99, "seed": 4, "studentized": studentized, "scheme": "free"}
    outcome = "log1p(trade)" if family == "gaussian" else "trade"
    found = tl.randomize(tl.Gravity(outcome=outcome, vcov="pair"), panel, **options)
    half = (found.conf_high - found.conf_low) / 2
    assert np.isfinite(half)
    assert found.conf_low < found.estimate < found.conf_high

    def p_value(effect):
        there = shifted(panel, frame, chosen, effect)
        design = (
            tl.Gravity(outcome="rest", family="gaussian", vcov="pair")
            if family == "gaussian"
            else tl.Gravity(offset="shift", vcov="pair")
        )
        return tl.randomize(design, there, interval=False, **options).p_value

    for end, out in ((found.conf_low, -1), (found.conf_high, 1)):
        assert p_value(end - out * SEARCHED * half) > 0.05
        assert p_value(end + out * SEARCHED * half) <= 0.05
    assert p_value(found.conf_high + half) <= 0.05
    assert p_value(found.estimate) == 1.0


def test_few_draws_reject_nothing():
    found = tl.randomize(tl.Gravity(outcome="log1p(trade)"), two_sided()[0], draws=18)
    assert (found.conf_low, found.conf_high) == (-np.inf, np.inf)


def test_what_cannot_be_randomized():
    panel, frame, _ = two_sided()
    with pytest.raises(tl.DesignError, match="treatment must be 'partner'; found 'shock'"):
        tl.randomize(tl.Gravity(treatment="shock"), panel)
    with pytest.raises(tl.DesignError, match="treatment must be 'partner'; found none"):
        tl.randomize(tl.Gravity(treatment=None), panel)
    with pytest.raises(tl.DesignError, match="no programme to randomize: give `partners`"):
        tl.randomize(tl.Gravity(), tl.Panel.from_frame(frame))
    with pytest.raises(tl.DesignError, match="at least 1; found 0"):
        tl.randomize(tl.Gravity(), panel, draws=0)
    with pytest.raises(tl.DesignError, match="seed is a whole number"):
        tl.randomize(tl.Gravity(), panel, seed=-1)
    with pytest.raises(tl.DesignError, match=r"object has no compare\(panel\)"):
        tl.randomize(object(), panel)


def test_units_order_and_names_do_not_matter():
    panel, frame, chosen = two_sided(seed=2, missing=0.05)
    found = tl.randomize(tl.Gravity(), panel, draws=49)
    rng = np.random.default_rng(0)
    partners = pd.DataFrame(chosen, columns=["east", "west"]).sample(frac=1, random_state=1)
    regions = pd.DataFrame({"region": panel.regions.ids, "side": np.array(panel.regions.sides)[panel.regions.side]})
    regions["longitude"], regions["latitude"] = panel.regions.longitude, panel.regions.latitude
    regions["group"] = panel.regions.group
    again = tl.Panel.from_frame(
        frame.assign(trade=frame["trade"] * 1000).iloc[rng.permutation(len(frame))],
        regions=regions.sample(frac=1, random_state=2),
        partners=partners,
    )
    same = tl.randomize(tl.Gravity(), again, draws=49)
    np.testing.assert_allclose(same.draws, found.draws, rtol=FITTED)
    assert same.p_value == found.p_value
    np.testing.assert_allclose(same.intervals, found.intervals, rtol=FITTED)
    assert same.digest == found.digest
    swaps = [tl.randomize(tl.Gravity(), p, draws=9, scheme="free", interval=False) for p in (panel, again)]
    np.testing.assert_allclose(swaps[0].draws, swaps[1].draws, rtol=FITTED)


def test_what_is_printed():
    found = tl.randomize(tl.Gravity(outcome="log(trade)"), two_sided()[0], draws=99, seed=3)
    text = str(found)
    assert "Gravity, log(trade): gaussian, both, all pairs" in text
    assert "99 draws by 'relabel' (seed 3), which keeps the number of partner pairs in each pair of groups" in text
    assert f"{found.moved:.0%} of the partner pairs move on average, 100% can" in text
    assert "partner" in text
    assert found.statistic == "coefficient"


@pytest.mark.slow
@pytest.mark.parametrize("outcome", ["log(trade)", "trade"])
def test_size_without_an_effect(outcome):
    """A programme that the scheme drew is rejected at 5% as often as the level says: 400 of them."""
    rejected = []
    for seed in range(400):
        panel = two_sided(seed=seed, n_east=14, n_west=14, periods=2, partners=10)[0]
        drawn = draw_relabellings(panel, "free", 1, np.random.default_rng(seed + 1000))
        there = under(panel, drawn.first[1], drawn.second[1])
        found = tl.randomize(tl.Gravity(outcome=outcome), there, draws=59, seed=seed, scheme="free", interval=False)
        rejected.append(found.p_value <= 0.05)
    error = np.sqrt(0.05 * 0.95 / len(rejected))
    assert abs(np.mean(rejected) - 0.05) < 3 * error
