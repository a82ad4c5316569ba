"""The observations behind a Poisson fit as flat arrays, whatever problem they came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tradelift.covariance.dyads import Dyads
from tradelift.errors import DesignError
from tradelift.solve import DenseProblem, Fit, RowProblem

Floats = NDArray[Any]
Ints = NDArray[Any]

WISH = (
    "correction='weidner-zylkin' is for PPML with effects origin^period and destination^period, with or without an "
    "effect of the pairs"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """
    What the leverage corrections need of each of N observations.

    Parameters
    ----------
    mass
        Weight times expected outcome, shape (N,).
    score
        Weight times residual, shape (N,).
    net
        Regressors net of the effects, shape (K, N).
    pair
        Directed pair, from 0 without gaps, shape (N,).
    first, second
        Codes of the two effects by period, from 0 without gaps, shape (N,).
    first_region, second_region
        The region that either effect is of, shape (N,).
    group
        Code of the pair effect, from 0 without gaps, shape (N,); None with two effects.
    """

    mass: Floats
    score: Floats
    net: Floats
    pair: Ints
    first: Ints
    second: Ints
    first_region: Ints
    second_region: Ints
    group: Ints | None

    @property
    def is_shared(self) -> bool:
        """Whether both directions of a pair share its effect."""
        return self.group is not None and not _one_to_one(self.group, self.pair)


def observed(problem: DenseProblem | RowProblem, found: Fit, dyads: Dyads) -> Observed:
    """
    Gather the observations of a fit with detail.

    Parameters
    ----------
    problem, found
        What was fitted, and the fit.
    dyads
        The directed pairs.

    Raises
    ------
    DesignError
        If the effects are not two-way by period, alone or with an effect of the pairs.
    """
    parts = _rows(problem, found) if isinstance(problem, RowProblem) else _blocks(problem, found)
    third = pair_effect(problem, dyads)
    first, second = (_number(codes) for n, codes in enumerate(parts["effects"]) if n != third)
    weights, fitted = parts["weights"], parts["fitted"]
    ends = dyads.origin[parts["pair"]], dyads.destination[parts["pair"]]
    return Observed(
        mass=weights * fitted,
        score=weights * (parts["outcome"] - fitted),
        net=parts["net"],
        pair=_number(parts["pair"]),
        first=first,
        second=second,
        first_region=_owner(first, ends),
        second_region=_owner(second, ends),
        group=None if third is None else _number(parts["effects"][third]),
    )


def _owner(codes: Ints, ends: tuple[Ints, Ints]) -> Ints:
    """The end of the pair whose regions an effect keeps apart."""
    counts = [np.count_nonzero(np.bincount(components(codes, end), minlength=1)) for end in ends]
    return ends[0] if counts[0] >= counts[1] else ends[1]


def check_problem(problem: DenseProblem | RowProblem, dyads: Dyads) -> None:
    """
    Refuse before the fit what no leverage correction is for.

    Parameters
    ----------
    problem
        What is to be fitted.
    dyads
        The directed pairs.

    Raises
    ------
    DesignError
        If the family is not Poisson, or the effects are not two, or three with one of the pairs.
    """
    if problem.family != "poisson":
        msg = f"{WISH}; this is OLS. Use correction='clusters', or family='poisson'."
        raise DesignError(msg)
    count = len(problem.effects) if isinstance(problem, RowProblem) else 2
    if count not in (2, 3):
        msg = f"{WISH}; found {count} effects. Use correction='clusters'."
        raise DesignError(msg)
    pair_effect(problem, dyads)


def pair_effect(problem: DenseProblem | RowProblem, dyads: Dyads) -> int | None:
    """
    Position of the pair effect among three effects, directed or the same in both directions; None with two effects.

    Raises
    ------
    DesignError
        If there is none or more than one: pairs by category, say, are another model.
    """
    if isinstance(problem, DenseProblem):
        if problem.pieces[0].group is None:
            return None
        held = [piece.pair >= 0 for piece in problem.pieces]
        pair = _join([p.pair[h] for p, h in zip(problem.pieces, held, strict=True)])
        group = _join([p.group[h] for p, h in zip(problem.pieces, held, strict=True) if p.group is not None])
        effects = {2: group}
    elif len(problem.effects) == 2:
        return None
    else:
        pair, effects = problem.pair, dict(enumerate(problem.effects))
    same = [_number(pair), _number(dyads.dyad[pair])]
    third = [n for n, codes in effects.items() if any(_one_to_one(_number(codes), units) for units in same)]
    if len(third) != 1:
        msg = (
            f"{WISH}; {'none' if not third else 'more than one'} of the three effects has one value for each pair. Use "
            f"origin^destination or a column that is the same in both directions, or correction='clusters'."
        )
        raise DesignError(msg)
    return third[0]


def components(first: Ints, second: Ints) -> Ints:
    """Connected component of each observation in the graph that joins two codes, from 0, shape (N,)."""
    n_first, n_second = int(first.max(initial=-1)) + 1, int(second.max(initial=-1)) + 1
    size = n_first + n_second
    graph = coo_array((np.ones(len(first)), (first, second + n_first)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1][first])


def refuse_repeats(slot: Ints, pair: Ints) -> None:
    """
    Refuse effects that a pair's observations share: they must live within one period.

    Raises
    ------
    DesignError
        Saying which effects do.
    """
    # in the order of the pairs, equal neighbours are repeats
    order = np.lexsort((slot, pair))
    if np.any((np.diff(pair[order]) == 0) & (np.diff(slot[order]) == 0)):
        msg = f"{WISH}; here observations of one pair share an effect of the origin or the destination."
        raise DesignError(msg)


def _rows(problem: RowProblem, found: Fit) -> dict[str, Any]:
    detail = found.detail[0]
    rows = np.flatnonzero(detail.sample)
    return {
        "outcome": problem.outcome[rows],
        "weights": np.ones(len(rows)) if problem.weights is None else problem.weights[rows],
        "fitted": detail.fitted[rows],
        "net": detail.net[:, rows],
        "pair": problem.pair[rows],
        "effects": [codes[rows] for codes in problem.effects],
    }


def _blocks(problem: DenseProblem, found: Fit) -> dict[str, Any]:
    collected: dict[str, list[Any]] = {name: [] for name in ("outcome", "weights", "fitted", "net", "pair")}
    effects: list[list[Ints]] = [[] for _ in range(2 if problem.pieces[0].group is None else 3)]
    starts = np.zeros(2, dtype=np.int64)
    for piece, detail in zip(problem.pieces, found.detail, strict=True):
        t, i, j = np.nonzero(detail.sample)
        n_periods, n_rows, n_columns = detail.sample.shape
        collected["outcome"].append(piece.outcome[t, i, j])
        collected["weights"].append(np.ones(len(t)) if piece.weights is None else piece.weights[t, i, j])
        collected["fitted"].append(detail.fitted[t, i, j])
        collected["net"].append(detail.net[:, t, i, j])
        collected["pair"].append(piece.pair[i, j])
        effects[0].append(starts[0] + t * n_rows + i)
        effects[1].append(starts[1] + t * n_columns + j)
        if piece.group is not None:
            effects[2].append(piece.group[i, j])
        starts += n_periods * n_rows, n_periods * n_columns
    joined: dict[str, Any] = {name: _join(arrays) for name, arrays in collected.items()}
    return joined | {"effects": [_join(codes) for codes in effects]}


def _join(arrays: Sequence[Floats]) -> Floats:
    return np.concatenate(arrays, axis=-1)


def _number(codes: Ints) -> Ints:
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _one_to_one(a: Ints, b: Ints) -> bool:
    """Whether two codes without gaps part the observations in the same way."""
    count = int(a.max(initial=-1)) + 1
    return count == int(b.max(initial=-1)) + 1 == len(np.unique(a * (count + 1) + b))
