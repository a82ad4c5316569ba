"""The answer of spatial RD in words: a difference from near pairs, gravity beside it, and what it rests on."""

import numpy as np

from tradelift.estimate import Estimate
from tradelift.exhibits.gravity import OLS, PPML
from tradelift.exhibits.headline import is_log
from tradelift.exhibits.labels import direction_label, label, plain, signed
from tradelift.exhibits.shown import Fact, Headline
from tradelift.exhibits.size import Size
from tradelift.exhibits.spatial import Compared, size_of

IF = (
    "The difference from near pairs is the effect of partnership if the two differ in nothing else. Partners were "
    "chosen, and the data cannot exclude that it was for something that changes within {km:,.0f} km."
)
ROUGH = " Residuals of other pairs change so fast on the map that this deserves doubt: see the warning below."


def comparison(found: Compared) -> Headline | None:
    """
    Say what spatial RD finds, by direction, with gravity beside it.

    Parameters
    ----------
    found
        With the leading model's estimates.

    Returns
    -------
    None where the leading model was not estimated in any direction.
    """
    leading = found.of(found.main)
    if not leading:
        return None
    panel = found.panel
    direction, first = next(iter(leading.items()))
    sizes = {d: size_of(e) for d, e in leading.items()}
    beside = []
    others = [f"{direction_label(panel, d)} {s.brief}" for d, s in sizes.items() if d != direction]
    if others:
        beside.append(f"By direction: {', '.join(others)}.")
    gravity = found.of(found.everywhere).get(direction)
    here = found.of(found.gravity).get(direction)
    said = [f"{size_of(gravity).brief} on all pairs"] if gravity is not None else []
    said += [f"{size_of(here).brief} on these flows"] if here is not None else []
    if said:
        beside.append(f"Gravity by the same estimator, {_estimator(first)}, says {' and '.join(said)}.")
    is_rough = found.residuals is not None and found.residuals.warns
    return Headline(
        answer=_main(found, direction, first, sizes[direction]),
        beside=" ".join(beside),
        condition=IF.format(km=found.study.model.bandwidth_km) + (ROUGH if is_rough else ""),
        facts=tuple(_facts(found, leading, sizes, gravity)),
    )


def _main(found: Compared, direction: str, first: Estimate, size: Size) -> str:
    interval = f"{_interval(size)} by {first.se_type} errors" if size.is_known else "its error is not known"
    clear = "" if size.is_clear or not size.is_known else ", not distinguishable from 0"
    where = "" if direction == "both" else f" ({direction_label(found.panel, direction)})"
    if is_log(first):
        deals = first.outcome.removeprefix("log(").startswith("deals")
        more = "more" if size.value >= 0 else "fewer" if deals else "less"
        what = f"have {plain(abs(size.value))}% {more} deals" if deals else f"trade {plain(abs(size.value))}% {more}"
        return f"Partner pairs {what} than near pairs that are no partners{where} ({interval}{clear})."
    name = label(found.study, found.panel, first.outcome)
    than = "partner pairs less near pairs that are no partners"
    return f"{name}, {than}{where}: {signed(size.value, 2)} ({interval}{clear})."


def _estimator(estimate: Estimate) -> str:
    return PPML if estimate.family == "poisson" else OLS


def _interval(size: Size, digits: int = 1) -> str:
    return f"95% interval {plain(size.low, digits)} to {plain(size.high, digits)}"


def _facts(
    found: Compared, leading: dict[str, Estimate], sizes: dict[str, Size], gravity: Estimate | None
) -> list[Fact]:
    """The effect by direction, gravity, and how many partner pairs carry the comparison."""
    panel = found.panel
    facts = []
    for direction, size in sizes.items():
        said = _interval(size) if size.is_known else "its error is not known"
        clear = "" if size.is_clear or not size.is_known else ", not distinguishable from 0"
        facts.append(
            Fact(value=f"{signed(size.value)}{size.unit}", label=f"{direction_label(panel, direction)}, {said}{clear}")
        )
    if gravity is not None:
        size = size_of(gravity)
        said = _interval(size) if size.is_known else "its error is not known"
        facts.append(
            Fact(
                value=f"{signed(size.value)}{size.unit}",
                label=f"by gravity on all pairs ({_estimator(gravity)}), "
                f"{direction_label(panel, next(iter(leading)))}: an association, {said}",
            )
        )
    about = next(iter(leading.values())).diagnostics.identification
    if about is not None and np.isfinite(about.effective_partners):
        facts.append(
            Fact(
                value=plain(about.effective_partners, 0),
                label=f"partner pairs of equal weight would say as much as the {len(about.partners):,} compared",
            )
        )
    return facts
