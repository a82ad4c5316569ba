"""Fixed effects by name, and what they are: two-way effects by period go to the dense blocks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DesignError
from tradelift.panel import Panel

Ints = NDArray[Any]
Bools = NDArray[Any]


SMALL = 2**20  # codes below it combine without overflow and without a sort


def default_effects(panel: Panel) -> tuple[str, ...]:
    """Origin-period and destination-period effects, by category where there are categories."""
    suffix = ("^period" if len(panel.periods) > 1 else "") + ("^category" if panel.categories is not None else "")
    return f"origin{suffix}", f"destination{suffix}"


def effect_codes(panel: Panel, name: str) -> Ints:
    """
    Code a fixed effect by cell.

    Parameters
    ----------
    panel
        Where the columns are.
    name
        Columns joined by ^, as "origin^period".

    Returns
    -------
    Codes from 0 without gaps, shape (N,).

    Raises
    ------
    DesignError
        If a column is unknown.
    """
    code: Ints | None = None
    for part in name.split("^"):
        values = panel.column(part.strip())
        small = values.dtype.kind in "iu" and values.min(initial=0) >= 0 and values.max(initial=0) < SMALL
        own = values if small else _rank(values)
        code = own.astype(np.int64) if code is None else _rank(code * (int(own.max(initial=0)) + 1) + own)
    assert code is not None, "split gives at least one part"
    return _rank(code)


def third_effect(panel: Panel, names: Sequence[str]) -> Ints | None:
    """
    Code the effect of the pairs that stands beside the usual two.

    Parameters
    ----------
    panel
        Where the columns are.
    names
        The effects.

    Returns
    -------
    Codes from 0 by directed pair, shape (P,); None where the effects are others, or the third moves in time.
    """
    usual = default_effects(panel)
    others = [name for name in names if name not in usual]
    if len(names) != 3 or len(others) != 1:
        return None
    code: Ints | None = None
    for part in others[0].split("^"):
        values = by_pair(panel, part.strip())
        if values is None:
            return None
        own = _rank(values)
        code = own if code is None else _rank(code * (int(own.max(initial=0)) + 1) + own)
    return code


def by_pair(panel: Panel, name: str) -> Ints | None:
    """A column by directed pair, or None where it moves in time."""
    if name in ("origin", "destination"):
        return panel.pairs.origin if name == "origin" else panel.pairs.destination
    if panel.is_fixed(name):
        return panel.pair_column(name)
    values, pair = panel.column(name), panel.pair_of_cell
    out = np.zeros(len(panel.pairs), dtype=values.dtype)
    out[pair] = values
    return out if (out[pair] == values).all() else None


def gaps(panel: Panel, names: Sequence[str]) -> Bools:
    """Mark the cells where a column of an effect or cluster is missing, shape (N,)."""
    out = np.zeros(panel.n_cells, dtype=bool)
    # codes are never missing, and a panel makes them when they are asked for
    keys = {"origin", "destination", "period"}
    for part in {part.strip() for name in names for part in name.split("^")} - keys:
        values = panel.column(part)
        if values.dtype.kind in "fU":
            out |= blanks(values)
    return out


def blanks(values: Ints) -> Bools:
    """Where a column of any kind is missing."""
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    if values.dtype.kind == "U":
        return np.asarray(values == "")
    return np.zeros(len(values), dtype=bool)


def _rank(values: Ints) -> Ints:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def are_two_way(panel: Panel, codes: Sequence[Ints], sample: Bools) -> bool:
    """
    Tell whether two effects are one-to-one with (origin, period) and (destination, period), whatever their names.

    Parameters
    ----------
    panel
        Where origin, destination, period and category are.
    codes
        By cell, shape (N,) each.
    sample
        Cells that are estimated on, shape (N,).
    """
    if len(codes) != 2:
        return False
    cells = panel.cells
    place = cells.column("period")[sample].astype(np.int64)
    if panel.categories is not None:
        place = place * len(panel.categories) + cells.column("category")[sample]
    wanted = [cells.column(end)[sample] + place * len(panel.regions) for end in ("origin", "destination")]
    got = [c[sample] for c in codes]
    return (_same(got[0], wanted[0]) and _same(got[1], wanted[1])) or (
        _same(got[0], wanted[1]) and _same(got[1], wanted[0])
    )


def _same(a: Ints, b: Ints) -> bool:
    """Whether two codes part the cells in the same way: each value of one goes with one value of the other."""
    if not len(a):
        return True
    first = np.full(int(a.max()) + 1, -1)
    first[a] = b
    second = np.full(int(b.max()) + 1, -1)
    second[b] = a
    return bool((first[a] == b).all() and (second[b] == a).all())


def check_effects(effects: Sequence[str]) -> tuple[str, ...]:
    """Refuse effects that are not a list of names."""
    if isinstance(effects, str):
        msg = f"effects must be a list; write effects=['{effects}']."
        raise DesignError(msg)
    return tuple(effects)
