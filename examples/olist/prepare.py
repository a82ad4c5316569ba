"""Put the study, the Olist log and the states' centroids into one folder.

The log is a sample of the Brazilian E-Commerce Public Dataset by Olist (CC BY-NC-SA 4.0), which this project does not
ship. A state's centroid is the mean position of its sellers and buyers.

    python examples/olist/prepare.py transactions.parquet out/olist
    tradelift run out/olist/study.yaml --out out/olist-report
"""

import shutil
import sys
from pathlib import Path

import pandas as pd


def main(log: Path, folder: Path) -> None:
    """Write transactions.parquet, states.csv and study.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = pd.read_parquet(log)
    ends = [
        lines[[f"{end}_state", f"geolocation_lat_{letter}", f"geolocation_lng_{letter}"]].set_axis(
            ["state", "latitude", "longitude"], axis=1
        )
        for end, letter in (("origin", "s"), ("dest", "c"))
    ]
    states = pd.concat(ends).groupby("state").mean().round(4)
    states.to_csv(folder / "states.csv")
    shutil.copyfile(log, folder / "transactions.parquet")
    shutil.copyfile(Path(__file__).with_name("study.yaml"), folder / "study.yaml")
    print(folder / "study.yaml")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
