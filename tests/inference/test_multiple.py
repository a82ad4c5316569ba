from dataclasses import replace

import numpy as np
import pytest

import tradelift as tl
from tests.designs.panels import two_sided
from tradelift.inference.multiple import step_down


def plain_step_down(observed, draws):
    """Romano and Wolf (2005) hypothesis by hypothesis."""
    scale = np.sqrt((observed**2 + (draws**2).sum(axis=1)) / (1 + draws.shape[1]))
    t, null = observed / scale, draws / scale[:, None]
    out, before, left = np.zeros(len(t)), 0.0, list(np.argsort(-t))
    while left:
        first = left[0]
        larger = sum(max(null[h, b] for h in left) >= t[first] for b in range(draws.shape[1]))
        before = max(before, (1 + larger) / (1 + draws.shape[1]))
        out[first] = before
        left = left[1:]
    return out


def test_step_down_hypothesis_by_hypothesis():
    rng = np.random.default_rng(1)
    observed, draws = np.array([3.0, 0.2, 40.0, 2.0]), np.abs(rng.normal(size=(4, 199)) * [[1], [1], [20], [1]])
    np.testing.assert_allclose(step_down(observed, draws), plain_step_down(observed, draws))
    draws[0, :5] = np.nan
    assert step_down(observed, draws)[0] >= 6 / 200


def results(**options):
    panel = two_sided(seed=2)[0]
    outcomes = ("trade", "deals", "seller_concentration")
    return [tl.randomize(tl.Gravity(outcome=o), panel, draws=99, interval=False, **options) for o in outcomes]


def test_several_outcomes_from_the_same_draws():
    found = results()
    table = tl.romano_wolf(found)
    assert list(table["outcome"]) == ["trade", "deals", "seller_concentration"]
    assert list(table["term"]) == ["partner"] * 3
    np.testing.assert_allclose(table["p_value"], [r.p_value for r in found])
    assert (table["adjusted"] >= table["p_value"] - 1e-12).all()
    assert (table["adjusted"] <= 3 * table["p_value"].max()).all()
    observed = np.array([abs(r.statistics[0]) for r in found])
    draws = np.abs([r.draws for r in found])
    np.testing.assert_allclose(table["adjusted"], plain_step_down(observed, draws))
    alone = tl.romano_wolf(found[:1])
    assert alone["adjusted"][0] == found[0].p_value
    by = tl.randomize(tl.Gravity(by="direction"), two_sided(seed=2)[0], draws=99, interval=False)
    assert len(tl.romano_wolf([*found, by])) == 5


def test_different_draws_are_refused():
    found = results()
    for options, match in (
        ({"seed": 2}, "different seeds, 1 and 2"),
        ({"scheme": "free"}, "different schemes, relabel and free"),
    ):
        with pytest.raises(tl.DesignError, match=match):
            tl.romano_wolf([found[0], results(**options)[1]])
    with pytest.raises(tl.DesignError, match="different numbers of draws, 99 and 9"):
        tl.romano_wolf([found[0], tl.randomize(tl.Gravity(), two_sided(seed=2)[0], draws=9, interval=False)])
    other = tl.randomize(tl.Gravity(), two_sided(seed=3)[0], draws=99, interval=False)
    with pytest.raises(tl.DesignError, match="different programmes or groups"):
        tl.romano_wolf([found[0], other])
    with pytest.raises(tl.DesignError, match="no result to adjust"):
        tl.romano_wolf([])
    with pytest.raises(tl.DesignError, match="1 of 4 statistics are not known"):
        tl.romano_wolf([*found, replace(found[0], statistics=np.array([np.nan]))])


def test_benjamini_hochberg():
    p = np.array([0.01, 0.04, 0.03, 0.5, 0.002])
    order = np.argsort(p)
    plain = np.empty(5)
    for rank, h in enumerate(order):
        plain[h] = min(1.0, *(p[k] * 5 / (n + 1) for n, k in enumerate(order) if n >= rank), 1.0)
    np.testing.assert_allclose(tl.benjamini_hochberg(p), plain)
    with pytest.raises(tl.DesignError, match="between 0 and 1; found nan"):
        tl.benjamini_hochberg([0.1, np.nan])
    with pytest.raises(tl.DesignError, match=r"found 1\.2"):
        tl.benjamini_hochberg([0.1, 1.2])
