"""OLS and PPML on dense blocks: the regressors net of effects, and Newton steps where the model is not linear."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError
from tradelift.solve.deviance import poisson_deviance
from tradelift.solve.problem import DenseProblem, Detail, Fit, Piece
from tradelift.solve.projection import Projection, two_way
from tradelift.solve.sample import effect_rank, separated_by_effects, singletons
from tradelift.solve.separation import separated_by_regressors
from tradelift.solve.sums import applies
from tradelift.solve.sums import solve as solve_sums

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]
Groups = Sequence[Sequence[Ints]]
Project = Callable[[Floats], Projection]

COLLINEAR = 1e-10  # share of a regressor's variance that must be left, or it is collinear
MAX_STEPS = 100
MAX_HALVINGS = 20
SCORE_TOLERANCE = 1e-9  # of the absolute values that the score sums


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """Coefficients, the fitted outcome and the regressors net of effects, by piece; K counts the kept."""

    coefficients: Floats
    fitted: list[Floats]
    net: list[Floats]
    weights: list[Floats]
    steps: int
    path: Literal["sums", "tensor"] = "tensor"


def fit_dense(problem: DenseProblem, groups: Groups, tolerance: float, *, detail: bool) -> Fit:
    """Fit a dense problem; see `tradelift.solve.fit`."""
    samples = [_sample(piece) for piece in problem.pieces]
    kept = _independent(problem.pieces, samples)
    separated = 0
    given = samples
    if problem.family == "poisson":
        refuse_negative([p.outcome for p in problem.pieces], samples)
        samples, separated = _drop_separated(problem.pieces, samples, kept)
    whole = samples
    alone = [singletons(s) for s in samples]
    samples = [s & ~a for s, a in zip(samples, alone, strict=True)]
    if separated or any(a.any() for a in alone):
        kept = _independent(problem.pieces, samples)
    solution = None
    if problem.family == "gaussian":
        solution = gaussian(problem.pieces, samples, kept, two_way)
    elif kept and applies(problem.pieces, given, whole):
        solution = _by_sums(problem.pieces, whole, samples, kept)
    if solution is None:
        solution = poisson(problem.pieces, samples, kept, tolerance, two_way)
    found = _finish(problem, samples, kept, solution, groups, separated, sum(int(a.sum()) for a in alone))
    if not detail:
        return found
    parts = zip(samples, solution.fitted, solution.net, strict=True)
    return replace(found, detail=tuple(Detail(sample=s, fitted=f, net=x) for s, f, x in parts))


def _sample(piece: Piece) -> Bools:
    if piece.weights is None:
        return np.ones(piece.outcome.shape, dtype=bool)
    return np.asarray(piece.weights > 0)


def _weights(piece: Piece, sample: Bools) -> Floats:
    return sample.astype(np.float64) if piece.weights is None else np.where(sample, piece.weights, 0.0)


def refuse_negative(outcomes: Sequence[Floats], samples: Sequence[Bools]) -> None:
    """Raise ValueError where an observation is negative."""
    for outcome, sample in zip(outcomes, samples, strict=True):
        if np.any(sample & (outcome < 0)):
            msg = "A Poisson outcome must not be negative."
            raise ValueError(msg)


def _drop_separated(pieces: Sequence[Piece], samples: list[Bools], kept: tuple[int, ...]) -> tuple[list[Bools], int]:
    """Drop separated observations, by the effects first and then by regressors too."""
    before = sum(int(s.sum()) for s in samples)
    samples = [s & ~separated_by_effects(s & (p.outcome > 0), s) for p, s in zip(pieces, samples, strict=True)]
    found = separated_by_regressors(
        [s & (p.outcome > 0) for p, s in zip(pieces, samples, strict=True)],
        samples,
        [p.regressors[list(kept)] for p in pieces],
    )
    samples = [s & ~f for s, f in zip(samples, found, strict=True)]
    return samples, before - sum(int(s.sum()) for s in samples)


def _independent(pieces: Sequence[Piece], samples: Sequence[Bools]) -> tuple[int, ...]:
    """Positions of regressors that neither the effects nor earlier regressors explain."""
    n_regressors = pieces[0].regressors.shape[0]
    cross = np.zeros((n_regressors, n_regressors))
    total = np.zeros(n_regressors)
    count = sum(int(s.sum()) for s in samples)
    mean = np.zeros(n_regressors)
    for piece, sample in zip(pieces, samples, strict=True):
        mean += _sums(sample.astype(float), piece.regressors) / max(count, 1)
    for piece, sample in zip(pieces, samples, strict=True):
        w = sample.astype(np.float64)
        centred = piece.regressors - mean[:, None, None, None]
        total += _sums(w, centred**2)
        net = two_way(w).residual(centred)
        flat = net.reshape(n_regressors, w.size) * np.sqrt(w).ravel()
        cross += flat @ flat.T
    return independent(cross, total)


def independent(cross: Floats, total: Floats) -> tuple[int, ...]:
    """
    Positions of columns that are not collinear with those before them.

    Parameters
    ----------
    cross
        Cross product of the columns net of effects, shape (K, K).
    total
        Their sums of squares about the mean before that, shape (K,).
    """
    kept: list[int] = []
    for k in range(len(cross)):
        left = cross[k, k]
        if kept:
            block = cross[np.ix_(kept, kept)]
            left -= cross[k, kept] @ np.linalg.solve(block, cross[kept, k])
        if total[k] > 0 and left > COLLINEAR * total[k]:
            kept.append(k)
    return tuple(kept)


def _sums(w: Floats, values: Floats) -> Floats:
    """Weighted sums of (K, T|1, I, J) values, shape (K,)."""
    if values.shape[1] == 1:
        return np.asarray(values.reshape(len(values), w[0].size) @ w.sum(axis=0).ravel())
    return np.asarray(values.reshape(len(values), w.size) @ w.ravel())


def _by_sums(
    pieces: Sequence[Piece], whole: Sequence[Bools], samples: Sequence[Bools], kept: tuple[int, ...]
) -> Solution | None:
    """Solve from sums; singletons stay in the sums, where they fit themselves, and leave the sample afterwards."""
    found = solve_sums(pieces, whole, kept)
    if found is None:
        return None
    weights = [np.where(s, m, 0.0) for s, m in zip(samples, found.fitted, strict=True)]
    return Solution(
        coefficients=found.coefficients,
        fitted=found.fitted,
        net=found.net,
        weights=weights,
        steps=found.steps,
        path="sums",
    )


def gaussian(pieces: Sequence[Piece], samples: Sequence[Bools], kept: tuple[int, ...], project: Project) -> Solution:
    """OLS; a piece may be of any shape that `project` knows."""
    weights = [_weights(p, s) for p, s in zip(pieces, samples, strict=True)]
    ways = [project(w) for w in weights]
    net = [way.residual(p.regressors[list(kept)]) for way, p in zip(ways, pieces, strict=True)]
    left = [way.residual(_target(p, s)[None])[0] for way, p, s in zip(ways, pieces, samples, strict=True)]
    beta, _ = regress(net, left, weights)
    fitted = [p.outcome - (y - np.tensordot(beta, x, 1)) for p, y, x in zip(pieces, left, net, strict=True)]
    return Solution(coefficients=beta, fitted=fitted, net=net, weights=weights, steps=1)


def _target(piece: Piece, sample: Bools) -> Floats:
    offset = 0.0 if piece.offset is None else piece.offset
    return np.where(sample, piece.outcome - offset, 0.0)


def regress(net: Sequence[Floats], left: Sequence[Floats], weights: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Coefficients of a weighted regression of net outcomes on net regressors, and its cross product."""
    k = net[0].shape[0]
    cross, moment = np.zeros((k, k)), np.zeros(k)
    for x, y, w in zip(net, left, weights, strict=True):
        flat = x.reshape(k, w.size)
        weighted = flat * w.ravel()
        cross += weighted @ flat.T
        moment += weighted @ y.ravel()
    return (np.linalg.solve(cross, moment) if k else moment), cross


