"""Small studies to show: two sides with a programme, and one side without."""

from dataclasses import replace

import numpy as np
import pandas as pd

import tradelift as tl
from tradelift.account import Account, Exclusion, Stage
from tradelift.designs import Finding
from tradelift.errors import ConvergenceError, DesignError
from tradelift.exhibits import EXHIBITS, Shown, missing
from tradelift.study import Study

HOSTILE = "<script>alert('x')</script> & \"co\""
CHINESE = "上海市"
EAST = {"e1": CHINESE, "e2": HOSTILE, "e3": "Suzhou", "e4": "Ningbo", "e5": "Xiamen"}
WEST = {"w1": "Zunyi", "w2": "六盘水市", "w3": "Tongren", "w4": "Lhasa", "w5": "Anshun", "w6": "Bijie"}
PARTNERS = [("e1", "w1"), ("e1", "w2"), ("e2", "w3"), ("e3", "w4")]
PERIODS = ("2017-11", "2017-12", "2018-01")
LIFT = 0.3


def regions(*, coordinates: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"region": [*EAST, *WEST], "name": [*EAST.values(), *WEST.values()]})
    frame["side"] = ["east"] * len(EAST) + ["west"] * len(WEST)
    frame["group"] = ["p1", "p1", "p2", "p2", "p3", "q1", "q1", "q2", "q2", "q3", "q3"]
    if coordinates:
        frame["longitude"] = np.where(frame["side"] == "east", 119.0, 106.0) + rng.normal(0, 1.5, len(frame))
        frame["latitude"] = 28.0 + rng.normal(0, 2, len(frame))
    return frame


def flows() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    size = dict(zip([*EAST, *WEST], rng.normal(0, 1, len(EAST) + len(WEST)), strict=True))
    rows = []
    for period in PERIODS:
        for east in EAST:
            for west in WEST:
                for a, b in ((east, west), (west, east)):
                    partner = (east, west) in PARTNERS
                    trade = round(float(np.exp(8 + size[a] + size[b] + LIFT * partner + rng.normal(0, 0.2))), 2)
                    rows.append((a, b, period, trade, 1 + rng.poisson(trade / 500), rng.uniform(40, 100)))
    frame = pd.DataFrame(rows, columns=["origin", "destination", "period", "trade", "deals", "seller_concentration"])
    frame.loc[0, ["trade", "deals", "seller_concentration"]] = [0.0, 0, np.nan]
    return frame


def two_sides(*, coordinates: bool = True, partners: bool = True) -> tl.Panel:
    listed = pd.DataFrame(PARTNERS, columns=["east", "west"]).assign(evidence=["A", "B", "simulated", HOSTILE])
    panel = tl.Panel.from_frame(
        flows(), regions=regions(coordinates=coordinates), partners=listed if partners else None
    )
    log = Stage(
        name="transactions",
        read_rows=1_000,
        kept_rows=990,
        read_amount=1_234_567,
        kept_amount=1_234_000,
        exclusions=(Exclusion(reason="duplicate line", rows=10, amount=567),),
    )
    return replace(panel, account=Account(stages=(log,), currency="CNY", digits=2))


def large_provinces() -> tl.Panel:
    """Two sides of four provinces each, in which most partners can change places."""
    rng = np.random.default_rng(8)
    east, west = [f"e{i}" for i in range(12)], [f"w{i}" for i in range(12)]
    where = pd.DataFrame(
        {
            "region": east + west,
            "side": ["east"] * 12 + ["west"] * 12,
            "group": [f"{name[0]}-{int(name[1:]) // 3}" for name in east + west],
            "longitude": rng.uniform(100, 120, 24),
            "latitude": rng.uniform(20, 40, 24),
        }
    )
    partners = pd.DataFrame({"east": east[:10], "west": [f"w{i}" for i in (0, 5, 2, 3, 7, 1, 6, 11, 8, 9)]})
    listed = set(partners.itertuples(index=False, name=None))
    rows = [
        (a, b, period, float(np.exp(6 + LIFT * ((east_, west_) in listed) + rng.normal(0, 0.4))), rng.uniform(40, 100))
        for period in PERIODS
        for east_ in east
        for west_ in west
        for a, b in ((east_, west_), (west_, east_))
    ]
    frame = pd.DataFrame(rows, columns=["origin", "destination", "period", "trade", "seller_concentration"])
    return tl.Panel.from_frame(frame, regions=where, partners=partners)


def one_side(*, coordinates: bool = True) -> tl.Panel:
    rng = np.random.default_rng(7)
    ids = ["AC", "BA", "CE", "DF", "SP", "RS"]
    where = pd.DataFrame(
        {
            "region": ids,
            "longitude": [-70.5, -41.7, -39.3, -47.8, -48.7, -53.2],
            "latitude": [-9, -12, -5, -16, -22, -30],
        }
    )
    rows = [
        (a, b, float(np.exp(6 - 0.1 * abs(i - j) + rng.normal(0, 0.3))))
        for i, a in enumerate(ids)
        for j, b in enumerate(ids)
        if i != j
    ]
    frame = pd.DataFrame(rows, columns=["origin", "destination", "trade"])
    return tl.Panel.from_frame(frame, regions=where if coordinates else None)


def study(**content: object) -> Study:
    return Study(name="East & West <b>", question="Does pairing raise trade?", flows={"file": "flows.csv"}, **content)


def attempted(name: str, panel: tl.Panel, about: Study) -> tuple[dict[str, Finding], dict[str, str]]:
    """What an exhibit plans, as a run estimates it, and why the rest is refused."""
    found, refused = {}, {}
    for key, task in EXHIBITS[name].plan(about, panel).items():
        try:
            found[key] = task.estimate(panel)
        except (DesignError, ConvergenceError) as error:
            refused[key] = str(error)
    return found, refused


def estimated(name: str, panel: tl.Panel, about: Study) -> dict[str, Finding]:
    """What an exhibit plans, as a run estimates it: what is refused is not there."""
    return attempted(name, panel, about)[0]


def show_all(panel: tl.Panel, about: Study) -> tuple[dict[str, Shown], dict[str, str]]:
    """What a run would show, without its cache."""
    absent = {name: missing(x, about, panel) for name, x in EXHIBITS.items()}
    shown = {}
    for name, exhibit in EXHIBITS.items():
        if absent[name] is None:
            shown[name] = exhibit.shown(about, panel, *attempted(name, panel, about))
    return shown, {name: why for name, why in absent.items() if why}
