"""What is said of estimates along bandwidths."""

from collections.abc import Iterator, Mapping

from tradelift.estimate import Estimate
from tradelift.exhibits.labels import plain, signed
from tradelift.exhibits.shown import CurvePoint
from tradelift.exhibits.spatial import size_of

MARKED = "The vertical line marks the study's bandwidth; bands that leave a panel go on beyond it."


def point(row: str, column: str, km: float, estimate: Estimate) -> CurvePoint:
    """An estimate at a bandwidth as a point of a figure."""
    size = size_of(estimate)
    low, high = (size.low, size.high) if size.is_known else (None, None)
    said = tuple(facts(estimate))
    return CurvePoint(row=row, column=column, x=km, value=size.value, low=low, high=high, facts=said)


def facts(estimate: Estimate) -> Iterator[tuple[str, str]]:
    """The estimate in words, with what it rests on."""
    size = size_of(estimate)
    digits = 1 if size.unit else 3
    yield "Difference", f"{signed(size.value, digits)}{size.unit}"
    interval = f"{plain(size.low, digits)} to {plain(size.high, digits)}{size.unit}"
    yield "95% interval", interval if size.is_known else "its error is not known"
    about = estimate.diagnostics.identification
    if about is not None:
        lost = sum(about.lost_groups.values())
        yield "Directed partner pairs with near pairs", f"{about.groups:,}{f', {lost:,} without' if lost else ''}"
        yield "Near pairs for each, on average", plain(about.controls)
        yield "They say as much as so many of equal weight", plain(about.effective_partners)


def range_of(curve: Mapping[float, Estimate]) -> str:
    """Say the smallest and the largest effect: "4.0 to 9.1%"."""
    sizes = {km: size_of(e) for km, e in curve.items()}
    low, high = min(s.value for s in sizes.values()), max(s.value for s in sizes.values())
    unit = next(iter(sizes.values())).unit
    if len(sizes) == 1:
        return f"{plain(low)}{unit}"
    return f"{plain(low)} to {plain(high)}{unit}"
