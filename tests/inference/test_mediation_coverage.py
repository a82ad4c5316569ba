"""Mediators of a known part, drawn anew: bias and coverage of the parts."""

import numpy as np
import pytest
from scipy.stats import binom

import tradelift as tl
from tests.inference.mediators import DIRECT, OF_MIGRATION, OF_SEARCH, ON_MIGRATION, ON_SEARCH, with_mediators
from tradelift.inference.mediation import Mediation

DRAWS = 150
TRUTH = {
    "direct": DIRECT,
    "mediated[migration]": ON_MIGRATION * OF_MIGRATION,
    "mediated[search]": ON_SEARCH * OF_SEARCH,
    "mediated": ON_MIGRATION * OF_MIGRATION + ON_SEARCH * OF_SEARCH,
}
BIAS = 3.5  # Monte Carlo standard errors of a mean
LUCK = 1e-3  # chance of fewer intervals that hold the truth, if .91 of them should
WIDE = 2.0  # times the half width that the spread over draws asks for


@pytest.mark.slow
@pytest.mark.parametrize(
    "design", [tl.Gravity(outcome="log(trade)", vcov="pair"), tl.Gravity(outcome="trade", vcov="pair")]
)
def test_the_parts_are_unbiased_and_their_intervals_hold_them(design):
    values = {term: [] for term in TRUTH}
    held = {term: [] for term in TRUTH}
    widths = {term: [] for term in TRUTH}
    for seed in range(DRAWS):
        panel = with_mediators(seed, n_east=14, n_west=16, partners=40, periods=2, mean=4000)
        rows = Mediation(design=design, mediators=("migration", "search")).estimate(panel).tidy().set_index("term")
        for term, truth in TRUTH.items():
            row = rows.loc[term]
            values[term].append(row["estimate"])
            held[term].append(row["conf_low"] <= truth <= row["conf_high"])
            widths[term].append((row["conf_high"] - row["conf_low"]) / 2)
    for term, truth in TRUTH.items():
        spread = np.std(values[term], ddof=1)
        assert abs(np.mean(values[term]) - truth) <= BIAS * spread / np.sqrt(DRAWS), term
        assert sum(held[term]) >= binom.ppf(LUCK, DRAWS, 0.91), term
        assert np.mean(widths[term]) <= WIDE * 1.96 * spread, term
