"""PPML with regressors that do not move, from sums that somebody else has made, without a flow of a single period."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DesignError
from tradelift.solve.parts import Part, StreamedProblem, samples_of
from tradelift.solve.problem import Fit, Piece
from tradelift.solve.profile import Solved
from tradelift.solve.scores import SlabScores, Totals
from tradelift.solve.sums import Block, newton
from tradelift.solve.survey import survey
from tradelift.threads import one_blas_thread

Floats = NDArray[Any]
Bools = NDArray[Any]
Ints = NDArray[Any]

PART_CELLS = 2**18  # cells whose place in the sample is looked at together
CELLS = "the cells themselves: open them with Panel.from_parquet, or build the panel with Panel.from_frame."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SummedPiece:
    """
    The sums of a dense block whose pairs are the same in all periods.

    Parameters
    ----------
    x
        Regressors, shape (K, I, J).
    mask
        Pairs of the sample, shape (I, J).
    pair
        Directed pairs, shape (I, J).
    rows, columns, pairs
        Sums of the outcome over those pairs, shapes (T, I), (T, J) and (I, J).
    """

    x: Floats
    mask: Bools
    pair: Ints
    rows: Floats
    columns: Floats
    pairs: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """
    What fitted flows and net regressors of a block follow from.

    Parameters
    ----------
    kernel
        What a pair trades apart from the multipliers, shape (I, J).
    x
        Kept regressors about their centre, shape (K, I, J).
    rows, columns
        Multipliers, shapes (T, I) and (T, J).
    row_parts, column_parts
        The effects in the regressors, shapes (T, I, K) and (T, J, K).
    """

    kernel: Floats
    x: Floats
    rows: Floats
    columns: Floats
    row_parts: Floats
    column_parts: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighted:
    """
    What the flows add to the scores.

    Parameters
    ----------
    pairs
        Sums over periods of flow x (effects of origin and destination in the regressors), by block, shape (K, I, J).
    squares
        Sum over flows of (flow^2 - 2 flow x fitted) x outer product of the net regressors, shape (K, K).
    """

    pairs: Sequence[Floats]
    squares: Floats


def fit_summed(
    pieces: Sequence[SummedPiece],
    n_pairs: int,
    weighted: Callable[[Sequence[Solution]], Weighted],
    entropy: float,
) -> Fit:
    """
    Estimate by PPML from sums.

    Parameters
    ----------
    pieces
        The blocks.
    n_pairs
        P, the number of directed pairs that `pair` codes count.
    weighted
        Sums up the flows once more, given the solution of each block.
    entropy
        Sum of flow x log(flow).

    Raises
    ------
    DesignError
        If sums are not enough: an observation is alone in an origin-period or destination-period, or the sums have no
        maximum that is found soon.

    Notes
    -----
    The maximum depends on the flows by these sums alone, and so does whether there is one. The effects of a
    period without flows at an origin or destination separate all its cells there; those are excluded as elsewhere.
    """
    with one_blas_thread():
        return _fit(pieces, n_pairs, weighted, entropy)


def _fit(
    pieces: Sequence[SummedPiece],
    n_pairs: int,
    weighted: Callable[[Sequence[Solution]], Weighted],
    entropy: float,
) -> Fit:
    k = len(pieces[0].x)
    parts = partial(_stand_ins, pieces)
    found = survey(StreamedProblem(parts=parts, family="poisson", n_regressors=k, n_pairs=n_pairs))
    if found.counts["singleton"]:
        msg = (
            f"{found.counts['singleton']:,} flows are alone in an origin-period or destination-period, and sums do not "
            f"tell them apart. This needs {CELLS}"
        )
        raise DesignError(msg)
    kept = (found.used if found.counts["separated"] else found.given).independent()
    if not kept:
        msg = "The effects absorb all variation in the regressors. Use another sample or other controls."
        raise DesignError(msg)
    assert found.centre is not None, "there are pieces"
    blocks = [_block(piece, kept, found.centre[list(kept)]) for piece in pieces]
    solved = newton(blocks)
    if solved is None:
        msg = f"Balancing finds no maximum of PPML from these sums. This needs {CELLS}"
        raise DesignError(msg)
    totals = _totals(pieces, blocks, solved, weighted, n_pairs)
    traded = sum(float(piece.pairs.sum()) for piece in pieces)
    totals.mass += [found.n_obs, traded, entropy]
    totals.deviance += 2 * entropy
    scores = totals.scores("poisson", solved.information)
    return Fit(
        coefficients=solved.coefficients,
        bread=np.linalg.inv(scores.information),
        scores=scores.pairs,
        meat_rows=scores.rows,
        kept=kept,
        effect_rank=found.effect_rank,
        n_obs=found.n_obs,
        pairs_used=_pairs_used(pieces, n_pairs),
        excluded=dict(found.counts),
        path="sums",
        iterations=solved.steps,
        deviance=scores.deviance,
        total=scores.total,
        mean=scores.mean,
    )


def _stand_ins(pieces: Sequence[SummedPiece]) -> Iterator[Part]:
    """
    Blocks of a few periods whose outcome is 1 where origin and destination traded at all, else 0.

    What is separated by the effects, the observations and the ranks depend on no more than that.
    """
    n_periods = len(pieces[0].rows)
    step = max(PART_CELLS // sum(piece.mask.size for piece in pieces), 1)
    for start in range(0, n_periods, step):
        at = slice(start, start + step)
        out = []
        for piece in pieces:
            traded = (piece.rows[at] > 0)[:, :, None] & (piece.columns[at] > 0)[:, None, :]
            out.append(
                Piece(
                    outcome=traded.astype(np.float64),
                    regressors=piece.x[:, None],
                    weights=np.broadcast_to(piece.mask, traded.shape).copy(),
                    pair=piece.pair,
                )
            )
        yield Part(pieces=tuple(out))


def _block(piece: SummedPiece, kept: tuple[int, ...], centre: Floats) -> Block:
    mask = piece.mask.astype(np.float64)
    return Block(
        x=(piece.x[list(kept)] - centre[:, None, None]) * mask,
        mask=mask,
        offset=np.zeros(mask.shape),
        rows=piece.rows,
        columns=piece.columns,
        pairs=piece.pairs,
    )


def _totals(
    pieces: Sequence[SummedPiece],
    blocks: Sequence[Block],
    solved: Solved,
    weighted: Callable[[Sequence[Solution]], Weighted],
    n_pairs: int,
) -> Totals:
    """Scores by pair, and all but the flows' own share of masses and deviance."""
    beta = solved.coefficients
    solutions = [
        Solution(kernel=block.kernel(beta), x=block.x, rows=a, columns=b, row_parts=p, column_parts=q)
        for block, a, b, p, q in zip(
            blocks, solved.rows, solved.columns, solved.row_parts, solved.column_parts, strict=True
        )
    ]
    flows = weighted(solutions)
    totals = Totals.empty(n_pairs, len(beta))
    totals.rows += flows.squares
    for piece, block, solution, sums in zip(pieces, blocks, solutions, flows.pairs, strict=True):
        e, a, b = solution.kernel, solution.rows, solution.columns
        fitted = block.by_pair(e)
        own = block.x * (piece.pairs - fitted) - sums
        for k in range(len(beta)):
            p, q = solution.row_parts[..., k], solution.column_parts[..., k]
            own[k] += e * ((a * p).T @ b + a.T @ (b * q))
        part = SlabScores(
            pairs=own,
            rows=_fitted_squares(solution),
            information=np.zeros((len(beta), len(beta))),
            groups=[],
            deviance=-2 * (_log_fitted(piece, solution, beta) + float((piece.pairs - fitted).sum())),
            mass=np.zeros(3),
        )
        totals.add(piece.pair, [part])
    return totals


