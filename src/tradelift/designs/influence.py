"""What a fit leaves for covariances, and what the covariances that need the data have to say."""

from collections.abc import Sequence
from dataclasses import replace

from tradelift.covariance import Dyads, Influence, left_out, weidner_zylkin, without_each
from tradelift.solve import DenseProblem, Fit, RowProblem
from tradelift.solve.stack import StackProblem


def influence_of(
    found: Fit,
    problem: DenseProblem | RowProblem | StackProblem,
    dyads: Dyads,
    vcov: str | Sequence[str],
    correction: str,
    like: Fit | None = None,
) -> Influence:
    """
    Gather what every covariance starts from; the jackknife and the leverage corrections now, while the data are here.

    Parameters
    ----------
    found
        The fit; with detail for "leverage" and "weidner-zylkin".
    problem
        What was fitted.
    dyads
        Its directed pairs.
    vcov, correction
        What the design asks for.
    like
        As in `left_out`.
    """
    rank = found.effect_rank + len(found.kept)
    spread = 1.0
    if problem.family == "gaussian":
        spread = found.deviance / max(found.n_obs - rank, 1)
    used = replace(dyads, used=found.pairs_used)
    corrected = None
    if correction == "weidner-zylkin":
        assert not isinstance(problem, StackProblem), "refused before"
        corrected = weidner_zylkin(problem, found, used)
    return Influence(
        pairs=found.scores @ found.bread,
        dyads=used,
        robust=found.bread @ found.meat_rows @ found.bread,
        iid=found.bread * spread,
        n_obs=found.n_obs,
        rank=rank,
        deleted=without_each(problem, used, found.kept) if vcov == "jackknife" else None,
        corrected=corrected,
        left_out=left_out(problem, found, like) if correction == "leverage" else None,
    )


def notes_of(influence: Influence, regions: Sequence[str]) -> list[str]:
    """
    Say in sentences what a reader must know of the jackknife and of the leverage corrections.

    Parameters
    ----------
    influence
        Of the estimate.
    regions
        Ids by code.
    """
    notes = []
    deleted, corrected = influence.deleted, influence.corrected
    if deleted is not None and len(deleted.lost):
        names = ", ".join(regions[code] for code in deleted.lost)
        notes.append(
            f"The jackknife leaves out {len(deleted.lost)} of {len(deleted.lost) + len(deleted.coefficients)} regions, "
            f"without whose flows a coefficient is not identified: {names}."
        )
    if corrected is not None and corrected.bias is not None:
        notes.append("Coefficients are corrected for their bias of order 1/regions (Weidner and Zylkin 2021).")
    if corrected is not None and corrected.alone:
        notes.append(
            f"{corrected.alone:,} directed pairs alone identify a combination of the coefficients: the corrected "
            f"errors do not see their noise."
        )
    return notes
