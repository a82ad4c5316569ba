"""Traits of pairs: expressions of what is known of their regions, evaluated; and partner pairs halved by them."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DesignError
from tradelift.panel import Panel

Floats = NDArray[Any]
Array = NDArray[Any]

LEVELS = {"halves": ("low", "high"), "terciles": ("low", "middle", "high")}
OPERATIONS: dict[type[ast.operator], np.ufunc] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}
ENDS = ("origin", "destination")


def trait_values(panel: Panel, text: str) -> Floats:
    """
    Evaluate a trait for each directed pair.

    Parameters
    ----------
    panel
        With what is known of regions and pairs.
    text
        Columns of pairs, column[side] for a column of the regions of a side (or column[origin], column[destination]),
        numbers, log() and + - * /, as "log(gdp[east] / gdp[west])".

    Returns
    -------
    Shape (P,), NaN where something is missing.

    Raises
    ------
    DesignError
        If the expression is not understood, names an unknown column, or has no value for some pairs.

    Examples
    --------
    >>> import pandas as pd
    >>> import tradelift as tl
    >>> regions = pd.DataFrame({"region": ["a", "b"], "gdp": [4.0, 1.0]})
    >>> flows = pd.DataFrame({"origin": ["a", "b"], "destination": ["b", "a"], "trade": 1.0})
    >>> panel = tl.Panel.from_frame(flows, regions=regions)
    >>> trait_values(panel, "log(gdp[origin] / gdp[destination])").round(2).tolist()
    [1.39, -1.39]
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        raise DesignError(_not_understood(text)) from None
    with np.errstate(all="ignore"):
        values = np.broadcast_to(_value(panel, tree, text), len(panel.pairs)).astype(np.float64)
    endless = int(np.isinf(values).sum())
    if endless:
        msg = f"The trait '{text}' is infinite for {endless:,} pairs: it divides by 0, or takes the log of 0."
        raise DesignError(msg)
    if np.isnan(values).all():
        msg = f"The trait '{text}' is missing for every pair."
        raise DesignError(msg)
    return values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """
    Pairs in groups by a trait.

    Parameters
    ----------
    labels
        "low", "middle" or "high" by directed pair, "" where the trait is missing, shape (P,).
    levels
        The labels in order.
    cuts
        A pair is in the first group whose cut is not below its trait.
    partners
        Partner pairs (each counted once) in each group.
    """

    labels: Array
    levels: tuple[str, ...]
    cuts: tuple[float, ...]
    partners: tuple[int, ...]


def split_pairs(panel: Panel, values: Floats, into: str) -> Split:
    """
    Part all pairs by a trait, such that partner pairs are parted evenly.

    Parameters
    ----------
    panel
        With a programme.
    values
        The trait by directed pair, shape (P,).
    into
        "halves" or "terciles".

    Raises
    ------
    DesignError
        If there is no programme, or ties leave a group without partner pairs.
    """
    levels = LEVELS[into]
    own = partner_values(panel, values)
    cuts = np.quantile(own, np.arange(1, len(levels)) / len(levels))
    labels = np.array([*levels, ""])[np.where(np.isnan(values), len(levels), np.searchsorted(cuts, values))]
    counts = np.bincount(np.searchsorted(cuts, own), minlength=len(levels))
    if (counts == 0).any():
        msg = (
            f"The {len(own):,} partner pairs do not fall into {into} by this trait: {len(np.unique(own)):,} different "
            f"values, {', '.join(f'{level} {n:,}' for level, n in zip(levels, counts, strict=True))}. Use "
            f"{'halves or ' if into == 'terciles' else ''}the trait as it is, 'continuous'."
        )
        raise DesignError(msg)
    return Split(labels=labels, levels=levels, cuts=tuple(map(float, cuts)), partners=tuple(map(int, counts)))


