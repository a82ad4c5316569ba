"""Several estimates as one, so that their effects can be compared: one covariance from the scores of the same pairs."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance import Dyads, Influence, covariance
from tradelift.diagnostics import Diagnostics
from tradelift.errors import DesignError
from tradelift.estimate import Estimate

Floats = NDArray[Any]

SEVERAL = "several"
NEED_ROWS = ("none", "robust", "jackknife")  # schemes that influence by pair does not give across estimates


def joint(estimates: Mapping[str, Estimate], *, controls: bool = True) -> Estimate:
    """
    Put estimates of the same directed pairs together: outcomes, periods, categories, directions or designs.

    This is the regression on the stacked rows of all of them, in which every regressor and effect has a coefficient
    for each estimate: the same coefficients, and a covariance that knows that the same pairs and regions stand in
    several of them. Observations and ranks are those of the stack.

    Parameters
    ----------
    estimates
        By name; on panels of the same pairs, under the same `vcov` and `correction`.
    controls
        Keep the terms that are no treatment.

    Returns
    -------
    An estimate whose terms are called "partner[name]"; `wald` and `combine` test them.

    Raises
    ------
    DesignError
        If there is none, the pairs or errors differ, or the errors are not made of the scores of pairs.
    """
    _check(estimates)
    first = next(iter(estimates.values()))
    kept = {
        name: [k for k, term in enumerate(e.terms) if controls or term in e.treatment] for name, e in estimates.items()
    }
    terms = tuple(f"{estimates[name].terms[k]}[{name}]" for name, ks in kept.items() for k in ks)
    influence = _stacked(estimates, kept)
    every = tuple(estimates.values())
    blank = Estimate(
        terms=terms,
        coefficients=np.concatenate([estimates[name].coefficients[ks] for name, ks in kept.items()]),
        covariance=np.full((len(terms), len(terms)), np.nan),
        dof=1,
        influence=influence,
        n_obs=influence.n_obs,
        n_pairs=int(influence.dyads.used.sum()),
        exclusions=_sums(e.exclusions for e in every),
        design=_common(e.design for e in every),
        outcome=_common(e.outcome for e in every),
        direction=_common(e.direction for e in every),
        sample=_common(e.sample for e in every),
        family=_common(e.family for e in every),
        treatment=tuple(f"{term}[{name}]" for name, e in estimates.items() for term in e.treatment),
        effects=first.effects if len({e.effects for e in every}) == 1 else (),
        formula="; ".join(dict.fromkeys(e.formula for e in every)),
        se_type=first.se_type,
        correction=first.correction,
        diagnostics=_diagnostics(estimates),
    )
    return blank.under(covariance(influence, first.se_type, first.correction), first.se_type, first.correction)


def _stacked(estimates: Mapping[str, Estimate], kept: Mapping[str, list[int]]) -> Influence:
    """Influence of the pairs on all coefficients; what needs rows is not known across estimates."""
    every = [e.influence for e in estimates.values()]
    first = every[0].dyads
    used = np.logical_or.reduce([i.dyads.used for i in every])
    pairs = np.concatenate([estimates[name].influence.pairs[:, ks] for name, ks in kept.items()], axis=1)
    apart = [(estimates[name].influence.left_out, ks) for name, ks in kept.items()]
    left_out = [values[:, ks] for values, ks in apart if values is not None]
    unknown = np.full((pairs.shape[1], pairs.shape[1]), np.nan)
    return Influence(
        pairs=pairs,
        dyads=Dyads(
            origin=first.origin,
            destination=first.destination,
            dyad=first.dyad,
            used=used,
            side=first.side,
            group=first.group,
            longitude=first.longitude,
            latitude=first.latitude,
        ),
        robust=unknown,
        iid=unknown,
        n_obs=sum(i.n_obs for i in every),
        rank=sum(i.rank for i in every),
        left_out=np.concatenate(left_out, axis=1) if len(left_out) == len(every) else None,
    )


def _diagnostics(estimates: Mapping[str, Estimate]) -> Diagnostics:
    every = [e.diagnostics for e in estimates.values()]
    return Diagnostics(
        path=_common(d.path for d in every),
        iterations=max(d.iterations for d in every),
        omitted=tuple(f"{term}[{name}]" for name, e in estimates.items() for term in e.diagnostics.omitted),
        effect_rank=sum(d.effect_rank for d in every),
        deviance=sum(d.deviance for d in every),
        pseudo_r2=np.nan,
        clusters=(),
        notes=tuple(dict.fromkeys(note for d in every for note in d.notes)),
    )


def _check(estimates: Mapping[str, Estimate]) -> None:
    if not estimates:
        msg = "There is no estimate to put together; give them by name."
        raise DesignError(msg)
    first = next(iter(estimates.values()))
    for name, e in estimates.items():
        own, other = e.influence.dyads, first.influence.dyads
        if not (np.array_equal(own.origin, other.origin) and np.array_equal(own.destination, other.destination)):
            msg = f"The estimates are of different pairs: '{name}' is not on the panel of the first. Use one panel."
            raise DesignError(msg)
        if (e.se_type, e.correction) != (first.se_type, first.correction):
            msg = (
                f"The estimates have different errors, {first.se_type} ({first.correction}) and {e.se_type} "
                f"({e.correction}); give all the same, by with_vcov() if need be."
            )
            raise DesignError(msg)
    if first.se_type in NEED_ROWS or " and " in first.se_type or first.correction == "weidner-zylkin":
        msg = (
            f"Errors '{first.se_type}' with correction '{first.correction}' are not made of the scores of pairs alone; "
            f"put together estimates with 'pair', 'dyadic', 'max-two-way', 'province' or 'spatial' errors."
        )
        raise DesignError(msg)


def _common(values: Iterable[str]) -> str:
    found = dict.fromkeys(values)
    return next(iter(found)) if len(found) == 1 else SEVERAL


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    out: dict[str, int] = {}
    for one in counts:
        for reason, n in one.items():
            out[reason] = out.get(reason, 0) + n
    return out
