"""What commands did, as machines read it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tradelift.errors import mistakes
from tradelift.panel import Panel
from tradelift.pipeline.repetition import Repetition
from tradelift.pipeline.results import Results
from tradelift.pipeline.workspace import MANIFEST
from tradelift.report.document import headline_of
from tradelift.study import Study


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
        "notes": list(study.notes),
        "absent": dict(absent),
    }


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