def partner_values(panel: Panel, values: Floats) -> Floats:
    """
    Take a trait of the partner pairs that the panel holds, each once where it is the same both ways; without missing.

    Raises
    ------
    DesignError
        If there is no programme, or the trait is missing for all of them.
    """
    if panel.programme is None:
        msg = "Traits part the effect of partners, and this panel has no programme: give partners."
        raise DesignError(msg)
    rows = np.flatnonzero((panel.pairs.partnership >= 0) & ~np.isnan(values))
    keys = np.stack([panel.pairs.partnership[rows].astype(np.float64), values[rows]], axis=1)
    if not len(keys):
        msg = "The trait is missing for every partner pair; complete it, or leave it out."
        raise DesignError(msg)
    return np.asarray(np.unique(keys, axis=0)[:, 1])


def _value(panel: Panel, node: ast.AST, text: str) -> Floats:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return np.asarray(float(number))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(panel, inner, text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
            return np.asarray(OPERATIONS[type(op)](_value(panel, left, text), _value(panel, right, text)))
        case ast.Call(func=ast.Name(id="log"), args=[inner], keywords=[]):
            return _log(_value(panel, inner, text), text)
        case ast.Name(id=name):
            return _of_pairs(panel, name, text)
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Name(id=side)):
            return _of_regions(panel, name, side, text)
    raise DesignError(_not_understood(text))


def _log(values: Floats, text: str) -> Floats:
    bad = int((values <= 0).sum())
    if bad:
        msg = f"The trait '{text}' takes the log of numbers that are not positive, for {bad:,} pairs; add a constant."
        raise DesignError(msg)
    return np.asarray(np.log(values))


def _of_pairs(panel: Panel, name: str, text: str) -> Floats:
    if name in panel.names and panel.is_fixed(name):
        return _numbers(panel.pair_column(name), name)
    if name in panel.regions.columns:
        msg = f"The trait '{text}': '{name}' is of regions; say whose, as {name}[{_sides(panel)[1]}]."
        raise DesignError(msg)
    if name in panel.names:
        msg = f"The trait '{text}': '{name}' moves in time, and a trait does not; give a column that is fixed."
        raise DesignError(msg)
    raise DesignError(_unknown(name, text, _pair_names(panel)))


def _of_regions(panel: Panel, name: str, side: str, text: str) -> Floats:
    regions, pairs = panel.regions, panel.pairs
    places = {"longitude": regions.longitude, "latitude": regions.latitude}
    known = {n: v for n, v in {**places, **regions.columns}.items() if v is not None and v.dtype.kind in "iufb"}
    if name not in known:
        raise DesignError(_unknown(name, text, [f"{n}[{_sides(panel)[1]}]" for n in known]))
    values = _numbers(known[name], name)
    if side in ENDS:
        return values[pairs.origin if side == "origin" else pairs.destination]
    if regions.sides is None or side not in regions.sides:
        msg = f"The trait '{text}': there is no side '{side}'; write {name}[{f'] or {name}['.join(_sides(panel))}]."
        raise DesignError(msg)
    assert regions.side is not None, "where sides have names, regions are on one"
    is_origin = regions.side[pairs.origin] == regions.sides.index(side)
    return values[np.where(is_origin, pairs.origin, pairs.destination)]


def _numbers(values: Array, name: str) -> Floats:
    if values.dtype.kind not in "iufb":
        msg = f"The column '{name}' is text; a trait is made of numbers."
        raise DesignError(msg)
    return values.astype(np.float64)


def _sides(panel: Panel) -> tuple[str, str]:
    return panel.regions.sides or ENDS


def _pair_names(panel: Panel) -> list[str]:
    return [name for name in panel.pairs.columns if panel.pairs.columns[name].dtype.kind in "iufb"]


def _unknown(name: str, text: str, known: Sequence[str]) -> str:
    there = ", ".join(known) or "none"
    where = "regions" if known and "[" in known[0] else "pairs"
    return f"The trait '{text}': the {where} have no column '{name}' of numbers; there are {there}."


def _not_understood(text: str) -> str:
    return f"The trait '{text}' is not understood; use columns of pairs, column[side], numbers, log() and + - * /."
