"""How the report calls columns, terms and directions."""

import re

from tradelift.panel import Panel
from tradelift.study import Study

SHORT = {"seller_concentration": "Seller conc. (%)", "buyer_concentration": "Buyer conc. (%)"}
TIMES = "\N{MULTIPLICATION SIGN}"
NBSP = "\N{NO-BREAK SPACE}"
WRAPPED = re.compile(r"(log|log1p|asinh)\((.+)\)")
UNIT = re.compile(r" \([^()]*\)$")  # "(yuan)" after a name: the log of a number has none


def label(study: Study, panel: Panel, name: str, *, short: bool = False) -> str:
    """
    Name a column or a term as the study's labels do, else in plain words.

    Parameters
    ----------
    study, panel
        The labels, and the currency of trade.
    name
        A column, log(x) or a product x:y.
    short
        For the head of a narrow column.
    """
    own = study.label(name)
    if name in study.labels:
        return own
    if ":" in name:
        return f" {TIMES} ".join(label(study, panel, part, short=short) for part in name.split(":"))
    wrapped = WRAPPED.fullmatch(name)
    if wrapped and own == name:
        inner = label(study, panel, wrapped[2], short=short)
        return f"ln({UNIT.sub('', inner)})" if wrapped[1] == "log" else f"{wrapped[1]}({inner})"
    if name == "trade" and panel.account.currency and not short:
        return f"{own} ({panel.account.currency})"
    return SHORT.get(name, own) if short else own


def in_words(study: Study, panel: Panel, name: str) -> str:
    """Name a column within a sentence: without its logarithm and its unit."""
    wrapped = WRAPPED.fullmatch(name)
    inner = wrapped[2] if wrapped and name not in study.labels else name
    return UNIT.sub("", label(study, panel, inner))


def readable(panel: Panel, key: str) -> str:
    """Write the name of a column of estimates with directions in words."""
    for direction in panel.directions[1:]:
        key = key.replace(direction, direction_label(panel, direction))
    return re.sub(r"(?<=[,;] )both$", direction_label(panel, "both"), key)


def effect_label(effect: str) -> str:
    """Name a fixed effect: "origin^period" as the effects of origin times period."""
    words = effect.replace("_", " ").replace("^", f" {TIMES} ")
    return f"{words[:1].upper()}{words[1:]} effects"


def direction_label(panel: Panel, direction: str) -> str:
    """Name a direction: "west->east" as "west → east"."""
    if direction == "both":
        return "all pairs" if panel.regions.sides is None else "both directions"
    return direction.replace("->", f"{NBSP}→{NBSP}")


def panel_title(panel: Panel, direction: str) -> str:
    """Name a direction as the title of a panel."""
    words = direction_label(panel, direction)
    return f"{words[:1].upper()}{words[1:]}" if direction == "both" else words


def signed(value: float, digits: int = 1) -> str:
    """Write a number with its sign, and a true minus."""
    text = f"{value:+,.{digits}f}"
    if not text.strip("+-0.,"):
        text = text[1:]
    return text.replace("-", "\N{MINUS SIGN}")


def plain(value: float, digits: int = 1) -> str:
    """Write a number with a true minus where it is negative."""
    return signed(value, digits).removeprefix("+")
