"""Exact projection on the effects of one block in one period, by a factor of their normal equations."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from tradelift.errors import ConvergenceError
from tradelift.solve.stack_blocks import Block

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

FREE = 1e-8  # share of a dummy that the others leave, equal weights: below it they explain it
DOUBT = 1e-7  # the same with the weights at hand: below it equal weights are asked
EXACT = 1e-12  # of the sums by effect that a projection leaves, relative to what they were sums of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Factor:
    """
    The projection for one set of weights: the first effect is solved away, the others by Cholesky.

    Parameters
    ----------
    block
        Its rows, m of them.
    weights
        Shape (m,), 0 off the sample.
    inverse
        One over the weight of each level of the first effect, shape (G,); 0 where it has none.
    joint
        Weight of each level of the first effect with each column, shape (G, C).
    root
        Cholesky factor of the others net of the first, shape (C, C).
    rank
        Rank of the effects on the sample.
    """

    block: Block
    weights: Floats
    inverse: Floats
    joint: Floats
    root: Floats
    rank: int

    def residual(self, values: Floats, *, exact: bool = False) -> Floats:
        """
        Net out the effects.

        Parameters
        ----------
        values
            Shape (K, m).
        exact
            Repeat what rounding leaves.

        Returns
        -------
        Shape (K, m); off the sample, the value less what the effects give there.
        """
        out = self._once(values, *self._sums(values * self.weights))
        if exact:
            for_scale = self._sums(np.abs(values) * self.weights)
            left = self._sums(out * self.weights)
            if any(np.any(np.abs(a) > EXACT * b.max(initial=0.0)) for a, b in zip(left, for_scale, strict=True)):
                out = self._once(out, *left)
        return out

    def _sums(self, weighted: Floats) -> tuple[Floats, Floats]:
        """Sums by level of the first effect, shape (K, G), and by column, shape (C, K)."""
        first = np.add.reduceat(weighted, self.block.starts, axis=1)
        return first, np.asarray(self.block.dummies @ weighted.T)

    def _once(self, values: Floats, first: Floats, columns: Floats) -> Floats:
        block = self.block
        if not block.n_columns:
            return np.asarray(values - (first * self.inverse)[:, block.first])
        right = columns - self.joint.T @ (first * self.inverse).T
        effects = lapack.dpotrs(self.root, right, lower=1)[0]
        own = (first - (self.joint @ effects).T) * self.inverse
        out = values - own[:, block.first]
        for codes in block.others:
            out -= effects[codes].T
        return np.asarray(out)


def unit_redundant(block: Block, sample: Bools) -> Bools:
    """
    Find columns that the first effect and the other columns explain on a sample, shape (C,).

    Columns without an observation are among them.
    """
    out = np.ones(block.n_columns, dtype=bool)
    out[_pivoted(block, sample.astype(np.float64))[1]] = False
    return out


def free_columns(block: Block, ones: Floats) -> Floats:
    """
    Find the combinations of columns that the first effect explains on a sample, shape (C, d).

    Parameters
    ----------
    block
        Its rows.
    ones
        1 on the sample, else 0, shape (m,). Columns without an observation are in none.
    """
    root, kept, scale = _pivoted(block, ones)
    there = np.asarray(block.dummies @ ones) > 0
    there[kept] = False
    free = np.flatnonzero(there)
    out = np.zeros((block.n_columns, len(free)))
    out[free, np.arange(len(free))] = 1.0
    if len(kept) and len(free):
        matrix = _net_of_first(block, ones)[2]
        right = matrix[np.ix_(kept, free)] * scale[kept][:, None]
        out[kept] = -lapack.dpotrs(root, right, lower=1)[0] * scale[kept][:, None]
    return out


def _pivoted(block: Block, ones: Floats) -> tuple[Floats, Ints, Floats]:
    """Factor of the columns that are not redundant, scaled; their positions; and the scale of all, shape (C,)."""
    matrix = _net_of_first(block, ones)[2]
    own = np.asarray(block.dummies @ ones)
    size = np.diag(matrix).clip(0.0)
    there = size > FREE * own
    scale = np.divide(1.0, np.sqrt(size), out=np.zeros_like(size), where=there)
    if not there.any():
        return np.zeros((0, 0)), np.zeros(0, dtype=np.int64), scale
    root, pivots, rank, _ = lapack.dpstrf(matrix * np.outer(scale, scale), tol=FREE, lower=1)
    return np.asfortranarray(root[:rank, :rank]), pivots[:rank] - 1, scale


def factorize(block: Block, weights: Floats, redundant: Bools) -> Factor | None:
    """
    Factor the normal equations.

    Parameters
    ----------
    block
        Its rows.
    weights
        Shape (m,), 0 off the sample.
    redundant
        Columns that the others explain, shape (C,): they are kept at 0, which changes nothing.

    Returns
    -------
    None where other columns seem redundant, too.
    """
    inverse, joint, matrix = _net_of_first(block, weights)
    size = np.diag(matrix).copy()
    own = np.asarray(block.dummies @ weights)
    absent = own <= 0
    diagonal = np.einsum("cc->c", matrix)
    diagonal[redundant | absent] += np.where(own > 0, own, 1.0)[redundant | absent]
    held = ~redundant & ~absent
    if np.any(size[held] <= DOUBT * own[held]):
        return None
    root, failed = lapack.dpotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
    if failed or np.any(np.diag(root)[held] ** 2 <= DOUBT * size[held]):
        return None
    rank = int(np.count_nonzero(inverse)) + int(np.count_nonzero(held))
    return Factor(block=block, weights=weights, inverse=inverse, joint=joint, root=root, rank=rank)


def factor_of(block: Block, weights: Floats, redundant: Bools) -> Factor:
    """
    Factor the normal equations, whatever columns are redundant in this period.

    Parameters
    ----------
    block, weights, redundant
        As in `factorize`; redundant in all periods together.

    Raises
    ------
    ConvergenceError
        If weights differ so much that the effects cannot be told apart.
    """
    found = factorize(block, weights, redundant)
    if found is None:
        found = _careful(block, weights, unit_redundant(block, weights > 0))
    return found


def _careful(block: Block, weights: Floats, redundant: Bools) -> Factor:
    """The factor where columns are nearly redundant for their weights alone."""
    inverse, joint, matrix = _net_of_first(block, weights)
    own = np.asarray(block.dummies @ weights)
    np.einsum("cc->c", matrix)[redundant] += np.where(own > 0, own, 1.0)[redundant]
    root, failed = lapack.dpotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
    if failed:
        msg = (
            "The effects of the stack cannot be solved to working precision: observations of very different weight "
            "meet in them. Use a smaller bandwidth, coarser effects or a sample without the smallest flows."
        )
        raise ConvergenceError(msg)
    rank = int(np.count_nonzero(inverse)) + int(np.count_nonzero(~redundant))
    return Factor(block=block, weights=weights, inverse=inverse, joint=joint, root=root, rank=rank)


def _net_of_first(block: Block, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Inverse weights of the first effect (G,), its weights with the columns (G, C), and these net of it (C, C)."""
    c, g = block.n_columns, len(block.starts)
    total = np.add.reduceat(weights, block.starts)
    inverse = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    if not c:
        return inverse, np.zeros((g, 0)), np.zeros((0, 0))
    place = block.first * c
    joint = np.zeros(g * c)
    matrix = np.zeros(c * c)
    for number, codes in enumerate(block.others):
        joint += np.bincount(place + codes, weights=weights, minlength=g * c)
        for other in block.others[:number]:
            matrix += np.bincount(codes * c + other, weights=weights, minlength=c * c)
    square = matrix.reshape(c, c)
    square += square.T
    np.einsum("cc->c", square)[:] += np.asarray(block.dummies @ weights)
    scaled = joint.reshape(g, c) * np.sqrt(inverse)[:, None]
    square -= scaled.T @ scaled
    return inverse, joint.reshape(g, c), square
