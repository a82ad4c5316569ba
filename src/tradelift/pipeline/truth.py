"""Estimates beside the truth that a simulated world knows."""

from collections.abc import Iterator, Mapping
from math import expm1
from typing import Any, TypeGuard

from tradelift.designs import Finding
from tradelift.estimate import Estimate
from tradelift.pipeline.results import Results

DESIGNS = {"gravity": "gravity", "spatial_rd": "spatial RD"}
FAMILIES = {"poisson": "PPML", "gaussian": "OLS, logs"}
USUAL = {"partner", "log(distance_km)"}  # terms of a design without terms in the distance from the partner pair


def beside_truth(results: Results, truth: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """
    Yield direction, estimator, causal truth, limit of gravity, estimate and interval, in percent.

    Gravity and, where the run has it, spatial RD as the study means it; only gravity has a limit.

    Parameters
    ----------
    results
        Of a run on a simulated world.
    truth
        Its truth.json.
    """
    limits = {(x["outcome"], x["direction"]): x["partner"] for x in truth["limits"]}
    for exhibit, name in DESIGNS.items():
        if exhibit not in results.exhibits:
            continue
        for estimate in results[exhibit].estimates.values():
            key = (estimate.outcome, estimate.direction)
            if key in limits and "trade" in estimate.outcome and _is_main(estimate, exhibit):
                limit = limits[key] if exhibit == "gravity" else None
                yield _row(name, estimate, truth["effects"].get(estimate.direction), limit)


def _is_main(estimate: Finding, exhibit: str) -> TypeGuard[Estimate]:
    """Whether it is an estimate of the exhibit's own design, and not of what stands beside it."""
    if not isinstance(estimate, Estimate):
        return False
    return exhibit == "gravity" or (estimate.design == "SpatialRD" and set(estimate.terms) <= USUAL)


def _row(name: str, estimate: Estimate, causal: float | None, limit: float | None) -> tuple[str, ...]:
    found = estimate.percent().set_index("term").loc["partner"]
    return (
        estimate.direction,
        f"{name}, {FAMILIES[estimate.family]}",
        "" if causal is None else f"{100 * expm1(causal):.1f}",
        "" if limit is None else f"{100 * expm1(limit):.1f}",
        f"{found['percent']:.1f}",
        f"{found['conf_low']:.1f} to {found['conf_high']:.1f}",
    )
