"""What designs that compare each pair once share: checks of their options, and their sample in words."""

from collections.abc import Mapping
from typing import Any

from tradelift.covariance import check_columns, check_scheme
from tradelift.designs.sample import describe
from tradelift.designs.terms import choose_family, parse_outcome
from tradelift.errors import DesignError
from tradelift.panel import Panel
from tradelift.programme import CONTROL_TYPES


def check_one_row(design: Any) -> None:
    """
    Refuse options that no design of single pairs can do, and make its lists tuples.

    Raises
    ------
    DesignError
        Saying which.
    """
    choose_family(parse_outcome(design.outcome), design.family)
    if isinstance(design.controls, str):
        msg = f"controls must be a list; write controls=['{design.controls}']."
        raise DesignError(msg)
    if design.controls is not None:
        object.__setattr__(design, "controls", tuple(design.controls))
    if design.vcov is None:
        msg = "vcov is a scheme or a list of columns; write vcov='none' for errors of independent observations."
        raise DesignError(msg)
    if isinstance(design.vcov, str):
        check_scheme(design.vcov, design.correction)
    else:
        object.__setattr__(design, "vcov", tuple(design.vcov))
        check_columns(design.vcov, design.correction)


def in_words(pairs: str, panel: Panel, where: Mapping[str, Any] | None) -> str:
    """Name a sample: its pairs, and the conditions on its cells."""
    return ", ".join([pairs, *describe(panel, CONTROL_TYPES, where).split(", ")[1:]])
