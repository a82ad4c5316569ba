"""Which observations can be used where a third effect, of the pairs, stands beside those by period."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve import compiled, kernel
from tradelift.solve.block_rows import codes_of
from tradelift.solve.problem import DenseProblem, Piece
from tradelift.solve.rank import PLAIN
from tradelift.solve.row_separation import separated_rows
from tradelift.solve.sample import counts, effect_rank, separated_by_effects
from tradelift.solve.slabs import cut
from tradelift.solve.three_way import net_cross
from tradelift.solve.usable import Usable, full_sample, given_sample, refuse_negative

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

FEW = 4, 16  # periods that show whether regressors are collinear; the second where the first leave it open
EASY = 32  # random cubes for each cell, before they are chosen with care
TRIALS = 12  # rounds of random cubes that settle little, before the rest is searched
LITTLE = 0.01  # of the flows still open
SEED = 1  # the answer does not depend on it: only how fast it is found


def usable_with_third(problem: DenseProblem) -> Usable | None:
    """
    Find the observations that can be used with a third effect.

    Returns
    -------
    None where blocks cannot settle it: regressors that may be collinear, at least on positive flows.

    Raises
    ------
    ValueError
        If a Poisson outcome is negative.
    ConvergenceError
        If zero flows may be separated and the problem is too large to find out.
    """
    pieces = problem.pieces
    given = [given_sample(piece) for piece in pieces]
    samples = positive = [full_sample(s, p) for s, p in zip(given, pieces, strict=True)]
    if problem.family == "poisson":
        refuse_negative([p.outcome for p in pieces], given)
        positive = [p.outcome > 0 if g is None else g & (p.outcome > 0) for g, p in zip(given, pieces, strict=True)]
    if not _plainly_independent(pieces, positive):  # else no combination that separates has regressors in it
        return None
    if problem.family == "poisson":
        samples = _not_separated(pieces, samples, positive)
    counted = not_alone(pieces, samples)
    rank = sum(effect_rank(s) for s in counted) + _group_rank(pieces, counted)
    return Usable(
        given=given,
        existing=[_or_none(s) for s in samples],
        counted=[_or_none(s) for s in counted],
        kept=tuple(range(len(pieces[0].regressors))),
        rank=rank,
    )


def _not_separated(pieces: Sequence[Piece], samples: list[Bools], positive: Sequence[Bools]) -> list[Bools]:
    """
    Leave out what the effects separate; `positive` are the flows above 0 in the samples.

    First what two of them separate: the third cannot bring it back, and more groups may be empty then.
    """
    samples = trading(pieces, samples, positive)
    while True:
        apart = [separated_by_effects(s & y, s) for s, y in zip(samples, positive, strict=True)]
        if all(a is None for a in apart):
            break
        together = [s if a is None else s & ~a for s, a in zip(samples, apart, strict=True)]
        samples = trading(pieces, together, positive)
    known = determined(samples, positive)
    if not any((s & ~k).any() for s, k in zip(samples, known, strict=True)):
        return samples
    flows, there = (
        np.concatenate([mask[s] for mask, s in zip(masks, samples, strict=True)]) for masks in (positive, known)
    )
    found = separated_rows(flows, np.zeros((len(flows), 0)), codes_of(pieces, samples), there)
    out, ends = [], np.cumsum([int(np.count_nonzero(s)) for s in samples])
    for s, own in zip(samples, np.split(found, ends[:-1]), strict=True):
        left = s.copy()
        left[s] = ~own
        out.append(left)
    return out


def _or_none(sample: Bools) -> Bools | None:
    return None if sample.all() else sample


def _plainly_independent(pieces: Sequence[Piece], masks: Sequence[Bools]) -> bool:
    """Whether a few periods show already that no regressor is collinear; False leaves it open."""
    if not len(pieces[0].regressors):
        return True
    return any(_independent_in(pieces, masks, n) for n in FEW)


def _independent_in(pieces: Sequence[Piece], masks: Sequence[Bools], n: int) -> bool:
    """The same from so many periods."""
    k = len(pieces[0].regressors)
    few, samples = [], []
    for piece, mask in zip(pieces, masks, strict=True):
        at = np.unique(np.linspace(0, len(mask) - 1, n).astype(int))
        x = piece.regressors if piece.regressors.shape[1] == 1 else piece.regressors[:, at]
        few.append(Piece(outcome=piece.outcome[at], regressors=x, pair=piece.pair, group=piece.group))
        samples.append(_or_none(mask[at]))
    cross, total = net_cross(cut(few, samples, range(k)))
    if cross is None or not (total > 0).all():
        return False
    return bool(np.linalg.eigvalsh(cross / np.sqrt(np.outer(total, total)))[0] > PLAIN)


def trading(pieces: Sequence[Piece], samples: Sequence[Bools], positive: Sequence[Bools]) -> list[Bools]:
    """
    Keep the observations whose origin, destination and pair all trade, again and again until nothing changes.

    Parameters
    ----------
    pieces
        With a third effect.
    samples, positive
        Observations, and flows above 0, shape (T, I, J).

    Returns
    -------
    What is left, shape (T, I, J) each.
    """
    left = list(samples)
    while True:
        flows = [s & y for s, y in zip(left, positive, strict=True)]
        by_region = [counts(y) for y in flows]
        there = _by_code(pieces, [np.asarray(y.any(axis=0)) for y in flows]) > 0
        if there.all() and all((rows > 0).all() and (columns > 0).all() for rows, columns in by_region):
            return left
        keep = [
            (rows > 0)[:, :, None] & (columns > 0)[:, None, :] & there[p.group]
            for (rows, columns), p in zip(by_region, pieces, strict=True)
        ]
        if not any((s & ~k).any() for s, k in zip(left, keep, strict=True)):
            return left
        left = [s & k for s, k in zip(left, keep, strict=True)]


def not_alone(pieces: Sequence[Piece], samples: Sequence[Bools]) -> list[Bools]:
    """Keep the observations that share each of their three effects with another, shape (T, I, J) each."""
    left = list(samples)
    while True:
        single = _by_code(pieces, [s.sum(axis=0, dtype=np.int32) for s in left]) == 1
        by_region = [counts(s) for s in left]
        if not single.any() and not any((rows == 1).any() or (columns == 1).any() for rows, columns in by_region):
            return left
        bad = [
            (rows == 1)[:, :, None] | (columns == 1)[:, None, :] | single[p.group]
            for (rows, columns), p in zip(by_region, pieces, strict=True)
        ]
        if not any((s & b).any() for s, b in zip(left, bad, strict=True)):
            return left
        left = [s & ~b for s, b in zip(left, bad, strict=True)]


def determined(samples: Sequence[Bools], positive: Sequence[Bools]) -> list[Bools]:
    """
    Find zero flows at which the effects follow from those at positive flows, so that they cannot be separated.

    The alternating sum of the effects over the eight corners of a cube (two origins, two destinations, two periods)
    vanishes. Where seven corners are positive or known already, the eighth is known. Random cubes settle the usual
    case, and most of others.

    Parameters
    ----------
    samples, positive
        Observations, and flows above 0, shape (T, I, J); groups without trade are gone.

    Returns
    -------
    Positive flows and those that follow from them, shape (T, I, J) each.
    """
    rng = np.random.default_rng(SEED)
    return [_determined(y, s, rng) for y, s in zip(positive, samples, strict=True)]


def _determined(positive: Bools, sample: Bools, rng: np.random.Generator) -> Bools:
    known = sample & positive
    still_open = sample & ~known
    if compiled.loaded():  # corners anywhere serve where most are known, and cost little where they are not
        kernel.cubes(known, still_open, EASY, SEED)
    if not still_open.any():
        return known
    t, i, j = np.nonzero(still_open)
    idle, turn = 0, 0
    while len(t) and idle < TRIALS:
        turn += 1
        # a cell's other corners: its pair in another period, and two regions that are busy or known with its own
        u = _any_known(known, 0, rng)[i, j]
        if turn % 2:
            k, m = (np.full(len(t), rng.choice(len(p), p=p)) for p in (_busy(known, 1), _busy(known, 2)))
        else:
            k, m = _any_known(known, 1, rng)[t, j], _any_known(known, 2, rng)[t, i]
        there = _seven_known(known, (t, i, j), (u, k, m))
        known[t[there], i[there], j[there]] = True
        idle = 0 if np.count_nonzero(there) > LITTLE * len(t) else idle + 1
        t, i, j = t[~there], i[~there], j[~there]
    return known


def _seven_known(known: Bools, cells: tuple[Ints, ...], corners: tuple[Ints, ...]) -> Bools:
    """Whether all else of the cubes between cells (t, i, j) and the corners (u, k, m) beyond them is known."""
    (t, i, j), (u, k, m) = cells, corners
    there = (u != t) & (k != i) & (m != j) & known[u, i, j]
    for when in (t, u):
        there &= known[when, i, m] & known[when, k, j] & known[when, k, m]
    return np.asarray(there)


def _any_known(known: Bools, axis: int, rng: np.random.Generator) -> Ints:
    """A random position along an axis where something is known, for each line along it; 0 where nothing is."""
    order = rng.permutation(known.shape[axis])
    return np.asarray(order[np.take(known, order, axis=axis).argmax(axis=axis)])


def _busy(known: Bools, axis: int) -> Floats:
    """Chance of each origin (axis 1) or destination (axis 2): the square of what is known of it."""
    count = known.sum(axis=(0, 3 - axis), dtype=np.float64) ** 2
    return np.asarray(count / count.sum())


def _group_rank(pieces: Sequence[Piece], samples: Sequence[Bools]) -> int:
    """Codes of the third effect that are used, less one: an upper bound of what they add to the rank."""
    return max(int(np.count_nonzero(_by_code(pieces, [np.asarray(s.any(axis=0)) for s in samples]))) - 1, 0)


def _by_code(pieces: Sequence[Piece], values: Sequence[Floats]) -> Floats:
    """Sums of pair values (I, J) by code, shape (G,)."""
    groups = [p.group for p in pieces if p.group is not None]
    n = 1 + max(int(g.max(initial=-1)) for g in groups)
    sums = [np.bincount(g.ravel(), weights=v.ravel(), minlength=n) for g, v in zip(groups, values, strict=True)]
    return np.asarray(np.sum(sums, axis=0))
