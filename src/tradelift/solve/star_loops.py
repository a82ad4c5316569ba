"""A step of Newton's method on stars by the compiled loops (stars.c), some periods a call, calls in threads."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.kernel import NoMemoryError, at, call
from tradelift.solve.stack_star import Star
from tradelift.threads import side_by_side

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

LANES = 8  # periods a call, as in stars.c


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StarRows:
    """
    The rows of stars as the loops go along them: left ones by group, right ones by group, hubs; R in all.

    Parameters
    ----------
    n_left
        A.
    order
        Positions in the block, shape (R,).
    places
        Levels e and w of hubs, shape (G,) each; where groups start among left rows, shape (G + 1,), and their levels;
        the same of right rows.
    x
        Regressors, shape (K, R).
    """

    n_left: int
    order: Ints
    places: tuple[Ints, ...]
    x: Floats

    @classmethod
    def of(cls, star: Star, regressors: Floats) -> "StarRows":
        """Take the rows of stars, and their regressors (K, m)."""
        order = np.concatenate([star.left, star.right, star.hub])
        i, j = star.block.others
        sides = (star.left, i[star.left]), (star.right, j[star.right] - star.n_left)
        groups = np.arange(len(star.e) + 1)
        of_sides = [(np.searchsorted(star.block.first[rows], groups), levels) for rows, levels in sides]
        places = star.e, star.w, *of_sides[0], *of_sides[1]
        return cls(
            n_left=star.n_left,
            order=order,
            places=tuple(np.ascontiguousarray(v, dtype=np.int64) for v in places),
            x=np.ascontiguousarray(regressors[:, order]),
        )


class StarStep(NamedTuple):
    """
    Where the search stands on a part.

    Parameters
    ----------
    rows, numbers
        The stars, and the number of each row of the block, shape (m,).
    factors, wanted
        Of groups (G, T) and levels (C, T), and sums of weighted outcomes.
    total
        Weighted outcomes times each regressor, summed, shape (K,).
    held, lead
        Levels that are not redundant, shape (C,), and the inverse that leads, shape (C, C).
    effects
        In the regressors, shapes (K, G, T) and (K, C, T); changed in place.
    """

    rows: StarRows
    numbers: Floats
    factors: tuple[Floats, Floats]
    wanted: tuple[Floats, Floats]
    total: Floats
    held: Bools
    lead: Floats
    effects: tuple[Floats, Floats]


class StarSystem(NamedTuple):
    """
    Newton's system of a part.

    Parameters
    ----------
    own, others
        What would mend the sums: effects of groups (G, T) and levels (C, T).
    cross, score
        Of the regressors net of effects, shapes (K, K) and (K,).
    decrement, mass
        Of each period, shape (T,).
    """

    own: Floats
    others: Floats
    cross: Floats
    score: Floats
    decrement: Floats
    mass: Floats


class _Stars(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("T", "G", "A", "B", "K")),
        *((name, ctypes.c_void_p) for name in ("e", "w", "left_starts", "left", "right_starts", "right")),
        *((name, ctypes.c_void_p) for name in ("numbers", "x", "m", "c", "by_group", "by_level", "lead", "held")),
        *((name, ctypes.c_void_p) for name in ("group_effects", "level_effects")),
    )


def systems(steps: Sequence[StarStep], limits: Sequence[float], most: int, cells: int) -> list[StarSystem] | None:
    """
    Make Newton's systems.

    Parameters
    ----------
    steps
        By part.
    limits
        What may be left of what is wrong, as a share and anyway, and the same of the regressors.
    most
        Turns of conjugate gradients.
    cells
        How many cells are gone over.

    Returns
    -------
    By part; None where more turns are needed.
    """
    ready = [_ready(step) for step in steps]
    allowed = np.array(limits, dtype=np.float64)

    def some(part: _Ready, number: int) -> int:
        first = number * LANES
        here = ctypes.c_int64(first), ctypes.c_int64(min(LANES, part.stars.T - first))
        return call(
            "tl_star_system", ctypes.byref(part.stars), *here, at(allowed), ctypes.c_int64(most), *part.at(number)
        )

    calls = [(part, number) for part in ready for number in range(len(part.found.cross))]
    status = side_by_side(some, cells, *zip(*calls, strict=True)) if calls else [0]
    if max(status) > 1:
        raise NoMemoryError
    return None if any(status) else [part.whole() for part in ready]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Ready:
    """A part as the loops read it, the arrays that must outlive the calls, and what the calls find, each its share."""

    stars: _Stars
    held: tuple[Floats, ...]
    total: Floats
    found: StarSystem

    def at(self, number: int) -> tuple[Any, ...]:
        """Where a call writes."""
        found = self.found
        shares = found.cross[number], found.score[number]
        return tuple(map(at, (found.own, found.others, *shares, found.decrement, found.mass)))

    def whole(self) -> StarSystem:
        """Sum the shares."""
        cross, taken = self.found.cross.sum(axis=0), self.found.score.sum(axis=0)
        return self.found._replace(cross=(cross + cross.T) / 2, score=self.total - taken)


def _ready(step: StarStep) -> _Ready:
    (g, t), (c, _), k, a = step.factors[0].shape, step.factors[1].shape, len(step.rows.x), step.rows.n_left
    numbers = np.ascontiguousarray(step.numbers[step.rows.order])
    given = *step.rows.places, numbers, step.rows.x, *step.factors, *step.wanted, step.lead, step.held * 1.0
    calls = -(-t // LANES)
    found = StarSystem(
        own=np.empty((g, t)),
        others=np.empty((c, t)),
        cross=np.empty((calls, k, k)),
        score=np.empty((calls, k)),
        decrement=np.empty(t),
        mass=np.empty(t),
    )
    stars = _Stars(t, g, a, c - a, k, *(at(v).value for v in (*given, *step.effects)))
    return _Ready(stars=stars, held=given, total=step.total, found=found)
