"""The small files of a study: their bytes changed at random, and tables of odd values written in odd ways."""

import csv
import io
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

import tradelift as tl
from tests.fuzz.outcome import Target, balanced
from tests.fuzz.texts import junk, mutated, mutations, spelled
from tradelift.pipeline import check

EAST, WEST = [f"e{i}" for i in range(3)], [f"w{i}" for i in range(3)]
STUDY = """\
name: Small
regions: {file: regions.csv, sides: [east, west]}
partners: partners.csv
flows: {file: flows.csv, by_category: goods.csv}
neighbours: neighbours.csv
categories: categories.csv
pairs: [{file: pairs.csv, absent: 0}, moving.csv]
"""
BOTH = [(e, w) for e in EAST for w in WEST]
DIRECTED = BOTH + [(w, e) for e, w in BOTH]


def _lines(header, rows):
    return "\n".join([header, *(",".join(map(str, row)) for row in rows), ""])


FILES = {
    "regions.csv": _lines(
        "region,side,group,name,longitude,latitude,gdp",
        [(r, side, "G", f"Town {r}", 100 + i, 30 + i, 5.5) for side, ids in (("east", EAST), ("west", WEST)) for i, r in enumerate(ids)],
    ),
    "partners.csv": _lines("east,west,start,end,dose", [("e0", "w0", "2017-01", "", 1), ("e1", "w1", "2017-02", "2017-02", 2)]),
    "flows.csv": _lines(
        "origin,destination,period,trade,deals",
        [(a, b, f"2017-{t:02d}", 10 * t + n, n + 1) for t in (1, 2) for n, (a, b) in enumerate(DIRECTED)],
    ),
    "goods.csv": _lines(
        "origin,destination,period,category,trade",
        [(a, b, f"2017-{t:02d}", "food", 5) for t in (1, 2) for a, b in DIRECTED[:4]],
    ),
    "neighbours.csv": _lines("one,other", [("e0", "e1"), ("w0", "w1")]),
    "categories.csv": _lines("category,name,priority", [("food", "Food", 1)]),
    "pairs.csv": _lines("east,west,migration", [(e, w, 3) for e, w in BOTH[:5]]),
    "moving.csv": _lines("origin,destination,period,search", [(a, b, "2017-01", 0.5) for a, b in DIRECTED[:5]]),
}  # fmt: skip


def lay_out(folder, changed):
    """The small study, with some files in other words."""
    (folder / "study.yaml").write_text(STUDY)
    for name, text in FILES.items():
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.write_bytes(changed.get(name, text.encode()))
    return tl.read_study(folder / "study.yaml")


def attempt_bytes(changed, folder):
    panel, _ = check(lay_out(folder, changed))
    for stage in panel.account.stages:
        balanced(stage, stage.read_rows)
    return {}


changed_bytes = st.lists(
    st.sampled_from(sorted(FILES)).flatmap(
        lambda name: st.tuples(st.just(name), st.one_of(st.builds(mutated, st.just(FILES[name]), mutations), junk))
    ),
    min_size=1,
    max_size=2,
).map(dict)

IDS = ["e0", "e1", "w0", "w1", "w2", "nowhere", "", " e0", "007", "é", "西安"]
ODD_NUMBERS = ["1", "2.5", "", "-3", "1e3", "0", "1e300", "nan", "inf", "abc", "1_0", "0x10", "9" * 25, "=1+1"]
PERIODS = ["2017-01", "2017-02", "2017-03", "", "2017", "2017-1", "201701"]
trade = st.one_of(st.sampled_from(["1", "2", "3"]), st.sampled_from(ODD_NUMBERS))
flows_rows = st.lists(
    st.tuples(
        st.sampled_from(IDS[:5] * 3 + IDS),
        st.sampled_from(IDS[:5] * 3 + IDS),
        st.sampled_from(PERIODS[:2] * 6 + PERIODS),
        trade,
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda row: row[:3],
)
flows_tables = st.tuples(flows_rows, spelled)


def written(header, rows, how):
    """A table as CSV, spelled in some way; characters that the encoding lacks become question marks."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=how["quoting"], lineterminator=how["lineterminator"])
    writer.writerows([header, *rows])
    content = out.getvalue().encode(how["encoding"], "replace")
    return b"\xef\xbb\xbf" + content if how["bom"] else content


def number(text):
    """A number as Arrow reads it; nothing where it is missing."""
    if text in ("", "nan"):
        return 0.0
    return float(int(text, 16)) if text.startswith("0x") else float(text)


def attempt_flows(example, folder):
    """Rows are all accounted for, and the money of the panel is that of the rows that a plain reading keeps."""
    rows, how = example
    content = written(["origin", "destination", "period", "trade"], rows, how)
    (folder / "flows.csv").write_bytes(content)
    for name in ("regions.csv", "partners.csv"):
        (folder / name).write_text(FILES[name])
    (folder / "study.yaml").write_text("name: a\nregions: {file: regions.csv, sides: [east, west]}\nflows: flows.csv\n")
    panel, _ = check(tl.read_study(folder / "study.yaml"))
    found = balanced(panel.account.stages[0], len(rows))
    kept = [r for r in rows if r[2] and {r[0][:1], r[1][:1]} == {"e", "w"} and {r[0], r[1]} <= {*EAST, *WEST}]
    assert found["kept"] == len(kept)
    values = panel.outcome("trade")
    money = sum(number(r[3]) for r in kept)
    assert np.isclose(np.nansum(values), money, rtol=1e-12)
    return found | {"money": round(money) if abs(money) < 1e15 else 0}


def damaged(content, how):
    kind, place, bit = how
    at = int(place * len(content))
    if kind == "cut":
        return content[:at]
    if kind == "flip":
        return content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :]
    if kind == "zeros":
        return content[:at] + bytes(min(16, len(content) - at)) + content[at + 16 :]
    return b"PAR1" + content[:at] + b"PAR1"


damage = st.tuples(
    st.sampled_from(("cut", "flip", "flip", "flip", "zeros", "magic")),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 7),
)


def attempt_parquet(how, folder):
    """A flows file in Parquet that is damaged is refused, or read with all of its rows."""
    rows = [(a, b, f"2017-{t:02d}", float(10 * t + n)) for t in (1, 2) for n, (a, b) in enumerate(DIRECTED)]
    names = ("origin", "destination", "period", "trade")
    table = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    sink = io.BytesIO()
    pq.write_table(table, sink, write_page_checksum=True)
    (folder / "flows.parquet").write_bytes(damaged(sink.getvalue(), how))
    (folder / "regions.csv").write_text(FILES["regions.csv"])
    (folder / "study.yaml").write_text(
        "name: a\nregions: {file: regions.csv, sides: [east, west]}\nflows: flows.parquet\n"
    )
    panel, _ = check(tl.read_study(folder / "study.yaml"))
    return balanced(panel.account.stages[0], panel.account.stages[0].read_rows)


TARGETS = (
    Target(name="files of a study: changed bytes", examples=changed_bytes, attempt=attempt_bytes),
    Target(name="flows: odd values, spellings, encodings", examples=flows_tables, attempt=attempt_flows),
    Target(name="flows in Parquet: damaged", examples=damage, attempt=attempt_parquet),
)
