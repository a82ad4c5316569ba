"""Estimates beside the truth that a simulated world knows."""

from collections.abc import Iterator, Mapping
from math import expm1
from typing import Any

from tradelift.estimate import Estimate
from tradelift.pipeline.results import Results

NAMES = {"poisson": "PPML", "gaussian": "OLS, logs"}


def beside_truth(results: Results, truth: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """
    Yield direction, estimator, causal truth, limit of gravity, estimate and interval, in percent.

    Parameters
    ----------
    results
        Of a run on a simulated world.
    truth
        Its truth.json.
    """
    limits = {(x["outcome"], x["direction"]): x["partner"] for x in truth["limits"]}
    for estimate in results["gravity"].estimates.values():
        if not isinstance(estimate, Estimate):
            continue
        key = (estimate.outcome, estimate.direction)
        if key not in limits or "trade" not in estimate.outcome:
            continue
        found = estimate.percent().set_index("term").loc["partner"]
        causal = truth["effects"].get(estimate.direction)
        yield (
            estimate.direction,
            NAMES[estimate.family],
            "" if causal is None else f"{100 * expm1(causal):.1f}",
            f"{100 * expm1(limits[key]):.1f}",
            f"{found['percent']:.1f}",
            f"{found['conf_low']:.1f} to {found['conf_high']:.1f}",
        )
