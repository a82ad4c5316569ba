"""What mediators that are held mean, in sentences that name what they rest on."""

from collections.abc import Iterator, Mapping

import numpy as np

from tradelift.estimate import Estimate
from tradelift.exhibits.finding import fitting, way
from tradelift.exhibits.headline import is_log, numbers
from tradelift.exhibits.labels import direction_label, in_words, plain, signed
from tradelift.exhibits.mediator_names import every_mediator
from tradelift.exhibits.mediator_tables import DESIGNS, size_of
from tradelift.exhibits.mediators import Held
from tradelift.inference import Mediated
from tradelift.inference.lagged import columns_of
from tradelift.inference.mediated import DIRECT, MEDIATED, TOTAL


def sentences(held: Held) -> Iterator[str]:
    """
    Say the effect on each mediator, what holding it changes, the parts of several, and what that rests on.

    Of the less close design only what holding changes: the rest is in the tables.
    """
    closest = held.designs[0]
    for m in held.mediators:
        name = in_words(held.study, held.panel, m)
        yield from _on(held, closest, m, name)
        for design in held.designs:
            found = held.of(design, m)
            if found:
                yield f"{DESIGNS[design]}, with {name} held: {_changes(held, found)}."
            before = held.of(design, m, earlier=True)
            if before and design == closest:
                yield (
                    f"{DESIGNS[design]}, with {name} of the period before held, which only earlier flows can have "
                    f"brought: {_changes(held, before)}."
                )
        yield from _missing(held, m, name)
    if tells_parts(held):
        yield from _parts(held, closest)
    yield _assumption(held)
    for m in held.mediators:
        yield from _hidden(held, closest, m)


def finding(held: Held) -> str:
    """What is left of the effect with the first mediator held, and whether the difference is told from 0."""
    mediator = held.mediators[0]
    name = in_words(held.study, held.panel, mediator)
    found = list(held.of(held.designs[0], mediator).items()) if held.designs else []
    if not found:
        return ""
    # without an effect there is no part: the first direction that has one
    direction, x = next((item for item in found if size_of(item[1], TOTAL).is_clear), found[0])
    total, direct, part = (size_of(x, term) for term in (TOTAL, DIRECT, MEDIATED))
    if not total.is_clear:
        told = "The effect is not told from 0, nor is a part of it"
        return fitting(f"{told} through {name}", told) if total.is_known else ""
    where = f" ({way(held.panel, direction)})" if way(held.panel, direction) else ""
    seen = "" if part.is_clear else "; the difference is not told from 0"
    numbers_said = f"{plain(direct.value)}{direct.unit} instead of {plain(total.value)}{total.unit}"
    said = f"held the effect is {numbers_said}{where}{seen}"
    return fitting(f"With {name} {said}", f"With the mediator {said}")


def tells_parts(held: Held) -> bool:
    """Whether the parts of all mediators stand in this exhibit: that of the last of them, so that they stand once."""
    return bool(held.every) and every_mediator(held.study, held.panel)[-1] in held.mediators


def _on(held: Held, design: str, mediator: str, name: str) -> Iterator[str]:
    """The effect on the mediator, in percent where it is in logs; once where it is the same in every direction."""
    found = {d: held.on[design, mediator, d] for d in held.panel.directions if (design, mediator, d) in held.on}
    said = {direction_label(held.panel, d): _effect_on(estimate) for d, estimate in found.items()}
    if len(said) > 1 and len(set(said.values())) == 1:
        yield f"{DESIGNS[design]} finds for {name} itself, the same in every direction: {next(iter(said.values()))}."
    elif said:
        yield f"{DESIGNS[design]} finds for {name} itself: {'; '.join(f'{d} {text}' for d, text in said.items())}."


def _effect_on(estimate: Estimate) -> str:
    logs = is_log(estimate)
    row = numbers(estimate.percent() if logs else estimate.tidy(), estimate.treatment[0])
    digits, unit = (1, "%") if logs else (3, "")
    value, low, high = row["percent" if logs else "estimate"], row["conf_low"], row["conf_high"]
    span = "error not known"
    if np.isfinite(high - low):
        span = f"95% interval {plain(low, digits)} to {plain(high, digits)}{', not told from 0' * (low <= 0 <= high)}"
    return f"{signed(value, digits)}{unit} ({span})"


def _changes(held: Held, found: Mapping[str, Mediated]) -> str:
    return "; ".join(_held(held, d, x) for d, x in found.items())


