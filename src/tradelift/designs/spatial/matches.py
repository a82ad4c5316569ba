"""What a mean of differences compares: groups, controls, how often they serve, and what is lost."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.spatial.contrast import Differences
from tradelift.designs.spatial.near import NearPairs
from tradelift.designs.spatial.options import CORNERS, Near, replaced_sides
from tradelift.diagnostics import Matches
from tradelift.panel import Panel

Floats = NDArray[Any]


def matches_of(
    panel: Panel, near: NearPairs, options: Near, made: Differences, counts: Floats, slopes: Mapping[str, float]
) -> Matches:
    """
    Say which differences are averaged.

    Parameters
    ----------
    panel, near, options, made
        The groups and their differences.
    counts
        How much each cell counts in their mean, shape (N,).
    slopes
        Of the covariates by which they are adjusted.
    """
    serves = (made.share > 0).any(axis=0)
    live = made.live.any(axis=0)
    times = np.bincount(near.pair[serves], minlength=len(panel.pairs))
    by_partner = np.bincount(near.partner_row, weights=made.weight.sum(axis=0))
    by_control = np.bincount(panel.pair_of_cell, weights=np.clip(-counts, 0.0, None), minlength=len(panel.pairs))
    return Matches(
        groups=int(live.sum()),
        controls=float(serves.sum() / max(int(live.sum()), 1)),
        pairs=int((times > 0).sum()),
        most_used=int(times.max(initial=0)),
        short=_short(panel, options, near),
        effective_partners=_effective(by_partner),
        effective_controls=_effective(by_control),
        slopes=slopes,
        lost_groups={**near.lost_groups, "no observation left": int((~live).sum())},
        lost_pairs=near.lost_pairs,
    )


def _short(panel: Panel, options: Near, near: NearPairs) -> int:
    """Sides of groups with fewer near controls than asked for."""
    if options.nearest is None:
        return 0
    first, second = replaced_sides(panel, options.neighbours)
    parts = [1] * first + [2] * second + [3] * (options.neighbours == CORNERS)
    count = np.bincount(near.group * 4 + near.side, minlength=4 * near.n_groups).reshape(near.n_groups, 4)
    return int((count[:, parts] < options.nearest).sum())


def _effective(weights: Floats) -> float:
    """How many equal weights are as concentrated as these."""
    return float(weights.sum() ** 2 / (weights**2).sum())
