"""PPML from sums alone, all periods in matrix products: where regressors do not move and pairs do not change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.problem import Piece

Floats = NDArray[Any]
Bools = NDArray[Any]

MAX_STEPS = 40
MAX_HALVINGS = 20
MAX_SWEEPS = 2000
BALANCED = 1e-13  # relative change of the multipliers in a sweep
SETTLED = 1e-13  # of the score, relative to the absolute values that it sums


@dataclass(slots=True, kw_only=True, eq=False)
class Block:
    """
    The sums of one piece, and the multipliers that reproduce them.

    Parameters
    ----------
    x
        Regressors about their means, shape (K, I, J).
    mask
        Pairs of the sample, shape (I, J), 0 or 1.
    offset
        Shape (I, J).
    rows, columns, pairs
        Sums of the outcome by (T, I), (T, J) and (I, J).
    a, b
        Multipliers of origins and destinations, shapes (T, I) and (T, J); 0 where nothing was traded.
    """

    x: Floats
    mask: Floats
    offset: Floats
    rows: Floats
    columns: Floats
    pairs: Floats
    a: Floats
    b: Floats

    def kernel(self, beta: Floats) -> Floats:
        """What a pair trades apart from its multipliers, shape (I, J)."""
        return np.asarray(np.exp(np.tensordot(beta, self.x, 1) + self.offset) * self.mask)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """Coefficients, fitted outcome and regressors net of effects by piece."""

    coefficients: Floats
    fitted: list[Floats]
    net: list[Floats]
    steps: int


def applies(pieces: Sequence[Piece], before: Sequence[Bools], after: Sequence[Bools]) -> bool:
    """
    Tell whether the sums say all about the coefficients.

    Parameters
    ----------
    pieces
        The problem.
    before, after
        Its observations before and after separation, shape (T, I, J). Origins and destinations without trade in a
        period may be gone: their multiplier is 0.
    """
    for piece, given, left in zip(pieces, before, after, strict=True):
        moves = piece.regressors.shape[1] > 1 or (piece.offset is not None and piece.offset.shape[0] > 1)
        if moves or (piece.weights is not None and not np.isin(piece.weights, (0.0, 1.0)).all()):
            return False
        if not (given == given[:1]).all():
            return False
        traded = np.where(left, piece.outcome, 0.0)
        rows, columns = traded.sum(axis=2) > 0, traded.sum(axis=1) > 0
        if not (left == (given & rows[:, :, None] & columns[:, None, :])).all():
            return False
    return True


def solve(pieces: Sequence[Piece], samples: Sequence[Bools], kept: tuple[int, ...]) -> Sums | None:
    """
    Newton's method on the coefficients, the multipliers balanced at each.

    Parameters
    ----------
    pieces, samples
        The problem and its observations, for which `applies` holds.
    kept
        Positions of the regressors.

    Returns
    -------
    The solution, or None where balancing mixes too slowly for this path.

    References
    ----------
    Deming and Stephan (1940), The Annals of Mathematical Statistics 11, 427-444, for the balancing.
    """
    blocks = [_block(piece, sample, kept) for piece, sample in zip(pieces, samples, strict=True)]
    beta = np.zeros(len(kept))
    kernels = [block.kernel(beta) for block in blocks]
    if not all(_balance(block, e) for block, e in zip(blocks, kernels, strict=True)):
        return None
    likelihood = _likelihood(blocks, beta)
    for step in range(1, MAX_STEPS + 1):
        found = [_profile(block, e) for block, e in zip(blocks, kernels, strict=True)]
        if any(f is None for f in found):
            return None
        parts = [f for f in found if f is not None]
        score, scale = sum(f.score for f in parts), sum(f.scale for f in parts)
        if np.all(np.abs(score) <= SETTLED * scale):
            return _spread(blocks, kernels, parts, beta, step)
        move = np.linalg.solve(np.asarray(sum(f.information for f in parts)), np.asarray(score))
        before = [(block.a, block.b) for block in blocks]
        for _ in range(MAX_HALVINGS):
            kernels = [block.kernel(beta + move) for block in blocks]
            for block, part, (_, b) in zip(blocks, parts, before, strict=True):
                block.b = b * np.exp(-part.q @ move)  # the effects move along with the coefficients
            if not all(_balance(block, e) for block, e in zip(blocks, kernels, strict=True)):
                return None
            value = _likelihood(blocks, beta + move)
            if value >= likelihood - 1e-10 * abs(likelihood):
                break
            move = move / 2
        small = np.abs(move).max(initial=0.0) <= 1e-14 * max(1.0, np.abs(beta).max(initial=0.0))
        beta, likelihood = beta + move, value
        if small:
            parts = [f for f in (_profile(block, e) for block, e in zip(blocks, kernels, strict=True)) if f is not None]
            return _spread(blocks, kernels, parts, beta, step) if len(parts) == len(blocks) else None
    return None


def _block(piece: Piece, sample: Bools, kept: tuple[int, ...]) -> Block:
    y = np.where(sample, piece.outcome, 0.0)
    mask: Floats = np.asarray(sample.any(axis=0)).astype(np.float64)
    x = piece.regressors[list(kept), 0]
    mean = (x * mask).sum(axis=(1, 2)) / max(mask.sum(), 1.0)
    columns = y.sum(axis=1)
    return Block(
        x=(x - mean[:, None, None]) * mask,
        mask=mask,
        offset=np.zeros_like(mask) if piece.offset is None else piece.offset[0] * mask,
        rows=y.sum(axis=2),
        columns=columns,
        pairs=y.sum(axis=0),
        a=np.zeros(y.shape[:2]),
        b=(columns > 0).astype(np.float64),
    )


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.zeros_like(top), where=(top > 0) & (bottom > 0))


def _balance(block: Block, e: Floats) -> bool:
    """Proportional fitting of the multipliers to the sums; False where it takes too long."""
    for _ in range(MAX_SWEEPS):
        block.a = _ratio(block.rows, block.b @ e.T)
        b = _ratio(block.columns, block.a @ e)
        change = np.abs(b - block.b) > BALANCED * b
        block.b = b
        if not change.any():
            block.a = _ratio(block.rows, block.b @ e.T)
            return True
    return False


def _likelihood(blocks: Sequence[Block], beta: Floats) -> float:
    """Log likelihood but for constants, at balanced multipliers."""
    total = 0.0
    for block in blocks:
        for sums, multiplier in ((block.rows, block.a), (block.columns, block.b)):
            total += float((sums * np.log(np.where(multiplier > 0, multiplier, 1.0))).sum())
        total += float((block.pairs * (np.tensordot(beta, block.x, 1) + block.offset)).sum())
    return total


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Profile:
    """Effects of the regressors (p by origin, q by destination), score, its scale, and information."""

    p: Floats
    q: Floats
    score: Floats
    scale: Floats
    information: Floats


def _profile(block: Block, e: Floats) -> _Profile | None:
    """Project the regressors on the effects, weighted by the fitted flows, and sum up what is left."""
    xe = block.x * e
    by_row = block.a[..., None] * np.stack([block.b @ k.T for k in xe], axis=-1)
    by_column = block.b[..., None] * np.stack([block.a @ k for k in xe], axis=-1)
    inverse_rows = _ratio(np.ones_like(block.rows), block.rows)[..., None]
    inverse_columns = _ratio(np.ones_like(block.columns), block.columns)[..., None]
    q = np.zeros_like(by_column)
    for _ in range(MAX_SWEEPS):
        p = (by_row - block.a[..., None] * np.matmul(e, block.b[..., None] * q)) * inverse_rows
        new = (by_column - block.b[..., None] * np.matmul(e.T, block.a[..., None] * p)) * inverse_columns
        done = np.abs(new - q).max(initial=0.0) <= BALANCED * np.abs(new).max(initial=0.0)
        q = new
        if done:
            break
    else:
        return None
    p = (by_row - block.a[..., None] * np.matmul(e, block.b[..., None] * q)) * inverse_rows
    fitted = e * (block.a.T @ block.b)
    flat = block.x.reshape(len(block.x), e.size)
    return _Profile(
        p=p,
        q=q,
        score=flat @ (block.pairs - fitted).ravel(),
        scale=np.abs(flat) @ (block.pairs + fitted).ravel(),
        information=(flat * fitted.ravel()) @ flat.T
        - np.einsum("tik,til->kl", p, by_row)
        - np.einsum("tjk,tjl->kl", q, by_column),
    )


def _spread(
    blocks: Sequence[Block], kernels: Sequence[Floats], parts: Sequence[_Profile], beta: Floats, steps: int
) -> Sums:
    """Fitted flows and net regressors of every observation, once at the end."""
    fitted = [b.a[:, :, None] * e * b.b[:, None, :] for b, e in zip(blocks, kernels, strict=True)]
    net = [
        np.moveaxis(-part.p[:, :, None, :] - part.q[:, None, :, :], -1, 0) + block.x[:, None]
        for block, part in zip(blocks, parts, strict=True)
    ]
    return Sums(coefficients=beta, fitted=fitted, net=net, steps=steps)
