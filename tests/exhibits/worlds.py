"""Panels on which spatial exhibits have something to show, and what they show there."""

import numpy as np
import pandas as pd

import tradelift as tl
from tests.designs.panels import two_sided
from tradelift.study import Study

KM = 500.0  # small maps have few cities


def world(**options):
    """Two sides whose stack is well filled, with traits of regions and columns of pairs."""
    panel, frame, _ = two_sided(**({"seed": 3, "n_east": 9, "n_west": 10, "partners": 14, "periods": 3} | options))
    ids = panel.regions.ids
    rng = np.random.default_rng(4)
    regions = pd.DataFrame(
        {
            "region": ids, "side": np.array(panel.regions.sides)[panel.regions.side], "group": panel.regions.group,
            "longitude": panel.regions.longitude, "latitude": panel.regions.latitude,
            "gdp": rng.lognormal(size=len(ids)), "name": [f"City {i}" for i in ids],
        }
    )  # fmt: skip
    both = pd.MultiIndex.from_product([[i for i in ids if i[0] == s] for s in "ew"], names=["east", "west"])
    pairs = both.to_frame(index=False).assign(migrants=rng.lognormal(size=len(both)), same=1.0)
    partners = pd.DataFrame({"east": ids[panel.programme.first], "west": ids[panel.programme.second]})
    names = ["origin", "destination", "period", "trade", "deals", "seller_concentration"]
    return tl.Panel.from_frame(frame[names], regions=regions, partners=partners, pairs=pairs)


def about(**content) -> Study:
    """A study of such a panel."""
    model = {"bandwidth_km": KM} | content.pop("model", {})
    grid = {"bandwidth": {"grid_km": [400, 500, 700]}}
    return Study(name="World", flows={"file": "flows.csv"}, model=model, exhibits=grid, **content)
