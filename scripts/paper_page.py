"""
The table of docs/paper.md: each claim of the paper, what answers it, and what a finished demonstration says.

    tradelift demo --out DEMO
    python scripts/paper_page.py DEMO [--docs docs]

keeps the numbers in docs/simulations/paper.csv, and fills what stands between `<!-- claims -->` and `<!-- end -->`.
"""

import argparse
import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from paper_claims import CLAIMS, Answer, Claim
from spatial_rd_page import filled

from tradelift.exhibits import EXHIBITS

COLUMNS = ("exhibit", "column", "term", "what", "unit", "estimate", "low", "high", "truth")
MILLION = 1e6
Row = dict[str, str]


def read(demo: Path) -> list[Row]:
    """
    Look every number up in a finished run with its world.

    Parameters
    ----------
    demo
        What `tradelift demo` wrote.

    Returns
    -------
    One row an answer, in the order of the page; numbers as text with nine digits.

    Raises
    ------
    LookupError
        If a number is not there.
    """
    truth = json.loads((demo / "world" / "truth.json").read_text(encoding="utf-8"))
    estimates = _records(demo / "estimates.csv")
    out = []
    for claim in CLAIMS:
        for answer in claim.answers:
            estimate, low, high = _number(demo, estimates, claim, answer)
            known = _truth(truth, answer.truth) if answer.truth else None
            numbers = zip(COLUMNS[5:], (estimate, low, high, known), strict=True)
            about = (
                claim.exhibit,
                answer.column,
                answer.term if answer.column else answer.table,
                answer.what,
                answer.unit,
            )
            out.append(dict(zip(COLUMNS[:5], about, strict=True)) | {k: _text(v) for k, v in numbers})
    return out


def _records(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.9g}"


def _number(
    demo: Path, estimates: Sequence[Row], claim: Claim, answer: Answer
) -> tuple[float, float | None, float | None]:
    """An estimate with its interval; of several rows of a table the least, and the ends of their range."""
    if answer.column:
        wanted = {"exhibit": claim.exhibit, "column": answer.column, "term": answer.term}
        (row, *_) = _some(estimates, wanted, claim)
        return float(row["estimate"]), _known(row["conf_low"]), _known(row["conf_high"])
    rows = _some(_records(demo / "tables" / f"{answer.table}.csv"), answer.where or {}, claim)
    if answer.unit == "rows":
        return float(len(rows)), None, None
    values = [float(row[answer.value]) for row in rows]
    if len(rows) > 1:
        return float(len(rows)), min(values), max(values)
    return values[0], *(_known(rows[0].get(end, "")) for end in ("conf_low", "conf_high"))


def _some(rows: Sequence[Row], wanted: Mapping[str, str], claim: Claim) -> list[Row]:
    found = [row for row in rows if all(row[k] == v for k, v in wanted.items())]
    if not found:
        msg = f"Nothing answers '{claim.said}': no row of {claim.exhibit} has {dict(wanted)}."
        raise LookupError(msg)
    return found


def _known(text: str) -> float | None:
    return float(text) if text else None


def _truth(truth: Mapping[str, Any], path: Sequence[str]) -> float:
    """Follow keys; limits of gravity are a list, and the gap between groups of categories a difference."""
    if path[0] == "limits":
        return next(float(x["partner"]) for x in truth["limits"] if (x["outcome"], x["direction"]) == tuple(path[1:]))
    if path[0] == "gap":
        groups = truth["category_groups"][path[1]]
        one, other = (float(groups[k]["west->east"]["poisson"]) for k in ("1", "0"))
        return one - other
    found: Any = truth
    for key in path:
        found = found[key]
    return float(found)


def table(rows: Sequence[Row]) -> str:
    """
    Write the page's table.

    Parameters
    ----------
    rows
        From `read`, or paper.csv.
    """
    lines = [
        "| the paper says | section, row of its table | estimates.csv: column; term | demonstration | truth |",
        "| --- | --- | --- | --- | --- |",
    ]
    left = iter(rows)
    for claim in CLAIMS:
        for n, answer in enumerate(claim.answers):
            row = next(left)
            section = f"{EXHIBITS[claim.exhibit].title} (`{claim.exhibit}`): " if n == 0 else ""
            where = f"`{answer.column}`; `{answer.term}`" if answer.column else f"(tables/{answer.table}.csv)"
            said = claim.said if n == 0 else ""
            lines.append(f"| {said} | {section}{answer.what} | {where} | {_said(row)} | {_true(row)} |")
    return "\n".join(lines)


def _said(row: Row) -> str:
    """A number with its interval, in its unit."""
    low, high, unit = _known(row["low"]), _known(row["high"]), row["unit"]
    value = float(row["estimate"])
    is_range = not row["column"] and low is not None and unit == "% as it is"
    if is_range:
        return f"{_one(low, unit)} to {_one(high, unit)}% over {value:.0f} estimates"
    end = (
        "%"
        if unit.startswith("%")
        else {"million": " million CNY", "points": " points", "log points": ""}.get(unit, "")
    )
    span = f" ({_one(low, unit)} to {_one(high, unit)})" if low is not None and high is not None else ""
    return f"{_one(value, unit)}{end}{span}"


def _true(row: Row) -> str:
    """The truth, and whether the interval holds it."""
    truth, low, high = (_known(row[k]) for k in ("truth", "low", "high"))
    if truth is None:
        return ""
    held = "" if low is None or high is None else " (inside)" if low <= truth <= high else " (outside)"
    return f"{_one(truth, row['unit'])}{'%' if row['unit'] == '%' else ''}{held}"


def _one(value: float | None, unit: str) -> str:
    """One number in a unit."""
    if value is None:
        return ""
    if unit == "%":
        return _one(100 * math.expm1(value), "% as it is")
    if unit == "million":
        return f"{value / MILLION:.2f}"
    digits = {"% as it is": 1, "points": 2, "log points": 3, "times": 2, "number": 3, "p": 3}.get(unit, 0)
    if unit == "number" and abs(value) >= 1:
        digits = 0
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if not text.strip("-0.,") else text


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Keep the numbers."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def kept(docs: Path) -> list[Row]:
    """Recall the numbers that were kept."""
    return _records(docs / "simulations" / "paper.csv")


def columns_of(claims: Sequence[Claim] = CLAIMS) -> Iterator[tuple[str, str]]:
    """Yield exhibit and column of every answer that stands in estimates.csv."""
    for claim in claims:
        for answer in claim.answers:
            if answer.column:
                yield claim.exhibit, answer.column


def main() -> None:
    """Read the demonstration, keep its numbers, and fill the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path)
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    asked = parser.parse_args()
    rows = read(asked.demo)
    write_rows(asked.docs / "simulations" / "paper.csv", rows)
    page = asked.docs / "paper.md"
    page.write_text(filled(page.read_text(encoding="utf-8"), {"claims": table(rows)}), encoding="utf-8")


if __name__ == "__main__":
    main()
