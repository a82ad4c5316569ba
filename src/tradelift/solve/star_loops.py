"""Proportional fitting and Newton's systems on stars by the compiled loops of stars.c, in threads by periods."""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.compiled import NoMemoryError, at, call
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
    there
        0 where a row of the stars is off the sample while its group and levels are used, else 1, shape (R, T); None
        where there is no such row.
    factors, wanted
        Of groups (G, T) and levels (C, T), and sums of weighted outcomes.
    total
        Weighted outcomes times each regressor, summed, shape (K,).
    held, lead
        Levels that are not redundant, shape (C, T) or (C, 1), and the inverse that leads, shape (C, C).
    effects
        In the regressors, shapes (K, G, T) and (K, C, T); changed in place.
    """

    rows: StarRows
    numbers: Floats
    there: Floats | None
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
        *(
            (name, ctypes.c_void_p)
            for name in ("numbers", "x", "m", "c", "by_group", "by_level", "lead", "held", "there")
        ),
        *((name, ctypes.c_void_p) for name in ("group_effects", "level_effects")),
    )


def sweep(steps: Sequence[StarStep], sweeps: int, cells: int) -> None:
    """Fit the factors in turn, each to its sums, in place, so many times; `cells` are gone over in all."""
    stars = [_stars(step) for step in steps]

    def some(part: _Held, step: StarStep, first: int) -> int:
        return call("tl_star_sweep", *part.periods(first), ctypes.c_int64(sweeps), *map(at, step.factors))

    calls = [(part, step, first) for part, step in zip(stars, steps, strict=True) for first in part.firsts]
    _each(some, calls, cells)


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
    stars, found = [_stars(step) for step in steps], [_blank(step) for step in steps]
    allowed = np.array(limits, dtype=np.float64)

    def some(part: _Held, out: StarSystem, first: int) -> int:
        given = *part.periods(first), at(allowed), ctypes.c_int64(most)
        shares = out.cross[first // LANES], out.score[first // LANES]
        return call("tl_star_system", *given, *map(at, (out.own, out.others, *shares, out.decrement, out.mass)))

    calls = [(part, out, first) for part, out in zip(stars, found, strict=True) for first in part.firsts]
    if _each(some, calls, cells):
        return None
    return [_whole(out, step.total) for out, step in zip(found, steps, strict=True)]


def _each(some: Callable[..., int], calls: Sequence[tuple[Any, ...]], cells: int) -> bool:
    """Make calls in threads; whether one of them came to no end."""
    status = side_by_side(some, cells, *zip(*calls, strict=True)) if calls else [0]
    if max(status) > 1:
        raise NoMemoryError
    return any(status)


class _Held(NamedTuple):
    """A part as the loops read it, and the arrays that must outlive the calls."""

    stars: _Stars
    arrays: tuple[Floats | None, ...]

    @property
    def firsts(self) -> range:
        """With which period each call begins."""
        return range(0, self.stars.T, LANES)

    def periods(self, first: int) -> tuple[Any, ...]:
        """The part, and the periods of a call."""
        here = min(LANES, self.stars.T - first)
        return ctypes.byref(self.stars), ctypes.c_int64(first), ctypes.c_int64(here)


def _stars(step: StarStep) -> _Held:
    rows, (t, a, c) = step.rows, (step.factors[0].shape[1], step.rows.n_left, len(step.held))
    numbers = np.ascontiguousarray(step.numbers[rows.order])
    held = np.ascontiguousarray(np.broadcast_to(step.held, (c, t)), dtype=np.float64)
    arrays: tuple[Floats | None, ...] = (
        *rows.places, numbers, rows.x, *step.factors, *step.wanted, step.lead, held, step.there, *step.effects
    )  # fmt: skip
    return _Held(_Stars(t, len(rows.places[0]), a, c - a, len(rows.x), *(at(v).value for v in arrays)), arrays)


def _blank(step: StarStep) -> StarSystem:
    """Memory for a system, and for the share of each call in what is summed."""
    k, t = len(step.rows.x), step.factors[0].shape[1]
    shares = -(-t // LANES)
    own, others = map(np.empty_like, step.factors)
    cross, score = np.empty((shares, k, k)), np.empty((shares, k))
    return StarSystem(own=own, others=others, cross=cross, score=score, decrement=np.empty(t), mass=np.empty(t))


def _whole(found: StarSystem, total: Floats) -> StarSystem:
    """Sum the shares; of the scores they are what is taken off the regressors' sums with the outcome."""
    cross, taken = found.cross.sum(axis=0), found.score.sum(axis=0)
    return found._replace(cross=(cross + cross.T) / 2, score=total - taken)
