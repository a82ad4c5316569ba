"""Who may stand in for whom: programmes that could have been drawn in place of the one that was."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DesignError
from tradelift.inference.swapping import swap, swappable
from tradelift.panel import Panel
from tradelift.panel.digest import Fingerprint, fingerprint
from tradelift.programme import Programme

Ints = NDArray[Any]
Bools = NDArray[Any]

KEEPS = {
    "relabel": "the number of partner pairs in each pair of groups, and the shape of their network",
    "swap": "each region's number of partners in each group",
    "free": "each region's number of partners",
}
SCHEMES = tuple(KEEPS)
WITHIN_GROUP = {"within-group": "the groups of partner pairs with their near controls"}
LEAST_MOVABLE = 0.5  # share of the partner pairs that must be able to move


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relabellings:
    """
    Programmes drawn in place of the observed one.

    Parameters
    ----------
    first, second
        Region codes of each partnership, shape (1 + draws, L); row 0 is the programme as it is. A partnership keeps
        its start, end and dose.
    moved
        Share of the partner pairs that are partners no longer, on average over draws.
    movable
        Share of the partner pairs that can cease to be partners under the scheme.
    digest
        A fingerprint of the draws, by the regions' ids.
    """

    first: Ints
    second: Ints
    moved: float
    movable: float
    digest: str


def draw_relabellings(panel: Panel, scheme: str, draws: int, rng: np.random.Generator) -> Relabellings:
    """
    Draw programmes by a scheme.

    Parameters
    ----------
    panel
        With a programme.
    scheme
        "relabel", "swap" or "free".
    draws
        How many.
    rng
        Source of randomness.

    Raises
    ------
    DesignError
        If the scheme is unknown, the regions have no groups for it, or fewer than half of the partner pairs can move.
    """
    if scheme not in SCHEMES:
        msg = f"There is no scheme '{scheme}'; use one of {', '.join(SCHEMES)}."
        raise DesignError(msg)
    programme = panel.programme
    if programme is None or not len(programme.first):
        msg = "The panel has no programme to randomize: give `partners` to Panel.from_frame."
        raise DesignError(msg)
    group = _groups(panel, scheme)
    own, other, back = _canonical(programme, group)
    known = _with_flows(panel)
    here = np.flatnonzero(known[own] & known[other])  # the rest stays where it is
    first, second = np.tile(own, (1 + draws, 1)), np.tile(other, (1 + draws, 1))
    if scheme == "relabel":
        places = _permute(group, known, draws, rng)
        first[1:, here] = np.take_along_axis(places, first[1:, here], axis=1)
        second[1:, here] = np.take_along_axis(places, second[1:, here], axis=1)
        can = _relabellable(own[here], other[here], group, known)
    else:
        first[1:, here], second[1:, here] = swap(own[here], other[here], group, draws, rng)
        can = swappable(own[here], other[here], group)
    left = _left(first[:, here], second[:, here], len(group))
    can |= left.any(axis=0)
    _refuse_unmoved(scheme, can, group[known])
    return Relabellings(
        first=first[:, back],
        second=second[:, back],
        moved=float(left.mean()),
        movable=float(can.mean()),
        digest=fingerprint(panel.regions.ids, first, second),
    )


def _groups(panel: Panel, scheme: str) -> Ints:
    """Code of the regions among which a scheme may move partners, shape (R,)."""
    regions = panel.regions
    side = np.zeros(len(regions), dtype=np.int64) if regions.side is None else regions.side
    if scheme == "free":
        return np.asarray(side)
    if regions.group is None:
        msg = (
            f"scheme='{scheme}' moves partners within groups: give the regions a column `group` (their province), or "
            f"use scheme='free'."
        )
        raise DesignError(msg)
    labels = np.asarray(regions.group).astype(str)
    without = np.isin(labels, ("", "nan", "None"))
    if without.any():
        msg = (
            f"{int(without.sum())} regions have no group, the first '{regions.ids[without][0]}'; give each one, or "
            f"use scheme='free'."
        )
        raise DesignError(msg)
    own = np.unique(labels, return_inverse=True)[1]
    return np.asarray(np.unique(side * (int(own.max()) + 1) + own, return_inverse=True)[1])


def _canonical(programme: Programme, group: Ints) -> tuple[Ints, Ints, Ints]:
    """Ends of the partnerships, by group and code, in an order of their own; and the way back."""
    one, other = programme.first, programme.second
    turned = (group[one] > group[other]) | ((group[one] == group[other]) & (one > other))
    first, second = np.where(turned, other, one), np.where(turned, one, other)
    order = np.lexsort((second, first))
    return first[order], second[order], np.argsort(order)


def _with_flows(panel: Panel) -> Bools:
    """Regions that the panel has flows of, shape (R,)."""
    out = np.zeros(len(panel.regions), dtype=bool)
    out[panel.pairs.origin] = out[panel.pairs.destination] = True
    return out


def _permute(group: Ints, may: Bools, draws: int, rng: np.random.Generator) -> Ints:
    """Where each region stands after a random permutation within its group, shape (draws, R)."""
    regions = np.flatnonzero(may)
    base = regions[np.argsort(group[regions], kind="stable")]
    shuffled = np.argsort(group[base] + rng.random((draws, len(base))), axis=1)
    out = np.tile(np.arange(len(group)), (draws, 1))
    out[:, base] = base[shuffled]
    return out


def _relabellable(first: Ints, second: Ints, group: Ints, known: Bools) -> Bools:
    """Partnerships whose pair of groups holds a pair that is not partners, shape (L,)."""
    n = int(group.max()) + 1
    size = np.bincount(group[known], minlength=n)
    low, high = group[first], group[second]
    room = np.where(low == high, size[low] * (size[low] - 1) // 2, size[low] * size[high])
    key = low * n + high
    return np.asarray(np.bincount(key, minlength=n * n)[key] < room)


def _left(first: Ints, second: Ints, n: int) -> Bools:
    """Which partner pairs of the observed programme are partners no longer, shape (draws, L)."""
    keys = np.minimum(first, second) * n + np.maximum(first, second)
    order = np.argsort(keys[0])
    observed = keys[0][order]
    place = np.minimum(np.searchsorted(observed, keys[1:]), len(observed) - 1)
    out = np.ones((len(keys) - 1, len(observed)), dtype=bool)
    draw, row = np.nonzero(observed[place] == keys[1:])
    out[draw, order[place[draw, row]]] = False
    return out


def _refuse_unmoved(scheme: str, can: Bools, group: Ints) -> None:
    if len(can) and can.mean() >= LEAST_MOVABLE:
        return
    alone = int((np.bincount(group) == 1).sum())
    why = f" {alone} of the {int(group.max()) + 1} groups hold one region." if alone and scheme != "free" else ""
    other = " Use coarser groups, or scheme='relabel'." if scheme == "swap" else " Use coarser groups."
    msg = (
        f"Only {int(can.sum())} of {len(can)} partner pairs can move under scheme='{scheme}', less than half: the "
        f"draws would hardly differ from the programme.{why}{other if scheme != 'free' else ''}"
    )
    raise DesignError(msg)


def under(panel: Panel, first: Ints, second: Ints) -> Panel:
    """
    Give a panel another programme: the same partnerships between other regions.

    Parameters
    ----------
    panel
        With a programme.
    first, second
        Region codes of each partnership, shape (L,).
    """
    assert panel.programme is not None, "only panels with a programme are relabelled"
    return _with_programme(panel, replace(panel.programme, first=first, second=second))


def under_everyone(panel: Panel) -> Panel:
    """Give a panel a programme in which all regions that could be partners are, always and with dose 1."""
    regions = np.arange(len(panel.regions))
    side = panel.regions.side
    choose: Callable[..., Any] = np.less if side is None else (lambda i, j: side[i] < side[j])
    first, second = (x.ravel() for x in np.meshgrid(regions, regions, indexing="ij"))
    wanted = choose(first, second)
    n = int(wanted.sum())
    everyone = Programme(
        first=first[wanted],
        second=second[wanted],
        start=np.zeros(n, dtype=np.int64),
        end=np.full(n, len(panel.periods) - 1),
        dose=np.ones(n),
        n_regions=len(panel.regions),
    )
    return _with_programme(panel, everyone)


def _with_programme(panel: Panel, programme: Programme) -> Panel:
    pairs = panel.pairs
    return replace(
        panel,
        programme=programme,
        pairs=replace(
            pairs,
            partnership=programme.lookup(pairs.origin, pairs.destination),
            control_type=programme.control_type(pairs.origin, pairs.destination, panel.regions.side),
        ),
        fingerprint=Fingerprint(parts=(panel.fingerprint, programme.first, programme.second)),
    )
