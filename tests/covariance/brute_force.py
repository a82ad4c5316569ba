"""Weidner and Zylkin's formulas written out: explicit dummies, matrices and tensors, one pair after the other."""

import numpy as np

from tradelift.solve import RowProblem, fit


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


def bias(o, region_of):
    """Bias of the coefficients; `region_of` gives by row the origin and the destination."""
    k = o.x.shape[1]
    total = np.zeros(k)
    for region, effect in zip(region_of, o.effects[:2], strict=True):
        regions = np.unique(region)
        part = np.zeros(k)
        for i in regions:
            codes = np.unique(effect[region == i])
            h, ss = np.zeros((2, len(codes), len(codes)))
            hxs, gx = np.zeros((2, k, len(codes), len(codes)))
            for p in np.unique(o.pair[region == i]):
                rows = np.flatnonzero((o.pair == p) & (region == i))
                at = np.ix_(*[np.searchsorted(codes, effect[rows])] * 2)
                s, own = o.score[rows], information(o, rows)
                h[at] += own
                ss[at] += np.outer(s, s)
                for q in range(k):
                    hxs[q][at] += np.outer(own @ o.x[rows, q], s)
                    gx[q][at] += third(o, rows) @ o.x[rows, q]
            inverse = np.linalg.pinv(h, rcond=1e-12, hermitian=True)
            for q in range(k):
                part[q] += -np.trace(inverse @ hxs[q]) + np.trace(gx[q] @ inverse @ ss @ inverse) / 2
        total += part * len(regions) / (len(regions) - 1)
    return np.linalg.inv(o.hessian) @ total
