"""
The effect of partnership on a set of partner cells, from what was simulated.

An effect stands in two weightings, as the two families weigh what differs between pairs: "gaussian", the mean over
partner cells of the effect in logs, and "poisson", the log of the partners' money over what it would be without the
programme. Where effects do not differ, both are the effect. A design has weights of its own (spatial RD weighs partners
by what identifies them), so it comes to these numbers up to what differs within the set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.goods import CATEGORIES, money_shares
from tradelift.worlds.intensities import Direction

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Effect = dict[str, float]

DECIMALS = 10  # beyond them a sum depends on the order in which threads make it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Treated:
    """
    The partner cells of a direction; T months, C categories, P partner pairs in the order of (east, west), flattened.

    Parameters
    ----------
    name
        Of the direction.
    effect
        On all goods in logs, shape (T, P).
    money
        Noise-free expected trade in yuan, shape (T, P).
    expected
        Expected trade given the noise of the pairs, shape (T, P).
    tilt
        What the effect on each category is beyond that on all goods, shape (C,).
    shares
        Of each category in the money of pairs without a programme, shape (C,).
    """

    name: str
    effect: Floats
    money: Floats
    expected: Floats
    tilt: Floats
    shares: Floats


def treated_cells(direction: Direction) -> Treated:
    """Take the partner cells of a direction."""
    from_east = direction.origins.name == "east"

    def partners(values: Floats) -> Floats:
        """(T, I, J) to (T, P), in the same order of pairs in both directions."""
        forth = values if from_east else values.transpose(0, 2, 1)
        return np.asarray(forth[:, direction.partner if from_east else direction.partner.T])

    return Treated(
        name=direction.name,
        effect=partners(direction.effect),
        money=partners(direction.money()),
        expected=partners(direction.expected() * direction.order_value()[:, None]),
        tilt=direction.tilt,
        shares=money_shares(direction.origins.name),
    )


def effects(
    treated: Sequence[Treated],
    *,
    months: Bools | None = None,
    pairs: Bools | None = None,
    goods: Sequence[str] | None = None,
) -> dict[str, Effect]:
    """
    Compute the effect on some partner cells, by direction and on both together.

    Parameters
    ----------
    treated
        Of both directions.
    months, pairs
        Which of them, shape (T,) and (P,); None for all.
    goods
        Categories, each of them a cell of its own; None for all goods together.

    Returns
    -------
    By direction, "gaussian" and "poisson".
    """
    parts = {t.name: _cells(t, months, pairs, goods) for t in treated}
    effect, money = (np.concatenate(both) for both in zip(*parts.values(), strict=True))
    return {"both": _effect(effect, money)} | {name: _effect(*cells) for name, cells in parts.items()}


def _cells(t: Treated, months: Bools | None, pairs: Bools | None, goods: Sequence[str] | None) -> tuple[Floats, Floats]:
    """Effect in logs and money of each cell."""
    rows = slice(None) if months is None else np.flatnonzero(months)
    effect, money = t.effect[rows], t.money[rows]
    if pairs is not None:
        effect, money = effect[:, pairs], money[:, pairs]
    if goods is None:
        return effect.ravel(), money.ravel()
    chosen = [CATEGORIES.index(name) for name in goods]
    lifted = t.shares * np.exp(t.tilt)
    by_good = [(effect + t.tilt[c], money * lifted[c]) for c in chosen]
    return np.concatenate([e.ravel() for e, _ in by_good]), np.concatenate([m.ravel() for _, m in by_good])


def _effect(effect: Floats, money: Floats) -> Effect:
    without = float((money * np.exp(-effect)).sum())
    return {
        "gaussian": round(float(effect.mean()), DECIMALS) + 0.0,
        "poisson": round(float(np.log(money.sum() / without)), DECIMALS) + 0.0,
    }


def difference(one: dict[str, Effect], other: dict[str, Effect]) -> dict[str, Effect]:
    """Subtract the second set's effects from the first's."""
    return {
        name: {weighting: round(value - other[name][weighting], DECIMALS) for weighting, value in effect.items()}
        for name, effect in one.items()
    }
