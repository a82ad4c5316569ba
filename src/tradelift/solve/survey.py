"""The first pass over parts of a problem: samples, rank, existence, and sums where they say all."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DesignError
from tradelift.solve.dense import independent, refuse_negative
from tradelift.solve.problem import Family, Piece
from tradelift.solve.projection import two_way
from tradelift.solve.sample import effect_rank, separated_by_effects, singletons
from tradelift.solve.separation import FULL_RANK, separated_by_regressors

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

SETTLED_IN_MEMORY = 2**22  # cells up to which separation by regressors is searched for with all of them in memory


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """
    Some periods of a problem.

    Parameters
    ----------
    pieces
        Its dense blocks over these periods.
    excluded
        Observations that the caller left out of them, by reason.
    """

    pieces: tuple[Piece, ...]
    excluded: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamedProblem:
    """
    A problem with two-way effects by period that comes a few periods at a time, as often as it is asked for.

    Parameters
    ----------
    parts
        Gives the parts, the same at each call.
    family
        "poisson" or "gaussian".
    n_regressors
        K.
    n_pairs
        P, the number of directed pairs that the pieces' `pair` codes count.
    """

    parts: Callable[[], Iterator[Part]]
    family: Family
    n_regressors: int
    n_pairs: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Observations of a piece, shape (T, I, J): given, without the separated, and without singletons too."""

    given: Bools
    whole: Bools
    used: Bools


@dataclass(slots=True, kw_only=True, eq=False)
class Sums:
    """
    The sums of one block over all periods.

    Parameters
    ----------
    x
        Regressors, shape (K, I, J).
    mask
        Pairs of the sample, shape (I, J).
    offset
        Shape (I, J).
    pair
        Directed pairs, shape (I, J).
    rows, columns
        Sums of the outcome by (T, I) and (T, J), a part at a time.
    pairs
        Sums of the outcome by pair, shape (I, J).
    """

    x: Floats
    mask: Bools
    offset: Floats
    pair: Ints
    rows: list[Floats] = field(default_factory=list)
    columns: list[Floats] = field(default_factory=list)
    pairs: Floats


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


@dataclass(slots=True, kw_only=True, eq=False)
class Survey:
    """
    What the first pass finds.

    Parameters
    ----------
    given, used, positive, weighted
        The regression on the observations given, on those used, on the positive ones, and on those used with their
        weights.
    peak
        Largest absolute value of each regressor, shape (K,).
    counts
        Observations by reason, with "separated" and "singleton".
    n_obs, cells, zeros
        Observations used; cells of all parts; zero flows that are not separated by the effects.
    effect_rank
        Rank of the effects on the observations used.
    weight, total
        Sums of the weights, and of the outcomes by weight.
    centre
        A point near the regressors' means, shape (K,).
    settled
        Whether no regressor can separate.
    sums
        By block, or None where they do not say all.
    """

    given: Gram
    used: Gram
    positive: Gram
    peak: Floats
    weighted: Gram
    centre: Floats | None = None
    counts: Counter[str] = field(default_factory=Counter)
    n_obs: int = 0
    cells: int = 0
    zeros: int = 0
    effect_rank: int = 0
    weight: float = 0.0
    total: float = 0.0
    settled: bool = False
    sums: list[Sums] | None = field(default_factory=list)


Flags = Sequence[Sequence[Bools]] | None
"""Observations that regressors separate, by part and piece."""


def samples_of(piece: Piece, family: Family, separated: Bools | None = None) -> Samples:
    """
    Say which observations of a piece are used.

    Parameters
    ----------
    piece
        The block.
    family
        Only Poisson outcomes can be separated.
    separated
        Observations that regressors separate, or None.
    """
    given = np.ones(piece.outcome.shape, dtype=bool) if piece.weights is None else np.asarray(piece.weights > 0)
    whole = given
    if family == "poisson":
        whole = given & ~separated_by_effects(given & (piece.outcome > 0), given)
    if separated is not None:
        whole = whole & ~separated
    return Samples(given=given, whole=whole, used=whole & ~singletons(whole))


