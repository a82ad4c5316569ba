"""Transaction logs: columns of every type, odd values, and files that are written in odd ways or damaged."""

import csv
import datetime as dt
import io
import math
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from tests.fuzz.inputs import damage, damaged
from tests.fuzz.outcome import Target, balanced
from tests.fuzz.texts import junk, mutated, mutations, spelled
from tradelift.log import read_log
from tradelift.log.contract import LARGEST
from tradelift.panel.regions import Regions
from tradelift.study.inputs import TransactionsInput

REGIONS = Regions(ids=np.array(["7", "8", "é1"]), sides=("a", "b"), side=np.array([0, 1, 1]), columns={})
COLUMNS = {
    "time": "t",
    "origin": "o",
    "destination": "d",
    "seller": "s",
    "buyer": "b",
    "transaction": "k",
    "line": "l",
    "amount": "x",
}
IN_TIME = dt.datetime(2017, 1, 15, 12)

places = {
    "text": (pa.string(), ["7", "8", "é1", "007", "", "7.0", "nowhere", None]),
    "int32": (pa.int32(), [7, 8, 9, None]),
    "uint64": (pa.uint64(), [7, 8, 2**64 - 1, None]),
    "float": (pa.float64(), [7.0, 8.0, 7.5, float("nan"), float("inf"), 1e300, None]),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), ["7", "8", "é1", None]),
    "large text": (pa.large_string(), ["7", "8", "西安", None]),
}
ids = {
    "text": (pa.string(), ["1", "01", "1.0", "", "x" * 300, "💥", "'; DROP TABLE x; --", None]),
    "int64": (pa.int64(), [1, 2, -(2**63), 2**63 - 1, None]),
    "int16": (pa.int16(), [1, 2, None]),
    "uint64": (pa.uint64(), [1, 2**64 - 1, None]),
    "float": (pa.float32(), [1.0, 1.5, None]),
    "decimal": (pa.decimal128(12, 2), [Decimal("1.00"), Decimal("2.50"), None]),
    "boolean": (pa.bool_(), [True, False, None]),
    "binary": (pa.binary(), [b"1", b"ab", None]),
}
amounts = {
    "float": (pa.float64(), [5.0, 0.005, -5.0, 0.0, 1e17, -1e300, float("nan"), float("inf"), 2.675, None]),
    "float32": (pa.float32(), [5.0, 0.5, -1.0, None]),
    "int64": (pa.int64(), [5, 0, -5, 2**62, -(2**63), None]),
    "decimal": (pa.decimal128(20, 4), [Decimal("5.0050"), Decimal("-1.0000"), Decimal("9999999999999999.9999"), None]),
    "text": (
        pa.string(),
        ["5.00", " 5 ", "1e2", "-3", "abc", "", "1,5", "$5", "5e400", "0x10", "+.5", "5.", "NaN", None],
    ),
    "int8": (pa.int8(), [5, -5, 0, None]),
}
STAMPS = [
    IN_TIME,
    dt.datetime(2017, 3, 26, 2, 30),
    dt.datetime(1, 1, 1),
    dt.datetime(9999, 12, 31, 23),
    dt.datetime(2017, 10, 29, 2, 30),
    None,
]
times = {
    "local": (pa.timestamp("us"), STAMPS),
    "seconds": (pa.timestamp("s"), STAMPS),
    "nanoseconds": (pa.timestamp("ns"), [IN_TIME, dt.datetime(2017, 3, 26, 2, 30), None]),
    "instant": (pa.timestamp("us", tz="UTC"), [t and t.replace(tzinfo=dt.UTC) for t in STAMPS]),
    "zone": (pa.timestamp("ms", tz="Europe/Berlin"), [IN_TIME.replace(tzinfo=dt.UTC), None]),
    "date": (pa.date32(), [IN_TIME.date(), dt.date(2017, 1, 31), None]),
    "text": (pa.string(), ["2017-01-15 12:00:00", "2017-01-15", "2017-02-30", "2017-01", "15.01.2017", "", "2017-01-15T12:00:00", None]),
    "zoned text": (pa.string(), ["2017-01-15T12:00:00Z", "2017-01-15 12:00:00+08:00", "", "soon", None]),
}  # fmt: skip
KINDS = {"t": times, "o": places, "d": places, "s": ids, "b": ids, "k": ids, "l": ids, "x": amounts}


@st.composite
def typed_logs(draw):
    """A table whose columns have drawn types; values that make a row usable are likelier."""
    n = draw(st.integers(0, 8))
    columns = {}
    for name, kinds in KINDS.items():
        kind, values = kinds[draw(st.sampled_from(sorted(kinds)))]
        usual = values[name == "d"]  # one place after the other, for origins and destinations
        drawn = draw(st.lists(st.one_of(st.just(usual), st.sampled_from(values)), min_size=n, max_size=n))
        columns[name] = pa.array([usual, *drawn], kind)
    zone = draw(st.sampled_from(("UTC", "Europe/Berlin", "Asia/Shanghai", "America/St_Johns", "Pacific/Apia")))
    currency = draw(st.sampled_from(("CNY", "JPY", "KWD")))
    return pa.table(columns), zone, currency


