"""Files of a simulated world: the map, partners, covariates, a log by month or flows, and the study that reads them."""

from csv import DictWriter
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tradelift.worlds.cities import read_packaged
from tradelift.worlds.flows import MonthFlows
from tradelift.worlds.goods import CATEGORIES, NAMES, PRIORITY
from tradelift.worlds.intensities import World
from tradelift.worlds.mediators import Mediators
from tradelift.worlds.rows import NULL, STATUSES, UNKNOWN_CITIES, Rows
from tradelift.worlds.traits import TRAITS

Ints = NDArray[np.int64]

ROW_GROUP = 131_072
KEYS = ["origin", "destination", "period", "category"]
TEXTS = ["seller_city", "buyer_city", "category", "status"]

STUDY = """\
# The East-West programme, simulated. The cities are real and so are the 88 partnerships that partners.csv does not
# mark as simulated; all else is drawn by chance, so nothing here is a finding about the real programme: every
# {drawn}, what is said of cities (income, roads, broadband, minorities, products, firms) and of pairs
# (migration, search, flights). What the simulation knows (the true effects{dirt}) stands in
# truth.json. The map is compiled from administrative codes and GeoNames (geonames.org, CC BY 4.0).

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

{flows}
categories: categories.csv

pairs:
  - {{file: migration.csv, absent: 0}}
  - {{file: search.parquet}}
  - {{file: flights.parquet, absent: 0}}

mediators: [log(migration), log(search)]
traits:
{traits}
{breaks}
labels:
  trade: Trade (yuan)
  deals: Deals
  partner: Partner cities
  distance_km: Distance (km)
  seller_concentration: Seller concentration (%)
  buyer_concentration: Buyer concentration (%)
  migration: Migrants from west to east
  search: Searches for the origin
  flights: Direct flights
  gdp: GDP (yuan a head)
  gdp_gap: GDP gap (log)
  area_km2: Area (sq km)
  autonomous: Autonomous prefecture
  urban_population: Urban population
  road_density: Roads (km per 100 sq km)
  broadband: Broadband (lines per 100 people)
  minority_share: Share of minorities
  gi_products: Products with a protected origin
  ecommerce_firms: E-commerce firms
"""

LOG = """\
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
"""

FLOWS = """\
flows:
  file: flows.parquet
  by_category: flows_by_category.parquet
  currency: CNY
"""

BREAKS = """\
breaks: {{{name}: {period}}}
samples: {{before_{name}: {{to: {before}}}}}
"""


def write_map(folder: Path, world: World) -> None:
    """Write cities.csv, partners.csv and categories.csv."""
    cities = read_packaged("cities.csv")
    names = {row["city"]: row["name_en"] for row in cities}
    traits = _traits(world)
    _write_csv(folder / "cities.csv", [row | traits[row["city"]] for row in cities])
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
    categories = [
        {"category": c, "name": NAMES.get(c, c.capitalize()), "priority": str(int(c in PRIORITY))} for c in CATEGORIES
    ]
    _write_csv(folder / "categories.csv", categories)


def _traits(world: World) -> dict[str, dict[str, str]]:
    """Traits of each city as they are written; no digit is lost."""
    return {
        str(city): {name: f"{values[row]:.10g}" for name, values in world.cities[side.name].items()}
        for side in (world.east, world.west)
        for row, city in enumerate(side.city)
    }


def write_study(folder: Path, world: World) -> None:
    """Write study.yaml."""
    months, flows = world.scale.labels(), world.scale.as_flows
    breaks = ""
    if world.scale.break_at is not None:
        name, period = world.scale.break_at
        breaks = BREAKS.format(name=name, period=period, before=months[months.index(period) - 1])
    text = STUDY.format(
        seed=world.seed,
        first=months[0],
        drawn="flow" if flows else "transaction",
        dirt="" if flows else ", what is dirty in the log",
        flows=FLOWS if flows else LOG.format(first=months[0], last=months[-1]),
        traits="".join(f"  {name}: {expression}\n" for name, expression in TRAITS.items()),
        breaks=breaks,
    )
    (folder / "study.yaml").write_text(text, encoding="utf-8", newline="\n")


def write_mediators(folder: Path, world: World, mediators: Mediators) -> None:
    """Write migration.csv, search.parquet and flights.parquet, the last without what is zero."""
    east, west = world.east.city.tolist(), world.west.city.tolist()
    first, second = (codes.ravel() for codes in np.indices(mediators.migration.shape))
    people = mediators.migration.ravel().tolist()
    migration = [
        {"east": east[e], "west": west[w], "migration": str(n)} for e, w, n in zip(first, second, people, strict=True)
    ]
    _write_csv(folder / "migration.csv", migration)
    labels = list(world.scale.labels())
    search = []
    for d, values in zip(world.directions, mediators.search, strict=True):
        month, origin, destination = (codes.ravel() for codes in np.indices(values.shape))
        ids = d.origins.city.tolist(), d.destinations.city.tolist()
        search.append(
            {
                "origin": _text(origin, ids[0]).cast(pa.string()),
                "destination": _text(destination, ids[1]).cast(pa.string()),
                "period": _text(month, labels).cast(pa.string()),
                "search": pa.array(values.ravel()),
            }
        )
    _write_parquet(folder / "search.parquet", pa.concat_tables([pa.table(part) for part in search]))
    month, e, w = np.nonzero(mediators.flights)
    flights = {
        "east": _text(e, east).cast(pa.string()),
        "west": _text(w, west).cast(pa.string()),
        "period": _text(month, labels).cast(pa.string()),
        "flights": pa.array(mediators.flights[month, e, w]),
    }
    _write_parquet(folder / "flights.parquet", pa.table(flights))


class FlowsWriter:
    """Writes flows.parquet and flows_by_category.parquet, a month at a time."""

    __slots__ = ("_files", "_folder")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def write(self, flows: MonthFlows) -> None:
        """Append a month to both files."""
        for name, table in (("flows", flows.cells), ("flows_by_category", flows.by_category)):
            if name not in self._files:
                path = self._folder / f"{name}.parquet"
                self._files[name] = pq.ParquetWriter(
                    path, table.schema, compression="zstd", compression_level=1, use_dictionary=KEYS
                )
            self._files[name].write_table(table)


def _write_parquet(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, compression="zstd", compression_level=1, row_group_size=ROW_GROUP)


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
