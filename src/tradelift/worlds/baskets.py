"""A month of orders: which pair trades, what is in the basket and what it costs; who trades comes later."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.goods import LINES, MIX, PRICE, SPREAD
from tradelift.worlds.intensities import Direction, World

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STREAM = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Baskets:
    """
    Orders of one direction and month, sorted by pair.

    Parameters
    ----------
    deals
        Orders of each pair, shape (I, J).
    category
        Category of each order, shape (N,).
    lines
        Lines of each order, 1 to 3, shape (N,).
    amount
        Money of each line in fen, order by order, shape (lines.sum(),).
    """

    deals: Ints
    category: Ints
    lines: Ints
    amount: Ints

    def pair_of_order(self) -> Ints:
        """Position of each order's pair in the flattened (I, J), shape (N,)."""
        return np.repeat(np.arange(self.deals.size), self.deals.ravel())

    def order_of_line(self) -> Ints:
        """Position of each line's order, shape (lines.sum(),)."""
        return np.repeat(np.arange(len(self.lines)), self.lines)

    def trade(self) -> Ints:
        """Money of each pair in fen, shape (I, J); sums below 2^53 are exact."""
        pair = self.pair_of_order()[self.order_of_line()]
        sums = np.bincount(pair, weights=self.amount, minlength=self.deals.size)
        return np.asarray(sums.astype(np.int64).reshape(self.deals.shape))


def draw_baskets(world: World, month: int) -> tuple[Baskets, Baskets]:
    """
    Draw all orders of a month, by direction.

    Parameters
    ----------
    world
        Where they are traded.
    month
        Position of the month, from 0.
    """
    rng = world.random(STREAM, month)
    first, second = world.directions
    return _draw(first, month, rng), _draw(second, month, rng)


def _draw(direction: Direction, month: int, rng: np.random.Generator) -> Baskets:
    deals = rng.poisson(direction.expected(month))
    n = int(deals.sum())
    to_partner = np.repeat(direction.partner.ravel(), deals.ravel())
    mix = MIX[direction.origins.name]
    dice = rng.random(n)
    category = np.where(to_partner, _position(mix * np.exp(direction.tilt), dice), _position(mix, dice))
    lines = 1 + _position(LINES, rng.random(n))
    origin = np.repeat(np.arange(len(deals)), deals.sum(axis=1))
    mean = np.repeat(direction.price[origin] * PRICE[category], lines)
    amount = mean * np.exp(SPREAD * rng.standard_normal(len(mean)) - SPREAD**2 / 2)
    fen = np.maximum(np.rint(100 * amount), 1).astype(np.int64)
    return Baskets(deals=deals, category=category, lines=lines, amount=fen)


def _position(shares: Floats, dice: Floats) -> Ints:
    """Positions with the given probabilities, from uniform draws."""
    return np.minimum(np.searchsorted(np.cumsum(shares), dice, side="right"), len(shares) - 1)
