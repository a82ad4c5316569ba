"""Which regressors neither the effects nor earlier regressors explain."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve import compiled, kernel
from tradelift.solve.problem import Piece
from tradelift.solve.projection import CannotTellError, net_limits, two_way
from tradelift.solve.slabs import Slab

Floats = NDArray[Any]
Bools = NDArray[Any]

COLLINEAR = 1e-10  # share of a regressor's variance that must be left, or it is collinear
PLAIN = 1e-6  # the same in a few periods alone, well above it


def plainly_independent(pieces: Sequence[Piece], masks: Sequence[Bools | None]) -> bool:
    """
    Tell whether three periods of each piece show already that no regressor is collinear; False leaves it open.

    Parameters
    ----------
    pieces
        The problem.
    masks
        Observations, shape (T, I, J); None for all.
    """
    k = pieces[0].regressors.shape[0]
    if not k:
        return True
    chosen = [sorted({0, len(p.outcome) // 2, len(p.outcome) - 1}) for p in pieces]
    few = [
        np.ones((len(at), *p.outcome.shape[1:]), dtype=bool) if m is None else m[at]
        for p, m, at in zip(pieces, masks, chosen, strict=True)
    ]
    values = [
        p.regressors if p.regressors.shape[1] == 1 else p.regressors[:, at]
        for p, at in zip(pieces, chosen, strict=True)
    ]
    cross, total = _cross(values, few)
    if not (total > 0).all():
        return False
    scaled = cross / np.sqrt(np.outer(total, total))
    return bool(np.linalg.eigvalsh(scaled)[0] > PLAIN)


def independent_regressors(pieces: Sequence[Piece], samples: Sequence[Bools]) -> tuple[int, ...]:
    """Positions of regressors that neither the effects nor earlier regressors explain, on all observations."""
    return independent(*_cross([p.regressors for p in pieces], samples))


def _cross(regressors: Sequence[Floats], samples: Sequence[Bools]) -> tuple[Floats, Floats]:
    """Cross product net of the effects, and sums of squares about the mean before that."""
    k = regressors[0].shape[0]
    weights = [s.astype(np.float64) for s in samples]
    count = max(sum(float(w.sum()) for w in weights), 1.0)
    mean = sum((_sums(w, x) for w, x in zip(weights, regressors, strict=True)), np.zeros(k)) / count
    cross, total = np.zeros((k, k)), np.zeros(k)
    for w, x in zip(weights, regressors, strict=True):
        centred = x - mean[:, None, None, None]
        total += _sums(w, centred**2)
        cross += _net_cross(w, centred)
    return cross, total


def _net_cross(w: Floats, values: Floats) -> Floats:
    """Cross product of values (K, T|1, I, J) net of two-way effects, shape (K, K)."""
    k = len(values)
    if compiled.loaded():
        slab = Slab(
            piece=0,
            periods=slice(0, len(w)),
            raw=np.zeros(w.shape),
            regressors=tuple(x[0] if len(x) == 1 else x for x in values),
            given=w,
        )
        found = kernel.least_squares(slab, net_limits(slab))
        if found is None:
            raise CannotTellError
        return np.asarray(found[2][:k, :k])
    flat = two_way(w).residual(values).reshape(k, w.size) * np.sqrt(w).ravel()
    return np.asarray(flat @ flat.T)


def _sums(w: Floats, values: Floats) -> Floats:
    """Weighted sums of (K, T|1, I, J) values, shape (K,)."""
    if values.shape[1] == 1:
        return np.asarray(values.reshape(len(values), w[0].size) @ w.sum(axis=0).ravel())
    return np.asarray(values.reshape(len(values), w.size) @ w.ravel())


def independent(cross: Floats, total: Floats, share: float = COLLINEAR) -> tuple[int, ...]:
    """
    Positions of columns that are not collinear with those before them.

    Parameters
    ----------
    cross
        Cross product of the columns net of effects, shape (K, K).
    total
        Their sums of squares about the mean before that, shape (K,).
    share
        Of these that must be left.
    """
    kept: list[int] = []
    for k in range(len(cross)):
        left = cross[k, k]
        if kept:
            block = cross[np.ix_(kept, kept)]
            left -= cross[k, kept] @ np.linalg.solve(block, cross[kept, k])
        if total[k] > 0 and left > share * total[k]:
            kept.append(k)
    return tuple(kept)
