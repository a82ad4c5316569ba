"""The choices behind a specification curve, and the task that each combination of them is."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations, product
from typing import Any

from tradelift.designs import Matching, Task
from tradelift.designs.spatial.alternatives import Imputation, LocationPolynomial
from tradelift.designs.spatial.options import BOTH, CORNERS
from tradelift.exhibits.gravity import OLS, Model, gravity_design, models
from tradelift.exhibits.spatial import leading_flow, rd_design
from tradelift.panel import Panel
from tradelift.study import Study

AWAY = 2  # choices that a specification may be away from its design's own
SPATIAL, GRAVITY = "spatial RD", "gravity"
IMPUTED, LOCATION, MATCHED = "imputation", "location polynomial", "nearest match"
DISTANCE = "log(distance_km)"
STUDY, NO_CONTROLS, DISTANCE_ONLY = "the study's", "none", "distance"
ALL, FOUR = "all", "type 4"
OWN = "the design's own"
Choices = Mapping[str, str]

DECISIONS = {
    "design": "Design",
    "estimator": "Estimator",
    "bandwidth": "Bandwidth",
    "kernel": "Kernel",
    "term": "Distance term",
    "neighbours": "Near pairs",
    "controls": "Controls",
    "types": "Control pairs",
    "periods": "Periods",
    "errors": "Errors",
}
WORDS = DECISIONS | {
    SPATIAL: "spatial RD",
    "one": "differ in one region",
    "two": "in one or both",
    "no term": "none",
    "d": "|d|",
    ALL: "all",
    FOUR: "both take part",
}

LONG = {
    ("controls", NO_CONTROLS): "no controls",
    ("controls", DISTANCE_ONLY): "distance as the control",
    ("types", FOUR): "controls of type 4",
    ("term", "d"): "a term in |d|",
    ("neighbours", "two"): "corners",
}
"""Alternatives that need more words where they stand alone."""


def alternatives(study: Study, panel: Panel, design: str) -> dict[str, tuple[str, ...]]:
    """
    List what may be chosen of a design, by decision; the study's own choice, or the default, first.

    Parameters
    ----------
    study, panel
        What there is.
    design
        "spatial RD", "gravity", or one of the other spatial designs, of which only errors are chosen.
    """
    flow = leading_flow(models(study, panel))
    out: dict[str, tuple[str, ...]] = {"design": (design,), "estimator": tuple(m.estimator for m in flow)}
    if design in (SPATIAL, GRAVITY):
        more = [NO_CONTROLS] if study.model.controls != () else []
        more += [DISTANCE_ONLY] if study.model.controls not in (None, (DISTANCE,)) else []
        out |= {"controls": (STUDY, *more), "types": (ALL, FOUR), "periods": (ALL, *_windows(study, panel))}
    else:
        out["estimator"] = (OLS,)
    if design == SPATIAL:
        km = study.model.bandwidth_km
        out["bandwidth"] = (f"{km:g} km", f"{2 * km / 3:g} km", f"{5 * km / 3:g} km")
        out |= {"kernel": ("triangular", "uniform"), "term": ("no term", "d"), "neighbours": ("one", "two")}
    errors = (OWN, "pair") if panel.regions.group is None else (OWN, "pair", "province")
    ordered = {decision: out[decision] for decision in DECISIONS if decision in out}
    return ordered | {"errors": errors}


def _windows(study: Study, panel: Panel) -> dict[str, dict[str, str]]:
    """The study's samples, else the two halves of the periods."""
    if study.samples:
        ends = {name: {"from": w.from_, "to": w.to} for name, w in study.samples.items()}
        return {name: {k: v for k, v in window.items() if v is not None} for name, window in ends.items()}
    half = len(panel.periods) // 2
    if not half:
        return {}
    return {"first half": {"to": panel.periods[half - 1]}, "second half": {"from": panel.periods[half]}}


def choose(study: Study, panel: Panel, design: str, away: int = AWAY) -> Iterator[dict[str, str]]:
    """
    Make every combination of choices that differs from the first in so many decisions or fewer.

    Parameters
    ----------
    study, panel, design
        As in `alternatives`.
    away
        In how many decisions at most.
    """
    options = alternatives(study, panel, design)
    first = {decision: values[0] for decision, values in options.items()}
    for count in range(away + 1):
        for changed in combinations(options, count):
            for values in product(*(options[decision][1:] for decision in changed)):
                yield first | dict(zip(changed, values, strict=True))


def designs_of(panel: Panel) -> tuple[str, ...]:
    """Spatial RD, gravity, and the other designs where flows are dense enough for their effects."""
    return (SPATIAL, GRAVITY, LOCATION, *((IMPUTED, MATCHED) if panel.cells.blocks is not None else ()))


def key_of(study: Study, panel: Panel, choices: Choices, direction: str) -> str:
    """Name what is estimated by what differs from its design's own: "spatial RD: PPML, 100 km; both"."""
    changed = departures(study, panel, choices)
    return "; ".join([f"{choices['design']}: {', '.join(changed)}" if changed else choices["design"], direction])


def departures(study: Study, panel: Panel, choices: Choices) -> list[str]:
    """What differs from the design's own, but for errors, in words: "PPML", "periods: first half"."""
    options = alternatives(study, panel, choices["design"])
    return [
        LONG.get((d, v), WORDS.get(v, called(study, v)))
        for d, v in choices.items()
        if d != "errors" and v != options[d][0]
    ]


def called(study: Study, name: str) -> str:
    """A name that the study gives, in words."""
    return study.labels.get(name, name.replace("_", " "))


def task_of(study: Study, panel: Panel, choices: Choices, direction: str) -> Task:
    """Make the design of a combination of choices; what is not chosen stays as other exhibits have it."""
    flow = leading_flow(models(study, panel))
    model = next(m for m in flow if m.estimator == choices["estimator"])
    km, controls = study.model.bandwidth_km, study.model.controls
    usual: dict[str, Any] = {"outcome": model.outcome, "controls": controls, "direction": direction}
    if choices["design"] == MATCHED:
        return Matching(**usual)
    if choices["design"] == IMPUTED:
        return Imputation(bandwidth_km=km, **usual)
    if choices["design"] == LOCATION:
        return LocationPolynomial(bandwidth_km=km, family="gaussian", **usual)
    return _of_family(study, panel, model, choices, direction)


def _of_family(study: Study, panel: Panel, model: Model, choices: Choices, direction: str) -> Task:
    """Gravity or spatial RD."""
    more: dict[str, Any] = {}
    if choices["controls"] != STUDY:
        more["controls"] = (DISTANCE,) if choices["controls"] == DISTANCE_ONLY else ()
    if choices["types"] == FOUR:
        more["control_types"] = (4,)
    if choices["periods"] != ALL:
        more["where"] = {"period": _windows(study, panel)[choices["periods"]]}
    if choices["design"] == GRAVITY:
        return replace(gravity_design(study, model, direction), **more)
    options = alternatives(study, panel, SPATIAL)
    if choices["bandwidth"] != options["bandwidth"][0]:
        more["bandwidth_km"] = float(choices["bandwidth"].removesuffix(" km"))
    if choices["kernel"] != options["kernel"][0]:
        more["kernel"] = choices["kernel"]
    if choices["term"] != options["term"][0]:
        more["distance_terms"] = (choices["term"],)
    more["neighbours"] = CORNERS if choices["neighbours"] == "two" else BOTH
    return rd_design(study, model, direction, **more)
