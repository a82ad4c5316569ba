"""What null draws need, as sums over the cells of the relabelled partners and products with the effects."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance import Influence, covariance
from tradelift.inference.planes import Field, Plane, effects_of
from tradelift.programme import Programme
from tradelift.solve import compiled, kernel
from tradelift.threads import side_by_side

Floats = NDArray[Any]
Ints = NDArray[Any]

ENTRIES = 2**20  # partner cells of the draws that are worked on at once
CELLS = 2**21  # cells of the draws that are held at once, where all cells of a draw are needed
COLLINEAR = 1e-10  # share of a treatment that the effects and controls must leave
SINGULAR = 1e-10  # determinant of the treatments' correlations that counts as zero
CACHED = 2**17  # the same, that are worked on at once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """
    Relabelled programmes.

    Parameters
    ----------
    first, second
        Region codes of each partnership, shape (B, L); row 0 is the programme as it is.
    programme
        Whose start, end and dose the partnerships keep.
    """

    first: Ints
    second: Ints
    programme: Programme

    def __len__(self) -> int:
        return len(self.first)

    def take(self, part: slice) -> "Draws":
        """Some of the draws, after the programme as it is."""
        return replace(
            self,
            first=np.concatenate([self.first[:1], self.first[part]]),
            second=np.concatenate([self.second[:1], self.second[part]]),
        )

    def parts(self, size: int) -> Iterator[slice]:
        """Slices of the draws of at most `size`."""
        for start in range(0, len(self), max(size, 1)):
            yield slice(start, start + max(size, 1))

    def strength(self, period: int) -> Floats:
        """Treatment of each partnership in a period, shape (L,)."""
        rows = np.arange(len(self.programme.first))
        return self.programme.treatment(rows, np.full(len(rows), period))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """
    Products of the relabelled treatments, by draw; K counts the treatment terms and C the controls.

    Parameters
    ----------
    score
        With the residual of the null model, shape (B, K).
    gram
        With one another, net of effects and controls, shape (B, K, K).
    cross
        With the observed treatments, likewise, shape (B, K, K).
    controls
        With the controls net of the effects, shape (B, K, C).
    size
        Of each with itself, nothing netted out, shape (B, K).
    """

    score: Floats
    gram: Floats
    cross: Floats
    controls: Floats
    size: Floats

    def coefficients(self) -> Floats:
        """Shape (B, K); NaN where the effects and controls absorb a draw."""
        return self.solve(self.score[..., None])[..., 0]

    def slopes(self) -> Floats:
        """Coefficients of each draw on the observed treatments in place of the outcome, shape (B, K, K)."""
        return self.solve(self.cross)

    def solve(self, right: Floats) -> Floats:
        """The inverse of `gram` times the right side, shape (B, K, ...); NaN where it has none."""
        out = np.full(right.shape, np.nan)
        diagonal = np.einsum("bkk->bk", self.gram)
        known = np.all(diagonal > COLLINEAR * self.size, axis=1)
        scale = np.sqrt(np.where(known[:, None], diagonal, 1.0))[:, :, None]
        scaled = self.gram / scale / scale.transpose(0, 2, 1)
        known &= np.abs(np.linalg.det(scaled)) > SINGULAR
        out[known] = np.linalg.solve(scaled[known], right[known] / scale[known]) / scale[known]
        return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Spots:
    """
    Where the partners of each draw stand in a field.

    Parameters
    ----------
    cell
        Place, shape (B, E); one past the last where the field does not hold the pair.
    row, column
        Origin and destination, counted on from draw to draw, shape (B, E).
    partnership
        Row of the partner list, shape (E,).
    """

    cell: Ints
    row: Ints
    column: Ints
    partnership: Ints


def moments(fields: Sequence[Field], draws: Draws, bread: Floats, n_terms: int) -> Moments:
    """
    Go over all planes once.

    Parameters
    ----------
    fields
        The null model.
    draws
        B relabelled programmes.
    bread
        Inverse of the cross product of the controls net of the effects, shape (C, C).
    n_terms
        K.
    """
    size = ENTRIES // max(2 * draws.first.shape[1], 1)
    parts = [_moments(fields, draws.take(part), bread, n_terms) for part in draws.parts(size)]
    names = ("score", "gram", "cross", "controls", "size")
    # the programme as it is stands before every part
    return Moments(**{name: np.concatenate([getattr(part, name)[1:] for part in parts]) for name in names})


def _moments(fields: Sequence[Field], draws: Draws, bread: Floats, n_terms: int) -> Moments:
    b, c = len(draws), len(bread)
    score, size, controls = np.zeros((b, n_terms)), np.zeros((b, n_terms)), np.zeros((b, n_terms, c))
    gram, cross = np.zeros((b, n_terms, n_terms)), np.zeros((b, n_terms, n_terms))
    for field in fields:
        spots = _spots(field, draws)
        for planes, on, values in _runs(field, spots, draws):
            cell = spots.cell[:, on]
            # what is linear in a plane's arrays is taken from their sums
            weights = _pad(_total([p.weights for p in planes]))[cell]
            residual = _pad(_total([p.residual for p in planes]))[cell]
            xs = [_pad(x)[cell] for x in _total([p.weights * p.controls for p in planes])]
            weighted = {k: value * weights for k, value in values.items()}
            for k, value in values.items():
                score[:, k] += _inner(value, residual)
                size[:, k] += _inner(weighted[k], value)
                for n, x in enumerate(xs):
                    controls[:, k, n] += _inner(value, x)
                for j, other in values.items():
                    gram[:, k, j] += _inner(weighted[k], other)
                    cross[:, k, j] += _inner(weighted[k], _dense(other[:1], cell[:1], field.shape)[0][cell])
            explained = partial(_explained, spots=spots, on=on, values=values, shape=field.shape)
            for own in side_by_side(explained, len(planes) * weights.size, planes):
                for (k, j), (among, with_observed) in own.items():
                    gram[:, k, j] -= among
                    cross[:, k, j] -= with_observed
    gram -= controls @ bread @ controls.transpose(0, 2, 1)
    cross -= controls @ bread @ controls[0].T
    return Moments(score=score, gram=gram, cross=cross, controls=controls, size=size)


def _explained(
    plane: Plane, spots: _Spots, on: Ints, values: Mapping[int, Floats], shape: tuple[int, int]
) -> dict[tuple[int, int], tuple[Floats, Floats]]:
    """What the effects explain of products of two treatment terms in a plane: of draws, and with the observed, (B,)."""
    halves = _halves(plane, spots, on, values, shape)
    return {
        (k, j): (_inner(halves[k], halves[j]), np.asarray(halves[k] @ halves[j][0])) for k in values for j in values
    }


def _total(arrays: Sequence[Floats]) -> Floats:
    return reduce(np.add, arrays)


def _inner(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("be,be->b", a, b))


def _halves(
    plane: Plane, spots: _Spots, on: Ints, values: Mapping[int, Floats], shape: tuple[int, int]
) -> dict[int, Floats]:
    """Square roots of what the effects explain of each treatment term in a plane, shape (B, m) each."""
    effects = effects_of(plane.weights)
    if compiled.loaded():
        cells = spots.cell[:, on]
        return {k: effects.half(*kernel.margins(cells, value, plane.weights)) for k, value in values.items()}
    weights = _pad(plane.weights)[spots.cell[:, on]]
    return {k: effects.half(*_sums(value * weights, spots, on, shape)) for k, value in values.items()}


def _spots(field: Field, draws: Draws) -> _Spots:
    n_rows, n_columns = field.shape
    out, partnership = [], np.arange(draws.first.shape[1])
    for origin, destination in ((draws.first, draws.second), (draws.second, draws.first)):
        cell = field.cell[origin, destination]
        if np.any(cell < n_rows * n_columns):
            out.append(cell)
    cells = np.concatenate(out, axis=1) if out else np.empty((len(draws), 0), dtype=np.intp)
    draw = np.arange(len(draws))[:, None]
    return _Spots(
        cell=cells,
        row=draw * (n_rows + 1) + cells // n_columns,
        column=draw * n_columns + cells % n_columns,
        partnership=np.tile(partnership, len(out)),
    )


def _runs(field: Field, spots: _Spots, draws: Draws) -> Iterator[tuple[list[Plane], Ints, dict[int, Floats]]]:
    """Planes in which the same entries have the same treatment, those entries, and each term there, shape (B, E)."""
    runs: dict[tuple[int, bytes], list[Plane]] = {}
    for plane in field.planes:
        strength = draws.strength(plane.period)
        if strength.any() and plane.masks and spots.cell.size:
            runs.setdefault((id(plane.masks), strength.tobytes()), []).append(plane)
    for planes in runs.values():
        strength = draws.strength(planes[0].period)[spots.partnership]
        on = np.flatnonzero(strength)
        yield planes, on, {k: _pad(m)[spots.cell[:, on]] * strength[on] for k, m in planes[0].masks.items()}


def _pad(values: Floats) -> Floats:
    """Flatten, and 0 for the pairs that a field does not hold."""
    return np.append(values.ravel(), 0.0)


def _sums(weighted: Floats, spots: _Spots, on: Ints, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Sums by origin and by destination of each draw, shapes (B, I) and (B, J)."""
    b, (n_rows, n_columns) = len(weighted), shape
    rows = np.bincount(spots.row[:, on].ravel(), weighted.ravel(), b * (n_rows + 1))
    columns = np.bincount(spots.column[:, on].ravel(), weighted.ravel(), b * n_columns)
    return rows.reshape(b, n_rows + 1)[:, :n_rows], columns.reshape(b, n_columns)