def weights_of(piece: Piece, sample: Bools) -> Floats:
    """Weights, 0 off the sample."""
    return sample.astype(np.float64) if piece.weights is None else np.where(sample, piece.weights, 0.0)


def near(piece: Piece, kept: Sequence[int], found: "Survey") -> Floats:
    """Kept regressors about a point near their means, so that their products keep their digits."""
    centre = np.zeros(len(piece.regressors)) if found.centre is None else found.centre
    own = list(kept)
    return np.asarray(piece.regressors[own] - centre[own][:, None, None, None])


def survey(problem: StreamedProblem, flags: Flags = None) -> Survey:
    """
    Read all parts once.

    Parameters
    ----------
    problem
        The parts.
    flags
        Observations that regressors separate, from `separated_in_parts`, or None.
    """
    out = _empty(problem.n_regressors)
    for n, part in enumerate(problem.parts()):
        out.counts.update(part.excluded)
        samples = [
            samples_of(p, problem.family, None if flags is None else flags[n][m]) for m, p in enumerate(part.pieces)
        ]
        if problem.family == "poisson":
            refuse_negative([p.outcome for p in part.pieces], [s.given for s in samples])
        for piece, sample in zip(part.pieces, samples, strict=True):
            _add(out, piece, sample, problem.family)
        if problem.family == "poisson":
            _settle(out, part.pieces, samples)
            out.sums = _add_sums(out.sums, part.pieces, samples)
    return out


def _empty(k: int) -> Survey:
    return Survey(given=no_gram(k), used=no_gram(k), positive=no_gram(k), weighted=no_gram(k), peak=np.zeros(k))


def _add(out: Survey, piece: Piece, sample: Samples, family: Family) -> None:
    x = piece.regressors
    w = weights_of(piece, sample.used)
    y = np.where(sample.used, piece.outcome, 0.0)
    if out.centre is None:
        pairs = sample.given.sum(axis=0)
        out.centre = (x[:, 0] * pairs).sum(axis=(1, 2)) / max(pairs.sum(), 1)
    n_given, n_whole, n_used = (int(s.sum()) for s in (sample.given, sample.whole, sample.used))
    target = y if piece.offset is None else np.where(sample.used, y - piece.offset, 0.0)
    used = gram(x, sample.used.astype(np.float64), target, out.centre)
    given = used if n_given == n_used else gram(x, sample.given.astype(np.float64), target, out.centre)
    out.used, out.given = out.used + used, out.given + given
    if family == "gaussian":
        plain = piece.weights is None or np.array_equal(w, sample.used)
        out.weighted += used if plain else gram(x, w, target, out.centre)
    out.peak = np.maximum(out.peak, np.abs(np.where(sample.whole, x, 0.0)).max(axis=(1, 2, 3), initial=0.0))
    out.counts["separated"] += n_given - n_whole
    out.counts["singleton"] += n_whole - n_used
    out.n_obs += n_used
    out.cells += w.size
    out.zeros += int((sample.whole & (piece.outcome <= 0)).sum())
    out.effect_rank += effect_rank(sample.used)
    out.weight += float(w.sum())
    out.total += float((w * y).sum())


def _settle(out: Survey, pieces: Sequence[Piece], samples: Sequence[Samples]) -> None:
    """Rule out separation by regressors where they keep full rank on the positive flows of a period of each block."""
    if out.settled or out.centre is None or not len(out.centre):
        return
    richest = no_gram(len(out.centre))
    for piece, sample in zip(pieces, samples, strict=True):
        positive = (sample.whole & (piece.outcome > 0)).astype(np.float64)
        t = int(positive.sum(axis=(1, 2)).argmax())
        x = piece.regressors if piece.regressors.shape[1] == 1 else piece.regressors[:, t : t + 1]
        richest += gram(x, positive[t : t + 1], positive[t : t + 1], out.centre)
        out.positive += gram(piece.regressors, positive, positive, out.centre)
    out.settled = free_directions(richest, out.peak) == 0


