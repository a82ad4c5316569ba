"""Spatial kernels on both regions of a pair: errors covary the more, the nearer the pairs are to each other."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tradelift.covariance.dyads import Dyads
from tradelift.errors import DesignError
from tradelift.geography import great_circle_km

Floats = NDArray[Any]
Ints = NDArray[Any]

CUTOFF_KM = 250.0  # the widest bandwidth that a spatial design prints by default
CALL = re.compile(r"^spatial(?:\((.*)\))?$")
MATCHES = ("product", "union")
KERNELS = ("bartlett", "uniform")
WRITE = "write spatial, or spatial(union, uniform, 400) with what differs from product, bartlett and 250 km"
AT_ONCE = 2**22  # weights of pairs of pairs in memory at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Spatial:
    """
    How much two pairs covary by the distances between their regions.

    Parameters
    ----------
    match
        "product": the pairs must be near at both ends; "union": at one end at least.
    kernel
        "bartlett": falls in a line to 0 at the cutoff; "uniform": 1 up to the cutoff.
    cutoff_km
        Distance from which on regions are not near.
    """

    match: Literal["product", "union"] = "product"
    kernel: Literal["bartlett", "uniform"] = "bartlett"
    cutoff_km: float = CUTOFF_KM


def read_spatial(scheme: str) -> Spatial | None:
    """
    Read "spatial", or "spatial(union, uniform, 400)" with any of the words in any order; None for another scheme.

    Raises
    ------
    DesignError
        If a word is unknown, stands twice, or the cutoff is not a positive number.
    """
    call = CALL.match(scheme.strip())
    if call is None:
        return None
    found: dict[str, Any] = {}
    for word in (part.strip() for part in (call[1] or "").split(",") if part.strip()):
        name = "match" if word in MATCHES else "kernel" if word in KERNELS else "cutoff_km"
        if name in found:
            msg = f"vcov='{scheme}' says its {name} twice; {WRITE}."
            raise DesignError(msg)
        found[name] = word if name != "cutoff_km" else _cutoff(word, scheme)
    return Spatial(**found)


def _cutoff(word: str, scheme: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = np.nan
    if not (np.isfinite(value) and value > 0):
        msg = (
            f"vcov='{scheme}': '{word}' is neither {' nor '.join((*MATCHES, *KERNELS))} nor a positive cutoff in km; "
            f"{WRITE}."
        )
        raise DesignError(msg)
    return value


def spatial_meat(values: Floats, dyads: Dyads, spatial: Spatial) -> Floats:
    """
    Sum over all pairs of pairs of the outer products, weighted by how near they are.

    With two sides a pair's region of either side is compared with the other pair's region of that side. Without sides
    the regions can be matched in two ways, and the nearer way counts.

    Parameters
    ----------
    values
        Influence of each directed pair, shape (P, K).
    dyads
        The pairs, with coordinates.
    spatial
        The kernel.

    Raises
    ------
    DesignError
        If a region of the sample has no coordinates.

    References
    ----------
    Conley (1999), Journal of Econometrics 92, 1-45.
    """
    used = np.flatnonzero(dyads.used)
    first, second = (end[used] for end in dyads.ends)
    regions, codes = np.unique(np.concatenate([first, second]), return_inverse=True)
    near = _near(dyads, regions, spatial)
    a, b = codes[: len(used)], codes[len(used) :]
    if dyads.side is None:
        return _either_way(values[used], a, b, near, spatial)
    return _side_by_side(values[used], a, b, near, spatial)


def _near(dyads: Dyads, regions: Ints, spatial: Spatial) -> Floats:
    """Kernel weight of every two regions, shape (R, R)."""
    if dyads.longitude is None or dyads.latitude is None:
        unknown = len(regions)
    else:
        longitude, latitude = dyads.longitude[regions], dyads.latitude[regions]
        unknown = int((np.isnan(longitude) | np.isnan(latitude)).sum())
    if unknown or dyads.longitude is None or dyads.latitude is None:
        msg = (
            f"vcov='spatial' needs coordinates; {unknown:,} of {len(regions):,} regions have none. Give the regions "
            f"longitude and latitude in degrees."
        )
        raise DesignError(msg)
    distance = great_circle_km(longitude[:, None], latitude[:, None], longitude, latitude)
    if spatial.kernel == "uniform":
        return (distance <= spatial.cutoff_km).astype(float)
    return np.asarray(np.clip(1 - distance / spatial.cutoff_km, 0.0, None))


def _side_by_side(values: Floats, a: Ints, b: Ints, near: Floats, spatial: Spatial) -> Floats:
    """Two sides: matrix products over the regions in place of a sum over pairs of pairs."""
    rows, row = np.unique(a, return_inverse=True)
    columns, column = np.unique(b, return_inverse=True)
    by_pair = np.zeros((len(rows) * len(columns), values.shape[1]))
    np.add.at(by_pair, row * len(columns) + column, values)
    sums = by_pair.T.reshape(values.shape[1], len(rows), len(columns))
    near_rows, near_columns = near[np.ix_(rows, rows)], near[np.ix_(columns, columns)]
    smooth = near_rows @ sums @ near_columns
    both = np.einsum("kij,lij->kl", sums, smooth)
    if spatial.match == "product":
        return np.asarray(both)
    by_row, by_column = sums.sum(axis=2), sums.sum(axis=1)
    return np.asarray(by_row @ near_rows @ by_row.T + by_column @ near_columns @ by_column.T - both)


def _either_way(values: Floats, a: Ints, b: Ints, near: Floats, spatial: Spatial) -> Floats:
    """No sides: the larger weight of the two matchings, a few undirected pairs at a time against all."""
    same, code = np.unique(a * len(near) + b, return_inverse=True)
    low, high = np.divmod(same, len(near))
    sums = np.zeros((len(same), values.shape[1]))
    np.add.at(sums, code, values)
    weigh = _product if spatial.match == "product" else _union
    total = np.zeros((values.shape[1],) * 2)
    step = max(1, AT_ONCE // max(len(same), 1))
    for start in range(0, len(same), step):
        part = slice(start, start + step)
        weights = _nearer(near[low[part]], near[high[part]], low, high, weigh)
        total += sums[part].T @ (weights @ sums)
    return total


def _nearer(
    from_low: Floats, from_high: Floats, low: Ints, high: Ints, weigh: Callable[[Floats, Floats], Floats]
) -> Floats:
    straight = weigh(from_low[:, low], from_high[:, high])
    return np.maximum(straight, weigh(from_low[:, high], from_high[:, low]))


def _product(x: Floats, y: Floats) -> Floats:
    return np.asarray(x * y)


def _union(x: Floats, y: Floats) -> Floats:
    return np.asarray(x + y - x * y)