def minor(value, digits):
    """Minor units of an amount, 0 where it cannot be read; halves away from zero."""
    scale = 10**digits
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return 0
    if isinstance(value, Decimal):
        exact = (value * scale).quantize(Decimal(1), ROUND_HALF_UP)
        return int(exact) if abs(value) <= LARGEST // scale else 0
    if isinstance(value, int):
        return value * scale if abs(value) <= LARGEST // scale else 0
    if isinstance(value, str):
        text = value.strip()
        if not text or any(c not in "0123456789.eE+-" for c in text):
            return 0
        value = float(text)
    product = value * float(scale)
    return int(math.copysign(math.floor(abs(product) + 0.5), product)) if abs(product) <= LARGEST else 0


def accounted(folder, pattern, zone, currency, rows, values=None):
    """Read a log; all of its rows, and its money, must be accounted for."""
    spec = TransactionsInput.model_validate(
        {
            "files": pattern,
            "columns": COLUMNS,
            "time_zone": zone,
            "currency": currency,
            "from": "2017-01",
            "to": "2017-02",
        }
    )
    log = read_log(spec, folder, REGIONS, spill=folder / "spill")
    found = balanced(log.stage, log.stage.read_rows if rows is None else rows)
    money = log.stage.kept_amount + sum(e.amount or 0 for e in log.stage.exclusions)
    assert money == log.stage.read_amount
    if values is not None:
        assert money == sum(minor(value, log.digits) for value in values)
    assert sum(log.cells["trade_minor"].to_pylist()) == log.stage.kept_amount
    return found | {"minor units": abs(money)}


def attempt_typed(example, folder):
    table, zone, currency = example
    pq.write_table(table, folder / "log.parquet")
    values = table["x"].to_pylist()
    if pa.types.is_floating(table["x"].type):
        values = table["x"].cast(pa.float64()).to_pylist()
    return accounted(folder, "log.parquet", zone, currency, len(table), values)


USABLE = ("2017-01-15 12:00:00", "7", "8", "s1", "b1", "1", "1", "5.00")
ODD = (
    ("2017-02-30", "", "2017-01-15", "soon", "2018-01-01"), ("007", "", "é1", "8"), ("7", "", "nowhere"), ("", "a,b", 'q"q', "é"),
    ("", "line\nbreak", "b"), ("2", "", "=1+1"), ("2", "\t"), ("1e400", "", "-5", "0", "abc", "9" * 30),
)  # fmt: skip
csv_rows = st.lists(
    st.tuples(*(st.one_of(st.just(usual), st.sampled_from(odd)) for usual, odd in zip(USABLE, ODD, strict=True))),
    max_size=8,
)


def attempt_csv(example, folder):
    rows, how, delimiter = example
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=how["quoting"], lineterminator=how["lineterminator"])
    rows = [USABLE, *rows]
    writer.writerows([list(COLUMNS.values()), *rows])
    content = out.getvalue().encode(how["encoding"], "replace")
    (folder / "log.csv").write_bytes(b"\xef\xbb\xbf" + content if how["bom"] else content)
    return accounted(folder, "log.csv", "Asia/Shanghai", "CNY", len(rows), [r[-1] for r in rows])


TEXT = "\n".join([",".join(COLUMNS.values()), *(",".join((*USABLE[:5], str(k), *USABLE[6:])) for k in range(12)), ""])


def attempt_bytes(content, folder):
    (folder / "log.csv").write_bytes(content)
    return accounted(folder, "log.csv", "UTC", "CNY", None)


def attempt_damaged(how, folder):
    n = 40
    values = [IN_TIME, "7", "8", "s", "b", "k", "l", 5.0]
    table = pa.table(dict(zip(COLUMNS.values(), ([v] * n for v in values), strict=True)))
    table = table.set_column(5, "k", pa.array([str(k) for k in range(n)]))
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=10)
    (folder / "log.parquet").write_bytes(damaged(sink.getvalue(), how))
    return accounted(folder, "log.parquet", "UTC", "CNY", None)


TARGETS = (
    Target(name="logs: types and values", examples=typed_logs(), attempt=attempt_typed),
    Target(
        name="logs in CSV: values, spellings, encodings",
        examples=st.tuples(csv_rows, spelled, st.sampled_from(",;\t|")),
        attempt=attempt_csv,
    ),
    Target(name="logs in CSV: changed bytes", examples=st.one_of(st.builds(mutated, st.just(TEXT), mutations), junk), attempt=attempt_bytes),
    Target(name="logs in Parquet: damaged", examples=damage, attempt=attempt_damaged),
)  # fmt: skip