def poisson(
    pieces: Sequence[Piece], samples: Sequence[Bools], kept: tuple[int, ...], tolerance: float, project: Project
) -> Solution:
    """Newton steps on coefficients and effects at once; a piece may be of any shape that `project` knows."""
    n_obs = sum(int(s.sum()) for s in samples)
    mean = sum(float(p.outcome[s].sum()) for p, s in zip(pieces, samples, strict=True)) / max(n_obs, 1)
    weights = [_weights(p, s) for p, s in zip(pieces, samples, strict=True)]
    regressors = [p.regressors[list(kept)] for p in pieces]
    offsets = [0.0 if p.offset is None else p.offset for p in pieces]
    outcome = [np.where(s, p.outcome, 0.0) for p, s in zip(pieces, samples, strict=True)]
    eta = [np.where(s, np.log((y + mean) / 2 if n_obs else 1.0), 0.0) for y, s in zip(outcome, samples, strict=True)]
    before = deviance_of(outcome, [np.exp(e) for e in eta], weights)
    beta = np.zeros(len(kept))
    for step in range(1, MAX_STEPS + 1):
        new_beta, new_eta = _newton(outcome, regressors, offsets, weights, samples, eta, project)
        new_eta, deviance = _halve(outcome, weights, eta, new_eta, before, first=step == 1)
        change = np.abs(new_beta - beta).max(initial=0.0)
        settled = abs(before - deviance) <= tolerance * (abs(deviance) + 0.1)
        beta, eta, before = new_beta, new_eta, deviance
        if settled and change <= tolerance * 10 + 1e-9 * np.abs(beta).max(initial=0.0):
            break
    mu = [np.where(s, np.exp(e), 0.0) for e, s in zip(eta, samples, strict=True)]
    final = [w * m for w, m in zip(weights, mu, strict=True)]
    net = [project(f).residual(x) for f, x in zip(final, regressors, strict=True)]
    _judge(net, outcome, mu, weights)
    return Solution(coefficients=beta, fitted=mu, net=net, weights=final, steps=step)


