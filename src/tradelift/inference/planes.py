"""The null model as planes: origins x destinations of one period, and the projection on the effects of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs import Comparison
from tradelift.solve import DenseProblem, Detail, Fit, Piece

Floats = NDArray[Any]
Ints = NDArray[Any]

NULL = 1e-11  # eigenvalue of the scaled normal equations, of at most 1, that counts as zero


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """
    One period of a block, or all its periods at once where they share their weights and the treatment does not move.

    Parameters
    ----------
    period
        Position of the period; the first where it stands for all.
    weights
        Shape (I, J), 0 off the sample; times the fitted flow for PPML.
    residual
        Weighted residual of the null model, shape (I, J).
    controls
        Controls net of the effects, shape (C, I, J).
    masks
        Treatment term to what the programme is multiplied with in it, shape (I, J); terms without any are left out.
    """

    period: int
    weights: Floats
    residual: Floats
    controls: Floats
    masks: dict[int, Floats]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """
    The planes of one block.

    Parameters
    ----------
    shape
        (I, J).
    cell
        Place of a pair of regions in a flattened plane, shape (R, R); I J where the block does not hold it.
    pair
        Code of each directed pair, shape (I, J), -1 for none.
    planes
        By period.
    """

    shape: tuple[int, int]
    cell: Ints
    pair: Ints
    planes: tuple[Plane, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Effects:
    """
    The projection on the effects of a plane's origins and destinations, for one set of weights.

    With r and c the weighted sums of values by origin and destination, the part that the effects explain has the
    quadratic form z'z, z = (r A + c B, c * d): the Schur complement of the normal equations on the smaller side, by
    its square root, which is defined where some origins and destinations are not connected, too.

    Parameters
    ----------
    weights
        Shape (I, J).
    a, b
        Square root of the Schur complement's inverse on the smaller side, shape (m, m), and what carries the sums of
        the larger side there, shape (n, m).
    d
        Inverse square root of the weights' sums on the larger side, shape (n,); 0 where they vanish.
    wide
        Whether the destinations are the larger side.
    """

    weights: Floats
    a: Floats
    b: Floats
    d: Floats
    wide: bool

    def half(self, rows: Floats, columns: Floats) -> Floats:
        """Square root of the explained form, shape (..., m + n), of sums of shapes (..., I) and (..., J)."""
        small, large = (rows, columns) if self.wide else (columns, rows)
        return np.concatenate([small @ self.a + large @ self.b, large * self.d], axis=-1)

    def values(self, half: Floats) -> tuple[Floats, Floats]:
        """Effects of origins and of destinations, shapes (..., I) and (..., J), from what `half` gives."""
        m = len(self.a)
        w = self.weights if self.wide else self.weights.T
        small = half[..., :m] @ self.a.T
        large = half[..., m:] * self.d - (small @ w) * self.d**2
        return (small, large) if self.wide else (large, small)


def effects_of(weights: Floats) -> Effects:
    """Prepare the projection for weights of shape (I, J)."""
    wide = weights.shape[0] <= weights.shape[1]
    w = weights if wide else weights.T
    small, d = _inverse_root(w.sum(axis=1)), _inverse_root(w.sum(axis=0))
    scaled = w * small[:, None] * d
    values, vectors = np.linalg.eigh(np.eye(len(w)) - scaled @ scaled.T)
    a = small[:, None] * (vectors * _inverse_root(np.where(values > NULL, values, 0.0)))
    return Effects(weights=weights, a=a, b=-(d[:, None] ** 2 * w.T) @ a, d=d, wide=wide)


def _inverse_root(values: Floats) -> Floats:
    return np.divide(1.0, np.sqrt(values), out=np.zeros_like(values), where=values > 0)


def without_treatment(comparison: Comparison) -> DenseProblem:
    """The null model of a comparison on dense blocks."""
    problem = comparison.problem
    assert isinstance(problem, DenseProblem), "planes are of dense blocks"
    rest = [k for k, term in enumerate(comparison.terms) if term not in comparison.treatment]
    return replace(problem, pieces=tuple(replace(p, regressors=p.regressors[rest]) for p in problem.pieces))


def fields(
    comparison: Comparison, null: Fit, masks: Sequence[Floats], *, n_regions: int, moves: bool, apart: bool
) -> tuple[Field, ...]:
    """
    Cut a fitted null model into planes.

    Parameters
    ----------
    comparison
        The design's own.
    null
        Its null model, with detail.
    masks
        By piece: what the programme is multiplied with in each treatment term, shape (K, T | 1, I, J).
    n_regions
        R.
    moves
        Whether the programme changes over time.
    apart
        Whether the controls must be kept apart by period where they move.
    """
    problem = comparison.problem
    assert isinstance(problem, DenseProblem), "planes are of dense blocks"
    out = []
    for piece, detail, mask in zip(problem.pieces, null.detail, masks, strict=True):
        weights, residual = _working(piece, detail, problem.family)
        fixed = not moves and mask.shape[1] == 1 and bool((weights == weights[:1]).all())
        fixed &= not apart or piece.regressors.shape[1] == 1
        whole = _whole(weights, residual, detail.net, mask)
        planes = whole if fixed else _by_period(weights, residual, detail.net, mask)
        cell = _cells(piece.pair, comparison, n_regions)
        out.append(Field(shape=piece.pair.shape, cell=cell, pair=piece.pair, planes=planes))
    return tuple(out)


def _working(piece: Piece, detail: Detail, family: str) -> tuple[Floats, Floats]:
    """Weights of the last step and weighted residuals, shape (T, I, J), 0 off the sample."""
    given = 1.0 if piece.weights is None else piece.weights
    residual = np.where(detail.sample, given * (piece.outcome - detail.fitted), 0.0)
    weights = np.where(detail.sample, given * detail.fitted if family == "poisson" else given, 0.0)
    return weights, residual


def _whole(weights: Floats, residual: Floats, net: Floats, mask: Floats) -> tuple[Plane, ...]:
    """All periods in one plane: sums of weights and residuals, means of controls."""
    plane = Plane(
        period=0,
        weights=weights.sum(axis=0),
        residual=residual.sum(axis=0),
        controls=net.mean(axis=1),
        masks=_masks(mask, 0),
    )
    return (plane,)


def _by_period(weights: Floats, residual: Floats, net: Floats, mask: Floats) -> tuple[Plane, ...]:
    masks = [_masks(mask, t) for t in range(mask.shape[1])]  # one object where they do not move
    return tuple(
        Plane(period=t, weights=w, residual=residual[t], controls=net[:, t], masks=masks[t if len(masks) > 1 else 0])
        for t, w in enumerate(weights)
    )


def _masks(mask: Floats, t: int) -> dict[int, Floats]:
    return {k: m[t] for k, m in enumerate(mask) if m[t].any()}


def _cells(pair: Ints, comparison: Comparison, n: int) -> Ints:
    """Place of each pair of regions in a plane."""
    dyads = comparison.dyads
    cell = np.full((n, n), pair.size, dtype=np.intp)
    place = np.flatnonzero(pair.ravel() >= 0)
    code = pair.ravel()[place]
    cell[dyads.origin[code], dyads.destination[code]] = place
    return cell