def _dense(values: Floats, cell: Ints, shape: tuple[int, int]) -> Floats:
    """Treatment of every cell of a plane and of none, shape (B, I J + 1)."""
    out = np.zeros((len(values), shape[0] * shape[1] + 1))
    np.put_along_axis(out, cell, values, axis=1)
    out[:, -1] = 0.0
    return out


def standard_errors(
    fields: Sequence[Field],
    draws: Draws,
    found: Moments,
    bread: Floats,
    influence: Influence,
    scheme: str,
    correction: str,
) -> Floats:
    """
    Standard errors of the coefficients of each draw, from its score sums by directed pair.

    Parameters
    ----------
    fields
        The null model, controls apart by period.
    draws
        B relabelled programmes.
    found
        Their moments.
    bread
        As in `moments`.
    influence
        Of the observed estimate: whose pairs and observations are counted.
    scheme, correction
        As in `tradelift.covariance.covariance`.

    Returns
    -------
    Shape (B, K); NaN where the variance is not positive.
    """
    beta, shift = found.coefficients(), found.controls @ bread
    inverse = found.solve(np.broadcast_to(np.eye(beta.shape[1]), found.gram.shape))
    n_terms, cells = beta.shape[1], max(field.shape[0] * field.shape[1] for field in fields)
    out = np.full(beta.shape, np.nan)
    for part in draws.parts(CELLS // (n_terms * cells)):
        some = replace(draws, first=draws.first[part], second=draws.second[part])
        scores = _scores(fields, some, beta[part], shift[part], len(influence.dyads.origin))
        pairs = inverse[part] @ scores
        columns = len(pairs) * n_terms
        blank = np.full((columns, columns), np.nan)
        flat = replace(influence, pairs=pairs.reshape(columns, -1).T, robust=blank, iid=blank)
        variances = np.diag(covariance(flat, scheme, correction).matrix)
        out[part] = np.sqrt(variances).reshape(-1, n_terms)
    return out


def _scores(fields: Sequence[Field], draws: Draws, beta: Floats, shift: Floats, n_pairs: int) -> Floats:
    """Score sums by directed pair, shape (B, K, P), from coefficients (B, K) and those on the controls (B, K, C)."""
    out = np.zeros((*beta.shape, n_pairs))
    for field in fields:
        spots, size = _spots(field, draws), field.shape[0] * field.shape[1]
        total = np.zeros((*beta.shape, size))
        terms = {id(plane): (on, v) for planes, on, v in _runs(field, spots, draws) for plane in planes}
        for plane in field.planes:
            on, values = terms.get(id(plane), (np.empty(0, dtype=np.intp), {}))
            cell, weights, residual = spots.cell[:, on], plane.weights.ravel(), plane.residual.ravel()
            effects = effects_of(plane.weights)
            explained = {k: effects.values(h) for k, h in _halves(plane, spots, on, values, field.shape).items()}
            for part in draws.parts(CACHED // size):
                # one more cell for the pairs that the field does not hold
                net = np.zeros((len(beta[part]), beta.shape[1], size + 1))
                np.matmul(-shift[part], plane.controls.reshape(-1, size), out=net[:, :, :size])
                for k, value in values.items():
                    np.put_along_axis(
                        net[:, k], cell[part], value[part] + np.take_along_axis(net[:, k], cell[part], 1), 1
                    )
                    plain = net[:, k, :size].reshape(-1, *field.shape)
                    rows, columns = explained[k]
                    plain -= rows[part][:, :, None]
                    plain -= columns[part][:, None, :]
                error = np.einsum("bk,bkp->bp", beta[part], net[:, :, :size])
                error *= -weights
                error += residual
                net[:, :, :size] *= error[:, None, :]
                total[part] += net[:, :, :size]
        held = field.pair.ravel() >= 0
        out[:, :, field.pair.ravel()[held]] += total[:, :, held]
    return out
