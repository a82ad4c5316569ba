"""What spatial RD finds and what it stands on, in sentences."""

from collections.abc import Iterator

import numpy as np

from tradelift.estimate import Estimate
from tradelift.exhibits.labels import direction_label, plain
from tradelift.exhibits.shown import Value
from tradelift.exhibits.spatial import (
    WIDER,
    WIDER_KM,
    Compared,
    lost,
    model_label,
    size_of,
    what_identifies,
)
from tradelift.panel import Panel


def sentences(found: Compared) -> Iterator[str]:
    """Say how pairs are compared, what identifies the effect, and what stands beside it."""
    yield _what_is_near(found)
    leading = found.of(found.main)
    direction, first = next(iter(leading.items()))
    yield from _identified(found, direction, first)
    yield from _gravity(found)
    yield from _wider(found)
    yield from _flows_of_zero(found)
    yield from _single_groups(found)
    if found.residuals is not None and found.residuals.warns:
        yield found.residuals.sentence


def _what_is_near(found: Compared) -> str:
    km = found.study.model.bandwidth_km
    return (
        f"Each partner pair is compared with near pairs that are no partners: those that have one of its two regions "
        f"and, in place of the other, a region within {km:,.0f} km of it. Nearer pairs weigh more. What the pairs of a "
        f"group share in a period falls away, and so does all that a region sells or buys in a period."
    )


def _identified(found: Compared, direction: str, first: Estimate) -> Iterator[str]:
    about = first.diagnostics.identification
    if about is None:
        return
    where = _where(found, direction)
    largest = max(about.partners, key=lambda p: p.share)
    names = dict(zip(map(str, found.panel.regions.ids), map(str, found.panel.regions.names), strict=True))
    yield (
        f"What identifies the effect ({where}): {what_identifies(about)}, most of all {names[largest.first]} and "
        f"{names[largest.second]} ({largest.share:.0%})."
    )
    if any(about.lost_groups.values()):
        yield f"Partner pairs that are lost, for they have no group: {lost(about.lost_groups)}."


def _gravity(found: Compared) -> Iterator[str]:
    """The same estimator on the same flows, so that a gap is the comparison and not the method."""
    direction, first = next(iter(found.of(found.main).items()))
    same, every = found.of(found.gravity).get(direction), found.of(found.everywhere).get(direction)
    said = [f"gravity on all pairs finds {size_of(every).brief}"] if every is not None else []
    said += [f"gravity on the flows of spatial RD {size_of(same).brief}"] if same is not None else []
    if said:
        yield (
            f"By the same estimator ({_where(found, direction)}) {', '.join(said)}, and spatial RD "
            f"{size_of(first).brief}: which pairs stand beside partners parts the gravities, and what a pair shares "
            f"with its near pairs parts gravity from spatial RD."
        )


def _wider(found: Compared) -> Iterator[str]:
    direction = next(iter(found.of(found.main)))
    said = [
        f"{size_of(estimate).brief} with {word}"
        for term, word in WIDER.items()
        if (estimate := found.of(found.wider[term]).get(direction)) is not None
    ]
    if said:
        yield (
            f"Within {WIDER_KM:,.0f} km, with a term in the distance d from the partner pair, spatial RD finds "
            f"{' and '.join(said)} ({_where(found, direction)})."
        )


def _where(found: Compared, direction: str) -> str:
    return f"{model_label(found.study, found.panel, found.lead)}, {direction_label(found.panel, direction)}"


def _flows_of_zero(found: Compared) -> Iterator[str]:
    """What logs lose, and PPML beside them."""
    beside = next(
        (m for m in found.models if m.column == found.lead.column and m.estimator != found.lead.estimator), None
    )
    if not found.lead.outcome.startswith("log("):
        return
    direction, first = next(iter(found.of(found.main).items()))
    zero, every = partner_cells_without(found.panel, found.lead.column, first)
    if not zero:
        return
    ppml = None if beside is None else found.main.get((beside, direction))
    yield (
        f"Partner pairs have no {found.lead.column} in {zero:,} of {every:,} observations "
        f"({direction_label(found.panel, direction)}). Logs lose these, and {first.exclusions.get('no_partner', 0):,} "
        f"observations of their near pairs with them"
        + (f"; PPML keeps them: {size_of(ppml).brief}." if ppml is not None else ".")
    )


def partner_cells_without(panel: Panel, column: str, estimate: Estimate) -> tuple[int, int]:
    """
    Count the cells of treated partner pairs with a group, and those of them without a flow.

    Returns
    -------
    Cells without a flow, and all.
    """
    about = estimate.diagnostics.identification
    programme = panel.programme
    if about is None or programme is None:
        return 0, 0
    ids = panel.regions.ids
    named = {(p.first, p.second) for p in about.partners}
    row = [(str(ids[a]), str(ids[b])) in named for a, b in zip(programme.first, programme.second, strict=True)]
    partnership = panel.pairs.partnership
    kept = (partnership >= 0) & panel.pair_direction(estimate.direction)
    kept[kept] = np.array(row)[partnership[kept]]
    cells = np.flatnonzero(kept[panel.pair_of_cell])
    treated = panel.column("partner")[cells] != 0
    values = panel.outcome(column)[cells[treated]]
    return int(np.count_nonzero(values <= 0)), len(values)


def _single_groups(found: Compared) -> Iterator[str]:
    if not found.single:
        return
    names = dict(zip(map(str, found.panel.regions.ids), map(str, found.panel.regions.names), strict=True))
    parts = []
    for direction, influence in found.single.items():
        one = influence.without[0]
        where = direction_label(found.panel, direction)
        pair = f"{names[one.origin]}\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}{names[one.destination]}"
        if np.isnan(one.estimate):
            parts.append(f"{where} nothing is identified without {pair}")
        else:
            now, then = (_as_shown(found, v) for v in (influence.estimate, one.estimate))
            parts.append(f"{where} from {now} to {then} without {pair}")
    most = max(len(x.without) for x in found.single.values())
    groups = max(x.n_groups for x in found.single.values())
    yield (
        f"Without the single group that moves the estimate most, of the {min(most, groups):,} of largest influence: "
        f"{'; '.join(parts)}."
    )


def _as_shown(found: Compared, coefficient: float) -> Value:
    """A coefficient in percent where it is a difference in logs."""
    if found.lead.outcome.startswith("log(") or found.lead.estimator == "PPML":
        return f"{plain(float(100 * np.expm1(coefficient)))}%"
    return plain(coefficient, 2)
