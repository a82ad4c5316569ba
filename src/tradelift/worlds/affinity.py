"""
What the data do not show: a taste of cities for each other that is smooth on the map and higher where partners are.

A Gaussian process over pairs (east, west), with the covariance of two pairs the product of a Gaussian kernel of the
distance between their eastern cities and one between their western cities. Its draw is conditioned, by Matheron's
rule, on one sum: what gravity takes for an effect of partnership, once city effects and distance are out, is
`OVERSHOOT`, or what is asked for. Among the fields that do so the conditional draw stays as near to the process as can
be, so it is no less smooth than the kernel: pairs of near cities have nearly the same taste, which is what a spatial
comparison uses.
"""

import numpy as np
from numpy.typing import NDArray

from tradelift.geography import EARTH_RADIUS_KM
from tradelift.worlds.cities import Side

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LENGTH_KM = 500.0  # of the kernel: nothing in the field is rougher
SPREAD = 0.15  # standard deviation of the field before it is conditioned, in logs
OVERSHOOT = 0.2  # of gravity by OLS on noise-free logs, in logs


def draw_affinity(
    east: Side,
    west: Side,
    partner: Bools,
    log_distance: Floats,
    rng: np.random.Generator,
    overshoot: float | None = OVERSHOOT,
) -> Floats:
    """
    Draw the affinity of a world.

    Parameters
    ----------
    east, west
        Cities of the two sides.
    partner, log_distance
        Partner pairs and log of the distance, shape (east, west).
    rng
        Source of randomness.
    overshoot
        Of gravity by OLS on noise-free logs, in logs; None for a world without affinity.

    Returns
    -------
    Log points, shape (east, west); the same in both directions of trade.

    References
    ----------
    Journel and Huijbregts (1978), Mining Geostatistics, chapter VII, on conditioning a simulation by kriging.
    """
    free = SPREAD * smooth_field(east, west, rng)
    if overshoot is None:
        return np.zeros_like(free)
    weight = overshoot_weights(partner, log_distance)
    smooth = _kernel(east) @ weight @ _kernel(west)
    gain = (overshoot - np.vdot(weight, free)) / np.vdot(weight, smooth)
    return np.asarray(free + smooth * gain)


def smooth_field(east: Side, west: Side, rng: np.random.Generator) -> Floats:
    """Draw the process itself, before anything is known of partners: standard deviation 1, shape (east, west)."""
    normal = rng.standard_normal((len(east), len(west)))
    return np.asarray(_root(_kernel(east)) @ normal @ _root(_kernel(west)))


def overshoot_weights(partner: Bools, log_distance: Floats) -> Floats:
    """
    Weights whose sum over a field is its coefficient of partner, net of log distance and city effects.

    Parameters
    ----------
    partner, log_distance
        Shape (east, west).

    Returns
    -------
    Shape (east, west): the residualized indicator over its sum of squares (Frisch, Waugh and Lovell).
    """
    treated, distance = _without_means(partner.astype(float)), _without_means(log_distance)
    treated = treated - distance * (np.vdot(distance, treated) / np.vdot(distance, distance))
    return np.asarray(treated / np.vdot(treated, treated))


def _without_means(values: Floats) -> Floats:
    return np.asarray(values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean())


def _kernel(side: Side) -> Floats:
    """Gaussian kernel of straight-line distances, which is positive definite where great circles are not."""
    lon, lat = np.radians(side.longitude), np.radians(side.latitude)
    place = EARTH_RADIUS_KM * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    square = ((place[:, None] - place[None]) ** 2).sum(axis=2)
    return np.asarray(np.exp(-square / (2 * LENGTH_KM**2)))


def _root(matrix: Floats) -> Floats:
    """Symmetric square root, which does not depend on the signs of eigenvectors."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T)
