"""Panels with two mediators of a known part, and what mediation does with them in plain dense algebra."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tests.designs.panels import rebuilt, two_sided
from tradelift.solve import DenseProblem
from tradelift.solve.stack import StackProblem

DIRECT, ON_MIGRATION, OF_MIGRATION, ON_SEARCH, OF_SEARCH = 0.1, 0.5, 0.2, 0.4, 0.3


def with_mediators(seed=3, *, periods=3, missing=0.05, n_east=8, n_west=9, partners=12, noise=0.3, mean=40):
    """Migration is fixed and undirected, search moves and is directed; some of it is not known."""
    panel, frame, chosen = two_sided(
        seed=seed, periods=periods, missing=missing, n_east=n_east, n_west=n_west, partners=partners
    )
    rng = np.random.default_rng(seed)
    listed = {frozenset(pair) for pair in chosen}
    dyads = [frozenset(pair) for pair in zip(frame["origin"], frame["destination"], strict=True)]
    treated = np.array([dyad in listed for dyad in dyads], dtype=float)
    drawn = {dyad: rng.normal(0, 0.5) for dyad in sorted(set(dyads), key=sorted)}
    frame["migration"] = ON_MIGRATION * treated + np.array([drawn[dyad] for dyad in dyads])
    frame["search"] = ON_SEARCH * treated + rng.normal(0, 0.5, len(frame))
    log = DIRECT * treated + OF_MIGRATION * frame["migration"] + OF_SEARCH * frame["search"]
    frame["trade"] = 1.0 + rng.poisson(mean * np.exp(log + rng.normal(0, noise, len(frame))))
    frame.loc[3:9, "search"] = np.nan
    partners_frame = pd.DataFrame(chosen, columns=["east", "west"])
    return rebuilt(panel, frame, partners=partners_frame)


@dataclass(frozen=True)
class Dense:
    """Observations of a comparison as they are: outcome, named regressors, dummies, weights and pair of each."""

    outcome: np.ndarray
    regressors: dict
    dummies: np.ndarray
    weights: np.ndarray
    pair: np.ndarray


def dense(comparison):
    """Write out the problem of a comparison."""
    problem = comparison.problem
    if isinstance(problem, StackProblem):
        shape = problem.outcome.shape
        period = np.broadcast_to(np.arange(shape[0])[:, None], shape)
        spread = lambda x: np.broadcast_to(x, shape)  # noqa: E731
        weights = spread(problem.weights)
        codes = [spread(c) * shape[0] + period for c in problem.effects]
        regressors, pair, outcome = [spread(x) for x in problem.regressors], spread(problem.pair), problem.outcome
        return _collect([(outcome, regressors, codes, weights, pair)], comparison.terms)
    assert isinstance(problem, DenseProblem)
    parts = []
    for n, piece in enumerate(problem.pieces):
        t, i, j = (np.broadcast_to(x, piece.outcome.shape) for x in np.ogrid[tuple(map(slice, piece.outcome.shape))])
        codes = [1000 * n + t * piece.outcome.shape[1] + i, 1000 * n + t * piece.outcome.shape[2] + j]
        weights = np.ones(piece.outcome.shape) if piece.weights is None else piece.weights
        regressors = [np.broadcast_to(x, piece.outcome.shape) for x in piece.regressors]
        parts.append((piece.outcome, regressors, codes, weights, np.broadcast_to(piece.pair, piece.outcome.shape)))
    return _collect(parts, comparison.terms)


def _collect(parts, terms):
    used = [np.asarray(p[3] > 0) for p in parts]

    def join(arrays):
        return np.concatenate([a[u] for a, u in zip(arrays, used, strict=True)])

    levels = [join([p[2][k] for p in parts]) for k in range(len(parts[0][2]))]
    return Dense(
        outcome=join([p[0] for p in parts]),
        regressors={term: join([p[1][k] for p in parts]) for k, term in enumerate(terms)},
        dummies=np.concatenate([(c[:, None] == np.unique(c)).astype(float) for c in levels], axis=1),
        weights=join([p[3] for p in parts]).astype(float),
        pair=join([p[4] for p in parts]),
    )


def least_squares(data, outcome, terms, weights):
    """Coefficients by dummies, and the influence of each observation on them."""
    x = np.column_stack([*(data.regressors[t] for t in terms), data.dummies])
    root = np.sqrt(weights)[:, None]
    beta = np.linalg.lstsq(x * root, outcome * root[:, 0], rcond=None)[0]
    inverse = np.linalg.pinv(x.T @ (x * weights[:, None]))
    influence = (x * (weights * (outcome - x @ beta))[:, None]) @ inverse
    k = len(terms)
    return dict(zip(terms, beta[:k], strict=True)), dict(zip(terms, influence[:, :k].T, strict=True)), x @ beta


def poisson(data, terms):
    """The same by Newton steps on the Poisson likelihood."""
    mu = data.outcome + 0.5
    eta = np.log(mu)
    for _ in range(60):
        beta, influence, fitted = least_squares(data, eta + data.outcome / mu - 1, terms, data.weights * mu)
        eta = fitted
        mu = np.exp(eta)
    return beta, influence, mu


def stacked(data, treatment, mediators, family):
    """Numbers of mediation, and the influence of each observation on them, by every regression written out."""
    few = [t for t in data.regressors if t not in mediators]
    every, weights = list(data.regressors), data.weights
    if family == "poisson":
        total, total_influence, _ = poisson(data, few)
        held, held_influence, mu = poisson(data, every)
        weights = weights * mu
    else:
        total, total_influence, _ = least_squares(data, data.outcome, few, weights)
        held, held_influence, _ = least_squares(data, data.outcome, every, weights)
    out = {
        "total": (total[treatment], total_influence[treatment]),
        "direct": (held[treatment], held_influence[treatment]),
    }
    out["mediated"] = tuple(a - b for a, b in zip(out["total"], out["direct"], strict=True))
    for m in mediators:
        on, on_influence, _ = least_squares(data, data.regressors[m], few, weights)
        out[f"on[{m}]"] = on[treatment], on_influence[treatment]
        out[f"of[{m}]"] = held[m], held_influence[m]
        part = held[m] * on_influence[treatment] + on[treatment] * held_influence[m]
        out[f"mediated[{m}]"] = held[m] * on[treatment], part
    return out


def clustered(influence, codes):
    """Sum of squares of cluster sums."""
    return sum(float(influence[codes == c].sum()) ** 2 for c in np.unique(codes))
