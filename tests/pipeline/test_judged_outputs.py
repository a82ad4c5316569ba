"""What a package shows of sums and cells, against the rules applied by hand to the transactions behind each number."""

import csv
import io
import json
import zipfile
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

import tradelift as tl
from tests.log.test_disclosure import _judged
from tradelift.exhibits import EXHIBITS
from tradelift.log.disclosure import Rules
from tradelift.pipeline.finished import open_run
from tradelift.pipeline.packaging import package
from tradelift.pipeline.packaging.amounts import amounts_of
from tradelift.pipeline.packaging.outputs import judge_outputs
from tradelift.pipeline.packaging.verdicts import ESTIMATES, JUDGES, verdict

EAST, WEST = ["e0", "e1", "e2"], ["w0", "w1", "w2", "w3"]
PARTNERS = [("e0", "w0"), ("e1", "w1"), ("e2", "w2")]
MONTHS = ["2017-11", "2017-12", "2018-01"]
SHOWN = ["map", "partners", "summary", "partner_shares", "magnitude", "spillovers"]
STUDY = """\
name: Judged
regions: {file: regions.csv, sides: [east, west]}
partners: {file: partners.csv, start: 2017-11}
transactions:
  files: log.csv
  columns: {time: t, origin: o, destination: d, seller: s, buyer: b, transaction: k, amount: x}
  time_zone: UTC
  currency: CNY
  from: 2017-11
  to: 2018-01
"""


def transactions(seed, traders):
    """Sales between all cities; from each pair as many sellers as `traders` draws, sometimes one that dominates."""
    rng = np.random.default_rng(seed)
    rows = []
    for month in MONTHS:
        for o, d in [(e, w) for e in EAST for w in WEST] + [(w, e) for e in EAST for w in WEST]:
            n = int(rng.choice(traders))
            for _ in range(3 * n):
                money = round(float(rng.lognormal(2, 0.7)), 2)
                rows.append(
                    (
                        f"{month}-15 12:00:00",
                        o,
                        d,
                        f"s{o}{rng.integers(n)}",
                        f"b{d}{rng.integers(2 * n)}",
                        len(rows),
                        money,
                    )
                )
            if rng.random() < 0.1:
                rows.append((f"{month}-15 12:00:00", o, d, f"s{o}0", f"b{d}0", len(rows), 40_000.0))
    return rows


