"""From what was measured to results.csv and results.md."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TextIO

from processes import Measured, Setting
from work import OURS, Work

COEFFICIENTS, ERRORS = 1e-8, 1e-6  # relative agreement that is asked of tradelift
WRONG = 1e-4  # a relative difference that a published table would show
MEMORY, FIRST, TENFOLD = 300, 2, 12  # MB, seconds, times the time
NO_FIXEST = """\
**fixest was not available here** (no Rscript that loads it), so the columns beside it are empty. Before this benchmark
it was timed once at the same size, PPML two-way and complete: 2.2 s, where the fastest Python package took 1.2 s. That
was another run, so no ratio is formed with it."""

Found = Mapping[tuple[str, str], Measured]


def write_csv(path: Path, works: Sequence[Work], measured: Sequence[Measured]) -> None:
    """One row a work and package, with every repetition and every digit."""
    found = _by_name(measured)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["work", "tool", "version", "median_seconds", "seconds", "memory_mb", "n", "coefficients", "errors",
             "coefficient_gap", "error_gap", "failure"]
        )  # fmt: skip
        for work in works:
            for one in (m for m in measured if m.work == work.name):
                gaps = _gaps(work, one, found)
                writer.writerow(
                    [work.name, one.tool, one.version, f"{median(one.seconds):.4f}" if one.seconds else "",
                     " ".join(f"{s:.4f}" for s in one.seconds), "" if one.memory is None else f"{one.memory:.0f}",
                     "" if one.n is None else one.n, _numbers(one.coefficients), _numbers(one.errors),
                     *("" if gap is None else f"{gap:.1e}" for gap in gaps), one.failure]
                )  # fmt: skip


def write_report(
    file: TextIO, works: Sequence[Work], measured: Sequence[Measured], machine: Mapping[str, str], setting: Setting
) -> None:
    """Tables for a reader."""
    found = _by_name(measured)
    parts = ["# What was measured", "Made by `benchmarks/run.py`; `README.md` beside it says how."]
    if setting.size == "small":
        parts.append("**Small panels: a run that shows that everything works. No figure here means anything.**")
    parts.append(_table(["machine", ""], machine.items()))
    parts.append("## Against the other packages")
    parts.append(
        "Medians in seconds, and ratios of medians of the same run. The first seconds are tradelift's, from a panel "
        "that is built or from the data frame; the others always start from the frame, with effects that are coded."
    )
    parts.append(_against(works, found))
    if setting.r is None:
        parts.append(NO_FIXEST)
    limits = list(_limits(works, found))
    if limits:
        parts += ["## Size, memory, digits, start", _table(["what", "measured", "wanted", "reached"], limits)]
    parts += ["## Every package", _EXPLAINED]
    for work in works:
        parts += [f"### {work.title}", *([work.note] if work.note else []), _each(work, measured, found)]
    file.write("\n\n".join(parts) + "\n")


_EXPLAINED = f"""\
`x` is the median over tradelift's from a panel that is built. Memory is the peak over what was held before, the data
among it. Digits are the largest relative differences of coefficients and of standard errors from the reference,
pyfixest with tolerances of 1e-11 for the effects and 1e-13 for the Poisson steps; **bold** where a coefficient is off
by more than {WRONG:.0e}."""


def _against(works: Sequence[Work], found: Found) -> str:
    rows = []
    for work in works:
        for tool, python, r in (
            ("tradelift", work.target, work.target_fixest),
            ("tradelift-frame", work.target_frame, work.target_fixest_frame),
        ):
            ours = found.get((work.name, tool))
            if python is None or ours is None:
                continue
            best = _fastest(work, found)
            start = ", from the frame" if tool == "tradelift-frame" else ""
            rows.append(
                [work.title + start, ours.failure or _seconds(ours), best.tool if best else "", _seconds(best),
                 _ratio(best, ours), f"{python:g} x", _reached(best, ours, python),
                 _seconds(found.get((work.name, "fixest"))), _ratio(found.get((work.name, "fixest")), ours),
                 "" if r is None else f"{r:g} x"]
            )  # fmt: skip
    return _table(
        [
            "work",
            "tradelift",
            "fastest in Python",
            "its seconds",
            "ratio",
            "wanted",
            "reached",
            "fixest",
            "ratio",
            "wanted",
        ],
        rows,
    )


def _limits(works: Sequence[Work], found: Found) -> Iterable[list[str]]:
    for tool, start in zip(OURS, ("", ", from the frame"), strict=True):
        ten, one = found.get(("tenfold", tool)), found.get(("two-way", tool))
        if ten and one and ten.seconds and one.seconds:
            times = median(ten.seconds) / median(one.seconds)
            yield [
                f"time at ten times the rows{start}",
                f"{times:.1f} x",
                f"at most {TENFOLD} x",
                _yes(times <= TENFOLD),
            ]
    for work in works:
        for tool, start in zip(OURS, ("", ", from the frame"), strict=True):
            ours = found.get((work.name, tool))
            if ours and ours.memory is not None and work.name not in ("month", "first"):
                wanted = work.name != "tenfold"
                yield [
                    f"memory over the data, {work.title}{start}", f"{ours.memory:.0f} MB",
                    f"under {MEMORY} MB" if wanted else "", _yes(ours.memory < MEMORY) if wanted else "",
                ]  # fmt: skip
    yield from _digits(works, found)
    first = found.get(("first", "tradelift-frame"))
    if first and first.seconds:
        seconds = median(first.seconds)
        yield ["first estimate in a fresh process, imports included", f"{seconds:.2f} s", f"under {FIRST} s",
               _yes(seconds < FIRST)]  # fmt: skip


def _digits(works: Sequence[Work], found: Found) -> Iterable[list[str]]:
    """The largest differences of tradelift from the reference, over all works."""
    gaps = [_gaps(work, found[work.name, tool], found) for work in works for tool in OURS if (work.name, tool) in found]
    for k, (what, wanted) in enumerate((("coefficients", COEFFICIENTS), ("standard errors", ERRORS))):
        largest = max((gap for pair in gaps if (gap := pair[k]) is not None), default=None)
        if largest is not None:
            yield [f"largest relative difference of {what} from the reference, all works", f"{largest:.0e}",
                   f"at most {wanted:.0e}", _yes(largest <= wanted)]  # fmt: skip


def _each(work: Work, measured: Sequence[Measured], found: Found) -> str:
    ours = found.get((work.name, "tradelift")) or found.get((work.name, "tradelift-frame"))
    rows = []
    for one in (m for m in measured if m.work == work.name):
        if one.failure:
            rows.append([one.tool, one.version, one.failure, *[""] * 7])
            continue
        coefficients, errors = _gaps(work, one, found)
        shown = "" if coefficients is None else f"{coefficients:.0e}"
        ratio = "" if one.tool == "reference" else _ratio(one, ours)
        shown = f"**{shown}: wrong**" if coefficients is not None and coefficients > WRONG else shown
        rows.append(
            [one.tool, one.version, _seconds(one), f"{min(one.seconds):.3f}-{max(one.seconds):.3f}",
             str(len(one.seconds)), ratio, "" if one.memory is None else f"{one.memory:.0f}",
             "" if one.n is None else f"{one.n:,}",
             shown, "" if errors is None else f"{errors:.0e}"]
        )  # fmt: skip
    heads = ["package", "version", "median s", "range", "runs", "x", "memory MB", "N", "coefficients", "errors"]
    return _table(heads, rows)


def _fastest(work: Work, found: Found) -> Measured | None:
    """The fastest Python package whose coefficients are right."""
    others = [
        m for (name, tool), m in found.items()
        if name == work.name and tool not in (*OURS, "fixest", "reference") and m.seconds
        and (_gaps(work, m, found)[0] or 0.0) <= WRONG
    ]  # fmt: skip
    return min(others, key=lambda m: median(m.seconds), default=None)


def _gaps(work: Work, one: Measured, found: Found) -> tuple[float | None, float | None]:
    """Largest relative differences of coefficients and standard errors from the reference."""
    reference = found.get((work.name, work.reference or ""))
    if reference is None or not reference.coefficients or not one.coefficients:
        return None, None
    return _gap(one.coefficients, reference.coefficients), _gap(one.errors, reference.errors)


def _gap(a: Sequence[float], b: Sequence[float]) -> float:
    return max(abs(x - y) / abs(y) for x, y in zip(a, b, strict=True))


def _by_name(measured: Iterable[Measured]) -> Found:
    return {(m.work, m.tool): m for m in measured}


def _seconds(one: Measured | None) -> str:
    return f"{median(one.seconds):.3f}" if one and one.seconds else ""


def _ratio(other: Measured | None, ours: Measured | None) -> str:
    if not (other and ours and other.seconds and ours.seconds):
        return ""
    return f"{median(other.seconds) / median(ours.seconds):.1f}"


def _reached(other: Measured | None, ours: Measured, wanted: float) -> str:
    if ours.failure:
        return "**no**"
    return _yes(median(other.seconds) / median(ours.seconds) >= wanted) if other else ""


def _yes(reached: bool) -> str:  # noqa: FBT001 - it is only shown
    return "yes" if reached else "**no**"


def _numbers(values: Sequence[float]) -> str:
    return " ".join(repr(v) for v in values)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
