"""The tables at the top of docs/reliability.md: what is to be shown, with the figures that parts of the page hold."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

NOT_YET = "not measured yet"
N = r"([\d,]+)"
ANY = r"(?:[^|\n]*\|)"

Source = Mapping[str, str]
"""Parts of the page by name, and `scale`, docs/scale.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the table: what is shown, its figures, the scripts that measure them, and their short forms in CI."""

    shown: str
    figures: tuple[Callable[[Source], str], ...]
    by: str
    short: str


def said(part: str, pattern: str, words: str) -> Callable[[Source], str]:
    """Words with what a pattern finds in a part, or that nothing was measured."""

    def say(source: Source) -> str:
        found = re.search(pattern, source[part], re.MULTILINE)
        return NOT_YET if found is None else words.format(*found.groups())

    return say


def kills(source: Source) -> str:
    """How many of the faults are kills of a whole run."""
    found = re.findall(
        rf"^\| SIGKILL (?:before each operation|at a random)[^|]*\| {N} \|", source["faults"], re.MULTILINE
    )
    return f"{sum(map(number, found)):,} kills of a whole run among them" if found else NOT_YET


def rows(source: Source) -> str:
    """Rows of all examples, which add up."""
    found = re.findall(rf"^\| [^|]+ (?:\| [\d,]+ ){{3}}\| {N} \| {N} \| {N} \| \d+ \|$", source["fuzz"], re.MULTILINE)
    if not found:
        return NOT_YET
    read, kept, excluded = (sum(map(number, column)) for column in zip(*found, strict=True))
    return f"{read:,} rows read = {kept:,} kept + {excluded:,} excluded"


def same(source: Source) -> str:
    """Runs whose outputs have the bytes of the first."""
    found = re.findall(r"^\| [^|]+ \| \d+ \| (\d+) \| ([^|]+) \|$", source["same_bytes"], re.MULTILINE)
    if not found:
        return NOT_YET
    return f"{len(found)} runs of {found[0][0]} outputs, {sum(how != 'none' for _, how in found)} with other bytes"


def number(text: str) -> int:
    """A number with commas."""
    return int(text.replace(",", ""))


LINES = (
    Line(
        shown="faults injected and survived",
        figures=(said("faults", rf"\*\*{N} faults injected, {N} survived", "{0} injected, {1} survived"), kills),
        by="`scripts/faults.py`",
        short="`tests/pipeline/test_faults.py`, `tests/pipeline/test_workspace.py`, `tests/pipeline/test_workers.py`",
    ),
    Line(
        shown="inputs fuzzed",
        figures=(said("fuzz", rf"\*\*{N} examples, {N} failures", "{0} examples, {1} tracebacks or silent losses"),),
        by="`scripts/fuzz.py`",
        short="`tests/fuzz/test_fuzz.py`",
    ),
    Line(
        shown="rows and money accounted for",
        figures=(rows, said("fuzz", rf"Of the logs, {N} minor units", "{0} minor units of logs, all found again")),
        by="`scripts/fuzz.py`",
        short="`tests/fuzz/test_fuzz.py`, `tests/log/test_quality.py`",
    ),
    Line(
        shown="Spark against DuckDB",
        figures=(
            said("scale", rf"log\s+of {N} rows, with categories, was also", "{0} rows: the same files, byte by byte"),
            said("scale", rf"Of {N} rows Sail made the cells of DuckDB", "by Sail {0} rows: the same bits"),
        ),
        by="`benchmarks/log_to_panel.py`, `tests/log/test_spark.py`; see [size](scale.md)",
        short="`tests/log/test_spark.py`",
    ),
    Line(
        shown="memory under limits",
        figures=(
            said("scale", rf"^\| {N} \|{ANY}{{2}} ([\d,]+ MB) \|[^\n]*\n\n", "{0} rows, 1 GB for the engine: {1}"),
            said("memory", rf"whole run \|{ANY}{{2}} \*\*{N}\*\* \|", "a whole run with its processes: {0} MB"),
        ),
        by="`benchmarks/log_to_panel.py`, `scripts/run_memory.py`",
        short="`tests/log/test_under_limits.py`, `tests/test_demo.py`, `tests/test_memory.py`",
    ),
    Line(
        shown="disclosure checks against a brute-force oracle",
        figures=(
            said("disclosure", rf"\| cells[^|]*\| {N} \|{ANY} (\d+) judged", "{0} cells, {1} judged otherwise"),
            said("disclosure", rf"\| sums[^|]*\| {N} \|{ANY} (\d+) \|", "{0} sums, {1} dangerous ones left"),
        ),
        by="`scripts/privacy_checks.py`",
        short="`tests/log/test_disclosure.py`, `tests/log/test_disclosure_sums.py`, "
        "`tests/pipeline/test_judged_outputs.py`",
    ),
    Line(
        shown="ids found",
        figures=(
            said("ids", rf"\| (\d+) commands, (\d+) kills \| {N} \| {N} \| \*\*(\d+)\*\*",
                 "{4} in {2} files, {3} bytes, after {0} commands and {1} kills"),
        ),
        by="`scripts/privacy_checks.py`",
        short="`tests/test_privacy.py`",
    ),
    Line(
        shown="same inputs, same bytes",
        figures=(same,),
        by="`scripts/same_bytes.py`",
        short="`tests/pipeline/test_repetition.py`, `tests/test_demo.py`",
    ),
)  # fmt: skip


def summary(source: Source) -> str:
    """
    Make the table, and another of what makes it.

    Parameters
    ----------
    source
        The texts that hold the figures; what is not there was not measured.
    """
    measured = [f"| {line.shown} | {'; '.join(figure(source) for figure in line.figures)} |" for line in LINES]
    made = [f"| {line.shown} | {line.by} | {line.short} |" for line in LINES]
    return "\n".join([
        "| shown | measured |", "|---|---|", *measured, "",
        "What measures each, and its shortened form in CI:", "",
        "| shown | script | in CI |", "|---|---|---|", *made,
    ])  # fmt: skip
