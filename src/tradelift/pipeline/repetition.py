"""Repeat a finished run in a temporary place, and say which of its outputs come out otherwise."""

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tradelift
from tradelift.errors import DataError
from tradelift.exhibits import EXHIBITS
from tradelift.pipeline.difference import describe
from tradelift.pipeline.finished import FinishedRun, open_run
from tradelift.pipeline.inputs import Progress, input_files
from tradelift.pipeline.manifest import file_hash, hashes, package_versions
from tradelift.pipeline.steps import choose, panel_in, run_in, silent, with_engine
from tradelift.pipeline.workspace import MANIFEST, scratch
from tradelift.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """
    A run beside its repetition.

    Parameters
    ----------
    same
        How many outputs have the same bytes.
    differences
        Name of each other output, and how it differs.
    versions
        What the two were made with, where that differs: numbers may differ for it.
    """

    same: int
    differences: Mapping[str, str]
    versions: tuple[str, ...]


def repeat(study: Study, out: str | Path = "out", *, progress: Progress = silent) -> Repetition:
    """
    Run a study as a finished run did, recalling nothing, and compare all outputs byte for byte.

    Parameters
    ----------
    study
        From `read_study`.
    out
        Folder of the finished run; it is not written to.
    progress
        Called with a stage's name, the steps done and all steps.

    Raises
    ------
    DataError
        If the folder holds no finished run, or the inputs are not those of the run.
    """
    finished = open_run(out, study.path)
    _same_inputs(study, finished)
    with scratch() as place:
        folder = place / "out"
        folder.mkdir()
        if "exhibits" in finished.manifest:
            wanted = [n for n in (*finished.manifest["exhibits"], *finished.manifest["absent"]) if n in EXHIBITS]
            engine = str(finished.manifest["engine"])
            study = with_engine(study, engine)
            run_in(folder, study, choose(study, wanted, engine), Path(out), engine, progress, kept=None)
        else:
            panel_in(folder, study, progress, kept=None)
        files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
        found = hashes(files, folder)
        differences = dict(_differences(finished, folder, found))
    return Repetition(
        same=len(found.keys() | finished.outputs.keys()) - len(differences),
        differences=differences,
        versions=tuple(_versions(finished.manifest)),
    )


def _same_inputs(study: Study, finished: FinishedRun) -> None:
    """Refuse inputs that are not those of the run, naming each."""
    then = finished.manifest["inputs"]
    now = {name: file_hash(path) for name, path in _named(study).items()}
    wrong = [f"{name} was changed" for name in sorted(then.keys() & now.keys()) if then[name] != now[name]]
    wrong += [f"{name} is not read any more" for name in sorted(then.keys() - now.keys())]
    wrong += [f"{name} is new" for name in sorted(now.keys() - then.keys())]
    if wrong:
        msg = (
            f"The inputs are not those of the run in {finished.folder}: {'; '.join(wrong)}. Restore them, or run anew."
        )
        raise DataError(msg)


def _named(study: Study) -> dict[str, Path]:
    """Inputs by the names that the manifest gives them."""
    paths = {str(path): path for path in input_files(study)}
    return {name: paths[text] for name, text in hashes(list(paths.values()), study.folder, str).items()}


def _differences(finished: FinishedRun, folder: Path, found: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in sorted(found.keys() | finished.outputs.keys()):
        try:
            then = finished.output(name) if name in finished.outputs else None
        except DataError as error:  # missing, or changed since the run
            yield name, str(error)
            continue
        if then is None:
            yield name, "the finished run has no such output"
        elif name not in found:
            yield name, "the repetition has no such output"
        elif found[name] != finished.outputs[name]:
            yield name, describe(then, folder / name)


def _versions(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Which versions differ, as `numpy 2.1.0, now 2.2.0`."""
    now = {"tradelift": tradelift.__version__, "python": platform.python_version(), **package_versions()}
    then = {"tradelift": manifest["tradelift"], "python": manifest["python"], **manifest["packages"]}
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            yield f"{name} {then.get(name, 'absent')}, now {now.get(name, 'absent')}"
