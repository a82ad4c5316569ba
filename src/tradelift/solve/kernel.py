"""The calls of kernel.c, the inner loops of the dense solvers: one a slab."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.compiled import NoMemoryError, at, call, done, in_place, pointers

if TYPE_CHECKING:
    from tradelift.solve.slabs import Slab

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]


class _Slab(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("t", "I", "J", "K")),
        *(
            (name, ctypes.c_void_p)
            for name in ("outcome", "weights", "mask", "index", "kernel", "offset", "x", "moves", "beta")
        ),
    )


def step(
    slab: "Slab",
    sums: tuple[Floats, Floats],
    beta: Floats,
    spread: Floats,
    effects: tuple[Floats, Floats, Floats, Floats],
    limits: tuple[float, float, float, int, float, int],
) -> tuple[Floats, Floats] | None:
    """
    Solve for a slab's two-way effects, in place.

    Parameters
    ----------
    slab
        With t periods.
    sums
        Of its outcome, shapes (t, I) and (t, J).
    beta, spread
        Coefficients and what they mean for the index, shape (K,).
    effects
        Multipliers (t, I) and (t, J), and effects in the regressors (t, I, K) and (t, J, K).
    limits
        How near multipliers and projections are wanted, rounding, most sweeps, the least curvature, most iterations.

    Returns
    -------
    Score (K,) and information (K, K), or None where proportional fitting mixes slowly.
    """
    k = len(beta)
    score, information = np.empty(k), np.empty((k, k))
    held, own = _held(slab, beta, multiplies=True)
    enough, tight, noise, sweeps, flat, most = limits
    status = call(
        "tl_step",
        ctypes.byref(own),
        *map(at, (*sums, spread)),
        *map(ctypes.c_double, (enough, tight, noise)),
        ctypes.c_int64(sweeps),
        ctypes.c_double(flat),
        ctypes.c_int64(most),
        *map(in_place, (*effects, score, information)),
    )
    del held
    if status > 1:
        raise NoMemoryError
    return None if status else (score, information)


def least_squares(slab: "Slab", limits: tuple[float, float, float, int, int]) -> tuple[Floats, Floats, Floats] | None:
    """
    Net two-way effects out of a slab's regressors and its outcome.

    Returns
    -------
    Effects of origins (t, I, K + 1) and destinations (t, J, K + 1), and cross products (K + 1, K + 1) of what is net
    of them; the outcome is the last. None where the effects cannot be told apart.
    """
    (t, rows, columns), k = slab.shape, len(slab.regressors)
    out = np.empty((t, rows, k + 1)), np.empty((t, columns, k + 1)), np.empty((k + 1, k + 1))
    held, own = _held(slab)
    exact, near, flat, most, rounds = limits
    status = call(
        "tl_least_squares",
        ctypes.byref(own),
        *map(ctypes.c_double, (exact, near, flat)),
        *map(ctypes.c_int64, (most, rounds)),
        *map(in_place, out),
    )
    del held
    if status == 1:
        raise NoMemoryError
    return None if status else out


def flows(slab: "Slab") -> tuple[Floats, Floats, Floats, Floats, float]:
    """Sums of the outcome by row (t, I), column (t, J) and pair (I, J), each regressor (K,) and the offset."""
    (t, rows, columns), k = slab.shape, len(slab.regressors)
    out = np.empty((t, rows)), np.empty((t, columns)), np.empty((rows, columns)), np.empty(k), np.empty(1)
    held, own = _held(slab)
    done(call("tl_flows", ctypes.byref(own), *map(in_place, out)))
    del held
    return *out[:4], float(out[4][0])


def expected(slab: "Slab", beta: Floats, out: Floats) -> Floats:
    """Exponential of the index times weights, shape (t, I, J), into `out`: fresh memory costs more than the numbers."""
    held, own = _held(slab, beta, multiplies=True)
    call("tl_expected", ctypes.byref(own), in_place(out))
    del held
    return out


def net_step(slab: "Slab", fitted: Floats, p: Floats, q: Floats, third: Floats | None) -> tuple[Floats, Floats]:
    """Score (K,) and information (K, K) of a slab, from effects (t, I, K), (t, J, K) and (K, I, J)."""
    k = len(slab.regressors)
    score, information = np.empty(k), np.empty((k, k))
    held, own = _held(slab)
    given = map(at, (fitted, p, q, third))
    done(call("tl_net_step", ctypes.byref(own), *given, *map(in_place, (score, information))))
    del held
    return score, information


def scores(
    slab: "Slab",
    beta: Floats,
    poisson: bool,  # noqa: FBT001
    effects: Sequence[Floats | None],
    parts: Sequence[Floats | None],
) -> tuple[Floats, Floats, Floats, Floats]:
    """
    Sum up the scores of a slab.

    Parameters
    ----------
    slab, beta, poisson
        The slab, the coefficients (K,), and the family.
    effects
        Of origins (t, I), destinations (t, J) and pairs (I, J) or None.
    parts
        The same in the regressors: (t, I, K), (t, J, K), (I, J, K) or None.

    Returns
    -------
    Scores by pair (K, I, J), their outer products and the information (K, K), and four sums: deviance, weights,
    outcomes, outcomes times their logs (Poisson) or squares (OLS).
    """
    k, (_, rows, columns) = len(beta), slab.shape
    pairs, outer, information, sums = np.empty((k, rows, columns)), np.empty((k, k)), np.empty((k, k)), np.empty(4)
    held, own = _held(slab, beta, multiplies=poisson)
    p, q, third = np.ascontiguousarray(parts[0]), np.ascontiguousarray(parts[1]), _by_regressor(parts[2])
    done(
        call(
            "tl_scores",
            ctypes.byref(own),
            ctypes.c_int(poisson),
            ctypes.c_int(slab.plain),
            *map(at, (*effects, p, q, third)),
            *map(in_place, (pairs, outer, information, sums)),
        )
    )
    del held
    return pairs, outer, information, sums


def sweep(kernel: Floats, factors: Floats, sums: tuple[Floats, Floats], a: Floats, b: Floats) -> "Ready":
    """
    Fit rows (t, I) and columns (t, J) of a slab in place, whenever the result is called.

    Returns
    -------
    What gives, in the same memory at each call, what is fitted by pair (I, J), and how far b moved (1,).
    """
    pairs, moved = np.empty(kernel.shape[1:]), np.empty(1)
    return _ready("tl_sweep", kernel.shape, (kernel, factors, *sums), (a, b), (pairs, moved))


def sums(
    values: Sequence[Floats], weights: Floats, multipliers: tuple[Floats, Floats, Floats] | None = None
) -> tuple[tuple[Floats, Floats, Floats], tuple[Floats, ...]]:
    """
    Sum up weighted values (I, J) or (t, I, J), and the weights (t, I, J).

    Parameters
    ----------
    values, weights
        K values, and their weights.
    multipliers
        By which the weights are multiplied before, in place: (t, I), (t, J) and (I, J); None for none.

    Returns
    -------
    Sums of the values by row (t, I, K), column (t, J, K) and pair (K, I, J); of the weights, (t, I), (t, J), (I, J).
    """
    (t, rows, columns), k = weights.shape, len(values)
    held = [np.ascontiguousarray(v) for v in values]
    x, moves = pointers(held), np.array([rows * columns * (v.ndim == 3) for v in held], dtype=np.int64)
    of_values = np.empty((t, rows, k)), np.empty((t, columns, k)), np.empty((k, rows, columns))
    of_weights = np.empty((t, rows)), np.empty((t, columns)), np.empty((rows, columns))
    shape = map(ctypes.c_int64, (t, rows, columns, k))
    given = map(at, (*(multipliers or (None,) * 3), x, moves))
    done(call("tl_sums", *shape, in_place(weights), *given, *map(in_place, (*of_values, *of_weights))))
    return of_values, of_weights


def turn(
    weights: Floats,
    third: Floats,
    sums: tuple[Floats, Floats],
    masses: tuple[Floats, Floats],
    p: Floats,
    q: Floats,
) -> "Ready":
    """
    Update the effects of rows (t, I, K) and columns (t, J, K) of a slab in place, whenever the result is called.

    Parameters
    ----------
    weights, third
        Of the slab (t, I, J), and the effects of the pairs (K, I, J), read anew at each call.
    sums, masses
        Of the values and of the weights, by row and by column.
    p, q
        The effects.

    Returns
    -------
    What gives, in the same memory at each call, weighted sums of both effects by pair (K, I, J), and how far those of
    the columns moved (K,).
    """
    pairs, moved = np.empty(third.shape), np.empty(len(third))
    given = (weights, third, *sums, *masses)
    return _ready("tl_turn", (*weights.shape, len(third)), given, (p, q), (pairs, moved))


def by_code(out: Floats, codes: Ints, values: Floats) -> None:
    """Add values by pair (K, I, J) to their codes (I, J), in place: out has shape (K, G)."""
    shape = map(ctypes.c_int64, (len(out), codes.size, out.shape[1]))
    held = np.ascontiguousarray(codes, dtype=np.int64)
    call("tl_by_code", *shape, *map(at, (held, values)), in_place(out))


def relax(parts: Floats, target: Floats, others: Floats, mass: Floats, over: float) -> Floats:
    """
    Move the third effect (K, G) in place towards (target - others) / mass.

    Returns
    -------
    How far that was, by mass, shape (K,).
    """
    moved = np.empty(len(parts))
    shape, given = map(ctypes.c_int64, parts.shape), map(at, (target, others, mass))
    call("tl_relax", *shape, *given, ctypes.c_double(over), *map(in_place, (parts, moved)))
    return moved


def effects(
    weights: Floats,
    margins: tuple[Floats, Floats],
    sums: tuple[Floats, Floats],
    start: Floats,
    enough: Floats,
    relative: float,
    limits: tuple[float, int],
) -> tuple[Floats, Floats]:
    """Solve the normal equations of two-way effects: `tradelift.solve.projection.solve_effects`."""
    (t, _, columns), k = weights.shape, start.shape[2]
    p, q = np.empty(sums[0].shape), np.array(start, order="C")
    stop = np.ascontiguousarray(np.broadcast_to(enough, (t, 1, k)))
    flat, most = limits
    done(
        call(
            "tl_effects",
            *map(ctypes.c_int64, (*weights.shape, k)),
            *map(at, (weights, *margins, *sums, stop)),
            *map(ctypes.c_double, (relative, flat)),
            ctypes.c_int64(most * columns),
            *map(in_place, (p, q)),
        )
    )
    return p, q


def take_out(out: Floats, to: Ints, origin: Ints, pair: Ints, kernel: Floats, values: Floats) -> None:
    """Take missing cells out of sums, in place: `kernel` at their pair times `values` at their origin."""
    call("tl_take_out", ctypes.c_int64(len(to)), *map(at, (to, origin, pair, kernel, values)), in_place(out))


def margins(cells: Ints, values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """
    Sum up what stands at some cells of a plane in each draw.

    Parameters
    ----------
    cells, values
        Places in the plane, one past the last for none, and what stands there, shape (B, E).
    weights
        Of the plane's cells, shape (I, J).

    Returns
    -------
    Weighted sums by row (B, I) and by column (B, J).
    """
    (b, e), (n_rows, n_columns) = cells.shape, weights.shape
    rows, columns = np.empty((b, n_rows)), np.empty((b, n_columns))
    held = np.ascontiguousarray(cells, dtype=np.int64), np.ascontiguousarray(values), np.ascontiguousarray(weights)
    shape = map(ctypes.c_int64, (b, e, n_rows, n_columns))
    call("tl_margins", *shape, *map(at, held), *map(in_place, (rows, columns)))
    return rows, columns


def cubes(known: Bools, still_open: Bools, trials: int, seed: int) -> None:
    """Settle open cells by random cubes of known ones, both of shape (t, I, J), in place."""
    shape = map(ctypes.c_int64, (*known.shape, trials))
    call("tl_cubes", *shape, ctypes.c_uint64(seed), *map(at, (known, still_open)))


def counts(sample: Bools) -> tuple[Ints, Ints]:
    """How many of a sample (t, I, J) stand in each row (t, I) and column (t, J)."""
    held = np.ascontiguousarray(sample)
    rows, columns = np.empty(held.shape[:2], dtype=np.int32), np.empty(held.shape[::2], dtype=np.int32)
    call("tl_counts", *map(ctypes.c_int64, held.shape), *map(at, (held, rows, columns)))
    return rows, columns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ready:
    """
    A call that is made again and again, and gives the same memory each time.

    To make its arguments takes as long as a tenth of a slab, and holds the lock that the other threads wait for.

    Parameters
    ----------
    name, arguments
        The function, and what it is called with.
    held
        Arrays that must live as long.
    found
        Its last two outputs.
    """

    name: str
    arguments: tuple[Any, ...]
    held: tuple[Floats, ...]
    found: tuple[Floats, Floats]

    def __call__(self) -> tuple[Floats, Floats]:
        """Call the loops."""
        done(call(self.name, *self.arguments))
        return self.found


def _ready(
    name: str,
    shape: Sequence[int],
    given: tuple[Floats, ...],
    changed: tuple[Floats, ...],
    found: tuple[Floats, Floats],
) -> Ready:
    """Make the arguments: the shape, what is read, what is changed in place, and what is found."""
    arguments = *map(ctypes.c_int64, shape), *map(at, given), *map(in_place, (*changed, *found))
    return Ready(name=name, arguments=arguments, held=(*given, *changed), found=found)


def _by_regressor(parts: Floats | None) -> Floats | None:
    """Shape (I, J, K) as (K, I, J)."""
    return None if parts is None else np.ascontiguousarray(np.moveaxis(parts, -1, 0))


def _held(slab: "Slab", beta: Floats | None = None, *, multiplies: bool = False) -> tuple[list[Any], _Slab]:
    """
    A slab as the loops read it, and the arrays that must outlive the call.

    Without coefficients the index is the offset alone. What stands still of it is left out where that is nothing, so
    that the loops need not read it; for PPML there is also what effects multiply.
    """
    t, rows, columns = slab.shape
    regressors = [np.ascontiguousarray(x, dtype=np.float64) for x in slab.regressors]
    coefficients = np.zeros(len(regressors)) if beta is None else np.ascontiguousarray(beta, dtype=np.float64)
    moving_offset = None
    still = [] if beta is None else [b * x for b, x in zip(beta, regressors, strict=True) if x.ndim == 2]
    if slab.offset is not None and slab.offset.ndim == 2:
        still.append(slab.offset)
    elif slab.offset is not None:
        moving_offset = np.ascontiguousarray(slab.offset, dtype=np.float64)
    moves = np.array([rows * columns * (x.ndim == 3) for x in regressors], dtype=np.int64)
    index = np.sum(still, axis=0) if still else None
    kernel = None
    if multiplies and moving_offset is None and not moves.any():
        kernel = np.ones((rows, columns)) if index is None else np.exp(index)
    outcome = np.ascontiguousarray(slab.raw, dtype=np.float64)
    weights = None if slab.given is None else np.ascontiguousarray(slab.given, dtype=np.float64)
    mask = None if slab.mask is None else np.ascontiguousarray(slab.mask)
    x = pointers(regressors)
    held = [outcome, weights, mask, index, kernel, moving_offset, x, moves, coefficients]
    return [*held, regressors], _Slab(t, rows, columns, len(regressors), *(at(v).value for v in held))
