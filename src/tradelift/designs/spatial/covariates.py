"""What is known of pairs and of their regions, as columns by directed pair."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.spatial.options import side_names
from tradelift.designs.terms import read_controls
from tradelift.panel import Panel

Floats = NDArray[Any]

DISTANCE = "distance_km"
OWN = ("domestic",)  # columns that the panel makes itself, and that say nothing of a pair of two regions


def pair_covariates(panel: Panel, named: Sequence[str] = (), without: Sequence[str] = ()) -> dict[str, Floats]:
    """
    Collect the covariates of pairs, and the traits of their regions by side.

    Parameters
    ----------
    panel
        With `pairs` and `regions`.
    named
        Controls as users write them; those that move are averaged over the cells of a pair. A column that is named
        as a log stands as its log alone.
    without
        Columns to leave out.

    Returns
    -------
    By name, shape (P,) each, NaN where missing: "log(distance_km)", pair columns, and traits of regions as
    "gdp[west]", coordinates among them; without sides "gdp[origin]" and "gdp[destination]". Text is left out.
    """
    out: dict[str, Floats] = {}
    for column in read_controls(panel, named):
        out[column.name] = column.values if column.fixed else _mean_by_pair(panel, column.values)
    if DISTANCE in panel.pairs.columns:
        km = panel.pairs.columns[DISTANCE]
        out.setdefault(f"log({DISTANCE})", np.log(np.where(km > 0, km, np.nan)))
    for name, values in panel.pairs.columns.items():
        taken = name in out or f"log({name})" in out
        if values.dtype.kind in "iufb" and name not in (*OWN, DISTANCE) and not taken:
            out[name] = values.astype(np.float64)
    out |= dict(_traits(panel))
    return {name: values for name, values in out.items() if not set(_columns_of(name)) & set(without)}


def _columns_of(name: str) -> list[str]:
    """The columns that a covariate is made of: those of log(x), x:y and x[side]."""
    return [part.removeprefix("log(").removesuffix(")").split("[")[0] for part in name.split(":")]


def _mean_by_pair(panel: Panel, values: Floats) -> Floats:
    """Mean over the cells of each pair in which a column is known, shape (P,)."""
    known = np.isfinite(values)
    pair, n = panel.pair_of_cell[known], len(panel.pairs)
    count = np.bincount(pair, minlength=n)
    total = np.bincount(pair, weights=values[known], minlength=n)
    return np.asarray(np.divide(total, count, out=np.full(n, np.nan), where=count > 0))


def _traits(panel: Panel) -> Iterator[tuple[str, Floats]]:
    """Traits of the regions at either end, by side."""
    regions, pairs = panel.regions, panel.pairs
    first, second = pairs.origin, pairs.destination
    if regions.side is not None:
        turned = regions.side[pairs.origin] == 1
        first, second = np.where(turned, second, first), np.where(turned, first, second)
    traits = {name: v for name, v in regions.columns.items() if v.dtype.kind in "iufb"}
    places = {"longitude": regions.longitude, "latitude": regions.latitude}
    for name, values in (traits | {n: v for n, v in places.items() if v is not None}).items():
        for side, end in zip(side_names(panel), (first, second), strict=True):
            yield f"{name}[{side}]", values[end].astype(np.float64)
