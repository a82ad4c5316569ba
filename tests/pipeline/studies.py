"""Small studies on disk."""

import numpy as np
import pandas as pd

STUDY = """\
name: Small
regions: {file: regions.csv, sides: [east, west]}
partners: partners.csv
flows: flows.csv
"""


def write_study(folder, text=STUDY, *, periods=3, seed=1):
    """Eight regions on two sides, flows already summed; every kind of control pair."""
    rng = np.random.default_rng(seed)
    east, west = [f"e{i}" for i in range(5)], [f"w{i}" for i in range(5)]
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(
        {
            "region": east + west,
            "side": ["east"] * 5 + ["west"] * 5,
            "group": ["E"] * 3 + ["F"] * 2 + ["W"] * 3 + ["V"] * 2,
            "longitude": rng.uniform(100, 120, 10).round(3),
            "latitude": rng.uniform(20, 40, 10).round(3),
        }
    ).to_csv(folder / "regions.csv", index=False)
    partners = [("e0", "w0"), ("e1", "w1"), ("e2", "w2"), ("e0", "w1")]
    pd.DataFrame(partners, columns=["east", "west"]).to_csv(folder / "partners.csv", index=False)
    rows = [
        (a, b, f"2017-{t + 1:02d}", int(rng.poisson(40)))
        for t in range(periods)
        for e in east
        for w in west
        for a, b in ((e, w), (w, e))
    ]
    flows = pd.DataFrame(rows, columns=["origin", "destination", "period", "trade"])
    flows["deals"] = np.ceil(flows["trade"] / 2).astype(int)
    flows.to_csv(folder / "flows.csv", index=False)
    path = folder / "study.yaml"
    path.write_text(text)
    return path