def _held(held: Held, direction: str, found: Mediated) -> str:
    """From the effect to what is left of it, the difference with its interval, and its share."""
    total, direct = size_of(found, TOTAL), size_of(found, DIRECT)
    row = numbers(found, MEDIATED)
    known = bool(np.isfinite(row["conf_high"] - row["conf_low"]))
    points = f"{signed(row['estimate'], 3)}{' log points' if total.unit else ''}"
    if known:
        span = f"95% interval {plain(row['conf_low'], 3)} to {plain(row['conf_high'], 3)}"
        clear = "" if not row["conf_low"] <= 0 <= row["conf_high"] else ", not told from 0"
        points = f"{points}, {span}{clear}"
    else:
        points = f"{points}, its error not known"
    return (
        f"{direction_label(held.panel, direction)} {signed(direct.value)}{direct.unit} where it was "
        f"{signed(total.value)}{total.unit} (difference {points}; {_share(found, MEDIATED)})"
    )


def _share(found: Mediated, term: str) -> str:
    """A share never stands without its interval."""
    share, low, high = found.share(term)
    if np.isnan(low):
        return "its share of the effect is not known"
    if np.isinf(low) or np.isinf(high):
        return "as the effect is not told from 0, its share is not bounded"
    return f"{plain(100 * share, 0)}% of the effect, 95% interval {plain(100 * low, 0)} to {plain(100 * high, 0)}%"


def _missing(held: Held, mediator: str, name: str) -> Iterator[str]:
    """Observations on which the mediator is not known are in neither estimate."""
    first = held.panel.directions[0]
    found = {design: x.get(first) for design in held.designs if (x := held.of(design, mediator))}
    lost = {design: x.estimate.dropped["missing"] for design, x in found.items() if x is not None}
    if any(lost.values()):
        said = ", ".join(f"{DESIGNS[design]} {count:,}" for design, count in lost.items())
        yield (
            f"Observations that are in neither estimate, for {name} or another column is not known "
            f"({direction_label(held.panel, first)}): {said}."
        )


def _parts(held: Held, design: str) -> Iterator[str]:
    """Every mediator's part with all of them held."""
    found = {d: held.every[key] for d in held.panel.directions if (key := (design, held.models[0], d)) in held.every}
    if found:
        said = "; ".join(
            f"{direction_label(held.panel, d)}: {', '.join(_part(held, x, m) for m in x.mediators)}"
            for d, x in found.items()
        )
        yield f"{DESIGNS[design]}, the difference by mediator with all held, in log points: {said}."


def _part(held: Held, found: Mediated, mediator: str) -> str:
    row = numbers(found, f"{MEDIATED}[{mediator}]")
    span = "error not known"
    if np.isfinite(row["conf_high"] - row["conf_low"]):
        span = f"{plain(row['conf_low'], 3)} to {plain(row['conf_high'], 3)}"
    return f"{in_words(held.study, held.panel, mediator)} {signed(row['estimate'], 3)} ({span})"


def _assumption(held: Held) -> str:
    """What must hold for a difference to be a part of the effect, and which way it errs where it does not."""
    names = " and ".join(in_words(held.study, held.panel, m) for m in held.mediators)
    moving = [m for m in held.mediators if not all(held.panel.is_fixed(c) for c in columns_of(m))]
    when = f"{names} {'is of the same period as the flows' if moving else 'is one number for all periods'}"
    return (
        f"Such a difference is the part of the effect that works through {names} only under sequential ignorability: "
        f"given controls and effects, nothing that is not seen moves two of partnership, {names} and flows, and flows "
        f"do not move {names}. The data cannot show that; {when}, and where trade brings {names}, too, the part is "
        f"too large."
    )


def _hidden(held: Held, design: str, mediator: str) -> Iterator[str]:
    """How strong a cause that is not seen would have to be, where there is a part for it to undo."""
    name = in_words(held.study, held.panel, mediator)
    correlations = {
        d: found.hidden[mediator].correlation
        for d, found in held.of(design, mediator).items()
        if found.hidden and size_of(found, MEDIATED).is_clear
    }
    if correlations:
        said = "; ".join(f"{direction_label(held.panel, d)} {signed(r, 2)}" for d, r in correlations.items())
        yield (
            f"{DESIGNS[design]}: nothing of the part through {name} would be left if a cause that is not seen made the "
            f"errors of {name} and of the flows correlate by {said}."
        )
