"""Regressions of pieces on their effects, to add up over parts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.projection import two_way
from tradelift.solve.rank import independent

Floats = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gram:
    """
    What a regression on some observations needs of them.

    Parameters
    ----------
    cross
        Cross product of the regressors net of the effects, shape (K, K).
    moment
        Cross product of those and the outcome, shape (K,).
    first, second
        Sums and sums of squares of the regressors about a common point, before that, shape (K,).
    count
        Observations.
    """

    cross: Floats
    moment: Floats
    first: Floats
    second: Floats
    count: int

    def __add__(self, other: "Gram") -> "Gram":
        return Gram(
            cross=self.cross + other.cross,
            moment=self.moment + other.moment,
            first=self.first + other.first,
            second=self.second + other.second,
            count=self.count + other.count,
        )

    def independent(self) -> tuple[int, ...]:
        """Positions of the regressors that neither the effects nor those before them explain."""
        return independent(self.cross, self.second - self.first**2 / max(self.count, 1))


def gram(x: Floats, w: Floats, y: Floats, centre: Floats) -> Gram:
    """
    Regress a piece on its effects; what is the same in all periods is computed once.

    Parameters
    ----------
    x
        Shape (K, T, I, J) or (K, 1, I, J).
    w, y
        Weights, 0 off the sample, and outcome, shape (T, I, J).
    centre
        A point near the regressors' means, shape (K,).
    """
    times = 1
    if x.shape[1] == 1 and (w == w[:1]).all():
        times, w, y = len(w), w[:1], y.sum(axis=0, keepdims=True)
    centred = x - centre[:, None, None, None]
    net = two_way(w).residual(centred).reshape(len(x), w.size)
    on = (w > 0).astype(np.float64)
    raw = (centred * on).reshape(len(x), w.size)
    return Gram(
        cross=times * ((net * w.ravel()) @ net.T),
        moment=(net * w.ravel()) @ y.ravel(),
        first=times * raw.sum(axis=1),
        second=times * (raw**2).sum(axis=1),
        count=times * int(on.sum()),
    )


def no_gram(k: int) -> Gram:
    """Of no observations."""
    return Gram(cross=np.zeros((k, k)), moment=np.zeros(k), first=np.zeros(k), second=np.zeros(k), count=0)
