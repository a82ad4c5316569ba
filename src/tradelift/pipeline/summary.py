"""What commands did, as machines read it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tradelift.errors import mistakes
from tradelift.panel import Panel
from tradelift.panel.period_order import gaps
from tradelift.pipeline.repetition import Repetition
from tradelift.pipeline.results import Results
from tradelift.pipeline.workspace import MANIFEST
from tradelift.report.document import headline_of
from tradelift.study import Study

N_NAMED = 5  # names in a note
FLOWS = "flows"  # the stage that counts rows of flows


def refused(error: Exception) -> dict[str, Any]:
    """The user's mistakes."""
    return {"ok": False, "mistakes": [asdict(mistake) for mistake in mistakes(error)]}


def checked(study: Study, panel: Panel, absent: Mapping[str, str]) -> dict[str, Any]:
    """What a check found."""
    return {
        "ok": True,
        "mistakes": [],
        "panel": {
            "cells": panel.n_cells,
            "directed_pairs": len(panel.pairs),
            "regions": len(panel.regions),
            "periods": len(panel.periods),
        },
        "account": [
            {
                "stage": stage.name,
                "read_rows": stage.read_rows,
                "kept_rows": stage.kept_rows,
                "excluded": {e.reason: e.rows for e in stage.exclusions},
            }
            for stage in panel.account.stages
        ],
        "notes": list(notes(study, panel)),
        "absent": dict(absent),
    }


def notes(study: Study, panel: Panel) -> Iterator[str]:
    """What a reader of the inputs may not expect."""
    yield from study.notes
    lost = gaps(panel.periods)
    if lost:
        yield f"flows: no row is of {_few(lost)}: no period of the panel; where nothing was traded give rows of 0"
    listed = sum(stage.kept_rows for stage in panel.account.stages if stage.name == FLOWS)
    if study.flows is not None and listed < panel.n_cells:
        yield f"flows: {panel.n_cells - listed:,} of {panel.n_cells:,} cells have no row: they are flows of 0"
    longitude, latitude = panel.regions.longitude, panel.regions.latitude
    if longitude is not None and latitude is not None:
        nowhere = np.isnan(longitude) | np.isnan(latitude)
        if nowhere.any() and not nowhere.all():
            yield f"regions: longitude or latitude is missing of {_few(panel.regions.ids[nowhere])}: no distances there"
    negative = int(np.count_nonzero(panel.cells.column("trade") < 0))
    if negative:
        yield f"flows: trade is negative in {negative:,} cells: PPML refuses samples that hold one, logs leave it out"


def _few(names: Iterable[str]) -> str:
    """A few names, and how many more."""
    every = list(map(str, names))
    more = f" and {len(every) - N_NAMED:,} more" if len(every) > N_NAMED else ""
    return f"{', '.join(every[:N_NAMED])}{more}"


def ran(results: Results) -> dict[str, Any]:
    """What a run wrote, and its answer in a sentence."""
    out = Path(results.out)
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    headline = headline_of({name: exhibit.shown for name, exhibit in results.exhibits.items()})
    names = ("report.html", "estimates.csv", "account.csv", "panel", MANIFEST)
    return {
        "ok": True,
        "mistakes": [],
        "headline": None if headline is None else headline.text,
        "paths": {name: str(out / name) for name in names},
        "seconds": {stage: used["seconds"] for stage, used in manifest["stages"].items()},
        "estimates": sum(len(exhibit.estimates) for exhibit in results.exhibits.values()),
        "exhibits": list(results.exhibits),
        "absent": dict(results.absent),
        "refused": manifest["refused"],
    }


def repeated(repetition: Repetition) -> dict[str, Any]:
    """What a repetition found."""
    return {
        "ok": not repetition.differences,
        "mistakes": [],
        "same": repetition.same,
        "differences": dict(repetition.differences),
        "versions": list(repetition.versions),
    }
