"""The first pass over parts of a problem: samples, rank, existence, and sums where they say all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DesignError
from tradelift.solve.block_sums import Sums, add_sums
from tradelift.solve.gram import Gram, gram, no_gram
from tradelift.solve.parts import Flags, Samples, StreamedProblem, samples_of, weights_of
from tradelift.solve.problem import Family, Piece
from tradelift.solve.sample import effect_rank
from tradelift.solve.separation import FULL_RANK, separated_by_regressors
from tradelift.solve.usable import refuse_negative

Floats = NDArray[Any]

SETTLED_IN_MEMORY = 2**22  # cells up to which separation by regressors is searched for with all of them in memory


@dataclass(slots=True, kw_only=True, eq=False)
class Survey:
    """
    What the first pass finds.

    Parameters
    ----------
    given, used, positive, weighted
        The regression on the observations given, on those used, on the positive ones, and on those used with their
        weights.
    peak, spread
        Largest absolute value of each regressor, and about the centre, shape (K,).
    counts
        Observations by reason, with "separated" and "singleton".
    n_obs, cells, zeros
        Observations used; cells of all parts; zero flows that are not separated by the effects.
    effect_rank
        Rank of the effects on the observations used.
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
    spread: Floats
    weighted: Gram
    centre: Floats | None = None
    counts: Counter[str] = field(default_factory=Counter)
    n_obs: int = 0
    cells: int = 0
    zeros: int = 0
    effect_rank: int = 0
    settled: bool = False
    sums: list[Sums] | None = field(default_factory=list)


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
            out.sums = add_sums(out.sums, n, part.pieces, samples)
    return out


def _empty(k: int) -> Survey:
    return Survey(
        given=no_gram(k),
        used=no_gram(k),
        positive=no_gram(k),
        weighted=no_gram(k),
        peak=np.zeros(k),
        spread=np.zeros(k),
    )


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
    whole = np.where(sample.whole, x, 0.0)
    out.peak = np.maximum(out.peak, np.abs(whole).max(axis=(1, 2, 3), initial=0.0))
    about = np.where(sample.whole, x - out.centre[:, None, None, None], 0.0)
    out.spread = np.maximum(out.spread, np.abs(about).max(axis=(1, 2, 3), initial=0.0))
    out.counts["separated"] += n_given - n_whole
    out.counts["singleton"] += n_whole - n_used
    out.n_obs += n_used
    out.cells += w.size
    out.zeros += int((sample.whole & (piece.outcome <= 0)).sum())
    out.effect_rank += effect_rank(sample.used)


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
