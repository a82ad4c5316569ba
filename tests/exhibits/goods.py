"""A panel with everything that parts effects: traits, categories, ratios, money of top sellers, a break."""

import numpy as np
import pandas as pd
import pyarrow as pa

import tradelift as tl
from tests.exhibits.small import study
from tradelift.panel.goods import with_goods
from tradelift.study import Study

CATEGORIES = ("food", "toys", "wear")
PERIODS = ("2018-11", "2018-12", "2019-01", "2019-02", "2019-03", "2019-04")
BREAK = "2019-02"
TRAITS = {"gdp_gap": "log(gdp[east] / gdp[west])", "share": "share[west]"}
EFFECT = {"food": 0.5, "toys": 0.0, "wear": 0.2}


def whole(*, coordinates: bool = True, goods: bool = True, start: list[str] | None = None) -> tl.Panel:
    """Ten eastern and twelve western cities, 24 partner pairs, six months."""
    rng = np.random.default_rng(11)
    east, west = [f"e{i}" for i in range(10)], [f"w{i}" for i in range(12)]
    regions = pd.DataFrame({
        "region": east + west, "side": ["east"] * 10 + ["west"] * 12,
        "group": [f"E{i % 3}" for i in range(10)] + [f"W{i % 4}" for i in range(12)],
        "gdp": rng.lognormal(0, 1, 22), "share": rng.uniform(0, 1, 22),
    })  # fmt: skip
    if coordinates:
        regions["longitude"] = np.r_[rng.uniform(117, 120, 10), rng.uniform(100, 103, 12)]
        regions["latitude"] = rng.uniform(28, 32, 22)
    inside = [(e, w) for e in east[:8] for w in west[:10]]
    chosen = [inside[i] for i in rng.choice(len(inside), 24, replace=False)]
    listed = {frozenset(pair) for pair in chosen}
    ways = [(a, b) for e in east for w in west for a, b in ((e, w), (w, e))]
    size = {r: rng.normal() for r in east + west}
    rows, parts = [], []
    for t in PERIODS:
        for a, b in ways:
            partner = frozenset((a, b)) in listed
            money = {}
            for name in CATEGORIES:
                west_sells = 0.4 * ((name == "food") == (a[0] == "w"))
                log = 3 + 0.4 * (size[a] + size[b]) + west_sells + EFFECT[name] * partner + rng.normal(0, 0.3)
                money[name] = float(rng.poisson(np.exp(log)))
                parts.append((a, b, t, name, money[name], rng.poisson(3)))
            trade = 0.0 if rng.random() < 0.03 + 0.02 * (not partner) else sum(money.values())
            top = np.floor(trade * rng.uniform(0.4, 0.9))
            sellers = int(trade > 0) * (1 + rng.poisson(20))
            ratio = 100 * top / trade if sellers >= 10 else np.nan
            rows.append((a, b, t, trade, 1 + trade // 9, sellers, ratio, ratio, ratio - 1, top, trade - top))
    names = ["origin", "destination", "period", "trade", "deals", "sellers", "seller_concentration",
             "seller_concentration_flow", "seller_concentration_city", "top_seller_trade", "other_seller_trade"]  # fmt: skip
    partners = pd.DataFrame(chosen, columns=["east", "west"])
    if start is not None:
        partners["start"] = [start[n % len(start)] for n in range(len(partners))]
    panel = tl.Panel.from_frame(pd.DataFrame(rows, columns=names), regions=regions, partners=partners, absent="zero")
    if not goods:
        return panel
    flows = pd.DataFrame(parts, columns=["origin", "destination", "period", "category", "trade", "deals"])
    about = pa.table({"category": list(CATEGORIES), "priority": [1, 0, 1], "name": ["Food", "Toys", "Clothing"]})
    return with_goods(panel, pa.Table.from_pandas(flows[flows["trade"] > 0]), about)


def about(**content: object) -> Study:
    usual = {"traits": TRAITS, "breaks": {"turn": BREAK}, "model": {"bandwidth_km": 200}}
    return study(**(usual | content))
