import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.fixest import as_frame, with_pyfixest
from tests.designs.panels import one_sided, two_sided
from tradelift.inference import EventStudy

DIGITS = 2e-6  # PPML with three effects beside pyfixest, both to tolerances
START = [f"2017-{m:02d}" for m in (2, 3, 4, 4, 5, 6, 3, 1, 2, 9, 4, 5)]  # one from the first on, one after the last


@pytest.fixture(scope="module")
def panel():
    return two_sided(periods=6, start=START)[0]


def by_hand(panel, every, before, after):
    """Rows with the step since the start, and whether the pair is left out."""
    frame = as_frame(panel)
    start = {}
    programme, ids = panel.programme, panel.regions.ids
    for a, b, s in zip(programme.first, programme.second, programme.start, strict=True):
        start[" ".join(sorted((ids[a], ids[b])))] = int(s)
    frame["t"] = frame["period"].str[-2:].astype(int) - 1
    frame["start"] = frame["dyad"].map(start)
    frame = frame[frame["start"] != 0].copy()
    dated = frame["start"] < 6
    frame["step"] = np.where(dated, np.clip((frame["t"] - frame["start"]) // every, -before, after), np.nan)
    return frame


@pytest.mark.parametrize(("outcome", "family"), [("trade", "poisson"), ("log1p(trade)", "gaussian")])
@pytest.mark.parametrize(("every", "before", "after"), [(1, 3, 2), (2, 2, 1)])
def test_steps_are_dummies_in_pyfixest(panel, outcome, family, every, before, after):
    design = tl.Gravity(outcome=outcome, vcov="pair")
    found = EventStudy(design=design, every=every, before=before, after=after).estimate(panel)
    frame = by_hand(panel, every, before, after)
    steps = [k for k in range(-before, after + 1) if k != -1]
    for n, k in enumerate(steps):
        frame[f"d{n}"] = (frame["step"] == k) * 1.0
    terms = " + ".join(f"d{n}" for n in range(len(steps)))
    fit = with_pyfixest(f"{outcome} ~ {terms} | origin^period + destination^period + origin^destination", family, frame)
    assert found.terms == tuple(f"partner[{k:+d}]" for k in steps)
    np.testing.assert_allclose(found.coefficients, fit.coef().to_numpy(), rtol=DIGITS, atol=1e-8)
    np.testing.assert_allclose(found.std_errors, fit.se().to_numpy(), rtol=1e-4)
    assert any("1 of 12 partnerships are left out" in note for note in found.diagnostics.notes)


def test_cohorts_are_averaged_over_their_flows(panel):
    """Early and late starters with effects of their own, put together by counts."""
    found = EventStudy(design=tl.Gravity(vcov="pair"), before=1, after=1, cohorts=2).estimate(panel)
    frame = by_hand(panel, 1, 1, 1)
    late = frame["start"] >= 3  # half of the ten starts 1 1 2 2 3 3 3 4 4 5
    names, weights = [], {0: {}, 1: {}}
    for k in (0, 1):
        for g, own in enumerate((~late, late)):
            frame[f"d{k}{g}"] = ((frame["step"] == k) & own) * 1.0
            names.append(f"d{k}{g}")
            weights[k][f"d{k}{g}"] = frame[f"d{k}{g}"].sum()
    fit = with_pyfixest(
        f"trade ~ {' + '.join(names)} | origin^period + destination^period + origin^destination", "poisson", frame
    )
    assert found.terms == ("partner[+0]", "partner[+1]")
    for row, k in enumerate((0, 1)):
        w = np.array([weights[k].get(name, 0.0) for name in names])
        w /= w.sum()
        assert found.coefficients[row] == pytest.approx(w @ fit.coef().to_numpy(), rel=1e-5)
        assert found.std_errors[row] == pytest.approx(np.sqrt(w @ fit._vcov @ w), rel=1e-4)


def test_effects_that_differ_by_cohort_are_told_without_bias():
    """No noise: early starters grow to .6, late ones stay at .1; by cohort the averages are exact, else they are not."""
    rng = np.random.default_rng(0)
    source, frame, chosen = two_sided(periods=8)
    start = {frozenset(pair): (2 if n < 6 else 5) for n, pair in enumerate(chosen)}
    t = frame["period"].str[-2:].astype(int) - 1
    first = np.array([start.get(frozenset(e), 99) for e in zip(frame["origin"], frame["destination"], strict=True)])
    step = t - first
    effect = np.where(step < 0, 0.0, np.where(first == 2, np.minimum(0.1 + 0.1 * step, 0.6), 0.1))
    city = {r: rng.normal() for r in source.regions.ids}
    level = [city[o] + city[d] for o, d in zip(frame["origin"], frame["destination"], strict=True)]
    frame["trade"] = np.exp(2 + np.array(level) + effect)
    listed = pd.DataFrame(chosen, columns=["east", "west"])
    listed["start"] = [f"2017-{start[frozenset(p)] + 1:02d}" for p in chosen]
    regions = pd.DataFrame({"region": source.regions.ids, "side": np.array(["east", "west"])[source.regions.side]})
    panel = tl.Panel.from_frame(frame, regions=regions, partners=listed)
    design = tl.Gravity(vcov="pair")
    found = EventStudy(design=design, before=1, after=5, cohorts=2).estimate(panel)
    dated = step >= 0
    truth = [effect[dated & (np.minimum(step, 5) == k)].mean() for k in range(6)]
    np.testing.assert_allclose(found.coefficients, truth, atol=1e-6)
    one = EventStudy(design=design, before=1, after=5).estimate(panel)
    assert np.abs(one.coefficients - truth).max() > 0.01


def test_without_a_time_before_it_is_refused():
    for panel, message in (
        (two_sided()[0], "no period before it"),
        (two_sided(start="2017-01")[0], "no period before it"),
        (tl.Panel.from_frame(one_sided()[1]), "no programme"),
    ):
        with pytest.raises(tl.DesignError, match=message):
            EventStudy(design=tl.Gravity()).estimate(panel)


def test_panels_by_category_are_refused(panel):
    frame = panel.to_arrow().to_pandas().assign(kind="food")
    listed = pd.DataFrame({"a": ["e0"], "b": ["w0"], "start": ["2017-03"]})
    with pytest.raises(tl.DesignError, match="without categories"):
        EventStudy(design=tl.Gravity()).estimate(
            tl.Panel.from_frame(frame[["origin", "destination", "period", "trade", "kind"]], category="kind",
                                partners=listed)
        )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "at least 1"),
        ({"design": tl.Gravity(by="period")}, "leave out by"),
        ({"design": tl.Gravity(effects=["origin"])}, "leave out effects"),
        ({"design": tl.Gravity(treatment=None)}, "leave out treatment"),
    ],
)
def test_contradictions_are_refused(options, message):
    with pytest.raises(tl.DesignError, match=message):
        EventStudy(**({"design": tl.Gravity()} | options))
