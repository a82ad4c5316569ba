"""
A transaction log of any size to measure on: the packaged cities, drawn with NumPy, one Parquet file a month.

It has what costs time in a real one: few sellers with most of the sales and many buyers with a purchase or two, orders
of several lines, lines that are repeated in the same and in later months, refunds, other statuses and unknown cities.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tradelift.worlds.cities import read_side

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SEED = 20170101
MONTHS = 60
FIRST = np.datetime64("2017-01")
UTC_OFFSET = np.timedelta64(8, "h")
CITY_SD = 1.2  # of the log size of a city
SELLER_EXPONENT, BUYER_EXPONENT = 1.1, 0.5  # the trader of rank r has a share proportional to r ** -exponent
ROWS_PER_SELLER, ROWS_PER_BUYER = 60, 6  # over the window
LINES = np.repeat([1, 2, 3], [6, 3, 1])  # lines of an order, drawn with equal chances
AGAIN, LATER, REFUNDED, VOID, UNKNOWN = 0.002, 0.001, 0.005, 0.01, 0.002  # parts of the rows

REGIONS = "regions.csv"
STUDY = """\
name: A log to measure on
regions:
  file: regions.csv
  sides: [east, west]
transactions:
  files: [{files}]
  columns: {{time: paid_at, origin: seller_city, destination: buyer_city, seller: seller_id, buyer: buyer_id,
            transaction: order_id, line: item_id, amount: amount, status: status}}
  keep: {{status: [paid]}}
  time_zone: Asia/Shanghai
  currency: CNY
  from: 2017-01
  to: {to}
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """Names of the cities, the east first, and how large they are."""

    names: NDArray[np.str_]
    n_east: int
    size: Floats


