"""Outcomes and controls as users write them: columns, log(x), x:y."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DataError, DesignError
from tradelift.panel import Panel
from tradelift.panel.panel import RATIOS
from tradelift.threads import side_by_side

Floats = NDArray[Any]
Bools = NDArray[Any]

CALL = re.compile(r"^(log1p|log|asinh)\((.+)\)$")
BY_LEVELS = re.compile(r"i\((`[^`]+`|[^,`]+), (`[^`]+`|[^,`]+)\)")
R_NAME = re.compile(r"(?![\d_]|\.\d)[\w.]+")
R_WORDS = frozenset(
    {"if", "else", "repeat", "while", "function", "for", "next", "break", "in"}
    | {"TRUE", "FALSE", "NULL", "NA", "NaN", "Inf"}
)
OUTSIDE = "(?=(?:[^`]*`[^`]*`)*[^`]*$)"  # of backticks
ALLOWED = "a column, log(column), or a product x:y of these"
STRETCH = 2**16  # cells whose logs a thread takes at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An outcome: its column, and the function applied to it ("log", "log1p", "asinh" or none)."""

    column: str
    function: str | None

    @property
    def is_linear(self) -> bool:
        """Whether it is estimated by OLS unless the user says otherwise."""
        return self.function is not None or self.column.startswith(RATIOS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """
    A regressor: its values by directed pair where it is fixed, shape (P,), else by cell, shape (N,).

    Parameters
    ----------
    name
        As the user wrote it.
    values
        Numbers; NaN where missing.
    fixed
        Whether the values are by pair.
    no_distance
        Cells that have no distance because they are domestic, shape (N,), or None.
    spelled
        How a formula writes it, where that is not its name.
    """

    name: str
    values: Floats
    fixed: bool
    no_distance: Bools | None = None
    spelled: str | None = None

    def by_cell(self, pair: NDArray[Any]) -> Floats:
        """Values by cell, shape (N,)."""
        return self.values[pair] if self.fixed else self.values


def parse_outcome(text: str) -> Outcome:
    """Read "trade", "log(trade)", "log1p(trade)" or "asinh(trade)"."""
    call = CALL.match(text.strip())
    if call:
        return Outcome(column=call[2].strip(), function=call[1])
    return Outcome(column=text.strip(), function=None)


def choose_family(outcome: Outcome, family: str | None) -> Literal["poisson", "gaussian"]:
    """
    Settle the family, and refuse a contradiction.

    Raises
    ------
    DesignError
        If the family is unknown, or Poisson is asked for a transformed outcome.
    """
    if family is None:
        return "gaussian" if outcome.is_linear else "poisson"
    if family == "poisson":
        if outcome.function is not None:
            msg = (
                f"family='poisson' contradicts the outcome {outcome.function}({outcome.column}): PPML is estimated on "
                f"the flow itself. Use outcome='{outcome.column}', or family='gaussian'."
            )
            raise DesignError(msg)
        return "poisson"
    if family == "gaussian":
        return "gaussian"
    msg = f"There is no family '{family}'; use 'poisson' or 'gaussian'."
    raise DesignError(msg)


def transform(outcome: Outcome, values: Floats) -> tuple[Floats, Bools]:
    """
    Apply the outcome's function.

    Returns
    -------
    Values, shape (N,) or as the flows of a stack (T, m), and where a log is not defined.
    """
    not_positive = np.zeros(values.shape, dtype=bool)
    if outcome.function == "log":
        logs = np.empty(values.shape)

        def put(start: int) -> None:
            part = slice(start, start + STRETCH)
            np.less_equal(values[part], 0, out=not_positive[part])
            with np.errstate(divide="ignore", invalid="ignore"):
                np.log(values[part], out=logs[part])
            logs[part][not_positive[part]] = 0.0

        side_by_side(put, len(values), range(0, len(values), STRETCH))
        return logs, not_positive
    if outcome.function == "log1p":
        return np.log1p(np.clip(values, 0.0, None)), values < 0
    if outcome.function == "asinh":
        return np.arcsinh(values), not_positive
    return values, not_positive


def default_controls(panel: Panel) -> tuple[str, ...]:
    """Log distance where it is known."""
    return ("log(distance_km)",) if "distance_km" in panel.names else ()


def read_controls(panel: Panel, controls: Sequence[str]) -> list[Column]:
    """
    Evaluate controls on a panel.

    Parameters
    ----------
    panel
        Where the columns are.
    controls
        As the user wrote them. Beside `domestic`, the log distance of domestic cells is set to 0: the dummy absorbs
        whatever it is.

    Raises
    ------
    DesignError
        If a control is not of the allowed forms, unknown, text, or the log of something not positive.
    DataError
        If a covariate is missing in cells that are absent from the flows.
    """
    if isinstance(controls, str):
        msg = f"controls must be a list; write controls=['{controls}']."
        raise DesignError(msg)
    own_dummy = "domestic" in controls
    return [_control(panel, text, own_dummy=own_dummy) for text in controls]


def _control(panel: Panel, text: str, *, own_dummy: bool) -> Column:
    parts = [_factor(panel, part.strip(), text, own_dummy=own_dummy) for part in text.split(":")]
    if len(parts) == 1:
        return parts[0]
    fixed = all(p.fixed for p in parts)
    pair = panel.pair_of_cell
    with np.errstate(over="ignore"):
        values = np.prod([p.values if fixed else p.by_cell(pair) for p in parts], axis=0)
    if np.isinf(values).any():
        msg = f"The product '{text}' is too large for a computer to hold; rescale its columns."
        raise DesignError(msg)
    gaps = [p.no_distance for p in parts if p.no_distance is not None]
    return Column(name=text, values=values, fixed=fixed, no_distance=np.logical_or.reduce(gaps) if gaps else None)


def _factor(panel: Panel, part: str, text: str, *, own_dummy: bool) -> Column:
    call = CALL.match(part)
    name = call[2].strip() if call else part
    if (call and call[1] != "log") or (name not in panel.names and not name.isidentifier()):
        msg = f"The control '{text}' is not understood; a control is {ALLOWED}. The panel has {', '.join(panel.names)}."
        raise DesignError(msg)
    fixed = panel.is_fixed(name)
    values = panel.pair_column(name) if fixed else panel.column(name)
    if values.dtype.kind not in "iufb":
        msg = f"The control '{name}' is text; give numbers, or use it as an effect."
        raise DesignError(msg)
    values = values.astype(np.float64, copy=False)
    if not np.isfinite(np.vdot(values, values)) and np.isinf(values).any():  # the product is faster to make
        msg = f"The column '{name}' holds {int(np.isinf(values).sum()):,} infinite values; correct or remove them."
        raise DesignError(msg)
    _refuse_absent(panel, name, values, fixed=fixed)
    if not call:
        return Column(name=part, values=values, fixed=fixed)
    return _log(panel, name, values, fixed=fixed, own_dummy=own_dummy)


def _log(panel: Panel, name: str, values: Floats, *, fixed: bool, own_dummy: bool) -> Column:
    domestic = panel.pairs.columns["domestic"] == 1
    if not fixed:
        domestic = domestic[panel.pair_of_cell]
    without = np.zeros(len(values), dtype=bool)
    if name == "distance_km":
        without = domestic & ~(values > 0)
    bad = ~without & (values <= 0)
    if bad.any():
        msg = f"log({name}) is not defined where {name} <= 0 ({int(bad.sum()):,} values); add a constant or use {name}."
        raise DesignError(msg)
    logs = np.log(np.where(values > 0, values, 1.0))
    logs = np.where(np.isnan(values) & ~without, np.nan, logs)
    gap = None
    if without.any() and not own_dummy:
        gap = without[panel.pair_of_cell] if fixed else without
    return Column(name=f"log({name})", values=logs, fixed=fixed, no_distance=gap)


def _refuse_absent(panel: Panel, name: str, values: Floats, *, fixed: bool) -> None:
    """A covariate of cells cannot be known where the flows do not list the cell."""
    if fixed or panel.absent is None:
        return
    gaps = int((np.isnan(values) & panel.absent).sum())
    if gaps:
        msg = (
            f"The covariate '{name}' is missing in {gaps:,} cells that the flows do not list. Give it with `pairs`, "
            f"for every pair of regions, or list every cell."
        )
        raise DataError(msg)


def formula(outcome: str, terms: Sequence[str], effects: Sequence[str]) -> str:
    """The line to paste into fixest, with names that R would not read in backticks."""
    right = " + ".join(map(_spelled, terms)) or "1"
    absorbed = ["^".join(map(quoted, effect.split("^"))) for effect in effects]
    return f"{_spelled(outcome)} ~ {right}" + (f" | {' + '.join(absorbed)}" if absorbed else "")


def quoted(name: str) -> str:
    """A name as R reads it: in backticks where it has blanks or signs, begins as no name does, or is a word of R."""
    return name if R_NAME.fullmatch(name) and name not in R_WORDS else f"`{name}`"


def parted(text: str, sign: str) -> list[str]:
    """Parts of a formula between signs that stand outside backticks, without blanks around them."""
    return [part.strip() for part in re.split(re.escape(sign) + OUTSIDE, text)]


def unquoted(text: str) -> str:
    """A part of a formula with names as they are."""
    return text.replace("`", "")


def _spelled(term: str) -> str:
    if BY_LEVELS.fullmatch(term):
        return term  # as `levels.spelled` has written it
    calls = [(CALL.match(part.strip()), part.strip()) for part in term.split(":")]
    return ":".join(f"{call[1]}({quoted(call[2].strip())})" if call else quoted(part) for call, part in calls)
