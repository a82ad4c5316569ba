"""A finished run, as its folder tells of it."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tradelift.errors import DataError
from tradelift.pipeline.manifest import file_hash
from tradelift.pipeline.workspace import MANIFEST
from tradelift.study import Study, read_study

PANEL, CATEGORIES = "panel", "panel_by_category"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FinishedRun:
    """
    What a run left.

    Parameters
    ----------
    folder
        Where it stands.
    manifest
        What it was made of.
    study
        As it was at the run.
    """

    folder: Path
    manifest: Mapping[str, Any]
    study: Study

    @property
    def outputs(self) -> Mapping[str, str]:
        """Name below the folder to hash."""
        found: Mapping[str, str] = self.manifest["outputs"]
        return found

    def output(self, name: str) -> Path:
        """
        Find a file of the run, as the run wrote it.

        Raises
        ------
        DataError
            If it is missing or was changed since.
        """
        path = self.folder / name
        if not path.is_file():
            msg = f"{path} is missing, though the run wrote it. Run the study again."
            raise DataError(msg)
        if file_hash(path) != self.outputs[name]:
            msg = f"{path} is not what the run wrote: its hash differs from {MANIFEST}. Run the study again."
            raise DataError(msg)
        return path

    @property
    def has_categories(self) -> bool:
        """Whether flows by category stand beside the panel."""
        return any(name.startswith(f"{CATEGORIES}/") for name in self.outputs)

    def panel_parts(
        self, wanted: Callable[[str], bool] | None = None, *, coded: Sequence[str] = ()
    ) -> Iterator[pa.Table]:
        """
        Read the cells of the panel, a file at a time, in the order of the periods.

        Parameters
        ----------
        wanted
            Which columns; None for all.
        coded
            Columns of text to leave as codes with a dictionary, which is faster where they repeat themselves.
        """
        yield from self._parts(PANEL, wanted, coded)

    def category_parts(self) -> Iterator[pa.Table]:
        """The flows by category, a file at a time, in the order of the periods."""
        yield from self._parts(CATEGORIES)

    def _parts(
        self, folder: str, wanted: Callable[[str], bool] | None = None, coded: Sequence[str] = ()
    ) -> Iterator[pa.Table]:
        for name in self.outputs:
            if name.startswith(f"{folder}/"):
                path = self.output(name)
                names = None if wanted is None else [n for n in pq.read_schema(path).names if wanted(n)]
                yield pq.read_table(path, columns=names, read_dictionary=list(coded))


def open_run(folder: str | Path, study: str | Path | None = None) -> FinishedRun:
    """
    Open the folder of a finished run.

    Parameters
    ----------
    folder
        As given to `run`.
    study
        The study file, where it no longer stands where it stood at the run.

    Raises
    ------
    DataError
        If the folder holds no finished run, or the study is not to be found or was changed since.
    """
    folder = Path(folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        outputs, inputs, named = manifest["outputs"], manifest["inputs"], manifest["study_file"]
    except (OSError, ValueError, TypeError, KeyError):
        msg = f"{folder} holds no finished run of this version: it has no complete {MANIFEST}. Run the study first."
        raise DataError(msg) from None
    if not any(name.startswith(f"{PANEL}/") for name in outputs):
        msg = f"{folder} holds no panel. Run the study first."
        raise DataError(msg)
    path = _study_path(folder, named, study)
    if file_hash(path) not in inputs.values():
        msg = f"{path} is not the study of this run: it was changed since, or is another one. Run it again."
        raise DataError(msg)
    return FinishedRun(folder=folder, manifest=manifest, study=read_study(path))


def _study_path(folder: Path, named: str | None, given: str | Path | None) -> Path:
    if given is None and named is None:
        msg = f"The study of {folder} was made in Python and has no file; save it as study.yaml and run that."
        raise DataError(msg)
    path = Path(os.path.normpath(Path.cwd() / (folder / str(named) if given is None else given)))
    if not path.is_file():
        msg = f"The study of this run is not at {path}; say with --study where it is."
        raise DataError(msg)
    return path
