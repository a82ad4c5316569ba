"""Small random dense problems, the same in rows, and their slow plain twin with explicit dummies."""

import numpy as np

from tradelift.solve import DenseProblem, Piece, RowProblem


def dense(
    seed,
    family="poisson",
    *,
    shape=(3, 8, 6),
    blocks=2,
    moving=False,
    missing=0.0,
    mean=1.0,
    weights=False,
    offset=False,
    diagonal=True,
):
    """Random pieces; `mean` low gives zeros and separation, `missing` gaps, `diagonal=False` a one-sided panel,
    `offset="fixed"` one that does not move."""
    rng = np.random.default_rng(seed)
    periods, n_rows, n_columns = shape
    pieces, first = [], 0
    for _ in range(blocks):
        x = np.stack([(rng.random((n_rows, n_columns)) < 0.3).astype(float), rng.normal(size=(n_rows, n_columns)) + 7])[
            :, None
        ]
        eta = (
            rng.normal(size=(periods, n_rows, 1))
            + rng.normal(size=(periods, 1, n_columns))
            - 0.5 * (x[1] - 7)
            + 0.3 * x[0]
        )
        if moving:
            z = rng.normal(size=(1, *shape))
            x = np.concatenate([np.broadcast_to(x, (2, *shape)), z])
            eta = eta + 0.2 * z[0]
        y = rng.poisson(mean * np.exp(eta)).astype(float)
        if family == "gaussian":
            y = eta + rng.normal(size=shape)
        w = None
        if missing or weights or not diagonal:
            w = (rng.random(shape) >= missing).astype(float)
            if not diagonal:
                w[:, np.arange(n_columns), np.arange(n_columns)] = 0
            if weights:
                w *= rng.uniform(0.5, 2.0, shape)
        pair = first + np.arange(n_rows * n_columns).reshape(n_rows, n_columns)
        first += n_rows * n_columns
        o = rng.normal(size=shape if offset != "fixed" else (1, *shape[1:])) * 0.3 if offset else None
        pieces.append(Piece(outcome=y, regressors=x, weights=w, offset=o, pair=pair))
    return DenseProblem(pieces=tuple(pieces), family=family, n_pairs=first)


def in_rows(problem, seed=None):
    """The same problem as rows, shuffled where a seed is given."""
    columns = {name: [] for name in ("y", "x", "w", "o", "origin", "destination", "pair")}
    for b, piece in enumerate(problem.pieces):
        periods, n_rows, n_columns = piece.outcome.shape
        t, i, j = (a.ravel() for a in np.indices(piece.outcome.shape))
        w = np.ones(len(t)) if piece.weights is None else piece.weights.ravel()
        ok = w > 0
        x = (
            np.broadcast_to(piece.regressors, (len(piece.regressors), *piece.outcome.shape))
            .reshape(len(piece.regressors), len(t))
            .T
        )
        o = np.zeros(len(t)) if piece.offset is None else np.broadcast_to(piece.offset, piece.outcome.shape).ravel()
        parts = (
            piece.outcome.ravel(),
            x,
            w,
            o,
            (b * periods + t) * 1000 + i,
            (b * periods + t) * 1000 + j,
            piece.pair[i, j],
        )
        for name, values in zip(columns, parts, strict=True):
            columns[name].append(values[ok])
    c = {name: np.concatenate(values) for name, values in columns.items()}
    if seed is not None:
        order = np.random.default_rng(seed).permutation(len(c["y"]))
        c = {name: values[order] for name, values in c.items()}
    code = lambda values: np.unique(values, return_inverse=True)[1]  # noqa: E731
    first = problem.pieces[0]
    return RowProblem(
        outcome=c["y"], regressors=c["x"], weights=None if first.weights is None else c["w"],
        offset=None if first.offset is None else c["o"], effects=(code(c["origin"]), code(c["destination"])),
        pair=c["pair"], family=problem.family, n_pairs=problem.n_pairs,
    )  # fmt: skip


def with_dummies(rows, used):
    """OLS or Newton's method on explicit dummies over the used rows; returns coefficients, bread, scores by pair."""
    y, x = rows.outcome[used], rows.regressors[used]
    w = np.ones(len(y)) if rows.weights is None else rows.weights[used]
    o = np.zeros(len(y)) if rows.offset is None else rows.offset[used]
    dummies = [np.equal.outer(codes[used], np.unique(codes[used])).astype(float) for codes in rows.effects]
    z = np.concatenate([x, *dummies], axis=1)
    k = x.shape[1]
    if rows.family == "gaussian":
        beta = np.linalg.lstsq(z * np.sqrt(w)[:, None], (y - o) * np.sqrt(w), rcond=None)[0]
        mu, working = z @ beta + o, w
    else:
        beta = np.linalg.lstsq(z, np.log(y + 0.5) - o, rcond=None)[0]
        for _ in range(60):
            mu = np.exp(z @ beta + o)
            working = w * mu
            step = np.linalg.pinv(z.T @ (z * working[:, None]), rcond=1e-12) @ (z.T @ (w * (y - mu)))
            beta = beta + step
            if np.abs(step).max() < 1e-13:
                break
        mu = np.exp(z @ beta + o)
        working = w * mu
    d = z[:, k:] * np.sqrt(working)[:, None]
    xs = x * np.sqrt(working)[:, None]
    net = (xs - d @ np.linalg.lstsq(d, xs, rcond=None)[0]) / np.sqrt(working)[:, None]
    bread = np.linalg.inv(net.T @ (net * working[:, None]))
    scores = np.zeros((rows.n_pairs, k))
    np.add.at(scores, rows.pair[used], net * (w * (y - mu))[:, None])
    return beta[:k], bread, scores, np.linalg.matrix_rank(z) - k