def _log_fitted(piece: SummedPiece, solution: Solution, beta: Floats) -> float:
    """Sum of flow x log(fitted)."""
    logs = float((piece.pairs * np.tensordot(beta, solution.x, 1)).sum())
    for sums, multiplier in ((piece.rows, solution.rows), (piece.columns, solution.columns)):
        logs += float((sums * np.log(np.where(multiplier > 0, multiplier, 1.0))).sum())
    return logs


def _fitted_squares(solution: Solution) -> Floats:
    """Sum over all cells of fitted^2 x outer product of the net regressors, shape (K, K)."""
    k = len(solution.x)
    out = np.zeros((k, k))
    for a, b, p, q in zip(solution.rows, solution.columns, solution.row_parts, solution.column_parts, strict=True):
        fitted = solution.kernel * a[:, None] * b
        net = solution.x - p.T[:, :, None] - q.T[:, None, :]
        flat = (net * fitted).reshape(k, -1)
        out += flat @ flat.T
    return out


def _pairs_used(pieces: Sequence[SummedPiece], n_pairs: int) -> Bools:
    used: Bools = np.zeros(n_pairs, dtype=bool)
    for part in _stand_ins(pieces):
        for piece in part.pieces:
            there = samples_of(piece, "poisson").used.any(axis=0) & (piece.pair >= 0)
            used[piece.pair[there]] = True
    return used
