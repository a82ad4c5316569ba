"""What a placebo that is 0 means, and one that is not."""

from collections.abc import Mapping

from tradelift.exhibits.labels import signed
from tradelift.exhibits.size import Size

FOUND = {
    ("placebo partners", "spatial RD"): (
        "Where the nearest control plays the partner, and the partner is left out, spatial RD finds: {said}."
    ),
    ("placebo partners", "gravity"): "Gravity of placebo partners finds: {said}.",
    ("periods before", "spatial RD"): "In the periods before the start spatial RD finds: {said}.",
}
NOT_ZERO = {
    ("placebo partners", "spatial RD"): (
        "That is not 0 ({where}): pairs that are no partners differ from pairs near them. What partners were selected "
        "by may change within the bandwidth, or the effect may reach near pairs; either makes the estimate of true "
        "partners doubtful."
    ),
    ("placebo partners", "gravity"): (
        "That is not 0 ({where}): pairs beside partner pairs differ from what gravity expects, though they are no "
        "partners. Gravity may take as much for an effect of partnership, unless the effect reaches them."
    ),
    ("periods before", "spatial RD"): (
        "That is not 0 ({where}): partner pairs differed from near pairs before they were partners, and the estimate "
        "after the start may be no effect, unless the partnership was expected."
    ),
}
MAYBE_ZERO = "That can be told from 0 in no direction; the intervals allow for {low} to {high}{unit}."


def meaning(kind: str, design: str, said: str, sizes: Mapping[str, Size]) -> str:
    """
    Say what a placebo finds and what that means.

    Parameters
    ----------
    kind, design
        Which placebo of which design.
    said
        The effects in words.
    sizes
        The same as numbers, by direction in words.
    """
    found = FOUND[kind, design].format(said=said)
    clear = [where for where, size in sizes.items() if size.is_clear]
    if clear:
        where = ", ".join(clear) if len(clear) < len(sizes) else "in every direction" if len(sizes) > 1 else clear[0]
        return f"{found} {NOT_ZERO[kind, design].format(where=where)}"
    known = [size for size in sizes.values() if size.is_known]
    if not known:
        return found
    low, high = min(s.low for s in known), max(s.high for s in known)
    return f"{found} {MAYBE_ZERO.format(low=signed(low), high=signed(high), unit=known[0].unit)}"