def _newton(
    outcome: Sequence[Floats],
    regressors: Sequence[Floats],
    offsets: Sequence[Floats | float],
    weights: Sequence[Floats],
    samples: Sequence[Bools],
    eta: Sequence[Floats],
    project: Project,
) -> tuple[Floats, list[Floats]]:
    """One step of iteratively reweighted least squares; returns coefficients and linear predictors."""
    mu = [np.exp(e) for e in eta]
    working = [w * m for w, m in zip(weights, mu, strict=True)]
    target = [
        np.where(s, e - o + (y - m) / m, 0.0) for s, e, o, y, m in zip(samples, eta, offsets, outcome, mu, strict=True)
    ]
    ways = [project(w) for w in working]
    net = [way.residual(x) for way, x in zip(ways, regressors, strict=True)]
    left = [way.residual(z[None])[0] for way, z in zip(ways, target, strict=True)]
    beta, _ = regress(net, left, working)
    new = [
        np.where(s, z + o - (r - np.tensordot(beta, x, 1)), 0.0)
        for s, z, o, r, x in zip(samples, target, offsets, left, net, strict=True)
    ]
    return beta, new


def _halve(
    outcome: Sequence[Floats],
    weights: Sequence[Floats],
    old: Sequence[Floats],
    new: list[Floats],
    before: float,
    *,
    first: bool,
) -> tuple[list[Floats], float]:
    """Shorten a step that makes the fit worse."""
    for _ in range(MAX_HALVINGS):
        with np.errstate(over="ignore", invalid="ignore"):
            deviance = deviance_of(outcome, [np.exp(e) for e in new], weights)
        if np.isfinite(deviance) and (first or deviance <= before * (1 + 1e-9) + 1e-9):
            return new, deviance
        new = [(a + b) / 2 for a, b in zip(old, new, strict=True)]
    return new, deviance


