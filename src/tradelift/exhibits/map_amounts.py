"""What each region trades, in all and with its partners, for the map."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.exhibits.labels import plain
from tradelift.exhibits.money import SIZES
from tradelift.panel import Panel

Floats = NDArray[np.float64]

SOLD, BOUGHT = "Sells to other regions", "Buys from other regions"
TO_PARTNERS, FROM_PARTNERS = "of which to partners", "of which from partners"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traded:
    """
    Trade over all periods, in the units of the flows.

    Parameters
    ----------
    sold, bought
        Of each region with all others, shape (R,).
    to_partners, from_partners
        Of it with its partners, shape (R,); None without a programme.
    between
        By row of the partner list, what flows from the first to the second and back, shape (L, 2); 0 where the panel
        has no such flows.
    """

    sold: Floats
    bought: Floats
    to_partners: Floats | None
    from_partners: Floats | None
    between: Floats

    @property
    def measures(self) -> tuple[str, ...]:
        """What `amounts` gives, in its order."""
        if self.to_partners is None:
            return (SOLD, BOUGHT)
        return (SOLD, TO_PARTNERS, BOUGHT, FROM_PARTNERS)

    def amounts(self, region: int) -> tuple[str, ...]:
        """Amounts of a region in words; those with partners with their share."""
        sold, bought = float(self.sold[region]), float(self.bought[region])
        if self.to_partners is None or self.from_partners is None:
            return short(sold), short(bought)
        to, back = float(self.to_partners[region]), float(self.from_partners[region])
        return short(sold), _share(to, sold), short(bought), _share(back, bought)


def traded(panel: Panel) -> Traded | None:
    """
    Sum trade by region and by partnership.

    Parameters
    ----------
    panel
        Flows that are not known count as none; those within a region do not count.

    Returns
    -------
    None where the panel has no column `trade`.
    """
    if "trade" not in panel.names:
        return None
    pairs, regions = panel.pairs, len(panel.regions)
    trade = np.nan_to_num(panel.outcome("trade"))
    by_pair = np.bincount(panel.pair_of_cell, weights=trade, minlength=len(pairs))
    by_pair = np.where(pairs.origin != pairs.destination, by_pair, 0.0)
    partners = np.where(pairs.partnership >= 0, by_pair, 0.0)

    def of(ends: NDArray[Any], weights: NDArray[Any]) -> Floats:
        return np.bincount(ends, weights=weights, minlength=regions).astype(np.float64)

    programme = panel.programme
    between = np.zeros((0 if programme is None else len(programme.first), 2))
    if programme is not None:
        rows = np.flatnonzero(pairs.partnership >= 0)
        listed = pairs.partnership[rows]
        back = (pairs.origin[rows] != programme.first[listed]).astype(np.int64)
        np.add.at(between, (listed, back), by_pair[rows])
    return Traded(
        sold=of(pairs.origin, by_pair),
        bought=of(pairs.destination, by_pair),
        to_partners=None if programme is None else of(pairs.origin, partners),
        from_partners=None if programme is None else of(pairs.destination, partners),
        between=between,
    )


def short(amount: float) -> str:
    """Write an amount with three digits or so: "45.6 million"."""
    size, word = next(((s, w) for s, w in SIZES if abs(amount) >= s), (1.0, ""))
    digits = 0 if abs(amount) >= 100 * size or (size == 1.0 and abs(amount) >= 1) else 1
    return f"{plain(amount / size, digits)} {word}".strip()


def _share(part: float, whole: float) -> str:
    return f"{short(part)} ({plain(100 * part / whole)}%)" if whole > 0 else short(part)
