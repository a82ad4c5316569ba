"""Exact projection on the effects of one block in one period, by a factor of their normal equations."""

from dataclasses import dataclass, replace
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
FEW = 8  # values up to which sums by code cost less than a sparse product
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

    def effects(self, values: Floats) -> tuple[Floats, Floats]:
        """
        Find the effects that explain most of values.

        Parameters
        ----------
        values
            Shape (K, m).

        Returns
        -------
        By level of the first effect, shape (K, G), and by column, shape (K, C).
        """
        return self._solve(*self._sums(values * self.weights))

    def _solve(self, first: Floats, columns: Floats) -> tuple[Floats, Floats]:
        right = columns - self.joint.T @ (first * self.inverse).T
        effects = np.ascontiguousarray(lapack.dpotrs(self.root, right, lower=1)[0].T)
        return (first - effects @ self.joint.T) * self.inverse, effects

    def _sums(self, weighted: Floats) -> tuple[Floats, Floats]:
        """Sums by level of the first effect, shape (K, G), and by column, shape (C, K)."""
        first = np.add.reduceat(weighted, self.block.starts, axis=1)
        block = self.block
        if len(weighted) > FEW:
            return first, np.asarray(block.dummies @ weighted.T)
        codes, count = block.others.ravel(), len(block.others)
        sums = [np.bincount(codes, weights=np.tile(w, count), minlength=block.n_columns) for w in weighted]
        return first, np.stack(sums, axis=1) if sums else np.zeros((block.n_columns, 0))

    def _once(self, values: Floats, first: Floats, columns: Floats) -> Floats:
        block = self.block
        if not block.n_columns:
            return np.asarray(values - (first * self.inverse)[:, block.first])
        own, effects = self._solve(first, columns)
        out = values - own[:, block.first]
        for codes in block.others:
            out -= effects[:, codes]
        return np.asarray(out)


def unit_redundant(block: Block, sample: Bools, redundant: Bools | None = None) -> Bools:
    """
    Find columns that the first effect and the other columns explain on a sample, shape (C,).

    Columns without an observation are among them, and so are those that are known to be redundant on more rows.
    """
    equations = _net_of_first(block, sample.astype(np.float64))
    if redundant is not None:
        equations = replace(equations, upper=equations.upper * np.outer(~redundant, ~redundant))
    out = np.ones(block.n_columns, dtype=bool)
    out[_pivoted(equations)[1]] = False
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
    equations = _net_of_first(block, ones)
    root, kept, scale = _pivoted(equations)
    there = equations.own > 0
    there[kept] = False
    free = np.flatnonzero(there)
    out = np.zeros((block.n_columns, len(free)))
    out[free, np.arange(len(free))] = 1.0
    if len(kept) and len(free):
        right = equations.full()[np.ix_(kept, free)] * scale[kept][:, None]
        out[kept] = -lapack.dpotrs(root, right, lower=1)[0] * scale[kept][:, None]
    return out


def factorize(block: Block, weights: Floats, redundant: Bools) -> Factor | None:
    """
    Factor the normal equations, where nothing is in doubt.

    Parameters
    ----------
    block
        Its rows.
    weights
        Shape (m,), 0 off the sample.
    redundant
        Columns that the others explain, shape (C,): they are kept at 0, which changes nothing. Columns without an
        observation are, too.

    Returns
    -------
    None where other columns seem redundant, too.
    """
    equations = _net_of_first(block, weights)
    held = ~redundant & (equations.own > 0)
    size = np.diag(equations.upper)
    if np.any(size[held] <= DOUBT * equations.own[held]):
        return None
    size = size.copy()
    found = _cholesky(block, weights, equations, held)
    if found is None or np.any(np.diag(found.root)[held] ** 2 <= DOUBT * size[held]):
        return None
    return found


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
    return factor_surely(block, weights, unit_redundant(block, weights > 0)) if found is None else found


def factor_surely(block: Block, weights: Floats, redundant: Bools) -> Factor:
    """
    Factor the normal equations with the columns that are known to be redundant in this very period.

    Parameters
    ----------
    block, weights, redundant
        As in `factorize`.

    Raises
    ------
    ConvergenceError
        If weights differ so much that the effects cannot be told apart.
    """
    found = _cholesky(block, weights, _net_of_first(block, weights), ~redundant)
    if found is None:
        msg = (
            "The effects of the stack cannot be solved to working precision: observations of very different weight "
            "meet in them. Use a smaller bandwidth, coarser effects or a sample without the smallest flows."
        )
        raise ConvergenceError(msg)
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Equations:
    """Normal equations of the columns net of the first effect: upper triangle (C, C), and weights by column (C,)."""

    inverse: Floats
    joint: Floats
    upper: Floats
    own: Floats

    def full(self) -> Floats:
        """Both triangles."""
        return np.asarray(self.upper + np.triu(self.upper, 1).T)


def _cholesky(block: Block, weights: Floats, equations: _Equations, held: Bools) -> Factor | None:
    """Factor with the other columns kept at 0, by a weight of their own on the diagonal; writes over the equations."""
    own = equations.own
    np.einsum("cc->c", equations.upper)[~held] += np.where(own > 0, own, 1.0)[~held]
    root, failed = lapack.dpotrf(equations.upper.T, lower=1, clean=0, overwrite_a=1)
    if failed:
        return None
    return Factor(
        block=block,
        weights=weights,
        inverse=equations.inverse,
        joint=equations.joint,
        root=root,
        rank=int(np.count_nonzero(equations.inverse)) + int(np.count_nonzero(held)),
    )


def _pivoted(equations: _Equations) -> tuple[Floats, Ints, Floats]:
    """Factor of the columns that are not redundant, scaled; their positions; and the scale of all, shape (C,)."""
    size = np.diag(equations.upper).clip(0.0)
    there = size > FREE * equations.own
    scale = np.divide(1.0, np.sqrt(size), out=np.zeros_like(size), where=there)
    if not there.any():
        return np.zeros((0, 0)), np.zeros(0, dtype=np.int64), scale
    scaled = (equations.upper * np.outer(scale, scale)).T
    root, pivots, rank, _ = lapack.dpstrf(scaled, tol=FREE, lower=1)
    return np.asfortranarray(root[:rank, :rank]), pivots[:rank] - 1, scale


def _net_of_first(block: Block, weights: Floats) -> _Equations:
    """Sum the normal equations over the meetings of the first effect with the columns."""
    c, g, met = block.n_columns, len(block.starts), block.met
    total = np.add.reduceat(weights, block.starts)
    inverse = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    if not c:
        return _Equations(inverse=inverse, joint=np.zeros((g, 0)), upper=np.zeros((0, 0)), own=np.zeros(0))
    repeated = np.tile(weights, len(block.others))
    meeting = np.bincount(met.of_row.ravel(), weights=repeated, minlength=len(met.place))
    own = np.bincount(block.others.ravel(), weights=repeated, minlength=c)
    joint = np.zeros(g * c)
    joint[met.place] = meeting
    squares = meeting[met.one] * (meeting * inverse[met.level])[met.other]
    twice = np.tile(weights, len(block.others) * (len(block.others) - 1) // 2)
    upper = np.bincount(met.target, weights=np.concatenate([-squares, twice, own]), minlength=c * c)
    return _Equations(inverse=inverse, joint=joint.reshape(g, c), upper=upper.reshape(c, c), own=own)