def free_directions(found: Gram, peak: Floats, kept: Sequence[int] | None = None) -> int:
    """Number of combinations of the regressors that the effects explain on these observations."""
    chosen = list(range(len(peak)) if kept is None else kept)
    scale = np.where(peak > 0, peak, 1.0)[chosen]
    scaled = found.cross[np.ix_(chosen, chosen)] / np.outer(scale, scale) / max(found.count, 1)
    return int((np.linalg.eigvalsh(scaled) <= FULL_RANK).sum())


def separated_in_parts(problem: StreamedProblem, found: Survey, kept: tuple[int, ...]) -> Flags:
    """
    Find the zero flows that regressors separate, by part and piece; None where there are none.

    Raises
    ------
    DesignError
        If there may be some, and all zero flows would have to be in memory to tell.
    """
    if problem.family != "poisson" or found.settled or not kept or not found.zeros:
        return None
    if not free_directions(found.positive, found.peak, kept):
        return None
    if found.cells > SETTLED_IN_MEMORY:
        msg = (
            f"Some combination of the regressors is explained by the effects on all positive flows, so it may "
            f"separate zero flows; to tell which, all {found.zeros:,} zero flows are needed in memory. Leave out the "
            f"regressor that never varies among positive flows, or build the panel with Panel.from_frame."
        )
        raise DesignError(msg)
    positive, whole, regressors, sizes = [], [], [], []
    for part in problem.parts():
        samples = [samples_of(piece, problem.family) for piece in part.pieces]
        sizes.append(len(samples))
        whole += [s.whole for s in samples]
        positive += [s.whole & (p.outcome > 0) for p, s in zip(part.pieces, samples, strict=True)]
        regressors += [p.regressors[list(kept)] for p in part.pieces]
    flags = iter(separated_by_regressors(positive, whole, regressors))
    return [[next(flags) for _ in range(size)] for size in sizes]


def _add_sums(sums: list[Sums] | None, pieces: Sequence[Piece], samples: Sequence[Samples]) -> list[Sums] | None:
    """Add the sums of a part; None where they do not say all, or the blocks are not those of the parts before."""
    if sums is None or (sums and len(sums) != len(pieces)):
        return None
    if not sums:
        sums = [_first_sums(piece, sample) for piece, sample in zip(pieces, samples, strict=True)]
    for block, piece, sample in zip(sums, pieces, samples, strict=True):
        if not _fits(block, piece, sample):
            return None
        y = np.where(sample.whole, piece.outcome, 0.0)
        block.rows.append(y.sum(axis=2))
        block.columns.append(y.sum(axis=1))
        block.pairs += y.sum(axis=0)
    return sums


def _first_sums(piece: Piece, sample: Samples) -> Sums:
    mask = np.asarray(sample.given[0])
    offset = np.zeros(mask.shape) if piece.offset is None else piece.offset[0]
    return Sums(
        x=piece.regressors[:, 0],
        mask=mask,
        offset=np.where(mask, offset, 0.0),
        pair=piece.pair,
        pairs=np.zeros(mask.shape),
    )


def _fits(block: Sums, piece: Piece, sample: Samples) -> bool:
    """Whether nothing moves and the sample is the same pairs in every period, but for those without trade."""
    if piece.regressors.shape[1] > 1 or (piece.offset is not None and piece.offset.shape[0] > 1):
        return False
    if piece.weights is not None and not np.isin(piece.weights, (0.0, 1.0)).all():
        return False
    mask = block.mask
    if mask.shape != sample.given.shape[1:] or not (sample.given == mask).all():
        return False
    offset = block.offset if piece.offset is None else piece.offset[0]
    same = (block.x == piece.regressors[:, 0]).all(axis=0) & (block.pair == piece.pair) & (block.offset == offset)
    if not same[mask].all():
        return False
    traded = np.where(sample.whole, piece.outcome, 0.0)
    rows, columns = traded.sum(axis=2) > 0, traded.sum(axis=1) > 0
    return bool((sample.whole == (mask & rows[:, :, None] & columns[:, None, :])).all())
