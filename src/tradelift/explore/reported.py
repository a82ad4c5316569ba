"""What the run's own rows say of effects over bandwidths: what the report shows need not be estimated again."""

import csv
from collections.abc import Iterator

from tradelift.designs import SpatialRD, task_json
from tradelift.designs.spatial.rd import TREATMENT
from tradelift.errors import DataError
from tradelift.exhibits.bandwidth import EXHIBIT
from tradelift.exhibits.headline import is_log
from tradelift.exhibits.size import Size
from tradelift.exhibits.spatial import size_in
from tradelift.panel import Panel
from tradelift.pipeline.cache import code_version
from tradelift.pipeline.finished import FinishedRun
from tradelift.pipeline.manifest import file_hash

ESTIMATES = "estimates.csv"
NUMBERS = ("estimate", "std_error", "conf_low", "conf_high")


def reported(run: FinishedRun, panel: Panel) -> dict[str, Size | None]:
    """
    Read what a run found over bandwidths, where that is what would be found now.

    It is, where nobody changed the rows and the run `is_of_today`; the panel's cells are read from the run itself. Rows
    belong to the designs that the exhibit planned.

    Parameters
    ----------
    run
        With or without the exhibit `bandwidth`.
    panel
        Of the run.

    Returns
    -------
    Effects by the canonical JSON of design and errors, None where the run could not estimate. What is not here is to be
    estimated.
    """
    if EXHIBIT.name not in run.manifest.get("exhibits", {}) or not _has_rows(run) or not is_of_today(run):
        return {}
    rows, refused = dict(_rows(run)), run.manifest["refused"]
    found: dict[str, Size | None] = {}
    for column, task in EXHIBIT.plan(run.study, panel).items():
        if not isinstance(task, SpatialRD):
            continue  # the correlogram of residuals
        row = rows.get((column, str(task.vcov)))
        if row is not None:
            found[task_json(task)] = size_in(row, in_logs=is_log(task))
        elif f"{EXHIBIT.name}: {column}" in refused:
            found[task_json(task)] = None
    return found


def is_of_today(run: FinishedRun) -> bool:
    """Whether this program made a run, and regions, partners and neighbours are still those of it."""
    sources = (run.study.regions, run.study.partners, run.study.neighbours)
    try:
        hashes = {file_hash(run.study.resolve(source.file)) for source in sources if source is not None}
    except DataError:
        return False
    return run.manifest.get("code") == code_version() and hashes <= set(run.manifest["inputs"].values())


def _has_rows(run: FinishedRun) -> bool:
    """Whether the file of its rows is as the run wrote it."""
    try:
        run.output(ESTIMATES)
    except DataError:
        return False
    return True


def _rows(run: FinishedRun) -> Iterator[tuple[tuple[str, str], dict[str, float]]]:
    """The effects of the exhibit, by column and errors."""
    with (run.folder / ESTIMATES).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["exhibit"] == EXHIBIT.name and row["term"] == TREATMENT:
                yield (row["column"], row["se_type"]), {name: float(row[name] or "nan") for name in NUMBERS}
