"""A dense problem as rows, for the cases that blocks cannot settle: slower, and sure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.solve.problem import DenseProblem, Detail, Fit, Piece, RowProblem
from tradelift.solve.rows import fit_rows

Floats = NDArray[Any]
Ints = NDArray[Any]

TOLERANCE = 1e-10  # of the deviance, as by default for rows


def fit_as_rows(problem: DenseProblem, groups: Sequence[Sequence[Ints]], *, detail: bool) -> Fit:
    """
    Fit a dense problem in rows.

    Parameters
    ----------
    problem, groups, detail
        As `tradelift.solve.fit` takes them.
    """
    held = [np.ones(p.outcome.shape, dtype=bool) if p.weights is None else p.weights > 0 for p in problem.pieces]
    parts = list(zip(problem.pieces, held, strict=True))
    wide = [np.broadcast_to(p.regressors, (len(p.regressors), *h.shape))[:, h].T for p, h in parts]
    weighted = any(p.weights is not None for p in problem.pieces)
    rows = RowProblem(
        outcome=np.concatenate([p.outcome[h] for p, h in parts]),
        regressors=np.concatenate(wide),
        weights=np.concatenate([_values(p.weights, 1.0, h) for p, h in parts]) if weighted else None,
        offset=np.concatenate([_values(p.offset, 0.0, h) for p, h in parts]),
        effects=codes_of(problem.pieces, held),
        pair=np.concatenate([np.broadcast_to(p.pair, h.shape)[h] for p, h in parts]),
        family=problem.family,
        n_pairs=problem.n_pairs,
    )
    by_row = [
        np.concatenate([np.broadcast_to(c, h.shape)[h] for c, h in zip(codes, held, strict=True)]) for codes in groups
    ]
    found = fit_rows(rows, by_row, TOLERANCE, detail=detail)
    return replace(found, detail=tuple(_spread(found.detail[0], held))) if detail else found


def _values(values: Floats | None, otherwise: float, held: Floats) -> Floats:
    return np.asarray(np.broadcast_to(otherwise if values is None else values, held.shape)[held])


def codes_of(pieces: Sequence[Piece], held: Sequence[Floats]) -> tuple[Ints, ...]:
    """
    Codes of origin-period, destination-period and, where there is one, the third effect.

    Parameters
    ----------
    pieces
        The blocks.
    held
        Observations of each, shape (T, I, J), boolean.

    Returns
    -------
    Shape (N,) each, N over all blocks.
    """
    origins, destinations, thirds, first, second = [], [], [], 0, 0
    for piece, h in zip(pieces, held, strict=True):
        n_periods, n_rows, n_columns = h.shape
        t, i, j = np.nonzero(h)
        origins.append(first + t * n_rows + i)
        destinations.append(second + t * n_columns + j)
        first, second = first + n_periods * n_rows, second + n_periods * n_columns
        if piece.group is not None:
            thirds.append(piece.group[i, j])
    codes = [np.concatenate(origins), np.concatenate(destinations)]
    return (*codes, np.concatenate(thirds)) if thirds else tuple(codes)


def _spread(detail: Detail, held: Sequence[Floats]) -> list[Detail]:
    """The detail of rows, by piece."""
    out, start = [], 0
    for h in held:
        stop = start + int(h.sum())
        sample, fitted, net = np.zeros(h.shape, dtype=bool), np.zeros(h.shape), np.zeros((len(detail.net), *h.shape))
        sample[h], fitted[h] = detail.sample[start:stop], detail.fitted[start:stop]
        net[:, h] = detail.net[:, start:stop]
        out.append(Detail(sample=sample, fitted=fitted, net=net))
        start = stop
    return out
