"""From a list of partners to a `Programme`."""

from difflib import get_close_matches

import numpy as np
import pyarrow as pa

from tradelift.errors import DataError
from tradelift.panel.frames import as_text, numbers_or_text, period_labels
from tradelift.panel.period_order import is_before, period_position
from tradelift.panel.regions import Regions
from tradelift.programme import Programme

RESERVED = ("start", "end", "dose")


def region_columns(table: pa.Table, sides: tuple[str, str] | None = None) -> tuple[str, str]:
    """Name the two columns of regions: those called like the sides, else the first two."""
    if sides is not None and set(sides) <= set(table.column_names):
        return sides
    names = [name for name in table.column_names if name not in RESERVED]
    if len(names) < 2:
        msg = f"A list of partners or neighbours needs two columns of regions; found {', '.join(table.column_names)}."
        raise DataError(msg)
    return names[0], names[1]


def read_partners(
    table: pa.Table, regions: Regions, periods: tuple[str, ...], start: str | None = None, end: str | None = None
) -> Programme:
    """
    Validate a list of partners.

    Parameters
    ----------
    table
        Two columns of regions, undirected, and where they vary `start`, `end` (period labels) and `dose`.
    regions, periods
        What the ids and labels refer to.
    start, end
        Period labels of all partnerships where the table has no such column.

    Raises
    ------
    DataError
        If a partner is unknown, stands twice, both partners are on one side, or a partnership ends before it starts.
    """
    if not table.num_rows:
        raise DataError("The partners file has no rows; omit `partners` where there is no programme.")
    keys = region_columns(table, regions.sides)
    first, second = (_codes(table, name, regions) for name in keys)
    if regions.side is not None:
        same = np.flatnonzero(regions.side[first] == regions.side[second])
        if len(same):
            a, b, side = regions.ids[first[same[0]]], regions.ids[second[same[0]]], regions.side[first[same[0]]]
            names = regions.sides or ("first", "second")
            msg = f"The partners '{a}' and '{b}' are both on the side '{names[side]}'; partners join the two sides."
            raise DataError(msg)
        swap = regions.side[first] == 1
        first, second = np.where(swap, second, first), np.where(swap, first, second)
    _refuse_repeated(first, second, regions)
    dose = np.ones(len(first))
    if "dose" in table.column_names:
        dose = numbers_or_text(table["dose"], "dose", "The partners file")
        if dose.dtype.kind not in "if" or not np.isfinite(dose.astype(float)).all():
            raise DataError("The column 'dose' of the partners file must hold a number in every row.")
    starts, ends = (_labels(table, n, default, len(first)) for n, default in (("start", start), ("end", end)))
    _refuse_backward(starts, ends)
    return Programme(
        first=first,
        second=second,
        start=_positions(starts, periods, end=False),
        end=_positions(ends, periods, end=True),
        dose=dose.astype(np.float64),
        columns={
            name: numbers_or_text(table[name], name, "The partners file")
            for name in table.column_names
            if name not in (*keys, *RESERVED)
        },
        n_regions=len(regions),
    )


def _codes(table: pa.Table, name: str, regions: Regions) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    place = {str(region): code for code, region in enumerate(regions.ids)}
    texts = as_text(table[name]).to_pylist()
    unknown = sorted({str(t) for t in texts if t not in place})
    if unknown:
        close = get_close_matches(unknown[0], list(place), n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        msg = (
            f"{len(unknown)} regions of the column '{name}' of the partners file are not among the regions: "
            f"{', '.join(unknown[:5])}{' ...' if len(unknown) > 5 else ''}.{hint}"
        )
        raise DataError(msg)
    return np.array([place[str(t)] for t in texts], dtype=np.int64)


def _refuse_repeated(
    first: np.ndarray[tuple[int], np.dtype[np.int64]],
    second: np.ndarray[tuple[int], np.dtype[np.int64]],
    regions: Regions,
) -> None:
    keys = np.minimum(first, second) * len(regions) + np.maximum(first, second)
    values, counts = np.unique(keys, return_counts=True)
    if (counts > 1).any():
        key = values[counts > 1][0]
        a, b = regions.ids[key // len(regions)], regions.ids[key % len(regions)]
        msg = (
            f"The partners '{a}' and '{b}' stand {int(counts[counts > 1][0])} times in the partners file "
            f"({int((counts > 1).sum())} pairs are repeated); list each pair once, in either order."
        )
        raise DataError(msg)


def _labels(table: pa.Table, name: str, default: str | None, n: int) -> list[str | None]:
    """Labels of the start or end of each partnership, as the table or else the study has them."""
    return period_labels(table[name]).to_pylist() if name in table.column_names else [default] * n


def _refuse_backward(starts: list[str | None], ends: list[str | None]) -> None:
    wrong = [(s, e) for s, e in zip(starts, ends, strict=True) if s is not None and e is not None and is_before(e, s)]
    if wrong:
        start, end = wrong[0]
        msg = (
            f"{len(wrong)} partnerships end before they start, as one from {start} to {end}; correct the partners file."
        )
        raise DataError(msg)


def _positions(
    labels: list[str | None], periods: tuple[str, ...], *, end: bool
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Positions of the start or end of each partnership; without a label, of the first or last period."""
    free = len(periods) - 1 if end else 0
    what = f"The {'end' if end else 'start'} of a partnership,"
    known = {
        label: free if label is None else period_position(label, periods, end=end, what=what) for label in set(labels)
    }
    return np.array([known[label] for label in labels], dtype=np.int64)
