"""What every design checks of its parameters before it sees a panel."""

from collections.abc import Mapping, Sequence
from typing import Any

from tradelift.covariance import check_columns, check_scheme
from tradelift.errors import DesignError


def make_tuples(design: Any, names: Sequence[str]) -> None:
    """Turn the lists among a frozen design's parameters into tuples; a text in place of a list is refused."""
    for name in names:
        value = getattr(design, name)
        if isinstance(value, str):
            msg = f"{name} must be a list; write {name}=['{value}']."
            raise DesignError(msg)
        if value is not None:
            object.__setattr__(design, name, tuple(value))


def check_names(design: Any, columns: Sequence[str]) -> None:
    """
    Refuse what is not a name where a name is asked for.

    Parameters
    ----------
    design
        With `controls`, `effects`, `outcome`, `where` and `vcov`.
    columns
        Its parameters that name one column, or are None.
    """
    for name in columns:
        value = getattr(design, name)
        if value is not None and not isinstance(value, str):
            msg = f"{name} names a column, or is None; found {value!r}."
            raise DesignError(msg)
    for name in ("controls", "effects"):
        wrong = [value for value in getattr(design, name) or () if not isinstance(value, str)]
        if wrong:
            msg = f"{name} are names; found {wrong[0]!r}."
            raise DesignError(msg)
    if not isinstance(design.outcome, str):
        msg = f"outcome is a column, or log(x), log1p(x) or asinh(x) of one; found {design.outcome!r}."
        raise DesignError(msg)
    if design.where is not None and not isinstance(design.where, Mapping):
        msg = (
            f"where gives a value or values for each column, as {{'direction': 'west->east'}}; found {design.where!r}."
        )
        raise DesignError(msg)
    if design.vcov is None:
        msg = "vcov is a scheme or a list of columns; write vcov='none' for errors of independent observations."
        raise DesignError(msg)


def check_errors(design: Any) -> None:
    """Refuse a covariance or a correction that there is not; a list of columns becomes a tuple."""
    if isinstance(design.vcov, str):
        check_scheme(design.vcov, design.correction)
    else:
        object.__setattr__(design, "vcov", tuple(design.vcov))
        check_columns(design.vcov, design.correction)
