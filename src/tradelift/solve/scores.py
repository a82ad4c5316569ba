"""One last pass over the observations: scores, cross products and deviance, slab by slab."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError
from tradelift.solve import compiled, kernel
from tradelift.solve.problem import DenseProblem, Detail, Family
from tradelift.solve.profile import Solved, slabs_of
from tradelift.solve.slabs import Cut, Slab, each

Floats = NDArray[Any]
Bools = NDArray[Any]
Ints = NDArray[Any]

TINY, HUGE = 1e-300, 1e300
SCORE_TOLERANCE = 1e-9  # of the absolute values that the score sums


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """
    What inference needs of a solution.

    Parameters
    ----------
    pairs
        Scores by directed pair, shape (P, K).
    rows
        Sum of the outer products of the observations' scores, shape (K, K).
    groups
        Score sums by the groups that were asked for, shape (G, K) each.
    information
        Cross product of the regressors net of effects, shape (K, K).
    deviance, total
        Of the model, and of a constant.
    mean
        Of the outcome; NaN without observations.
    detail
        By piece; empty unless it was asked for.
    """

    pairs: Floats
    rows: Floats
    groups: tuple[Floats, ...]
    information: Floats
    deviance: float
    total: float
    mean: float
    detail: tuple[Detail, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlabScores:
    """What a slab adds to the scores; its pairs have shape (K, I, J)."""

    pairs: Floats
    rows: Floats
    information: Floats
    groups: list[Floats]
    deviance: float
    mass: Floats  # weights, outcomes, and outcomes times their logs or squares: for the constant's deviance


@dataclass(slots=True, kw_only=True, eq=False)
class Totals:
    """
    Scores as they add up, slab by slab.

    Parameters
    ----------
    pairs, rows, information, groups
        As in `Scores`.
    score
        Sum of all scores, shape (K,).
    mass
        Of the outcome, for the constant's deviance, shape (3,).
    deviance
        Of the model.
    """

    pairs: Floats
    rows: Floats
    information: Floats
    groups: list[Floats]
    score: Floats
    mass: Floats
    deviance: float = 0.0

    @classmethod
    def empty(cls, n_pairs: int, k: int, sizes: Sequence[int] = ()) -> Self:
        """Nothing yet, for P pairs, K regressors and groups of some sizes."""
        return cls(
            pairs=np.zeros((n_pairs, k)),
            rows=np.zeros((k, k)),
            information=np.zeros((k, k)),
            groups=[np.zeros((n, k)) for n in sizes],
            score=np.zeros(k),
            mass=np.zeros(3),
        )

    def add(self, pair: Ints, parts: Sequence[SlabScores]) -> None:
        """Add the slabs of a piece with these directed pairs, shape (I, J)."""
        own = np.zeros((len(self.score), *pair.shape))
        for part in parts:
            own += part.pairs
            self.rows += part.rows
            self.information += part.information
            self.mass += part.mass
            self.deviance += part.deviance
            for g, sums in enumerate(part.groups):
                self.groups[g] += sums
        self.score += own.sum(axis=(1, 2))
        pairs, sums = pair.ravel(), own.reshape(len(own), pair.size)
        held = pairs >= 0
        if not held.all():
            pairs, sums = pairs[held], sums[:, held]
        self.pairs[pairs] += sums.T

    def scores(self, family: Family, information: Floats | None = None, detail: tuple[Detail, ...] = ()) -> Scores:
        """
        Close the account.

        Raises
        ------
        ConvergenceError
            If the scores of PPML do not sum to zero.
        """
        known = self.information if information is None else information
        if family == "poisson":
            # as large as the sum of the scores' absolute values can be
            _judge(self.score, np.sqrt(np.diag(known) * self.mass[1]))
        return Scores(
            pairs=self.pairs,
            rows=self.rows,
            groups=tuple(self.groups),
            information=known,
            deviance=self.deviance,
            total=_constant(self.mass, family),
            mean=float(self.mass[1] / self.mass[0]) if self.mass[0] else np.nan,
            detail=detail,
        )


def score(
    problem: DenseProblem, cuts: Sequence[Cut], solved: Solved, groups: Sequence[Sequence[Ints]], *, detail: bool
) -> Scores:
    """
    Sum up the scores of a solution.

    Parameters
    ----------
    problem
        Its family and pairs.
    cuts
        Its pieces.
    solved
        Coefficients and effects.
    groups
        As `tradelift.solve.fit` takes them for blocks.
    detail
        Also give fitted values and net regressors.

    Raises
    ------
    ConvergenceError
        If the scores do not sum to zero.
    """
    k = len(solved.coefficients)
    slabs = slabs_of(cuts)
    kept = _empty_detail(cuts, k) if detail else ()
    sizes = [1 + max(int(c.max(initial=-1)) for c in codes) for codes in groups]
    parts = each(partial(slab_scores, problem.family, solved, groups, sizes, kept), slabs)
    totals = Totals.empty(problem.n_pairs, k, sizes)
    for n, cut in enumerate(cuts):
        totals.add(cut.piece.pair, [p for p, s in zip(parts, slabs, strict=True) if s.piece == n])
    return totals.scores(problem.family, solved.information, kept)


def _empty_detail(cuts: Sequence[Cut], k: int) -> tuple[Detail, ...]:
    shapes = [c.piece.outcome.shape for c in cuts]
    return tuple(
        Detail(
            sample=np.ones(shape, dtype=bool) if c.sample is None else c.sample,
            fitted=np.zeros(shape),
            net=np.zeros((k, *shape)),
        )
        for c, shape in zip(cuts, shapes, strict=True)
    )


def slab_scores(
    family: Family,
    solved: Solved,
    groups: Sequence[Sequence[Ints]],
    sizes: Sequence[int],
    detail: Sequence[Detail],
    slab: Slab,
) -> SlabScores:
    """Sum up one slab; fitted outcomes and net regressors go to `detail` where it is given."""
    n, at = slab.piece, slab.periods
    if compiled.loaded() and not groups and not detail:
        return _compiled(family, solved, slab)
    fitted, nets = _observed(family, solved, slab)
    error = slab.outcome - fitted
    scores = nets * error
    if detail:
        _keep(detail[n], at, slab, fitted, nets)
    # the sums are the compiled ones also where more is asked for, so that no digit depends on that
    found = _compiled(family, solved, slab) if compiled.loaded() else _plain(family, solved, slab, fitted, nets, scores)
    return replace(
        found, groups=[_group(codes[n], at, scores, size) for codes, size in zip(groups, sizes, strict=True)]
    )


def _compiled(family: Family, solved: Solved, slab: Slab) -> SlabScores:
    n, at = slab.piece, slab.periods
    third, parts = (None if own is None else own[n] for own in (solved.pairs, solved.pair_parts))
    effects = solved.rows[n][at], solved.columns[n][at], third
    in_regressors = solved.row_parts[n][at], solved.column_parts[n][at], parts
    found = kernel.scores(slab, solved.coefficients, family == "poisson", effects, in_regressors)
    pairs, rows, information, sums = found
    return SlabScores(
        pairs=pairs, rows=rows, information=information, groups=[], deviance=float(sums[0]), mass=sums[1:]
    )


def _plain(family: Family, solved: Solved, slab: Slab, fitted: Floats, nets: Floats, scores: Floats) -> SlabScores:
    k = len(nets)
    flat, information = scores.reshape(k, fitted.size), np.zeros((k, k))
    if solved.information is None:
        weights = fitted if family == "poisson" else slab.weights
        weighted = nets if weights is None else nets * weights
        information = weighted.reshape(k, fitted.size) @ nets.reshape(k, fitted.size).T
    return SlabScores(
        pairs=scores.sum(axis=1),
        rows=flat @ flat.T,
        information=information,
        groups=[],
        deviance=_deviance(family, slab, fitted, slab.outcome - fitted),
        mass=_mass(family, slab),
    )


def _observed(family: Family, solved: Solved, slab: Slab) -> tuple[Floats, Floats]:
    """Fitted outcomes times the weights, shape (t, I, J), and net regressors, shape (K, t, I, J)."""
    n, at = slab.piece, slab.periods
    p, q = solved.row_parts[n][at], solved.column_parts[n][at]
    third = None if solved.pairs is None else solved.pairs[n]
    nets = np.empty((len(slab.regressors), *slab.shape))
    for i, x in enumerate(slab.regressors):
        np.subtract(x, p[:, :, i, None], out=nets[i])
        nets[i] -= q[:, None, :, i]
        if solved.pair_parts is not None:
            nets[i] -= solved.pair_parts[n][..., i]
    return _fitted(family, solved.coefficients, slab, solved.rows[n][at], solved.columns[n][at], third), nets


def _fitted(family: Family, beta: Floats, slab: Slab, a: Floats, b: Floats, third: Floats | None) -> Floats:
    """Fitted outcomes times the weights, shape (t, I, J)."""
    if family == "poisson":
        return slab.expected(beta, a, b, third)
    out = slab.index(beta) + a[:, :, None]
    out += b[:, None, :]
    if third is not None:
        out += third
    return out if slab.weights is None else np.asarray(out * slab.weights)


def _keep(detail: Detail, at: slice, slab: Slab, fitted: Floats, nets: Floats) -> None:
    """Write fitted outcomes, without their weights, and net regressors where the caller wants them."""
    w = slab.weights
    detail.fitted[at] = fitted if w is None else np.divide(fitted, w, out=np.zeros_like(fitted), where=w > 0)
    detail.net[:, at] = nets


def _group(codes: Ints, at: slice, scores: Floats, size: int) -> Floats:
    out = np.zeros((size, len(scores)))
    own = codes if len(codes) == 1 else codes[at]
    for i, s in enumerate(scores):
        out[:, i] = np.bincount(np.broadcast_to(own, s.shape).ravel(), weights=s.ravel(), minlength=size)
    return out


def _deviance(family: Family, slab: Slab, fitted: Floats, error: Floats) -> float:
    if family == "poisson":
        return 2 * float(np.vdot(slab.outcome, _logs(slab.outcome, fitted)) - error.sum())
    if slab.weights is None or slab.plain:
        return float(np.vdot(error, error))
    return float((error**2)[slab.weights > 0] @ (1 / slab.weights[slab.weights > 0]))


def _logs(outcome: Floats, fitted: Floats | None) -> Floats:
    """Logs of outcome over fitted, finite where the outcome is 0; both times the same weights."""
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.fmax(outcome, TINY) if fitted is None else np.fmax(outcome / fitted, TINY)
    return np.log(np.fmin(out, HUGE, out=out), out=out)


def _mass(family: Family, slab: Slab) -> Floats:
    w, y = slab.weights, slab.outcome
    count = float(y.size) if w is None else float(w.sum())
    if family == "poisson":
        return np.array([count, y.sum(), np.vdot(y, _logs(y, None if slab.plain else w))])
    square = np.vdot(y, y) if w is None or slab.plain else float((y**2)[w > 0] @ (1 / w[w > 0]))
    return np.array([count, y.sum(), square])


def _constant(mass: Floats, family: Family) -> float:
    """Deviance of a constant alone."""
    count, total, logs = mass
    if not count or (family == "poisson" and not total):
        return 0.0
    if family == "poisson":
        return float(2 * (logs - total * np.log(total / count)))
    return float(logs - total**2 / count)


def _judge(score: Floats, scale: Floats) -> None:
    """Accept a solution by its score, not by its last step alone."""
    for k in np.flatnonzero(~(np.abs(score) <= SCORE_TOLERANCE * scale)):
        msg = (
            f"PPML did not converge: at the end the score of regressor {k + 1} is {score[k]:.3g} where "
            f"{SCORE_TOLERANCE * scale[k]:.3g} is allowed. Rescale the outcome or the regressors, or drop regressors "
            f"that are large or nearly collinear."
        )
        raise ConvergenceError(msg)
