"""
Your own flows in five lines: read three files, make a panel, estimate, and write a table for a paper.

    python estimate.py [FOLDER]

FOLDER holds flows.csv (origin, destination, period, trade), regions.csv (region, side, group, longitude, latitude) and
partners.csv (two columns of regions). Without one, the invented files beside this script are read.
"""

import sys
from pathlib import Path

import pandas as pd

import tradelift as tl

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent

flows, regions, partners = (pd.read_csv(folder / f"{name}.csv") for name in ("flows", "regions", "partners"))
panel = tl.Panel.from_frame(flows, regions=regions, partners=partners, absent="zero")
ppml, ols = (tl.Gravity(outcome=outcome).estimate(panel) for outcome in ("trade", "log(trade)"))
print(panel, ppml, ols, sep="\n\n")
print(tl.table([ppml, ols], title="Partners and trade", labels={"partner": "Partner regions"}).latex())
