"""Weidner and Zylkin's formulas written out: explicit dummies, matrices and tensors, one pair after the other."""

import numpy as np

from tradelift.covariance import Dyads
from tradelift.solve import RowProblem, fit


def dyads_of(shape, n_pairs, used=None):
    """Directed pairs of small dense problems: in each block its own origins, then its own destinations."""
    n_rows, n_columns = shape
    pair = np.arange(n_pairs)
    block, inside = np.divmod(pair, n_rows * n_columns)
    origin = block * (n_rows + n_columns) + inside // n_columns
    destination = block * (n_rows + n_columns) + n_rows + inside % n_columns
    used = np.ones(n_pairs, bool) if used is None else used
    return Dyads(origin=origin, destination=destination, dyad=pair, used=used, side=None, group=None)


def both_ways(n, blocks):
    """Directed pairs of n regions with each other, or with two blocks of n on one side with n on the other."""
    pair = np.arange(blocks * n * n)
    block, inside = np.divmod(pair, n * n)
    origin, destination = inside // n, inside % n
    if blocks == 2:
        origin, destination = origin + np.where(block, n, 0), destination + np.where(block, 0, n)
    low, high = np.minimum(origin, destination), np.maximum(origin, destination)
    dyad = np.unique(low * 2 * n + high, return_inverse=True)[1]
    return Dyads(
        origin=origin, destination=destination, dyad=dyad, used=np.ones(len(pair), bool), side=None, group=None
    )  # fmt: skip


def dummies(codes):
    return np.equal.outer(codes, np.unique(codes)).astype(float)


class Observations:
    """What a fit used, as rows, with the fit's own fitted values and net regressors."""

    def __init__(self, rows: RowProblem):
        self.found = fit(rows, detail=True)
        detail = self.found.detail[0]
        u = detail.sample
        w = np.ones(u.sum()) if rows.weights is None else rows.weights[u]
        self.mass, self.score = w * detail.fitted[u], w * (rows.outcome[u] - detail.fitted[u])
        self.x = detail.net[:, u].T
        self.pair = rows.pair[u]
        self.effects = [codes[u] for codes in rows.effects]
        self.hessian = self.x.T @ (self.x * self.mass[:, None])


def settle(observations, leverage_of):
    """H^-1 [sum of (a b' + b a') / 2] H^-1 G/(G-1) with b = x'(I - L)^-1 s, L given by pair."""
    o = observations
    k = o.x.shape[1]
    meat = np.zeros((k, k))
    pairs = np.unique(o.pair)
    for p in pairs:
        rows = np.flatnonzero(o.pair == p)
        x, s = o.x[rows], o.score[rows]
        left = np.eye(len(rows)) - leverage_of(rows)
        a, b = x.T @ s, x.T @ np.linalg.lstsq(left, s, rcond=1e-7)[0]
        meat += (np.outer(a, b) + np.outer(b, a)) / 2
    inverse = np.linalg.inv(o.hessian)
    return inverse @ meat @ inverse * len(pairs) / (len(pairs) - 1)


def two_way_errors(o):
    """L = Lambda (d V d' + x H^-1 x'), V the inverse of the dummies' information."""
    d = np.concatenate([dummies(c) for c in o.effects], axis=1)
    inner = d @ np.linalg.pinv(d.T @ (d * o.mass[:, None]), rcond=1e-12) @ d.T
    inner += o.x @ np.linalg.inv(o.hessian) @ o.x.T
    return settle(o, lambda rows: o.mass[rows, None] * inner[np.ix_(rows, rows)])


def information(o, rows):
    """Minus the second derivative of a pair's multinomial log likelihood."""
    total = o.mass[rows].sum()
    theta = o.mass[rows] / total
    return total * (np.diag(theta) - np.outer(theta, theta))


def third(o, rows):
    """The third derivative, by central differences of the second in each linear predictor."""
    total, n, step = o.mass[rows].sum(), len(rows), 1e-5
    out = np.zeros((n, n, n))
    for r in range(n):
        sides = []
        for sign in (1, -1):
            moved = o.mass[rows] * np.exp(sign * step * (np.arange(n) == r))
            theta = moved / moved.sum()
            sides.append(-total * (np.diag(theta) - np.outer(theta, theta)))
        out[:, :, r] = (sides[0] - sides[1]) / (2 * step)
    return out


def three_way_errors(o):
    """L = H (d V d' + x W^-1 x'), V the inverse of the information of the two effects net of the pair effects."""
    d = np.concatenate([dummies(c) for c in o.effects[:2]], axis=1)
    h = np.zeros((len(o.mass),) * 2)
    for p in np.unique(o.pair):
        rows = np.flatnonzero(o.pair == p)
        h[np.ix_(rows, rows)] = information(o, rows)
    inner = d @ np.linalg.pinv(d.T @ h @ d, rcond=1e-12, hermitian=True) @ d.T
    inner += o.x @ np.linalg.inv(o.hessian) @ o.x.T
    return settle(o, lambda rows: information(o, rows) @ inner[np.ix_(rows, rows)])


def projected_errors(o):
    """L of all columns at once: regressors and the dummies of every effect, by directed pair."""
    z = np.concatenate([o.x, *(dummies(c) for c in o.effects)], axis=1)
    root = np.sqrt(o.mass)[:, None]
    left, values, _ = np.linalg.svd(root * z / np.linalg.norm(root * z, axis=0), full_matrices=False)
    basis = left[:, values > 1e-10]
    hat = root * (basis @ basis.T) / root.T
    return settle(o, lambda rows: hat[np.ix_(rows, rows)])


def bias(o, sides, group=None):
    """
    Bias of the coefficients.

    Each side is a list of (owner by row, effect by row): the effects of an owner are its incidental parameters.
    """
    group = o.pair if group is None else group
    k = o.x.shape[1]
    total = np.zeros(k)
    for side in sides:
        owners = np.unique(np.concatenate([owner for owner, _ in side]))
        part = np.zeros(k)
        for one in owners:
            codes = sorted({(n, c) for n, (owner, effect) in enumerate(side) for c in effect[owner == one]})
            h, ss = np.zeros((2, len(codes), len(codes)))
            hxs, gx = np.zeros((2, k, len(codes), len(codes)))
            for g in np.unique(np.concatenate([group[owner == one] for owner, _ in side])):
                rows = np.flatnonzero(group == g)
                d = np.zeros((len(rows), len(codes)))  # which of the owner's effects reach which observation
                for n, (owner, effect) in enumerate(side):
                    for at, row in enumerate(rows):
                        if owner[row] == one:
                            d[at, codes.index((n, effect[row]))] += 1
                s, own, bent = o.score[rows], information(o, rows), third(o, rows)
                h += d.T @ own @ d
                ss += np.outer(d.T @ s, d.T @ s)
                for q in range(k):
                    hxs[q] += np.outer(d.T @ own @ o.x[rows, q], d.T @ s)
                    gx[q] += d.T @ (bent @ o.x[rows, q]) @ d
            inverse = np.linalg.pinv(h, rcond=1e-12, hermitian=True)
            for q in range(k):
                part[q] += -np.trace(inverse @ hxs[q]) + np.trace(gx[q] @ inverse @ ss @ inverse) / 2
        total += part * len(owners) / (len(owners) - 1)
    return np.linalg.inv(o.hessian) @ total
