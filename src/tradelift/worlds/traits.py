"""
What is known of the cities beside the map, simulated: income, infrastructure, minorities, protected goods and firms.

Every number is drawn by chance and says nothing about the real cities; only the autonomous areas, where more people
belong to minorities, are those of the map. A trait of a pair moves the effect of partnership from west to east by
`GAINS` log points a standard deviation among the partner pairs, about a mean of zero among them.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.cities import Side

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

INCOME = {"east": 95_000.0, "west": 52_000.0}  # median gross domestic product a head, yuan
TRAITS = MappingProxyType(
    {
        "gdp_gap": "log(gdp[east] / gdp[west])",
        "road_density": "road_density[west]",
        "broadband": "broadband[west]",
        "minority_share": "minority_share[west]",
        "gi_products": "gi_products[west]",
        "ecommerce_firms": "ecommerce_firms[west]",
    }
)
"""The traits of pairs, as study.yaml writes them."""
GAINS = MappingProxyType(
    {
        "gdp_gap": 0.03,
        "road_density": -0.02,
        "broadband": -0.02,
        "minority_share": 0.02,
        "gi_products": 0.02,
        "ecommerce_firms": 0.02,
    }
)
"""Log points of the effect from west to east, a standard deviation of the trait."""


def draw_traits(side: Side, rng: np.random.Generator) -> Mapping[str, Floats]:
    """
    Draw the traits of a side's cities.

    Returns
    -------
    Columns of cities.csv as they are written there, shape (R,): `gdp` (yuan a head), `road_density` (km a hundred
    square km), `broadband` (lines a hundred people), `minority_share` (0 to 1), `gi_products` and `ecommerce_firms`.
    """
    n, developed = len(side), side.name == "east"
    autonomous = rng.beta(4, 4, n), rng.beta(1, 12, n)
    return {
        "gdp": np.rint(INCOME[side.name] * np.exp(rng.normal(0, 0.3, n))),
        "road_density": np.round((130 if developed else 70) * np.exp(rng.normal(0, 0.35, n)), 1),
        "broadband": np.round((38 if developed else 26) * np.exp(rng.normal(0, 0.25, n)), 1),
        "minority_share": np.round(np.where(side.autonomous, *autonomous), 3),
        "gi_products": rng.negative_binomial(6, 0.35, n).astype(float),
        "ecommerce_firms": np.rint((400 if developed else 90) * np.exp(rng.normal(0, 0.5, n))),
    }


def pair_traits(east: Mapping[str, Floats], west: Mapping[str, Floats]) -> dict[str, Floats]:
    """Traits of all pairs, as `TRAITS` defines them, shape (east, west) each."""
    shape = (len(east["gdp"]), len(west["gdp"]))
    gap = np.log(east["gdp"][:, None] / west["gdp"])
    return {"gdp_gap": gap} | {n: np.broadcast_to(west[n], shape) for n in TRAITS if n != "gdp_gap"}


def trait_lift(traits: Mapping[str, Floats], partner: Bools) -> Floats:
    """
    What traits add to the effect of partnership from west to east.

    Parameters
    ----------
    traits
        From `pair_traits`.
    partner
        Shape (east, west).

    Returns
    -------
    Log points, shape (east, west): of mean zero over the partner pairs, and zero elsewhere.
    """
    lift = np.zeros(partner.shape)
    for name, gain in GAINS.items():
        own = traits[name][partner]
        lift[partner] += gain * (own - own.mean()) / own.std()
    return lift
