"""PPML on stars: all periods side by side, no row is looked at before the end, and one factor of all periods leads."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from tradelift.solve import compiled
from tradelift.solve.stack_effects import Factor, factorize, unit_redundant
from tradelift.solve.stack_parts import Part, Solved
from tradelift.solve.stack_sample import level_sums
from tradelift.solve.stack_squares import rank_of
from tradelift.solve.stack_star import Fitted, Star, Threads, star_of
from tradelift.solve.star_loops import StarRows, StarStep, StarSystem, sweep, systems
from tradelift.threads import side_by_side

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

STILL = 1e-10  # root mean square step of the index in a period: one more, exact, is the last
FAR = 5.0  # a root mean square step after which the search is lost
MOST_STEPS = 30
MOST_TURNS = 150  # of conjugate gradients
SWEEPS = 6  # of proportional fitting, from all periods together to each


class Enough(NamedTuple):
    """What a solution may leave: of its right side, and anyway, as root mean square of the index in a period."""

    share: float
    anyway: float = 1e-11


FIRST = Enough(0.1)
ROUGH = Enough(1e-2)  # of regressors, on the way: it turns steps of the coefficients a little
LAST = Enough(1e-8, 0.0)  # of what is wrong at the end: small flows are then as exact as large ones
EXACT = Enough(1e-14, 0.0)  # of regressors, at the end


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Holes:
    """
    Rows that are off the sample of a period while their group and columns are used there.

    Parameters
    ----------
    there
        0 for them, else 1, shape (m, T).
    held
        Columns that are not redundant in a period, shape (C, T): holes may part what hangs together in all.
    """

    there: Floats
    held: Bools


@dataclass(slots=True, kw_only=True, eq=False)
class _State:
    """
    Where the search is on a part of m rows; changed in place.

    Parameters
    ----------
    star, rows, base
        Its groups, their rows for the compiled loops, and the weight of each row times exp(offset), shape (m,).
    holes
        Rows that are off the sample while their group and columns are used, or None; the loops alone know of them.
    x
        Regressors by row, and as threads.
    wanted
        Sums of weighted outcomes by group (G, T) and column (C, T).
    total
        Weighted outcomes times each regressor, summed, shape (K,).
    m, c
        Logarithms of the factors of groups and columns, shapes (G, T) and (C, T).
    on
        Whether a level is used, shapes as `m` and `c`.
    held, lead
        Columns that are not redundant in all periods together, shape (C,), and the inverse of these periods' normal
        equations net of the groups, scaled to a diagonal of ones before, shape (C, C).
    groups, columns
        What the effects explain of the regressors, shapes (K, G, T) and (K, C, T).
    """

    star: Star
    rows: StarRows
    base: Floats
    holes: _Holes | None
    x: Floats
    threads: tuple[Threads, ...]
    wanted: tuple[Floats, Floats]
    total: Floats
    m: Floats
    c: Floats
    on: tuple[Bools, Bools]
    held: Bools
    lead: Floats
    groups: Floats
    columns: Floats

    def fit(self, beta: Floats) -> Fitted:
        """Fitted flows at the effects and coefficients of now."""
        n, (m, c) = self.star.n_left, self.factors()
        return Fitted.of(self.star, self.star.weave(self.numbers(beta)), m, c[:n], c[n:])

    def factors(self) -> tuple[Floats, Floats]:
        """Factors of groups and columns, 0 where a level is not used, shapes (G, T) and (C, T)."""
        m, c = (np.exp(v, out=np.zeros_like(v), where=on) for v, on in zip((self.m, self.c), self.on, strict=True))
        return m, c

    def numbers(self, beta: Floats) -> Floats:
        """What fitted flows of a row are multiples of, shape (m,)."""
        return np.asarray(self.base * np.exp(beta @ self.x))

    def step(self, beta: Floats) -> StarStep:
        """The same for the compiled loops."""
        return StarStep(
            rows=self.rows,
            numbers=self.numbers(beta),
            there=None if self.holes is None else self.holes.there[self.rows.order],
            factors=self.factors(),
            wanted=self.wanted,
            total=self.total,
            held=self.held[:, None] if self.holes is None else self.holes.held,
            lead=self.lead,
            effects=(self.groups, self.columns),
        )

    def sweep(self, beta: Floats) -> None:
        """Fit the factors in turn, each to its sums."""
        n = self.star.n_left
        for _ in range(SWEEPS):
            fitted = self.fit(beta)
            self.m += _log_ratio(self.wanted[0], fitted.groups)
            for side in (slice(n), slice(n, None)):
                self.c[side] += _log_ratio(self.wanted[1][side], self.fit(beta).columns[side])

    def solve(
        self,
        fitted: Fitted,
        groups: Floats,
        columns: Floats,
        enough: Enough,
        start: Floats | None = None,
    ) -> tuple[Floats, Floats] | None:
        """
        Find the effects that have given sums, by conjugate gradients led by the factor of all periods together.

        Parameters
        ----------
        fitted
            The weights.
        groups, columns
            Sums, shapes (G, T) and (C, T).
        enough
            When to stop.
        start
            Columns' effects to start from, shape (C, T).

        Returns
        -------
        Effects of the same shapes; None where too many turns are needed.
        """
        held = self.held[:, None]
        right = np.where(held, columns - fitted.to_columns(groups * fitted.inverse), 0.0)
        size = np.where(held, fitted.size(), 0.0)
        size = np.where(size > 0, size, np.inf)
        scale = 1 / np.sqrt(size)
        anyway = enough.anyway * np.sqrt(fitted.groups.sum(axis=0))
        allowed = np.maximum(enough.share * np.sqrt((right**2 / size).sum(axis=0)), anyway)
        z = np.zeros(right.shape) if start is None else start.copy()
        left = right if start is None else right - np.where(held, fitted.net(z), 0.0)
        found = self._turn(fitted, left, scale, allowed)
        if found is None:
            return None
        z += found
        return (groups - fitted.to_groups(z)) * fitted.inverse, z

    def _turn(self, fitted: Fitted, left: Floats, scale: Floats, allowed: Floats) -> Floats | None:
        """Turn until little is left in every period, shape (C, T); periods that are done are left out."""
        out, z = np.zeros(left.shape), np.zeros(left.shape)
        here = np.arange(left.shape[1])
        direction, before = np.zeros(left.shape), np.ones(len(here))
        for _ in range(MOST_TURNS):
            turned = scale * left
            turned = self.lead @ turned
            turned *= scale
            now = np.einsum("ct,ct->t", left, turned)
            going = np.flatnonzero(np.sqrt(np.maximum(now, 0.0)) > allowed)
            if 2 * len(going) <= len(here):
                out[:, here] = z
                if not len(going):
                    return out
                here, fitted, allowed, now, before = (
                    here[going], fitted.take(going), allowed[going], now[going], before[going]
                )  # fmt: skip
                # in rows again, so that what follows goes along them
                left, scale, z, turned, direction = (v.take(going, axis=1) for v in (left, scale, z, turned, direction))
            direction *= _ratio(now, before)
            direction += turned
            moved = fitted.net(direction)
            moved[~self.held] = 0.0
            pace = _ratio(now, np.einsum("ct,ct->t", direction, moved))
            z += pace * direction
            moved *= pace
            left = left - moved
            before = now
        return None


def on_stars(
    parts: Sequence[Part], pooled: Sequence[Part], together: Sequence[Solved], beta: Floats, is_hub: Sequence[Bools]
) -> tuple[Floats, list[Solved], int] | None:
    """
    Maximise the Poisson likelihood where groups are stars and regressors and weights are fixed.

    Fitted flows are then products of a number of the row, which all periods share, and of factors by group and city,
    so that their sums over rows are small matrix products, all periods at once. Newton's systems are solved by
    conjugate gradients, as nearly as the step is worth; the factor of all periods together leads them.

    Parameters
    ----------
    parts, pooled
        With their periods, and all periods as one.
    together, beta
        The fit of these, and its coefficients (K,).
    is_hub
        Which rows of each part are partner pairs.

    Returns
    -------
    Coefficients, what is left of each part, and the number of steps; None where the structure is another one, or the
    search leads nowhere: a slower one is wanted.
    """
    states = []
    for known in zip(parts, pooled, together, is_hub, strict=True):
        state = _state(*known, beta)
        if state is None:
            return None
        states.append(state)
    cells = sum(p.outcome.size for p in parts)
    _sweep(states, beta, cells)
    effects, regressors = FIRST, ROUGH
    for step in range(1, MOST_STEPS + 1):
        found = _systems(states, beta, effects, regressors, cells)
        if found is None:
            return None
        cross, score = sum(f.cross for f in found), sum(f.score for f in found)
        if not (np.isfinite(cross).all() and np.isfinite(score).all()):
            return None
        move = np.asarray(np.linalg.solve(cross, score)) if len(beta) else beta
        size = max(_advance(state, f, move) for state, f in zip(states, found, strict=True))
        beta = beta + move
        if effects is LAST:
            return beta, side_by_side(partial(_finish, beta=beta), cells, states, parts), step
        if not size <= FAR:
            return None
        effects = Enough(min(effects.share, size) / 10)
        if size <= STILL:
            effects, regressors = LAST, EXACT
    return None


def _state(part: Part, pooled: Part, together: Solved, is_hub: Bools, beta: Floats) -> _State | None:
    star = star_of(part.block, is_hub)
    if star is None or not part.is_fixed or len(part.offset) > 1:
        return None
    there = part.weights > 0
    weight = part.weights.max(axis=0)
    groups, columns = (np.asarray(s.T > 0) for s in level_sums(part.block, there))
    holes = None
    if len(there) > 1:
        by_effects = groups[part.block.first] & columns[part.block.others[0]] & columns[part.block.others[1]]
        if (np.where(there, weight, 0.0) != part.weights).any():
            return None
        if not np.array_equal(by_effects.T, there):
            if not compiled.loaded():
                return None
            holes = _holes(part, by_effects & ~there.T)
    factor = factorize(part.block, pooled.weights[0] * together.fitted[0], part.redundant)
    if factor is None:
        return None
    n, k = len(part.outcome), len(part.regressors)
    index = np.log(together.fitted[0]) - beta @ pooled.regressors[:, 0] - pooled.offset[0]
    known = factor.effects(np.concatenate([index[None], part.regressors[:, 0]]))
    first, others = (np.repeat(v[:, :, None], n, axis=2) for v in known)
    weighted = part.weights * part.outcome
    sums = level_sums(part.block, weighted)
    held = ~part.redundant
    shape = (len(part.block.starts), n), (part.block.n_columns, n)
    return _State(
        star=star,
        rows=StarRows.of(star, part.regressors[:, 0]),
        base=weight * np.exp(part.offset[0]),
        holes=holes,
        x=part.regressors[:, 0],
        threads=tuple(star.weave(x) for x in part.regressors[:, 0]),
        wanted=(np.ascontiguousarray(sums[0].T), np.ascontiguousarray(sums[1].T)),
        total=part.regressors[:, 0] @ weighted.sum(axis=0),
        m=first[0],
        c=others[0],
        on=(np.broadcast_to(groups, shape[0]), np.broadcast_to(columns, shape[1])),
        held=held,
        lead=_lead(factor, held),
        groups=np.ascontiguousarray(first[1:].reshape(k, *shape[0])),
        columns=np.ascontiguousarray(others[1:].reshape(k, *shape[1])),
    )


def _holes(part: Part, holes: Bools) -> _Holes:
    held = np.repeat(~part.redundant[:, None], holes.shape[1], axis=1)
    for t in np.flatnonzero(holes.any(axis=0)):
        held[:, t] = ~unit_redundant(part.block, part.weights[t] > 0, part.redundant)
    return _Holes(there=np.where(holes, 0.0, 1.0), held=held)


def _lead(factor: Factor, held: Bools) -> Floats:
    """Inverse of what was factored, scaled, shape (C, C); 0 for columns that are not held."""
    size = np.sqrt((np.tril(factor.root) ** 2).sum(axis=1)) * held
    return np.ascontiguousarray(lapack.dpotrs(factor.root, np.diag(size), lower=1)[0] * size[:, None])


@np.errstate(divide="ignore")  # of factors that are lost, likewise
def _sweep(states: Sequence[_State], beta: Floats, cells: int) -> None:
    """Fit the factors of groups and columns in turn, each to its sums."""
    if not compiled.loaded():
        side_by_side(lambda state: state.sweep(beta), cells, states)
        return
    steps = [state.step(beta) for state in states]
    sweep(steps, SWEEPS, cells)
    for state, step in zip(states, steps, strict=True):
        for factor, on, index in zip(step.factors, state.on, (state.m, state.c), strict=True):
            np.log(factor, out=index, where=on)


@np.errstate(over="ignore", invalid="ignore")  # of a search that is lost, which its size tells
def _systems(
    states: Sequence[_State], beta: Floats, effects: Enough, regressors: Enough, cells: int
) -> list[StarSystem] | None:
    """Newton's systems by part; None where they take too many turns."""
    if compiled.loaded():
        return systems([state.step(beta) for state in states], (*effects, *regressors), MOST_TURNS, cells)
    found = side_by_side(partial(_system, beta=beta, effects=effects, regressors=regressors), cells, states)
    return None if any(f is None for f in found) else found


