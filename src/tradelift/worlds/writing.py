"""Files of a simulated world: the map, the partners, a log by month, and the study that reads them."""

from csv import DictWriter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tradelift.worlds.cities import read_packaged
from tradelift.worlds.goods import CATEGORIES
from tradelift.worlds.intensities import World
from tradelift.worlds.rows import NULL, STATUSES, UNKNOWN_CITIES, Rows

Ints = NDArray[np.int64]

ROW_GROUP = 131_072
TEXTS = ["seller_city", "buyer_city", "category", "status"]

STUDY = """\
# The East-West programme, simulated. The cities are real and so are the 88 partnerships that partners.csv does not
# mark as simulated; every transaction is drawn by chance, so nothing here is a finding about the real programme.
# What the simulation knows (the true effects, what is dirty in the log) stands in truth.json. The map is compiled
# from administrative codes and GeoNames (geonames.org, CC BY 4.0).

name: East-West partnership and e-commerce (simulated)
question: Does pairing an eastern with a western city raise the trade between them?
seed: {seed}

regions:
  file: cities.csv
  columns: {{region: city, name: name_en, group: province}}
  sides: [east, west]

partners:
  file: partners.csv
  start: {first}

transactions:
  files: log/*/*.parquet
  columns:
    time: paid_at
    origin: seller_city
    destination: buyer_city
    seller: seller_id
    buyer: buyer_id
    transaction: order_id
    line: item_id
    amount: amount
    category: category
    status: status
  keep: {{status: [paid, done]}}
  time_zone: Asia/Shanghai
  currency: CNY
  period: month
  from: {first}
  to: {last}

labels:
  trade: Trade (yuan)
  deals: Deals
  partner: Partner cities
  distance_km: Distance (km)
  seller_concentration: Seller concentration (%)
  buyer_concentration: Buyer concentration (%)
"""


def write_map(folder: Path, world: World) -> None:
    """Write cities.csv and partners.csv."""
    cities = read_packaged("cities.csv")
    names = {row["city"]: row["name_en"] for row in cities}
    _write_csv(folder / "cities.csv", cities)
    partners = [
        {
            "east": p.east,
            "west": p.west,
            "east_name": names[p.east],
            "west_name": names[p.west],
            "evidence": p.evidence,
            "simulated": "yes" if p.simulated else "no",
        }
        for p in world.partners
    ]
    _write_csv(folder / "partners.csv", partners)


def write_study(folder: Path, world: World) -> None:
    """Write study.yaml."""
    months = world.scale.labels()
    text = STUDY.format(seed=world.seed, first=months[0], last=months[-1])
    (folder / "study.yaml").write_text(text, encoding="utf-8", newline="\n")


def write_month(folder: Path, world: World, month: int, rows: Rows) -> None:
    """Write the rows of a month to log/month=YYYY-MM/part-0.parquet."""
    path = folder / "log" / f"month={world.scale.labels()[month]}" / "part-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        _table(world, rows),
        path,
        compression="zstd",
        compression_level=1,
        use_dictionary=TEXTS,
        row_group_size=ROW_GROUP,
    )


def _table(world: World, rows: Rows) -> pa.Table:
    cities = [*world.east.city.tolist(), *world.west.city.tolist(), *UNKNOWN_CITIES]
    amount = np.where(rows.readable, rows.fen / 100, np.nan)
    return pa.table(
        {
            "paid_at": pa.array(rows.paid_at * 1_000_000, pa.timestamp("us", tz="UTC")),
            "order_id": pa.array(rows.order_id, pa.int64(), mask=rows.order_id == NULL),
            "item_id": pa.array(rows.item_id.astype(np.int32), pa.int32()),
            "seller_city": _text(rows.seller_city, cities),
            "buyer_city": _text(rows.buyer_city, cities),
            "seller_id": pa.array(rows.seller_id, pa.int64()),
            "buyer_id": pa.array(rows.buyer_id, pa.int64()),
            "category": _text(rows.category, CATEGORIES),
            "status": _text(rows.status, STATUSES),
            "amount": pa.array(amount, pa.float64(), from_pandas=False),
        }
    )


def _text(codes: Ints, values: list[str] | tuple[str, ...]) -> pa.DictionaryArray:
    """Texts as codes into a dictionary, null where the code is -1."""
    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.int32), pa.int32(), mask=codes == NULL), pa.array(list(values), pa.string())
    )


def _write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
