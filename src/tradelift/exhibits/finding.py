"""Titles of sections that say what was found: one sentence, with the number that matters and its interval."""

from collections.abc import Mapping

from tradelift.exhibits.labels import label, plain, signed
from tradelift.exhibits.shown import LONGEST_FINDING
from tradelift.exhibits.size import Size
from tradelift.panel import Panel
from tradelift.study import Study

BOTH = "both"
EFFECT, LINK = "effect", "link"
PREPOSITIONS = {EFFECT: "on", LINK: "with"}
"""What a comparison finds: an effect on flows where it is meant as one, else a link with them."""


def fitting(*sentences: str) -> str:
    """Take the first sentence that is not empty and no longer than a title may be; "" where there is none."""
    return next((s for s in sentences if s and len(s) <= LONGEST_FINDING), "")


def way(panel: Panel, direction: str) -> str:
    """Name a direction within a sentence: "from west to east", "both ways"; "" where pairs have no sides."""
    if direction == BOTH:
        return "" if panel.regions.sides is None else "both ways"
    first, second = direction.split("->")
    return f"from {first} to {second}"


def span(size: Size, digits: int = 1) -> str:
    """Write an interval with its unit: "1.4 to 22.0%"."""
    return f"{plain(size.low, digits)} to {plain(size.high, digits)}{size.unit}"


def told(size: Size, digits: int = 1) -> str:
    """Write a number with its interval: "11.2% (95% interval 1.4 to 22.0)"."""
    interval = f"95% interval {plain(size.low, digits)} to {plain(size.high, digits)}"
    return f"{plain(size.value, digits)}{size.unit} ({interval if size.is_known else 'its error is not known'})"


def by_way(panel: Panel, said: Mapping[str, str]) -> str:
    """Join what is said of each direction: "both ways 1.2%, from west to east 2.3%"."""
    return ", ".join(f"{where} {text}" if (where := way(panel, d)) else text for d, text in said.items())


def more(study: Study, panel: Panel, column: str, size: Size) -> str:
    """Say what partners do: "trade 22.9% more", "have 3.0% fewer deals"; levels as a difference."""
    if not size.unit:
        return f"differ by {signed(size.value, 2)} in {label(study, panel, column)}"
    up, amount = size.value >= 0, f"{plain(abs(size.value))}%"
    if column == "trade":
        return f"trade {amount} {'more' if up else 'less'}"
    if column == "deals":
        return f"have {amount} {'more' if up else 'fewer'} deals"
    return f"have {amount} {'more' if up else 'less'} {label(study, panel, column)}"


def compared(
    study: Study, panel: Panel, column: str, sizes: Mapping[str, Size], *, than: str, what: str = EFFECT
) -> str:
    """
    Say by how much partners differ, by direction where one of two is clear of 0, else over all flows.

    Parameters
    ----------
    study, panel
        Names of columns and directions.
    column
        What is explained, without its logarithm.
    sizes
        By direction, the first over all flows.
    than
        Whom partners are compared with: "than near pairs".
    what
        What is not seen where an interval holds 0, of `PREPOSITIONS`; the interval stands beside it.

    Returns
    -------
    Without a full stop; "" where no interval is known, or no sentence is short enough.
    """
    whole = next(iter(sizes.values()), None)
    if whole is None or not whole.is_known:
        return ""
    ways = [(d, s) for d, s in sizes.items() if d != BOTH and s.is_known]
    clear = [(d, s) for d, s in ways if s.is_clear]
    over_all = _over_all(study, panel, column, whole, than, what)
    if len(ways) < 2 or not clear:
        return over_all
    first = " and ".join(f"{more(study, panel, column, s)} {way(panel, d)}" for d, s in clear)
    others = [f"{way(panel, d)} no {what} is seen ({span(s)})" for d, s in ways if not s.is_clear]
    return fitting(
        "; ".join([f"Partners {first} {than}", *others]), "; ".join([f"Partners {first}", *others]), over_all
    )


def _over_all(study: Study, panel: Panel, column: str, size: Size, than: str, what: str) -> str:
    digits = 1 if size.unit else 2
    if size.is_clear:
        interval = f"95% interval {plain(size.low, digits)} to {plain(size.high, digits)}"
        return fitting(f"Partners {more(study, panel, column, size)} {than} ({interval})")
    name = column if column in ("trade", "deals") else label(study, panel, column)
    return fitting(f"No {what} {PREPOSITIONS[what]} {name} is seen: the 95% interval is {span(size, digits)}")