def write(folder, rows):
    folder.mkdir()
    rng = np.random.default_rng(5)

    def table(name, header, lines):
        with (folder / name).open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *lines])

    table("regions.csv", ["region", "side", "group", "longitude", "latitude"],
          [(r, "east" if r[0] == "e" else "west", r[0] + str(int(r[1]) // 2), *rng.uniform([105, 28], [107, 30]).round(3))
           for r in EAST + WEST])  # fmt: skip
    table("partners.csv", ["east", "west"], PARTNERS)
    table("log.csv", list("todsbkx"), [(t, o, d, s, b, k, x) for t, o, d, s, b, k, x in rows])
    (folder / "study.yaml").write_text(STUDY)
    return folder / "study.yaml"


@pytest.fixture(scope="module", params=["few", "some", "many"])
def packed(request, tmp_path_factory):
    """A run, its transactions, and the files of its package."""
    folder = tmp_path_factory.mktemp(request.param)
    rows = transactions(3, {"few": [1, 2, 4, 12], "some": [6, 12, 40], "many": [40, 60]}[request.param])
    if request.param == "many":
        rows = [row for row in rows if row[-1] < 40_000]
    study = write(folder / "mine", rows)
    tl.run(tl.read_study(study), folder / "out", only=SHOWN)
    found = package(folder / "out", folder / "package.zip")
    with zipfile.ZipFile(found.file) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return request.param, folder, rows, found, files


def dangerous(rows, wanted):
    """Whether the rules, taken by hand, forbid to show the sum of some transactions."""
    cell = {"seller": defaultdict(int), "buyer": defaultdict(int)}
    for t, o, d, s, b, _, x in rows:
        if wanted(t[:7], o, d):
            cell["seller"][s] += round(x * 100)
            cell["buyer"][b] += round(x * 100)
    return bool(cell["seller"]) and _judged(cell, Rules()) == "cell"


def is_way(name, o):
    return name == "both" or name.startswith("east" if o[0] == "e" else "west")


def is_partner(o, d):
    return (o, d) in PARTNERS or (d, o) in PARTNERS


def table(files, name):
    return list(csv.DictReader(io.StringIO(files[f"outputs/tables/{name}.csv"].decode())))


def test_every_exhibit_is_an_estimate_or_has_a_judge():
    assert ESTIMATES | JUDGES.keys() == EXHIBITS.keys()
    assert not ESTIMATES & JUDGES.keys()


def test_no_largest_or_smallest_cell_is_shown_that_may_not_be(packed):
    _, _, rows, _, files = packed
    sums = defaultdict(float)
    for t, o, d, *_, x in rows:
        sums[t[:7], o, d] += round(x * 100)
    for line in table(files, "summary"):
        if line["variable"] != "trade":
            continue
        own = {cell: v for cell, v in sums.items() if is_way(line["panel"], cell[1])}
        for column, extreme in (("min", min(own.values())), ("max", max(own.values()))):
            (cell,) = [c for c, v in own.items() if v == extreme]
            hidden = dangerous(rows, lambda *c, cell=cell: c == cell)
            assert (line[column] == "") is hidden
            assert hidden or float(line[column]) == pytest.approx(extreme / 100)
        assert not dangerous(rows, lambda _t, o, _d, line=line: is_way(line["panel"], o)) or line["mean"] == ""


def test_no_share_is_shown_whose_sums_may_not_be(packed):
    _, _, rows, _, files = packed
    shares = table(files, "partner_shares")
    assert {line["year"] for line in shares} == {"2017", "2018", "all years"}
    for line in shares:
        months = [m for m in MONTHS if line["year"] in (m[:4], "all years")]

        def within(some, among, line=line):
            return lambda t, o, d: t in some and is_way(line["direction"], o) and (not among or is_partner(o, d))

        if any(dangerous(rows, within([month], among)) for month in months for among in (False, True)):
            assert [line[c] for c in ("mean", "sd", "min", "max")] == [""] * 4
        if any(dangerous(rows, within(months, among)) for among in (False, True)):
            assert line["pooled"] == ""


def test_the_map_is_in_the_report_only_if_every_amount_on_it_may_be(packed):
    size, _, rows, _, files = packed
    sums = [
        lambda _t, o, d, r=r, end=end, among=among: (o, d)[end] == r and (not among or is_partner(o, d))
        for r in EAST + WEST for end in (0, 1) for among in (False, True)
    ]  # fmt: skip
    sums += [lambda _t, o, d, p=p: (o, d) in (p, p[::-1]) and o == p[0] for p in PARTNERS]
    html = files["outputs/report.html"].decode()
    if any(dangerous(rows, wanted) for wanted in sums):
        assert '"kind":"map"' not in html
    assert ('"kind":"map"' in html) is (size == "many")


def test_amounts_of_effects_leave_only_if_what_they_are_part_of_may(packed):
    size, _, rows, _, files = packed
    for direction in ("both", "east->west", "west->east"):
        if dangerous(rows, lambda _t, o, d, w=direction: is_way(w, o) and is_partner(o, d)):
            assert "outputs/tables/magnitude.csv" not in files
    there = {n for n in files if "/magnitude" in n and n.startswith("outputs/")}
    assert bool(there) is (size != "few")
    estimates = list(csv.DictReader(io.StringIO(files["outputs/estimates.csv"].decode())))
    assert any(row["exhibit"] == "magnitude" for row in estimates) is bool(there)
    assert ("outputs/tables/spillovers_money.csv" in files) is (size == "many")


def test_what_is_left_out_is_said_and_stands_nowhere(packed):
    size, folder, _, found, files = packed
    said = "\n".join(found.lines())
    judged = json.loads(files["disclosure.json"])["outputs"]
    assert f"Outputs: {judged['judged']:,} sums and values of cells judged" in said
    masked = {name for name, x in judged["exhibits"].items() if x["masked"]}
    all_but = {"many": ["map", "partner_shares", "magnitude", "spillovers"], "some": ["magnitude"], "few": []}[size]
    assert masked == JUDGES.keys() - {*all_but}
    manifest = json.loads((folder / "out" / "manifest.json").read_text())
    for name in (*judged["rewritten"], *judged["withheld"]):
        assert manifest["outputs"][name].encode() not in files["manifest.json"]
        assert (f"outputs/{name}" in files) is (name in judged["rewritten"])
        if name in judged["rewritten"]:
            assert files[f"outputs/{name}"] != (folder / "out" / name).read_bytes()
    html = files["outputs/report.html"].decode()
    for name, reason in judged["report_without"].items():
        assert f'aria-labelledby="sec-{name}">\n<h3 id="sec-{name}">' in html
        assert reason in html
    assert "Left out of this package" not in (folder / "out" / "report.html").read_text()
    assert said.split("Outputs:")[1].split("README")[0].strip() in files["README.md"].decode().replace("\n    ", "\n")


def test_an_exhibit_that_nobody_has_judged_does_not_leave(packed):
    _, folder, *_ = packed
    run = open_run(folder / "out")
    shown = {"tables": ["a"], "figures": ["b"]}
    strange = replace(run, manifest=run.manifest | {"exhibits": {"strange": shown}})
    found = verdict("strange", strange, amounts_of(run))
    assert (found.withheld, found.estimates) == (("a", "b"), True)
    assert "nobody has judged" in found.reason


def test_a_sum_that_is_not_recognized_is_not_shown(packed):
    size, folder, *_ = packed
    if size != "many":
        return
    run = open_run(folder / "out")
    path = folder / "out" / "tables" / "magnitude.csv"
    old = path.read_text()
    header, *rest = old.splitlines()
    base = header.split(",").index("base")
    first = next(line for line in rest if "all years" in line)
    cells = next(csv.reader([first]))
    cells[base] = str(float(cells[base]) * 1.001)
    path.write_text(old.replace(first, ",".join(f'"{cell}"' for cell in cells)))
    spoilt = replace(run, manifest=run.manifest | {"outputs": run.outputs | {"tables/magnitude.csv": _hash(path)}})
    try:
        found = judge_outputs(spoilt)
    finally:
        path.write_text(old)
    assert found.verdicts["magnitude"].telling == 1
    assert {"tables/magnitude.csv", "tables/magnitude.docx", "figures/magnitude.svg"} <= set(found.withheld)


def _hash(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_account_has_no_amounts_and_no_few_rows(tmp_path):
    rows = transactions(3, [40])
    late = [("2019-01-15 12:00:00", "e0", "w0", "s", "b", 10**6 + k, 7.5) for k in range(12)]
    lost = [("2017-11-15 12:00:00", "nowhere", "w0", "s", "b", 10**7, 3.25)]
    study = write(tmp_path / "mine", [*rows, *late, *lost])
    tl.run(tl.read_study(study), tmp_path / "out", only=["summary"])
    own = (tmp_path / "out" / "account.csv").read_text().splitlines()
    assert own[1:] == ["transactions,outside the window,12,90.00", "transactions,unknown region,1,3.25"]
    found = package(tmp_path / "out", tmp_path / "package.zip")
    with zipfile.ZipFile(found.file) as archive:
        assert archive.read("outputs/account.csv").decode().splitlines()[1:] == [
            "transactions,outside the window,12,",
            "transactions,unknown region,,",
        ]
        assert b"3.25" not in archive.read("outputs/report.html")
    assert found.outputs.account == 3