def write_log(folder: Path, rows: int, *, months: int = MONTHS, text_ids: bool = False) -> Path:
    """
    Write about so many rows, the regions and a study that sums them.

    Parameters
    ----------
    folder
        Where to.
    rows, months
        How many lines, over how many months.
    text_ids
        Whether ids of people and orders are text of 16 characters; else whole numbers.

    Returns
    -------
    The study file.
    """
    rng = np.random.default_rng(SEED)
    places = _places(rng)
    (folder / "log").mkdir(parents=True, exist_ok=True)
    sides = ["east"] * places.n_east + ["west"] * (len(places.names) - places.n_east)
    lines = [f"{name},{side}" for name, side in zip(places.names, sides, strict=True)]
    (folder / REGIONS).write_text("\n".join(["region,side", *lines]) + "\n", encoding="utf-8")
    kept: dict[str, Ints] | None = None
    for month in range(months):
        part = _month(rng, places, month, rows // months, rows)
        if kept is not None:
            part = _stack(part, kept)
        kept = _some(rng, part, LATER)
        _write(folder / "log" / f"{FIRST + month}.parquet", _soiled(rng, part, month), places, text_ids=text_ids)
    return write_study(folder, months)


def write_study(folder: Path, months: int) -> Path:
    """Write a study that sums the first months of a log, and give its file."""
    labels = [str(FIRST + month) for month in range(months)]
    files = ", ".join(f"log/{label}.parquet" for label in labels)
    study = folder / f"study_{months}.yaml"
    study.write_text(STUDY.format(files=files, to=labels[-1]), encoding="utf-8")
    return study


def _places(rng: np.random.Generator) -> Places:
    east, west = read_side("east"), read_side("west")
    names = np.array([*east.city, *west.city])
    return Places(names=names, n_east=len(east), size=np.exp(CITY_SD * rng.standard_normal(len(names))))


def _month(rng: np.random.Generator, places: Places, month: int, n: int, total: int) -> dict[str, Ints]:
    """Draw the lines of a month, order by order."""
    lines = LINES[rng.integers(0, len(LINES), n)]
    lines = lines[: np.searchsorted(np.cumsum(lines), n) + 1]
    orders = len(lines)
    east = _draw(rng, places.size[: places.n_east], orders)
    west = places.n_east + _draw(rng, places.size[places.n_east :], orders)
    flip = rng.random(orders) < 0.4
    origin, destination = np.where(flip, west, east), np.where(flip, east, west)
    start, stop = (np.datetime64(FIRST + m, "us").astype(np.int64) for m in (month, month + 1))
    of = np.repeat(np.arange(orders), lines)
    columns = {
        "paid_at": start + (rng.random(orders) * (stop - start)).astype(np.int64) // 10**6 * 10**6,
        "seller_city": origin,
        "buyer_city": destination,
        "seller_id": _people(rng, places, origin, total / ROWS_PER_SELLER, SELLER_EXPONENT),
        "buyer_id": _people(rng, places, destination, total / ROWS_PER_BUYER, BUYER_EXPONENT),
        "order_id": rng.permutation(orders) + (month + 1) * 10**8,
        "status": (rng.random(orders) < VOID).astype(np.int64),
    }
    out = {name: values[of] for name, values in columns.items()}
    out["item_id"] = np.arange(len(of)) - (np.cumsum(lines) - lines)[of] + 1
    out["amount"] = np.maximum(np.exp(8.0 + 1.2 * rng.standard_normal(len(of))).astype(np.int64), 1)
    return out


def _draw(rng: np.random.Generator, size: Floats, n: int) -> Ints:
    """Draw codes with chances in proportion to sizes."""
    reached = np.cumsum(size) / size.sum()
    return np.minimum(np.searchsorted(reached, rng.random(n)), len(size) - 1)


def _people(rng: np.random.Generator, places: Places, city: Ints, expected: float, exponent: float) -> Ints:
    """Draw a trader of each city by inverting a power law on [1, count + 1); ids are spread over 48 bits."""
    count = np.maximum(expected * places.size / places.size.sum(), 5).astype(np.int64)
    power = 1 - exponent
    reach = ((count + 1.0) ** power - 1)[city]
    rank = (1 + reach * rng.random(len(city))) ** (1 / power)
    person = np.clip(rank.astype(np.int64), 1, count[city]) + (np.cumsum(count) - count)[city]
    return (person * 0x9E3779B97F4B) % 2**48  # an odd factor: no two people share an id


def _some(rng: np.random.Generator, part: dict[str, Ints], share: float) -> dict[str, Ints]:
    rows = rng.integers(0, len(part["paid_at"]), int(share * len(part["paid_at"])))
    return {name: values[rows] for name, values in part.items()}


def _stack(*parts: dict[str, Ints]) -> dict[str, Ints]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _soiled(rng: np.random.Generator, part: dict[str, Ints], month: int) -> dict[str, Ints]:
    """Add copies and refunds, and put cities out of the list."""
    refunds = _some(rng, part, REFUNDED)
    refunds["amount"] = -refunds["amount"]
    part = _stack(part, _some(rng, part, AGAIN), refunds)
    away = rng.random(len(part["paid_at"])) < UNKNOWN
    part["buyer_city"] = np.where(away, -1, part["buyer_city"])
    # copies of the month before keep their time, but for the file to be of one month they are exported in it
    start = np.datetime64(FIRST + month, "us").astype(np.int64)
    late = part["paid_at"] < start
    part["paid_at"] = np.where(late, start + np.arange(len(late)) * 10**6 % (27 * 86400 * 10**6), part["paid_at"])
    order = np.argsort(part["paid_at"], kind="stable")
    return {name: values[order] for name, values in part.items()}


def _write(path: Path, part: dict[str, Ints], places: Places, *, text_ids: bool) -> None:
    """Write a month, cities and statuses as dictionaries."""
    names = pa.array([*places.names, "elsewhere"])

    def city(codes: Ints) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(codes % len(names), pa.int32()), names)

    times = part["paid_at"] - UTC_OFFSET.astype("m8[us]").astype(np.int64)
    table = {
        "paid_at": pa.array(times, pa.timestamp("us", tz="UTC")),
        "seller_city": city(part["seller_city"]),
        "buyer_city": city(part["buyer_city"]),
        **{name: _ids(part[name], text=text_ids) for name in ("seller_id", "buyer_id", "order_id")},
        "item_id": pa.array(part["item_id"], pa.int32()),
        "amount": pa.array(part["amount"] / 100.0),
        "status": pa.DictionaryArray.from_arrays(pa.array(part["status"], pa.int32()), pa.array(["paid", "void"])),
    }
    pq.write_table(pa.table(table), path, compression="zstd", row_group_size=2**17)


def _ids(values: Ints, *, text: bool) -> pa.Array:
    if not text:
        return pa.array(values)
    width = 16
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    nibbles = (values[:, None] >> np.arange(60, -4, -4)) & 15
    offsets = np.arange(len(values) + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(digits[nibbles].tobytes()))
