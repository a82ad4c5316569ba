"""The steps of a run: panel, estimates, exhibits, report, manifest."""

import csv
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from tradelift.errors import DataError, StudyError
from tradelift.exhibits import EXHIBITS, Exhibit, missing
from tradelift.memory import release
from tradelift.panel import Panel
from tradelift.pipeline.cache import KEPT, EstimateCache, code_version
from tradelift.pipeline.inputs import Loaded, Progress, input_files, load
from tradelift.pipeline.manifest import Stopwatch, hashes, provenance, write_json
from tradelift.pipeline.periods import write_periods
from tradelift.pipeline.pruning import prune
from tradelift.pipeline.results import ESTIMATE_COLUMNS, Results, estimate_rows
from tradelift.pipeline.showing import show_all
from tradelift.pipeline.workspace import MANIFEST, scratch, workspace
from tradelift.spreadsheet import plain_record
from tradelift.study import Study, read_study
from tradelift.study.inputs import EngineInput
from tradelift.threads import n_threads

LARGE = 100_000  # cells of a run that takes so long that processes which draw its report are worth their start
ENGINES = ("duckdb", "spark")


def silent(_stage: str, _done: int, _total: int) -> None:
    """Show no progress."""


def run(
    study: Study | str | Path,
    out: str | Path = "out",
    *,
    only: Sequence[str] = (),
    engine: str | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> Results:
    """
    Run a study from its inputs to its report.

    Parameters
    ----------
    study
        From `read_study`, or the file that it reads.
    out
        Folder to write; replaced as a whole when the run ends well, untouched when it does not.
    only
        Names of exhibits; empty for all that the inputs allow.
    engine
        What sums the log: "duckdb" or "spark"; None: what the study says.
    force
        Estimate anew what an earlier run has kept.
    progress
        Called with a stage's name, the steps done and all steps.

    Raises
    ------
    StudyError, DataError
        If the inputs are wrong.
    """
    study = with_engine(study if isinstance(study, Study) else read_study(study), engine)
    name = study.engine.name
    chosen = choose(study, only, engine or name)
    _refuse_inputs_in(Path(out), study)
    with workspace(Path(out)) as folder:
        kept = _kept(study, folder)
        results = run_in(folder, study, chosen, Path(out), name, progress, kept=kept, force=force)
    prune(kept)
    return results


def demo(
    out: str | Path, *, scale: str = "small", seed: int = 20170101, progress: Progress = silent
) -> tuple[Results, Mapping[str, Any]]:
    """
    Simulate the East-West world into a folder `world`, and run the whole study on it.

    Parameters
    ----------
    out
        Folder to write: the outputs of a run, and the inputs in `world`.
    scale, seed
        As in `tradelift.worlds.simulate`.
    progress
        Called with a stage's name, the steps done and all steps.

    Returns
    -------
    The results, and the truth that they should be compared with.
    """
    from tradelift.worlds import simulate

    with workspace(Path(out)) as folder:
        simulate(folder / "world", scale=scale, seed=seed, progress=progress)
        study = read_study(folder / "world" / "study.yaml")
        chosen = choose(study, (), "duckdb")
        results = run_in(folder, study, chosen, Path(out), "duckdb", progress, kept=None)
        truth = json.loads((folder / "world" / "truth.json").read_text(encoding="utf-8"))
    return results, truth


def check(study: Study, *, progress: Progress = silent) -> tuple[Panel, Mapping[str, str]]:
    """
    Read and validate everything that a study names, and estimate nothing.

    Returns
    -------
    The panel, and why each exhibit that is not possible is absent.
    """
    with scratch() as spill:
        panel = load(study, spill=spill, progress=progress, kept=_kept(study, spill)).panel
    return panel, _absent(choose(study, (), study.engine.name), study, panel)


def build_panel(study: Study, out: str | Path = "out", *, force: bool = False, progress: Progress = silent) -> Panel:
    """
    Write only the panel, its account and a manifest.

    Parameters
    ----------
    study, out, force, progress
        As in `run`.
    """
    _refuse_inputs_in(Path(out), study)
    with workspace(Path(out)) as folder:
        return panel_in(folder, study, progress, kept=_kept(study, folder), force=force)


def panel_in(folder: Path, study: Study, progress: Progress, *, kept: Path | None, force: bool = False) -> Panel:
    """
    Fill a folder with the panel, its account and a manifest.

    Parameters
    ----------
    folder, study, progress, kept, force
        As in `run_in`.
    """
    watch = Stopwatch()
    loaded = _load(folder, study, watch, progress, kept=kept, force=force)
    _write_account(folder, loaded.panel)
    _write_manifest(folder, study, loaded, study.engine.name, watch, {})
    return loaded.panel


def with_engine(study: Study, engine: str | None) -> Study:
    """The study with another engine; None, or the study's own, leaves it as it is, with its settings."""
    if engine is None or engine == study.engine.name or engine not in ENGINES:
        return study  # what is no engine, `choose` refuses
    return study.model_copy(update={"engine": EngineInput.model_validate({"name": engine})})


def choose(study: Study, only: Sequence[str], engine: str) -> dict[str, Exhibit]:
    """The exhibits that are wanted, in report order."""
    if engine not in ENGINES:
        msg = f"There is no engine '{engine}' in this version; it has {', '.join(ENGINES)}."
        raise StudyError(msg)
    for name in only:
        if name not in EXHIBITS:
            close = get_close_matches(name, list(EXHIBITS), n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            msg = f"There is no exhibit '{name}' in this version; it has {', '.join(EXHIBITS)}.{hint}"
            raise StudyError(msg)
    if only:
        return {name: exhibit for name, exhibit in EXHIBITS.items() if name in only}
    return {name: exhibit for name, exhibit in EXHIBITS.items() if study.exhibits.get(name, True) is not False}


def run_in(
    folder: Path,
    study: Study,
    chosen: Mapping[str, Exhibit],
    out: Path,
    engine: str,
    progress: Progress,
    *,
    kept: Path | None,
    force: bool = False,
) -> Results:
    """
    Fill a folder with the outputs of a run.

    Parameters
    ----------
    folder
        An empty folder.
    study, chosen, engine, progress
        What to run; `chosen` are exhibits by name.
    out
        Where the results will stand.
    kept
        Folder of what runs keep for later ones; None: keep nothing.
    force
        Sum and estimate anew what is kept.
    """
    watch = Stopwatch()
    loaded = _load(folder, study, watch, progress, kept=kept, force=force)
    panel = loaded.panel
    with watch.stage("estimates"):
        cache = EstimateCache(kept, force=force)
        absent = _absent(chosen, study, panel)
        possible = {name: exhibit for name, exhibit in chosen.items() if name not in absent}
        exhibits = show_all(possible, study, panel, cache, partial(progress, "estimates"))
    results = Results(out=out, panel=panel, exhibits=exhibits, absent=absent)
    release()
    with watch.stage("report"):
        progress("report", 0, 1)
        _write_report(folder, study, results, _provenance(study, loaded, engine))
        progress("report", 1, 1)
    refused = {f"{name}: {column}": why for name, x in exhibits.items() for column, why in x.refused.items()}
    shown = {
        name: {"tables": [t.name for t in x.shown.tables], "figures": [f.name for f in x.shown.figures]}
        for name, x in exhibits.items()
    }
    more = {"exhibits": shown, "absent": dict(absent), "refused": refused}
    _write_manifest(folder, study, loaded, engine, watch, more)
    return results


def _load(
    folder: Path, study: Study, watch: Stopwatch, progress: Progress, *, kept: Path | None, force: bool
) -> Loaded:
    """Read the inputs, and write the panel."""
    with watch.stage("panel"), tempfile.TemporaryDirectory(prefix=".spill.", dir=folder) as spill:
        loaded = load(study, spill=Path(spill), progress=progress, kept=kept, force=force)
        loaded.panel.to_parquet(folder / "panel")
        if loaded.by_category is not None:
            write_periods(loaded.by_category, folder / "panel_by_category", loaded.panel.periods)
            loaded = replace(loaded, by_category=None)  # it is written, and as large as the panel
        release()
    return loaded


def _refuse_inputs_in(out: Path, study: Study) -> None:
    """Results replace their folder as a whole: the inputs must not stand in it."""
    real = Path(os.path.realpath(out))
    for path in input_files(study):
        if Path(os.path.realpath(path)).is_relative_to(real):
            msg = (
                f"{path} is an input of the study and stands in {out}, which the run would replace. "
                "Choose another folder with --out."
            )
            raise DataError(msg)


def _kept(study: Study, folder: Path) -> Path | None:
    """Beside the study where that stays and can be written; else what a run finds lasts as long as the run."""
    lasts = not study.folder.is_relative_to(folder) and os.access(study.folder, os.W_OK)
    return study.folder / KEPT if lasts else None


def _absent(chosen: Mapping[str, Exhibit], study: Study, panel: Panel) -> dict[str, str]:
    reasons = {name: missing(exhibit, study, panel) for name, exhibit in chosen.items()}
    later = {
        name: "absent: not in this version" for name, wish in study.exhibits.items() if name not in EXHIBITS and wish
    }
    return {name: why for name, why in reasons.items() if why is not None} | later


def _write_report(folder: Path, study: Study, results: Results, origin: Mapping[str, Any]) -> None:
    from tradelift.report import write_report

    _write_csv(folder / "estimates.csv", ESTIMATE_COLUMNS, list(estimate_rows(results.exhibits)))
    _write_account(folder, results.panel)
    write_report(
        folder,
        study=study,
        panel=results.panel,
        shown={name: x.shown for name, x in results.exhibits.items()},
        absent=results.absent,
        provenance=origin,
        processes=n_threads() if results.panel.n_cells >= LARGE else 1,
    )


def _write_account(folder: Path, panel: Panel) -> None:
    _write_csv(folder / "account.csv", ("stage", "reason", "rows", "amount"), list(panel.account.rows()))


def _provenance(study: Study, loaded: Loaded, engine: str) -> dict[str, Any]:
    return provenance(loaded.inputs, seed=study.seed, engine=engine, digest=loaded.panel.digest)


def _write_manifest(
    folder: Path, study: Study, loaded: Loaded, engine: str, watch: Stopwatch, more: Mapping[str, Any]
) -> None:
    """Write the manifest last: a folder that holds one is whole."""
    panel = loaded.panel
    outputs = sorted(p for p in folder.rglob("*") if p.is_file())
    if study.folder.is_relative_to(folder):
        # a demonstration keeps its inputs in the folder of its results
        outputs = [p for p in outputs if not p.is_relative_to(study.folder)]
    account = [
        {"stage": s.name, "read_rows": s.read_rows, "kept_rows": s.kept_rows,
         "read_amount": panel.account.money(s.read_amount), "kept_amount": panel.account.money(s.kept_amount)}
        for s in panel.account.stages
    ]  # fmt: skip
    content = _provenance(study, loaded, engine) | {
        "code": code_version(),
        "study": study.name,
        "study_file": None if study.path is None else os.path.relpath(study.path, folder),
        "currency": panel.account.currency,
        "account": account,
        "stages": watch.stages,
        "periods": {"recalled": loaded.recalled, "summed": loaded.summed},
        "outputs": hashes(outputs, folder),
        **more,
    }
    write_json(folder / MANIFEST, content)


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(plain_record, rows))
