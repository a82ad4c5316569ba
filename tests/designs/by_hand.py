"""Spatial designs in plain loops and dense least squares with dummies, as they are told."""

from dataclasses import dataclass

import numpy as np

from tradelift.designs.spatial.kernels import kernel_weight
from tradelift.geography import great_circle_km


@dataclass(frozen=True)
class Cell:
    """A cell of a panel by ids."""

    origin: int
    destination: int
    period: int
    row: int
    partner: int


def cells_of(panel):
    """Every cell, in the order of the panel."""
    pair = panel.pair_of_cell
    return [
        Cell(*map(int, values))
        for values in zip(
            panel.cells.column("origin"),
            panel.cells.column("destination"),
            panel.cells.column("period"),
            range(panel.n_cells),
            panel.pairs.partnership[pair],
            strict=True,
        )
    ]


def kilometres(panel):
    """Distances between all regions."""
    r = panel.regions
    return great_circle_km(r.longitude[:, None], r.latitude[:, None], r.longitude, r.latitude)


def dummies(cells, n_regions):
    """Origin-period and destination-period dummies, shape (N, columns)."""
    n_periods = max(c.period for c in cells) + 1
    out = np.zeros((len(cells), 2 * n_regions * n_periods))
    for row, c in enumerate(cells):
        out[row, c.period * n_regions + c.origin] = 1.0
        out[row, (n_periods + c.period) * n_regions + c.destination] = 1.0
    return out


@dataclass(frozen=True)
class ByHand:
    """What a mean of differences gives: the effect, its weights on outcomes, and the influence of each directed pair."""

    effect: float
    weights: np.ndarray
    pairs: dict
    n_differences: int
    slope: float


class World:
    """A panel whose partnerships last from their start to its end, as loops read it."""

    def __init__(self, panel):
        self.cells, self.km, self.n = cells_of(panel), kilometres(panel), len(panel.regions)
        self.side = [0] * self.n if panel.regions.side is None else panel.regions.side.tolist()
        self.sided = panel.regions.side is not None
        self.start = panel.programme.start.tolist()
        self.place = {(c.origin, c.destination, c.period): c.row for c in self.cells}
        self.partner_of = {(c.origin, c.destination): c.partner for c in self.cells}

    def is_treated(self, cell):
        """Whether it is a partner pair whose partnership has begun."""
        return cell.partner >= 0 and cell.period >= self.start[cell.partner]

    def may_control(self, pair, own):
        """Whether a directed pair is in the panel and not treated from the first period on."""
        if pair[0] == pair[1] or pair not in self.partner_of:
            return False
        other = self.partner_of[pair]
        return other < 0 or (self.start[other] > 0 and other != self.partner_of[own])

    def controls(self, own, sides, nearest, weigh):
        """Controls of a directed partner pair by the end at which they differ: [(km, origin, destination)]."""
        found = {}
        for end in (0, 1):
            if (self.side[own[end]] if self.sided else end) not in sides:
                continue
            rows = []
            for k in range(self.n):
                pair = (k, own[1]) if end == 0 else (own[0], k)
                near = k != own[end] and self.side[k] == self.side[own[end]] and weigh(self.km[k, own[end]]) > 0
                if near and self.may_control(pair, own):
                    rows.append((self.km[k, own[end]], *pair))
            found[end] = sorted(rows)[:nearest]
        return found


def differences_of(world, known, weigh, *, sides, nearest, local):
    """Differences as (row of the partner pair's cell, {row of a control's cell: share})."""
    found = []
    for own, partnership in sorted(world.partner_of.items()):
        if partnership < 0:
            continue
        controls = world.controls(own, sides, nearest, weigh)
        for t in sorted({c.period for c in world.cells}):
            row = world.place.get((*own, t))
            if row is None or not known[row] or not world.is_treated(world.cells[row]):
                continue
            shares = {}
            for rows in controls.values():
                places = [(world.place.get((o, d, t)), weigh(km)) for km, o, d in rows]
                good = {k: w for k, w in places if k is not None and known[k] and not world.is_treated(world.cells[k])}
                total = sum(good.values()) if local else 1.0
                shares |= {k: w / total for k, w in good.items()}
            total = sum(shares.values())
            if total:
                found.append((row, {k: w / total for k, w in shares.items()}))
    return found


def averaged(panel, outcome, log_distance, *, nearest, local, bandwidth_km=None, kernel="uniform", sides=(0, 1)):
    """
    Mean differences of outcomes net of untreated effects.

    Parameters
    ----------
    panel
        Cells whose partnerships hold in all periods or from a start.
    outcome, log_distance
        By cell; NaN where the outcome is not known.
    nearest
        Controls a side, or None.
    local
        Whether slopes are of the controls, as often as they serve, and sides count the same.
    bandwidth_km, kernel
        Of the controls.
    sides
        At which ends a control's city is another: of the two sides, or 0 for the origin where there are none.
    """

    def weigh(km):
        return 1.0 if bandwidth_km is None else float(kernel_weight(kernel, np.array(km / bandwidth_km)))

    world, known = World(panel), ~np.isnan(outcome)
    cells = world.cells
    differences = differences_of(world, known, weigh, sides=sides, nearest=nearest, local=local)
    untreated = np.array([known[c.row] and not world.is_treated(c) for c in cells])
    rows, values = np.flatnonzero(untreated), np.where(known, outcome, 0.0)
    counts, used = np.zeros(len(cells)), np.zeros(len(cells))
    for row, shares in differences:
        counts[row] += 1 / len(differences)
        for control, share in shares.items():
            counts[control] -= share / len(differences)
            used[control] += share / len(differences)
    effects = dummies(cells, world.n)
    take = np.linalg.pinv(effects[rows])  # effects from untreated outcomes
    y, x = (column - effects @ (take @ column[rows]) for column in (values, log_distance))
    on = used if local else untreated.astype(float)
    middle = (on @ x / on.sum()) if local else 0.0
    toward = on * (x - middle) / (on @ (x - middle) ** 2)  # the slope as a weighted sum of net outcomes
    direct = counts - (counts @ x) * toward
    weights = direct.copy()
    weights[rows] -= take.T @ (effects.T @ direct)
    effect, slope = float(weights @ values), float(toward @ y)
    left = y - slope * x
    pairs = dict.fromkeys(world.partner_of, 0.0)
    for row in rows:
        pairs[cells[row].origin, cells[row].destination] += (weights[row] - counts[row]) * left[row]
    partners = [cells[row].partner for row, _ in differences]
    for row, shares in differences:
        gap = left[row] - sum(w * left[k] for k, w in shares.items()) - effect
        gap /= np.sqrt(1 - partners.count(cells[row].partner) / len(differences))  # HC2 by partner pair
        pairs[cells[row].origin, cells[row].destination] += gap / len(differences)
    return ByHand(effect=effect, weights=weights, pairs=pairs, n_differences=len(differences), slope=slope)


def least_squares(columns, effects, outcome, weights=None):
    """Coefficients of the columns beside dummies, by dense (weighted) least squares."""
    root = np.ones(len(outcome)) if weights is None else np.sqrt(weights)
    design = np.column_stack([columns, effects]) * root[:, None]
    return np.linalg.lstsq(design, outcome * root, rcond=None)[0][: columns.shape[1]]
