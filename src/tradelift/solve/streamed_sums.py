"""Newton's method on the sums of blocks over all periods."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.block_sums import Sums
from tradelift.solve.sums import (
    MAX_HALVINGS,
    MAX_STEPS,
    SETTLED,
    Block,
    _balance,
    _likelihood,
    _Profile,
    _profile,
)

Floats = NDArray[Any]

SMALL = 1e-14  # a step, relative to the coefficients


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BySums:
    """
    A solution from sums.

    Parameters
    ----------
    coefficients
        Shape (K,).
    blocks
        With their multipliers.
    kernels
        What each pair trades apart from the multipliers, shape (I, J).
    profiles
        The effects of the regressors.
    steps
        Newton steps.
    """

    coefficients: Floats
    blocks: list[Block]
    kernels: list[Floats]
    profiles: list[_Profile]
    steps: int

    def at(self, block: int, first: int, stop: int) -> tuple[Floats, Floats]:
        """Fitted outcome (T, I, J) and net regressors (K, T, I, J) of a block in some periods."""
        own, part = self.blocks[block], self.profiles[block]
        when = slice(first, stop)
        fitted = own.a[when, :, None] * self.kernels[block] * own.b[when, None, :]
        net = -part.p[when, :, None, :] - part.q[when, None, :, :]
        return fitted, np.moveaxis(net, -1, 0) + own.x[:, None]


def solve_sums(sums: Sequence[Sums], kept: tuple[int, ...]) -> BySums | None:
    """
    Solve from sums; see `tradelift.solve.sums.solve`.

    Parameters
    ----------
    sums
        By block.
    kept
        Positions of the regressors.

    Returns
    -------
    The solution, or None where balancing mixes too slowly for this path.
    """
    try:
        return _newton([_block(s, kept) for s in sums], len(kept))
    except _SlowError:
        return None


class _SlowError(Exception):
    """Balancing mixes too slowly."""


def _newton(blocks: list[Block], k: int) -> BySums:
    beta = np.zeros(k)
    kernels = _balanced(blocks, beta)
    likelihood = _likelihood(blocks, beta)
    for step in range(1, MAX_STEPS + 1):
        parts = _profiles(blocks, kernels)
        score, scale = sum(p.score for p in parts), sum(p.scale for p in parts)
        if np.all(np.abs(score) <= SETTLED * scale):
            return BySums(coefficients=beta, blocks=blocks, kernels=kernels, profiles=parts, steps=step)
        move = np.linalg.solve(np.asarray(sum(p.information for p in parts)), np.asarray(score))
        before = [block.b for block in blocks]
        for _ in range(MAX_HALVINGS):
            for block, part, b in zip(blocks, parts, before, strict=True):
                block.b = b * np.exp(-part.q @ move)  # the effects move along with the coefficients
            kernels = _balanced(blocks, beta + move)
            value = _likelihood(blocks, beta + move)
            if value >= likelihood - 1e-10 * abs(likelihood):
                break
            move = move / 2
        beta, likelihood = beta + move, value
        if np.abs(move).max(initial=0.0) <= SMALL * max(1.0, np.abs(beta).max(initial=0.0)):
            parts = _profiles(blocks, kernels)
            return BySums(coefficients=beta, blocks=blocks, kernels=kernels, profiles=parts, steps=step)
    raise _SlowError


def _balanced(blocks: Sequence[Block], beta: Floats) -> list[Floats]:
    """Kernels at the coefficients, with the blocks' multipliers balanced to them."""
    kernels = [block.kernel(beta) for block in blocks]
    if not all(_balance(block, e) for block, e in zip(blocks, kernels, strict=True)):
        raise _SlowError
    return kernels


def _profiles(blocks: Sequence[Block], kernels: Sequence[Floats]) -> list[_Profile]:
    parts = [p for p in (_profile(block, e) for block, e in zip(blocks, kernels, strict=True)) if p is not None]
    if len(parts) < len(blocks):
        raise _SlowError
    return parts


def _block(sums: Sums, kept: tuple[int, ...]) -> Block:
    mask = sums.mask.astype(np.float64)
    x = sums.x[list(kept)]
    mean = (x * mask).sum(axis=(1, 2)) / max(mask.sum(), 1.0)
    rows, columns = np.concatenate(sums.rows), np.concatenate(sums.columns)
    return Block(
        x=(x - mean[:, None, None]) * mask,
        mask=mask,
        offset=sums.offset,
        rows=rows,
        columns=columns,
        pairs=sums.pairs,
        a=np.zeros_like(rows),
        b=(columns > 0).astype(np.float64),
    )