@np.errstate(over="ignore", invalid="ignore")  # of a search that is lost, which its size tells
def _system(state: _State, beta: Floats, effects: Enough, regressors: Enough) -> StarSystem | None:
    fitted = state.fit(beta)
    error = state.wanted[0] - fitted.groups, state.wanted[1] - fitted.columns
    found = state.solve(fitted, *error, effects)
    explained = _explain(state, fitted, regressors)
    if found is None or explained is None:
        return None
    k = len(beta)
    cross, score = np.zeros((k, k)), state.total.copy()
    for a, (groups, columns) in enumerate(explained):
        for b in range(k):
            whole = fitted.rows.times(state.threads[a]).times(state.threads[b])
            cross[a, b] = _total(fitted, whole)
            cross[a, b] -= np.vdot(state.groups[b], groups) + np.vdot(state.columns[b], columns)
        score[a] -= groups.sum() + np.vdot(state.groups[a], error[0]) + np.vdot(state.columns[a], error[1])
    return StarSystem(
        own=found[0],
        others=found[1],
        cross=(cross + cross.T) / 2,
        score=score,
        decrement=np.einsum("gt,gt->t", error[0], found[0]) + np.einsum("ct,ct->t", error[1], found[1]),
        mass=fitted.groups.sum(axis=0),
    )


