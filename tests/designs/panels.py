"""Small panels with partners, two-sided and one-sided."""

import numpy as np
import pandas as pd

import tradelift as tl


def two_sided(
    seed=1, n_east=8, n_west=9, periods=4, *, mean=20.0, missing=0.0, partners=12, start=None, absent="missing"
):
    """Regions on two sides, partners such that all kinds of control pair exist, Poisson flows."""
    rng = np.random.default_rng(seed)
    east, west = [f"e{i}" for i in range(n_east)], [f"w{i}" for i in range(n_west)]
    regions = pd.DataFrame(
        {
            "region": east + west,
            "side": ["east"] * n_east + ["west"] * n_west,
            "group": [f"E{i % 3}" for i in range(n_east)] + [f"W{i % 4}" for i in range(n_west)],
            "longitude": np.r_[rng.uniform(115, 122, n_east), rng.uniform(95, 105, n_west)],
            "latitude": rng.uniform(22, 42, n_east + n_west),
        }
    )
    inside = [(e, w) for e in east[:-2] for w in west[:-2]]
    chosen = [inside[i] for i in rng.choice(len(inside), partners, replace=False)]
    effect = {frozenset(pair): 0.2 for pair in chosen}
    rows = [
        {
            "origin": a,
            "destination": b,
            "period": f"2017-{t + 1:02d}",
            "trade": float(rng.poisson(mean * np.exp(effect.get(frozenset((a, b)), 0.0) + rng.normal(0, 0.3)))),
        }
        for t in range(periods)
        for e in east
        for w in west
        for a, b in ((e, w), (w, e))
        if rng.random() >= missing
    ]
    frame = pd.DataFrame(rows)
    frame["deals"] = np.ceil(frame["trade"] / 3)
    frame["seller_concentration"] = rng.uniform(50, 100, len(frame))
    frame["shock"] = rng.normal(size=len(frame))
    listed = pd.DataFrame(chosen, columns=["east", "west"])
    if start is not None:
        listed["start"] = start
    return tl.Panel.from_frame(frame, regions=regions, partners=listed, absent=absent), frame, chosen


def one_sided(seed=1, n=9, periods=3):
    """Any region with any other and with itself."""
    rng = np.random.default_rng(seed)
    ids = [f"r{i}" for i in range(n)]
    regions = pd.DataFrame(
        {
            "region": ids,
            "longitude": rng.uniform(0, 20, n),
            "latitude": rng.uniform(40, 55, n),
            "group": [f"g{i % 3}" for i in range(n)],
        }
    )
    frame = pd.DataFrame(
        [(a, b, t, float(rng.poisson(15))) for t in range(periods) for a in ids for b in ids],
        columns=["origin", "destination", "period", "trade"],
    )
    partners = pd.DataFrame({"one": ["r0", "r1", "r2"], "other": ["r3", "r4", "r5"]})
    return tl.Panel.from_frame(frame, regions=regions, partners=partners), frame


def rebuilt(panel, frame, partners=None, **options):
    """Another panel of the same regions and partners."""
    regions = pd.DataFrame(
        {
            "region": panel.regions.ids,
            "side": np.array(panel.regions.sides)[panel.regions.side],
            "group": panel.regions.group,
            "longitude": panel.regions.longitude,
            "latitude": panel.regions.latitude,
        }
    )
    ids = panel.regions.ids
    if partners is None:
        partners = pd.DataFrame({"east": ids[panel.programme.first], "west": ids[panel.programme.second]})
    names = [name for name in frame.columns if name not in panel.pairs.columns]
    kept = [name for name in names if name not in ("partner", "control_type", "direction")]
    return tl.Panel.from_frame(frame[kept], regions=regions, partners=partners, **options)
