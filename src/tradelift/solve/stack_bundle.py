"""Factors of the normal equations of a block in all its periods, made side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack
from scipy.sparse import csr_array

from tradelift.solve.stack_blocks import Block
from tradelift.solve.stack_effects import DOUBT, unit_redundant
from tradelift.threads import side_by_side

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]
Sums = csr_array[Any, tuple[int, int]]

SHORT = 8  # cells of a matrix that a solution goes over while other work goes over one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """
    How rows whose periods lie side by side are summed by effect, and effects spread over rows.

    Parameters
    ----------
    block
        The m rows.
    redundant
        Columns that the others explain in all periods together, shape (C,).
    meetings
        Sums rows by level of the first effect and column, shape (M, m).
    twice, targets
        Sums rows by the two columns that they have, shape (U, m), and where these go in the flattened (C, C) matrix.
    """

    block: Block
    redundant: Bools
    meetings: Sums
    twice: Sums
    targets: Ints

    def sums(self, values: Floats) -> tuple[Floats, Floats]:
        """Sums of (m, T) values by level of the first effect, shape (G, T), and by column, shape (C, T)."""
        return np.add.reduceat(values, self.block.starts, axis=0), np.asarray(self.block.dummies @ values)

    def spread(self, first: Floats, others: Floats) -> Floats:
        """Effects (G, T) and (C, T) at each row, shape (m, T)."""
        out = first[self.block.first]
        for codes in self.block.others:
            out += others[codes]
        return np.asarray(out)


def lay_out(block: Block, redundant: Bools) -> Layout:
    """Prepare the sums of a block."""
    m, met = len(block.rows), block.met
    count = len(block.others)
    pairs = count * (count - 1) // 2
    start = len(met.one)
    targets, place = np.unique(met.target[start : start + pairs * m], return_inverse=True)
    return Layout(
        block=block,
        redundant=redundant,
        meetings=_summing(met.of_row.ravel(), np.tile(np.arange(m), count), (len(met.place), m)),
        twice=_summing(place, np.tile(np.arange(m), pairs), (len(targets), m)),
        targets=targets,
    )


def _summing(target: Ints, row: Ints, shape: tuple[int, int]) -> Sums:
    return csr_array((np.ones(len(row)), (target, row)), shape=shape)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """
    Factors of T periods.

    Parameters
    ----------
    inverse
        One over the weight of each level of the first effect, shape (T, G); 0 where it has none.
    joint
        Weight of each level of the first effect with each column, shape (T, G, C).
    roots
        Cholesky factor of the columns net of the first effect, by period.
    rank
        Of the effects in all periods.
    """

    inverse: Floats
    joint: Floats
    roots: tuple[Floats, ...]
    rank: int

    def solve(self, first: Floats, columns: Floats) -> tuple[Floats, Floats]:
        """
        Find the effects that have given sums.

        Parameters
        ----------
        first, columns
            Shapes (G, T) and (C, T).

        Returns
        -------
        Effects of the same shapes.
        """
        given, right = np.ascontiguousarray(first.T), np.ascontiguousarray(columns.T)
        own, others = np.empty(given.shape), np.empty(right.shape)

        def one(t: int) -> None:
            joint, inverse = self.joint[t], self.inverse[t]
            if len(joint.T):
                others[t] = lapack.dpotrs(self.roots[t], right[t] - (given[t] * inverse) @ joint, lower=1)[0]
            own[t] = (given[t] - joint @ others[t]) * inverse

        side_by_side(one, self.joint.size // SHORT, range(len(given)))
        return np.ascontiguousarray(own.T), np.ascontiguousarray(others.T)


def bundle(layout: Layout, weights: Floats, redundant: dict[int, Bools]) -> Bundle | None:
    """
    Factor the normal equations of all periods.

    Parameters
    ----------
    layout
        Of the block.
    weights
        Shape (m, T), 0 off the sample.
    redundant
        By period, what is redundant in it alone; what is found is added.

    Returns
    -------
    None where the effects of a period cannot be told apart to working precision.
    """
    block = layout.block
    g, c, n = len(block.starts), block.n_columns, weights.shape[1]
    total, own = layout.sums(weights)
    inverse = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    joint = np.zeros((n, g * c))
    joint[:, block.met.place] = (layout.meetings @ weights).T
    joint = joint.reshape(n, g, c)
    twice = np.ascontiguousarray((layout.twice @ weights).T)
    halves, inverse = np.sqrt(inverse).T, np.ascontiguousarray(inverse.T)
    own = np.ascontiguousarray(own.T)

    def one(t: int) -> tuple[Floats, int] | None:
        equations = _equations(layout, joint[t] * halves[t][:, None], twice[t], own[t])
        if t not in redundant:
            found = _root(equations.copy(), own[t], ~layout.redundant & (own[t] > 0), sure=False)
            if found is not None:
                return found
            redundant[t] = unit_redundant(block, weights[:, t] > 0)
        return _root(equations, own[t], ~redundant[t], sure=True)

    found = side_by_side(one, weights.size, range(n)) if c else [(np.zeros((0, 0)), 0)] * n
    if any(f is None for f in found):
        return None
    return Bundle(
        inverse=inverse,
        joint=joint,
        roots=tuple(f[0] for f in found),
        rank=int(np.count_nonzero(inverse)) + sum(f[1] for f in found),
    )


def _equations(layout: Layout, scaled: Floats, twice: Floats, own: Floats) -> Floats:
    """Normal equations of the columns net of the first effect: lower triangle, shape (C, C), in Fortran's order."""
    c = len(own)
    flat = np.zeros(c * c)
    flat[layout.targets] = twice
    flat[:: c + 1] = own
    return np.asarray(blas.dsyrk(-1.0, scaled.T, beta=1.0, c=flat.reshape(c, c).T, lower=1, overwrite_c=1))


def _root(equations: Floats, own: Floats, held: Bools, *, sure: bool) -> tuple[Floats, int] | None:
    """Cholesky factor with the columns that are not held kept at 0, and how many are; writes over the equations."""
    size = np.diag(equations).copy()
    if not sure and np.any(size[held] <= DOUBT * own[held]):
        return None
    np.einsum("cc->c", equations)[~held] += np.where(own > 0, own, 1.0)[~held]
    root, failed = lapack.dpotrf(equations, lower=1, clean=0, overwrite_a=1)
    if failed or (not sure and np.any(np.diag(root)[held] ** 2 <= DOUBT * size[held])):
        return None
    return root, int(np.count_nonzero(held))