def _explain(state: _State, fitted: Fitted, enough: Enough) -> list[tuple[Floats, Floats]] | None:
    """Take anew what the effects explain of the regressors; their sums by effect."""
    sums = [fitted.sums(x) for x in state.threads]
    for k, (groups, columns) in enumerate(sums):
        found = state.solve(fitted, groups, columns, enough, state.columns[k])
        if found is None:
            return None
        state.groups[k], state.columns[k] = found
    return sums


def _total(fitted: Fitted, rows: Threads) -> float:
    """Sum over rows and periods of numbers of rows times the factors."""
    by_left, by_right = (fitted.m * fitted.b_w) @ fitted.a.T, (fitted.m * fitted.a_e) @ fitted.b.T
    hub = (fitted.m * fitted.a_e * fitted.b_w).sum(axis=1)
    return float(np.vdot(rows.left, by_left) + np.vdot(rows.right, by_right) + np.vdot(rows.hub[:, 0], hub))


def _advance(state: _State, found: StarSystem, move: Floats) -> float:
    """Move the effects; the largest root mean square step of a period."""
    state.m += np.where(state.on[0], found.own - np.tensordot(move, state.groups, 1), 0.0)
    state.c += np.where(state.on[1], found.others - np.tensordot(move, state.columns, 1), 0.0)
    mass = np.where(found.mass > 0, found.mass, 1.0)
    along = float(move @ found.cross @ move) / max(float(mass.sum()), 1e-300)
    return float(np.sqrt(np.maximum(found.decrement, 0.0) / mass + max(along, 0.0)).max(initial=0.0))


def _finish(state: _State, part: Part, beta: Floats) -> Solved:
    """Back to rows."""
    m, columns = state.factors()
    row = np.exp(beta @ state.x + part.offset[0])
    i, j = part.block.others
    flows = (row[:, None] * m[part.block.first]) * columns[i] * columns[j]
    net = np.empty((len(state.x), *flows.shape))
    for out, x, groups, others in zip(net, state.x, state.groups, state.columns, strict=True):
        np.subtract(x[:, None], state.star.spread(groups, others), out=out)
    return Solved(fitted=flows.T, net=net.transpose(0, 2, 1), weights=flows.T * part.weights, rank=rank_of(part))


def _log_ratio(wanted: Floats, have: Floats) -> Floats:
    """How far logarithms have to move, 0 where nothing is wanted."""
    ratio = np.divide(wanted, have, out=np.ones_like(have), where=(have > 0) & (wanted > 0))
    return np.asarray(np.log(ratio))


def _ratio(a: Floats, b: Floats) -> Floats:
    """Quotient by period, 0 where there is none."""
    return np.asarray(np.divide(a, b, out=np.zeros_like(a), where=b > 0))
