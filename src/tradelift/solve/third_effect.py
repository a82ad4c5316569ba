"""Which observations can be used where a third effect, of the pairs, stands beside those by period."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.problem import DenseProblem, Piece
from tradelift.solve.rank import PLAIN
from tradelift.solve.sample import counts, effect_rank
from tradelift.solve.slabs import cut
from tradelift.solve.three_way import net_cross
from tradelift.solve.usable import Usable, full_sample, given_sample, refuse_negative

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

FEW = 8  # periods that show whether regressors are collinear
TRIALS = 60  # random cubes for each zero flow
SEED = 1  # the answer does not depend on it: only how fast it is found


def usable_with_third(problem: DenseProblem) -> Usable | None:
    """
    Find the observations that can be used with a third effect.

    Returns
    -------
    None where blocks cannot settle it: zero flows that may be separated, or regressors that may be collinear.

    Raises
    ------
    ValueError
        If a Poisson outcome is negative.
    """
    pieces = problem.pieces
    given = [given_sample(piece) for piece in pieces]
    samples = positive = [full_sample(s, p) for s, p in zip(given, pieces, strict=True)]
    if problem.family == "poisson":
        refuse_negative([p.outcome for p in pieces], given)
        samples = trading(pieces, samples)
        if not all_determined(pieces, samples):
            return None
        positive = [s & (p.outcome > 0) for s, p in zip(samples, pieces, strict=True)]
    if not _plainly_independent(pieces, positive):
        return None
    counted = not_alone(pieces, samples)
    rank = sum(effect_rank(s) for s in counted) + _group_rank(pieces, counted)
    return Usable(
        given=given,
        existing=[_or_none(s) for s in samples],
        counted=[_or_none(s) for s in counted],
        kept=tuple(range(len(pieces[0].regressors))),
        rank=rank,
    )


def _or_none(sample: Bools) -> Bools | None:
    return None if sample.all() else sample


def _plainly_independent(pieces: Sequence[Piece], masks: Sequence[Bools]) -> bool:
    """Whether a few periods show already that no regressor is collinear; False leaves it open."""
    k = len(pieces[0].regressors)
    if not k:
        return True
    few, samples = [], []
    for piece, mask in zip(pieces, masks, strict=True):
        at = np.unique(np.linspace(0, len(mask) - 1, FEW).astype(int))
        x = piece.regressors if piece.regressors.shape[1] == 1 else piece.regressors[:, at]
        few.append(Piece(outcome=piece.outcome[at], regressors=x, pair=piece.pair, group=piece.group))
        samples.append(_or_none(mask[at]))
    cross, total = net_cross(cut(few, samples, range(k)))
    if cross is None or not (total > 0).all():
        return False
    return bool(np.linalg.eigvalsh(cross / np.sqrt(np.outer(total, total)))[0] > PLAIN)


def trading(pieces: Sequence[Piece], samples: Sequence[Bools]) -> list[Bools]:
    """
    Keep the observations whose origin, destination and pair all trade, again and again until nothing changes.

    Parameters
    ----------
    pieces
        With a third effect.
    samples
        Observations, shape (T, I, J).

    Returns
    -------
    What is left, shape (T, I, J) each.
    """
    left = list(samples)
    while True:
        positive = [s & (p.outcome > 0) for s, p in zip(left, pieces, strict=True)]
        there = _by_code(pieces, [np.asarray(y.any(axis=0)) for y in positive]) > 0
        keep = [
            np.asarray(y.any(axis=2))[:, :, None] & np.asarray(y.any(axis=1))[:, None, :] & there[p.group]
            for y, p in zip(positive, pieces, strict=True)
        ]
        if not any((s & ~k).any() for s, k in zip(left, keep, strict=True)):
            return left
        left = [s & k for s, k in zip(left, keep, strict=True)]


def not_alone(pieces: Sequence[Piece], samples: Sequence[Bools]) -> list[Bools]:
    """Keep the observations that share each of their three effects with another, shape (T, I, J) each."""
    left = list(samples)
    while True:
        single = _by_code(pieces, [s.sum(axis=0) for s in left]) == 1
        bad = []
        for s, p in zip(left, pieces, strict=True):
            rows, columns = counts(s)
            bad.append((rows == 1)[:, :, None] | (columns == 1)[:, None, :] | single[p.group])
        if not any((s & b).any() for s, b in zip(left, bad, strict=True)):
            return left
        left = [s & ~b for s, b in zip(left, bad, strict=True)]


def all_determined(pieces: Sequence[Piece], samples: Sequence[Bools]) -> bool:
    """
    Tell whether the effects at every zero flow follow from those at positive flows, so that none can be separated.

    The alternating sum of the effects over the eight corners of a cube (two origins, two destinations, two periods)
    vanishes. Where seven corners are positive or known already, the eighth is known. Random cubes settle the usual
    case; False leaves it open.

    Parameters
    ----------
    pieces
        With a third effect.
    samples
        Observations, shape (T, I, J); groups without trade are gone.
    """
    rng = np.random.default_rng(SEED)
    return all(_determined(p.outcome, s, rng) for p, s in zip(pieces, samples, strict=True))


def _determined(outcome: Floats, sample: Bools, rng: np.random.Generator) -> bool:
    known = sample & (outcome > 0)
    t, i, j = np.nonzero(sample & ~known)
    for _ in range(TRIALS):
        if not len(t):
            return True
        u, k, m = (rng.integers(0, n, len(t)) for n in sample.shape)
        there = (u != t) & (k != i) & (m != j)
        for when in (t, u):
            for origin in (i, k):
                there &= known[when, origin, m]
            there &= known[when, k, j]
        there &= known[u, i, j]
        known[t[there], i[there], j[there]] = True
        t, i, j = t[~there], i[~there], j[~there]
    return not len(t)


def _group_rank(pieces: Sequence[Piece], samples: Sequence[Bools]) -> int:
    """Codes of the third effect that are used, less one: an upper bound of what they add to the rank."""
    return max(int(np.count_nonzero(_by_code(pieces, [np.asarray(s.any(axis=0)) for s in samples]))) - 1, 0)


def _by_code(pieces: Sequence[Piece], values: Sequence[Floats]) -> Floats:
    """Sums of pair values (I, J) by code, shape (G,)."""
    groups = [p.group for p in pieces if p.group is not None]
    n = 1 + max(int(g.max(initial=-1)) for g in groups)
    sums = [np.bincount(g.ravel(), weights=v.ravel(), minlength=n) for g, v in zip(groups, values, strict=True)]
    return np.asarray(np.sum(sums, axis=0))
