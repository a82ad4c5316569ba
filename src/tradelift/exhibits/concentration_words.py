"""What the estimates of concentration say, in sentences."""

from collections.abc import Iterator

import numpy as np

from tradelift.estimate import Estimate
from tradelift.exhibits.concentration_tables import WHOSE, Findings, Margins, is_equivalent, top_less_rest
from tradelift.exhibits.finding import fitting, span
from tradelift.exhibits.headline import numbers
from tradelift.exhibits.labels import direction_label, label, plain, signed
from tradelift.exhibits.spatial import size_of
from tradelift.exhibits.split import GRAVITY, RD, p_words, sizes
from tradelift.inference.equivalence import SIZE
from tradelift.panel import Panel
from tradelift.study import Study


def sentences(study: Study, panel: Panel, found: Findings, margins: Margins) -> Iterator[str]:
    """Say the effects on ratios, on top sellers and the rest, and what selection can do to them."""
    design = _design(found)
    yield from _ratios(study, panel, found, margins, design)
    yield from _apart(panel, found, margins, design)
    yield from _presence(panel, found, design)
    yield from _bounds(study, panel, found, design)


def finding(study: Study, panel: Panel, found: Findings, margins: Margins) -> str:
    """What partnership does to the first ratio, over all flows; where nothing is seen, what would have been."""
    design = _design(found)
    key = next((k for k in found.ratios if k[1] == "none" and k[2].design == design), None)
    if key is None:
        return ""
    size, test = size_of(found.ratios[key]), is_equivalent(found.ratios[key], margins.points)
    name = label(study, panel, key[0]).removesuffix(" (%)")
    if not size.is_known:
        return ""
    if test.p_value is not None and test.p_value < SIZE:
        said = f"effects beyond \N{PLUS-MINUS SIGN}{plain(test.bound, 2)} points are excluded"
        return fitting(f"{name}: {said}", f"Concentration: {said}")
    if size.is_clear:
        said = f"{signed(size.value, 2)} points for partners ({span(size, 2)})"
        return fitting(f"{name}: {said}", f"Concentration: {said}")
    said = f"no effect is seen; one of {plain(test.detectable, 1)} points would be found four times in five"
    return fitting(f"{name}: {said}", f"Concentration: {said}")


def _design(found: Findings) -> str:
    """Spatial RD where there is one: what sentences are about."""
    designs = {a.design for _, _, a, _ in found.ratios} | {a.design for _, a, _ in found.apart}
    return RD if RD in designs else GRAVITY


def _ratios(study: Study, panel: Panel, found: Findings, margins: Margins, design: str) -> Iterator[str]:
    """The ratio in the first reading, by direction, and with numbers held."""
    outcomes = list(dict.fromkeys(o for o, *_ in found.ratios))
    own = {k: e for k, e in found.ratios.items() if k[0] == outcomes[0] and k[2].design == design}
    name = label(study, panel, outcomes[0]).removesuffix(" (%)") if outcomes else ""
    for (_, held, _, direction), e in own.items():
        if held != "none":
            continue
        test = is_equivalent(e, margins.points)
        yield (
            f"{name}, {direction_label(panel, direction)} ({design}): {_points(e)} points. "
            f"{_verdict(test.p_value, margins.points, 'points')}{_limits(test.bound, test.detectable, ' points')}"
        )
    beside = [(h, f"{direction_label(panel, d)} {_points(e)}") for (_, h, _, d), e in own.items() if h != "none"]
    if beside:
        yield f"With the number of {beside[0][0]} held, in points: {'; '.join(said for _, said in beside)}."


def _points(estimate: Estimate) -> str:
    """An effect on a ratio with its interval."""
    size = size_of(estimate)
    span = f"95% interval {plain(size.low, 2)} to {plain(size.high, 2)}" if size.is_known else "its error is not known"
    return f"{signed(size.value, 2)} ({span})"


def _verdict(p: float | None, margin: float, unit: str) -> str:
    """Whether an effect as large as the margin is rejected."""
    if p is None or not np.isfinite(p):
        return "Its error is not known, so nothing can be excluded."
    found = f"an effect of {plain(margin, 2 if unit == 'points' else 1)}{'%' if unit == '%' else ' ' + unit} or more"
    if p < SIZE:
        return f"The data reject {found} ({p_words(p)}): no effect that matters is a finding here."
    return f"The data do not reject {found} ({p_words(p)}): that there is none is not shown."


def _limits(bound: float, detectable: float, unit: str) -> str:
    if not np.isfinite(bound):
        return ""
    digits = 1 if unit == "%" else 2
    return (
        f" Effects beyond \N{PLUS-MINUS SIGN}{plain(bound, digits)}{unit} are excluded at 5%; one of "
        f"{plain(detectable, digits)}{unit} would have been found four times in five."
    )


def _apart(panel: Panel, found: Findings, margins: Margins, design: str) -> Iterator[str]:
    """Top sellers beside the rest."""
    for (who, a, direction), e in found.apart.items():
        if who != "seller" or a.design != design:
            continue
        gap = top_less_rest(e)
        top, rest = sizes(e).values()
        test = is_equivalent(gap, margins.log)
        equal = p_words(numbers(gap, gap.treatment[0])["p_value"])
        limits = _limits(float(100 * np.expm1(test.bound)), float(100 * np.expm1(test.detectable)), "%")
        yield (
            f"Flows of top sellers, {direction_label(panel, direction)} ({design}, PPML): {top.brief}; of the rest: "
            f"{rest.brief}; equal effects: {equal}. {_verdict(test.p_value, margins.percent, '%')}{limits}"
        )


def _presence(panel: Panel, found: Findings, design: str) -> Iterator[str]:
    parts = []
    for (a, direction), e in found.presence.items():
        if a.design == design:
            size = size_of(e)
            span = f" ({plain(size.low, 2)} to {plain(size.high, 2)})" if size.is_known else " (error not known)"
            parts.append(f"{direction_label(panel, direction)} {signed(size.value, 2)} points{span}")
    if parts:
        yield f"Whether there is trade at all ({design}): {'; '.join(parts)}."


def _bounds(study: Study, panel: Panel, found: Findings, design: str) -> Iterator[str]:
    outcome = next((o for o, *_ in found.bounds), None)
    parts = []
    for (name, a, direction), b in found.bounds.items():
        if name == outcome and a.design == design:
            low, high = (numbers(x, x.treatment[0])["estimate"] for x in (b.lower, b.upper))
            parts.append(
                f"{direction_label(panel, direction)} {signed(low, 2)} to {signed(high, 2)} points (95% interval "
                f"{plain(b.conf_low, 2)} to {plain(b.conf_high, 2)}; {plain(100 * b.trimmed, 2)}% of "
                f"{WHOSE.get(b.whose, b.whose)} trimmed)"
            )
    if parts:
        yield (
            f"{label(study, panel, str(outcome))}, bounds that allow for partnership changing where it is defined "
            f"({design}): {'; '.join(parts)}."
        )
