"""A month of flows without a log: for each pair and category orders and money, and who has how much of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.goods import LINES, MIX, PRICE, SPREAD
from tradelift.worlds.intensities import Direction, World

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STREAM, CROWD_STREAM = 7, 8
READINGS = ("flow", "city")
SMALLEST_CROWD = 10  # a tenth of fewer is nobody: the ratio is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdLaw:
    """
    How the ratio of the largest tenth of sellers or buyers is spread, and how many there are.

    Parameters
    ----------
    middle
        Log odds of the ratio in the middle city.
    city, pair, month
        Standard deviations of the log odds: of a city in a month, of a directed pair, of a pair in a month.
    per_order
        Elasticity of their number to the orders.
    apart
        How much lower, in log odds on average, the ratio is where the city ranks them by all that they trade.
    """

    middle: float
    city: float
    pair: float
    month: float
    per_order: float
    apart: float


CROWDS = {
    "seller": CrowdLaw(middle=2.6, city=0.7, pair=0.7, month=1.0, per_order=0.75, apart=0.8),
    "buyer": CrowdLaw(middle=1.85, city=0.6, pair=0.6, month=0.75, per_order=0.9, apart=0.6),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """
    Flows of one direction and month; C categories.

    Parameters
    ----------
    deals
        Orders, shape (C, I, J).
    fen
        Money in hundredths of a yuan, shape (C, I, J).
    """

    deals: Ints
    fen: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrowdRatios:
    """
    Sellers or buyers of one direction and month.

    Parameters
    ----------
    count
        How many, shape (I, J).
    top
        Money of the largest tenth in fen, by reading, shape (I, J) each; 0 where there are fewer than ten.
    """

    count: Ints
    top: dict[str, Ints]


def draw_cells(world: World, month: int) -> tuple[Cells, Cells]:
    """
    Draw all flows of a month, by direction.

    Orders are Poisson draws around the expected number. The money of n orders has the mean and the variance of a sum of
    n orders of one to three lines, each lognormal, and a gamma distribution.

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


def _draw(direction: Direction, month: int, rng: np.random.Generator) -> Cells:
    shares = category_shares(direction)
    deals = rng.poisson(direction.expected(month) * shares)
    order = PRICE[:, None, None] * (LINES @ [1, 2, 3]) * direction.price[:, None]
    shape = 1 / order_variance()
    money = rng.standard_gamma(shape * deals) * (order / shape)
    fen = np.maximum(np.rint(100 * money).astype(np.int64), deals > 0)
    return Cells(deals=deals, fen=fen)


def category_shares(direction: Direction) -> Floats:
    """Share of each category in the orders of each pair, shape (C, I, J)."""
    mix = MIX[direction.origins.name][:, None, None]
    return np.asarray(np.where(direction.partner, mix * np.exp(direction.tilt)[:, None, None], mix))


def order_variance() -> float:
    """Variance of an order's money within a category and city, the square of its mean taken as 1."""
    lines = np.array([1, 2, 3])
    mean = LINES @ lines
    of_lines = LINES @ lines**2 - mean**2
    return float((mean * np.expm1(SPREAD**2) + of_lines) / mean**2)


class Crowds:
    """The ratios of the largest sellers and buyers; partnership does nothing to them."""

    __slots__ = ("_cities", "_pairs", "_world")

    def __init__(self, world: World) -> None:
        self._world = world
        rng = world.random(CROWD_STREAM)
        n_east, n_west = len(world.east), len(world.west)
        self._pairs = {
            (who, d.name): law.pair * rng.standard_normal(d.partner.shape)
            for who, law in CROWDS.items()
            for d in world.directions
        }
        self._cities = {who: law.city * rng.standard_normal(n_east + n_west) for who, law in CROWDS.items()}

    def draw(self, month: int, cells: tuple[Cells, Cells]) -> tuple[dict[str, CrowdRatios], dict[str, CrowdRatios]]:
        """Draw sellers and buyers of a month's flows, by direction and role."""
        rng = self._world.random(CROWD_STREAM, month)
        first, second = (
            {who: self._draw(who, d, own, rng) for who in CROWDS}
            for d, own in zip(self._world.directions, cells, strict=True)
        )
        return first, second

    def _draw(self, who: str, direction: Direction, cells: Cells, rng: np.random.Generator) -> CrowdRatios:
        law = CROWDS[who]
        deals, fen = cells.deals.sum(axis=0), cells.fen.sum(axis=0)
        own = np.exp(rng.normal(0, 0.1, deals.shape)) * np.maximum(deals, 1.0) ** law.per_order
        count = np.minimum(np.maximum(np.rint(own).astype(np.int64), 1), deals)
        cities = np.split(self._cities[who], [len(self._world.east)])
        home = cities[(direction.origins.name == "west") ^ (who == "buyer")]
        by_home = home[:, None] if who == "seller" else home
        odds = law.middle + by_home + self._pairs[who, direction.name] + law.month * rng.standard_normal(deals.shape)
        apart = np.abs(rng.normal(0, law.apart, deals.shape))
        counted = count >= SMALLEST_CROWD
        top = {
            reading: np.where(counted, np.rint(fen / (1 + np.exp(-o))), 0).astype(np.int64)
            for reading, o in zip(READINGS, (odds, odds - apart), strict=True)
        }
        return CrowdRatios(count=count, top=top)
