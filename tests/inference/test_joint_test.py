from itertools import product

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tradelift import DesignError
from tradelift.inference import joint_test

PERIODS = 12
EXACT = 1e-12  # the same sums in another order


def panel_without_effect(seed):
    """Flows of 20 x 18 regions over a year, whose pairs have shocks that last."""
    rng = np.random.default_rng(seed)
    east, west = [f"e{i}" for i in range(20)], [f"w{i}" for i in range(18)]
    pairs = [(o, d) for a, b in product(east, west) for o, d in ((a, b), (b, a))]
    rows = [
        (o, d, f"{t:02d}", np.exp(lasting + rng.normal()))
        for (o, d), lasting in zip(pairs, rng.normal(size=len(pairs)), strict=True)
        for t in range(PERIODS)
    ]
    regions = pd.DataFrame({"region": east + west, "side": ["east"] * 20 + ["west"] * 18})
    partners = pd.DataFrame({"east": [f"e{i % 15}" for i in range(40)], "west": [f"w{i * 5 % 17}" for i in range(40)]})
    return tl.Panel.from_frame(
        pd.DataFrame(rows, columns=["origin", "destination", "period", "trade"]),
        regions=regions, partners=partners.drop_duplicates(),
    )  # fmt: skip


def by_period(seed):
    design = tl.Gravity(outcome="log(trade)", by="period", vcov="max-two-way", controls=[])
    return design.estimate(panel_without_effect(seed))


@pytest.fixture(scope="module")
def estimate():
    return by_period(1)


def test_the_largest_t_is_that_of_effects_less_their_mean(estimate):
    found = joint_test(estimate)
    at = [estimate.terms.index(term) for term in estimate.treatment]
    centred = np.eye(PERIODS) - 1 / PERIODS
    values = centred @ estimate.coefficients[at]
    scores = estimate.influence.pairs[:, at] @ centred.T
    pair, ends = estimate.influence.dyads.dyad, estimate.influence.dyads.ends
    one, other, both = (pd.DataFrame(scores).groupby(codes).sum().pow(2).sum() for codes in (*ends, pair))
    count = [len(np.unique(codes)) for codes in (*ends, pair)]
    factor = [min(count[:2]), count[0], count[1], count[2]]
    corrected = [v * g / (g - 1) for v, g in zip([one + other - both, one, other, both], factor, strict=True)]
    errors = np.sqrt(np.max(corrected, axis=0))
    assert found.test == "largest t"
    assert found.restrictions == PERIODS
    assert found.statistic == pytest.approx(np.abs(values / errors).max(), rel=EXACT)


def test_zero_effects_are_tested_one_by_one(estimate):
    found = joint_test(estimate, equal=False)
    tidy = estimate.tidy().set_index("term").loc[list(estimate.treatment)]
    assert found.restrictions == PERIODS
    assert found.statistic == pytest.approx(tidy["statistic"].abs().max(), rel=EXACT)
    assert found.p_value == pytest.approx(min(1.0, PERIODS * tidy["p_value"].min()), rel=EXACT)


def test_few_restrictions_are_tested_by_f(estimate):
    two = estimate.treatment[:2]
    found, wald = joint_test(estimate, two), estimate.wald(two, equal=True)
    assert (found.test, found.statistic, found.p_value) == ("F", wald.statistic, wald.p_value)


def test_one_effect_equals_nothing(estimate):
    with pytest.raises(DesignError, match="needs two; found 1"):
        joint_test(estimate, estimate.treatment[:1])


def test_unknown_terms_are_named(estimate):
    with pytest.raises(DesignError, match="no term 'partner"):
        joint_test(estimate, [*estimate.treatment, "partner[13]"])


def test_no_error_gives_no_test(estimate):
    from dataclasses import replace

    influence = replace(estimate.influence, pairs=estimate.influence.pairs * 0)
    found = joint_test(replace(estimate, influence=influence))
    assert found.restrictions == 0
    assert np.isnan(found.p_value)


def test_what_is_true_is_rejected_by_f_and_not_by_the_largest_t():
    """Of 25 worlds without effect, a test of 5% rejects at most 4 but with a chance of .7%."""
    estimates = [by_period(seed) for seed in range(25)]
    assert sum(joint_test(e).p_value < 0.05 for e in estimates) <= 4
    assert sum(e.wald(e.treatment, equal=True).p_value < 0.05 for e in estimates) > 4