def deviance_of(outcome: Sequence[Floats], mu: Sequence[Floats], weights: Sequence[Floats]) -> float:
    """Poisson deviance of all pieces."""
    return sum(poisson_deviance(y, m, w) for y, m, w in zip(outcome, mu, weights, strict=True))


def _judge(net: Sequence[Floats], outcome: Sequence[Floats], mu: Sequence[Floats], weights: Sequence[Floats]) -> None:
    """Accept a solution by its score, not by its last step alone."""
    for k in range(net[0].shape[0]):
        pieces = list(zip(net, outcome, mu, weights, strict=True))
        score = sum(float((x[k] * (y - m) * w).sum()) for x, y, m, w in pieces)
        scale = sum(float((np.abs(x[k]) * (y + m) * w).sum()) for x, y, m, w in pieces)
        if not abs(score) <= SCORE_TOLERANCE * scale:
            msg = (
                f"PPML did not converge: after {MAX_STEPS} steps the score of regressor {k + 1} is {score:.3g} "
                f"where {SCORE_TOLERANCE * scale:.3g} is allowed. Rescale the outcome or the regressors, or drop "
                f"regressors that are large or nearly collinear."
            )
            raise ConvergenceError(msg)


def _finish(
    problem: DenseProblem,
    samples: Sequence[Bools],
    kept: tuple[int, ...],
    solution: Solution,
    groups: Groups,
    separated: int,
    alone: int,
) -> Fit:
    k = len(kept)
    scores, meat = np.zeros((problem.n_pairs, k)), np.zeros((k, k))
    used = np.zeros(problem.n_pairs, dtype=bool)
    sums = [np.zeros((1 + max(int(c.max(initial=-1)) for c in codes), k)) for codes in groups]
    deviance = 0.0
    for n, (piece, sample) in enumerate(zip(problem.pieces, samples, strict=True)):
        w = _weights(piece, sample)
        error = np.where(sample, piece.outcome - solution.fitted[n], 0.0)
        rows = solution.net[n] * (w * error)
        flat = rows.reshape(k, w.size)
        meat += flat @ flat.T
        held = piece.pair >= 0
        scores[piece.pair[held]] += rows.sum(axis=1)[:, held].T
        used[piece.pair[held & sample.any(axis=0)]] = True
        deviance += float((w * error**2).sum())
        for total, codes in zip(sums, groups, strict=True):
            where = np.broadcast_to(codes[n], sample.shape)[sample]
            for column in range(k):
                total[:, column] += np.bincount(where, rows[column][sample], minlength=len(total))
    cross = regress(solution.net, [np.zeros(s.shape) for s in samples], solution.weights)[1]
    outcome = [p.outcome for p in problem.pieces]
    weights = [_weights(p, s) for p, s in zip(problem.pieces, samples, strict=True)]
    if problem.family == "poisson":
        deviance = deviance_of(outcome, solution.fitted, weights)
    return Fit(
        coefficients=solution.coefficients,
        bread=np.linalg.inv(cross) if k else cross,
        scores=scores,
        meat_rows=meat,
        group_scores=tuple(sums),
        kept=kept,
        effect_rank=sum(effect_rank(s) for s in samples),
        n_obs=sum(int(s.sum()) for s in samples),
        pairs_used=used,
        excluded={"separated": separated, "singleton": alone},
        path=solution.path,
        iterations=solution.steps,
        deviance=deviance,
        total=null_deviance(outcome, weights, problem.family),
    )


def null_deviance(outcome: Sequence[Floats], weights: Sequence[Floats], family: str) -> float:
    """Deviance of a constant alone."""
    mass = sum(float(w.sum()) for w in weights)
    mean = sum(float((w * y).sum()) for y, w in zip(outcome, weights, strict=True)) / mass if mass else 0.0
    if family == "poisson":
        return deviance_of(outcome, [np.full(y.shape, mean) for y in outcome], weights) if mean else 0.0
    return sum(float((w * (y - mean) ** 2).sum()) for y, w in zip(outcome, weights, strict=True))
