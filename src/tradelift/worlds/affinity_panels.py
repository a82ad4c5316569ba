"""
Small worlds in which partners are chosen by an affinity that the data do not show: a panel for each seed.

87 eastern and 110 western cities lie at random in two rectangles with a sea between them. Their sizes are drawn city by
city and are not smooth on the map; the affinity of a pair is: a Gaussian process whose covariance is the product of a
Gaussian kernel of the distance between the eastern cities and one between the western cities. Richer eastern and
poorer western cities are the likelier to take part; each western one picks a partner with odds that grow with the
affinity, then cities drawn at random pick more until there are 128. So gravity, which cannot see affinity, takes part
of it for an effect; pairs of near cities have nearly the same.

The rectangles lie about the equator, where a degree is as long either way: great-circle distances are those of the
plane to within about a hundredth (`PLANE_ERROR`), and kernels of plane distances are positive definite.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tradelift.geography import EARTH_RADIUS_KM, great_circle_km
from tradelift.panel import Panel

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

N_EAST, N_WEST, N_PARTNERS = 87, 110, 128
TAKE_PART_EAST, TAKE_PART_WEST = 56, 81
EAST_KM, WEST_KM, HEIGHT_KM = (1500.0, 2300.0), (0.0, 1400.0), 1800.0  # the rectangles
PROVINCE_KM = (470.0, 300.0)  # width and height of a province; an eastern one is as wide as the east
PLANE_ERROR = 0.011  # at most, of a great-circle distance against the plane's, relative
SIZE = 1.0  # standard deviation of city sizes, in logs
SIZE_MATTERS = 0.5  # how strongly size decides who takes part, beside a normal draw of variance 1
DECAY = 0.8  # elasticity of distance


@dataclass(frozen=True, slots=True, kw_only=True)
class AffinityWorld:
    """
    What makes flows and partners. Spreads are standard deviations in logs.

    Parameters
    ----------
    length_km
        Of the kernel: the affinity of two pairs with a common city has correlation exp(-d^2 / (2 length^2)) where
        their other cities are d km apart.
    spread
        Of the affinity; 0 for a world without one, whose partners are picked by what does not matter for trade.
    selection
        How partners are picked: log odds a standard deviation of affinity; 0 for at random.
    noise
        Of a directed pair, the same in all periods.
    period_noise
        Of a directed pair in a period, where there are several.
    effect
        Of partnership, in logs.
    periods
        Number of periods.
    """

    length_km: float = 500.0
    spread: float = 0.6
    selection: float = 2.0
    noise: float = 0.4
    period_noise: float = 0.3
    effect: float = 0.1
    periods: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AffinityDraw:
    """
    A panel and what it does not show.

    Parameters
    ----------
    panel
        Flows in both directions (`trade`), cities with coordinates, sides and provinces, partners.
    affinity
        Log points, the same in both directions, shape (east, west).
    partner
        Partner pairs, shape (east, west).
    """

    panel: Panel
    affinity: Floats
    partner: Bools


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """Where the cities of a side are: km east and north of a corner of the map, shape (R,) each."""

    x: Floats
    y: Floats

    @property
    def longitude(self) -> Floats:
        """Degrees."""
        return np.degrees((self.x - EAST_KM[1] / 2) / EARTH_RADIUS_KM)

    @property
    def latitude(self) -> Floats:
        """Degrees."""
        return np.degrees((self.y - HEIGHT_KM / 2) / EARTH_RADIUS_KM)

    def plane_km(self) -> Floats:
        """Distances on the plane, shape (R, R)."""
        return np.hypot(self.x[:, None] - self.x, self.y[:, None] - self.y)


def draw_affinity_world(world: AffinityWorld, seed: int) -> AffinityDraw:
    """
    Draw a world from a seed.

    Parameters
    ----------
    world
        What makes flows and partners.
    seed
        The same seed gives the same cities, and with the same `length_km` and `selection` the same partners.

    Examples
    --------
    >>> draw_affinity_world(AffinityWorld(), 1).panel.n_cells
    19140
    """
    rng = np.random.default_rng(seed)
    east, west = _places(EAST_KM, N_EAST, rng), _places(WEST_KM, N_WEST, rng)
    field = draw_field(east, west, world.length_km, rng)
    east_size, west_size = SIZE * rng.standard_normal(N_EAST), SIZE * rng.standard_normal(N_WEST)
    partner = _pick_partners(world.selection * field, east_size, west_size, rng)
    km = great_circle_km(east.longitude[:, None], east.latitude[:, None], west.longitude, west.latitude)
    lasting = east_size[:, None] + west_size - DECAY * np.log(km) + world.spread * field + world.effect * partner
    logs = lasting + world.noise * rng.standard_normal((2, *lasting.shape))
    logs = np.broadcast_to(logs[:, None], (2, world.periods, *lasting.shape))
    if world.periods > 1:
        logs = logs + world.period_noise * rng.standard_normal(logs.shape)
    panel = _panel(east, west, partner, np.exp(logs))
    return AffinityDraw(panel=panel, affinity=world.spread * field, partner=partner)


def draw_field(east: Places, west: Places, length_km: float, rng: np.random.Generator) -> Floats:
    """Draw the Gaussian process of variance 1, shape (east, west)."""
    normal = rng.standard_normal((len(east.x), len(west.x)))
    return np.asarray(_root(east, length_km) @ normal @ _root(west, length_km))


def _root(side: Places, length_km: float) -> Floats:
    """Symmetric square root of the kernel, which does not depend on the signs of eigenvectors."""
    values, vectors = np.linalg.eigh(np.exp(-(side.plane_km() ** 2) / (2 * length_km**2)))
    return np.asarray((vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T)


def _places(span_km: tuple[float, float], count: int, rng: np.random.Generator) -> Places:
    return Places(x=rng.uniform(*span_km, count), y=rng.uniform(0.0, HEIGHT_KM, count))


def _pick_partners(taste: Floats, east_size: Floats, west_size: Floats, rng: np.random.Generator) -> Bools:
    """Each western city that takes part picks one eastern city by a logit of its taste; then some pick another."""
    east = np.argsort(-SIZE_MATTERS * east_size - rng.standard_normal(len(east_size)))[:TAKE_PART_EAST]
    west = np.argsort(SIZE_MATTERS * west_size - rng.standard_normal(len(west_size)))[:TAKE_PART_WEST]
    partner = np.zeros(taste.shape, dtype=bool)
    for city in (*west, *rng.choice(west, N_PARTNERS - TAKE_PART_WEST)):
        likes = np.where(partner[east, city], -np.inf, taste[east, city] + rng.gumbel(size=len(east)))
        partner[east[np.argmax(likes)], city] = True
    return partner


def _panel(east: Places, west: Places, partner: Bools, flows: Floats) -> Panel:
    """Build a panel from flows of shape (2, T, east, west): exports of the east, then of the west."""
    east_ids = np.array([f"e{k:03d}" for k in range(len(east.x))])
    west_ids = np.array([f"w{k:03d}" for k in range(len(west.x))])
    shape = flows.shape[1:]
    east_of, west_of, period = (
        np.broadcast_to(x, shape).ravel() for x in (east_ids[:, None], west_ids, np.arange(shape[0])[:, None, None])
    )
    frame = {
        "origin": np.concatenate([east_of, west_of]),
        "destination": np.concatenate([west_of, east_of]),
        "period": np.concatenate([period, period]),
        "trade": flows.ravel(),
    }
    regions = {
        "region": np.concatenate([east_ids, west_ids]),
        "side": np.repeat(["east", "west"], [len(east_ids), len(west_ids)]),
        "longitude": np.concatenate([east.longitude, west.longitude]),
        "latitude": np.concatenate([east.latitude, west.latitude]),
        "group": np.concatenate([_provinces("E", east, PROVINCE_KM[1]), _provinces("W", west, *PROVINCE_KM[::-1])]),
    }
    first, second = np.nonzero(partner)
    partners = {"east": east_ids[first], "west": west_ids[second]}
    return Panel.from_frame(pa.table(frame), regions=pa.table(regions), partners=pa.table(partners))


def _provinces(name: str, side: Places, height_km: float, width_km: float = np.inf) -> NDArray[np.str_]:
    rows, columns = (side.y // height_km).astype(int), (side.x // width_km).astype(int)
    return np.array([f"{name}{row}{column}" for row, column in zip(rows, columns, strict=True)])
