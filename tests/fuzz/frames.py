"""Frames of users: columns of every type of pandas, Polars and Arrow, odd ids, odd numbers, odd shapes."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import strategies as st

import tradelift as tl
from tests.fuzz.outcome import Target, balanced

IDS = {
    "text": ["a", "b", "c", "007", "7", "", " ", "é", "西安", "a\x00b", "x" * 300, None],
    "integers": [1, 2, 3, -1, 0, 2**31, 2**63 - 1, -(2**63), None],
    "floats": [1.0, 2.0, 1.5, float("nan"), float("inf"), 1e300, -0.0, None],
    "booleans": [True, False, None],
    "decimals": [Decimal("1.00"), Decimal("2.5"), None],
    "dates": [dt.date(2017, 1, 1), dt.date(2017, 2, 1), None],
    "times": [dt.datetime(2017, 1, 1), dt.datetime(2017, 1, 1, 3), None],
    "mixed": ["a", 1, 2.5, None, b"x"],
    "lists": [[1], [2], None],
    "mappings": [{"a": 1}, None],
    "bytes": [b"a", b"\xff", None],
}
NUMBERS = {
    "floats": [1.0, 2.5, 0.0, -3.0, 1e300, float("nan"), float("inf"), None],
    "integers": [1, 2, 0, -5, 2**53 + 1, 2**63 - 1, None],
    "decimals": [Decimal("1.25"), Decimal(-2), None],
    "booleans": [True, False, None],
    "text": ["1", "much", "", None],
    "nothing": [None],
    "mixed": [1, "x", None],
    "durations": [dt.timedelta(1), None],
}
NAMES = (
    "trade",
    "deals",
    "x",
    "period",
    "category",
    "origin ",
    "distance_km",
    "partner",
    "direction",
    "",
    "é",
    "__index_level_0__",
    "absent",
    "pair",
)


@st.composite
def tables(draw, kinds, names, *, most=9):
    """Columns as lists of equal length."""
    n = draw(st.integers(0, most))
    out = {}
    for name in names:
        values = kinds[draw(st.sampled_from(sorted(kinds)))]
        out[name] = draw(
            st.lists(st.one_of(st.sampled_from(values[:3]), st.sampled_from(values)), min_size=n, max_size=n)
        )
    return out


@st.composite
def panels(draw):
    """What `Panel.from_frame` may be given."""
    kind = draw(st.sampled_from(("text", "text", "integers", "floats", *IDS)))
    n = draw(st.integers(0, 9))
    value = st.one_of(st.sampled_from(IDS[kind][:3]), st.sampled_from(IDS[kind]))
    table = {name: draw(st.lists(value, min_size=n, max_size=n)) for name in ("origin", "destination")}
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True)):
        values = {**IDS, **NUMBERS}[draw(st.sampled_from(sorted({**IDS, **NUMBERS})))]
        table[name] = draw(st.lists(st.one_of(st.just(values[0]), st.sampled_from(values)), min_size=n, max_size=n))
    options = {}
    if draw(st.booleans()):
        regions = draw(tables({kind: IDS[kind]}, ["region"]))
        if draw(st.booleans()):
            sides = st.sampled_from(("e", "w", "e", "w", None, "x"))
            regions["side"] = draw(st.lists(sides, min_size=len(regions["region"]), max_size=len(regions["region"])))
        for name in draw(
            st.lists(
                st.sampled_from(("longitude", "latitude", "group", "name", "area_km2", "gdp")), unique=True, max_size=3
            )
        ):
            values = NUMBERS[draw(st.sampled_from(sorted(NUMBERS)))]
            regions[name] = draw(
                st.lists(st.sampled_from(values), min_size=len(regions["region"]), max_size=len(regions["region"]))
            )
        options["regions"] = regions
    if draw(st.booleans()):
        options["partners"] = draw(
            tables(
                {kind: IDS[kind]},
                ["a", "b", *draw(st.sampled_from(([], ["start"], ["dose"], ["start", "end", "dose"])))],
                most=3,
            )
        )
    if draw(st.booleans()):
        options["pairs"] = draw(
            tables(
                {kind: IDS[kind], **NUMBERS},
                draw(st.sampled_from((["origin", "destination", "z"], ["region_1", "region_2", "z"], ["origin", "z"]))),
            )
        )
    if draw(st.booleans()):
        options["neighbours"] = draw(tables({kind: IDS[kind]}, ["a", "b"], most=3))
    if draw(st.booleans()):
        options["category"] = draw(st.sampled_from(("category", "x", "trade")))
    if draw(st.booleans()):
        options["period"] = draw(st.sampled_from(("period", "x", "origin")))
    return (
        table,
        options,
        draw(st.sampled_from(("pandas", "polars", "arrow"))),
        draw(st.sampled_from(("missing", "zero"))),
    )


def framed(table, library):
    """A frame of a library, or None where the library itself refuses the columns."""
    try:
        if library == "pandas":
            return pd.DataFrame(table)
        if library == "polars":
            return pl.DataFrame(table)
        return pa.table(table)
    except (pa.ArrowException, TypeError, OverflowError, ValueError, pl.exceptions.PolarsError):
        return None


def attempt(example, folder):
    table, options, library, absent = example
    frames = {name: framed(value, library) if isinstance(value, dict) else value for name, value in options.items()}
    frame = framed(table, library)
    if frame is None or any(value is None for value in frames.values()):
        return {}
    panel = tl.Panel.from_frame(frame, absent=absent, **frames)
    for stage in panel.account.stages:
        balanced(stage, stage.read_rows)
    found = balanced(panel.account.stages[0], len(table["origin"]))
    assert panel.n_cells >= found["kept"]
    assert len(panel.digest) == 32
    trade = table.get("trade")
    if (
        trade is not None
        and frames.get("category") != "trade"
        and found["excluded"] == 0
        and all(isinstance(x, float) for x in trade)
    ):
        total = np.nansum(np.where(np.isfinite(trade), trade, 0))
        own = np.asarray(panel.column("trade"), dtype=float)
        assert np.isclose(np.nansum(np.where(np.isfinite(own), own, 0)), total)
    return found


TARGET = Target(name="frames: types, ids, shapes", examples=panels(), attempt=attempt)
