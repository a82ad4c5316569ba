"""What goes into a replication package, and how."""

import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any

import tradelift
from tradelift.errors import DataError
from tradelift.log.disclosure_report import DisclosureReport
from tradelift.pipeline.exporting import replaced
from tradelift.pipeline.finished import FinishedRun, open_run
from tradelift.pipeline.inputs import input_files
from tradelift.pipeline.manifest import file_hash
from tradelift.pipeline.packaging.flows import write_categories, write_flows
from tradelift.pipeline.packaging.layout import (
    CATEGORIES_FILE,
    DISCLOSURE,
    FROM_PANEL,
    INPUTS,
    OUTPUTS,
    PANEL_FILE,
    Contents,
    InputFile,
)
from tradelift.pipeline.packaging.outputs import Outputs, judge_outputs, without_amounts
from tradelift.pipeline.packaging.readme import readme
from tradelift.pipeline.packaging.requirements import NAME, requirements
from tradelift.pipeline.workspace import MANIFEST
from tradelift.study.databases import is_database, read_address

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # a zip's first day: the same content gives the same bytes
LEFT_OUT = ("__pycache__", ".so", ".pyd", ".pyc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """
    What was packed.

    Parameters
    ----------
    file
        The zip.
    names
        What is in it.
    disclosure
        What of the panel was masked; None where the inputs themselves are in it.
    outputs
        What of the outputs was left out; None where nothing was judged.
    to_fill
        Places in README.md that only the authors can fill.
    """

    file: Path
    names: tuple[str, ...]
    disclosure: DisclosureReport | None
    outputs: Outputs | None
    to_fill: int

    def lines(self) -> Iterator[str]:
        """Say it."""
        yield f"{len(self.names):,} files."
        if self.disclosure is None:
            yield "All inputs are packed as they are; nothing was judged."
        else:
            yield from self.disclosure.lines()
        if self.outputs is not None:
            yield from self.outputs.lines()
        yield f"README.md has {self.to_fill} places that only the authors can fill: look for AUTHORS."


def package(folder: str | Path, to: str | Path, *, public: bool = False, study: str | Path | None = None) -> Package:
    """
    Pack a finished run for those who want to see the same numbers.

    The zip holds README.md after the template of the social science data editors, the study and the files that it
    names, the panel and the outputs with disclosure control, the code, pinned requirements, and a master command. A
    transaction log is never packed; README.md says where it belongs.

    Parameters
    ----------
    folder, public, study
        As in `export`; flows that are public are packed as they are.
    to
        The zip to write.

    Raises
    ------
    DataError
        If there is no finished run, an input was changed or lies outside of the study's folder, the panel cannot be
        judged, or the file cannot be written.
    """
    run = open_run(folder, study)
    to = Path(to)
    if to.suffix.lower() != ".zip":
        msg = f"{to}: a replication package is a zip; give a name that ends in .zip."
        raise DataError(msg)
    if to.absolute().is_relative_to(run.folder.absolute()):
        msg = f"{to} lies in the folder of the run, which holds only what the run wrote; choose another place."
        raise DataError(msg)
    pins = requirements(run.manifest)
    inputs = tuple(_inputs(run, public=public))
    on_server = _on_server(run)
    with replaced(to) as path:
        made: dict[str, Path] = {}
        report = outputs = None
        if on_server or not all(file.packed for file in inputs):
            made[PANEL_FILE] = path.with_name(PANEL_FILE)
            report = write_flows(run, made[PANEL_FILE], public=public)
            outputs = None if public else judge_outputs(run)
            if public and run.has_categories:
                made[CATEGORIES_FILE] = path.with_name(CATEGORIES_FILE)
                write_categories(run, made[CATEGORIES_FILE])
        contents = Contents(
            run=run,
            inputs=inputs,
            disclosure=report,
            outputs=outputs,
            by_category=CATEGORIES_FILE in made,
            requirements=pins,
            public=public,
        )
        text = readme(contents)
        names = _write(path, dict(_texts(contents, text)), dict(_copies(contents, made)))
    return Package(file=to, names=names, disclosure=report, outputs=outputs, to_fill=text.count("AUTHORS:"))


def _on_server(run: FinishedRun) -> bool:
    """Whether the log is a table of a server, which has no file; with a password in its address nothing is packed."""
    log = run.study.transactions
    databases = [read_address(file) for file in log.files if is_database(file)] if log is not None else []
    if any(database.has_password for database in databases):
        msg = (
            f"The study {run.study.path} holds a password, in the address under `files`. Take it out (PGPASSWORD or "
            "~/.pgpass may hold it), run again, then package."
        )
        raise DataError(msg)
    return any(database.file is None for database in databases)


def _inputs(run: FinishedRun, *, public: bool) -> Iterator[InputFile]:
    """The study's files, each as the run read it, and whether it is packed."""
    study = run.study
    hashed = dict(run.manifest["inputs"])
    logs: set[Path] = set()
    if study.transactions is not None:
        from tradelift.log.files import find_files

        logs = set(find_files(study.transactions.files, study.folder))
    flows = set()
    if study.flows is not None and not public:
        named = (study.flows.file, study.flows.by_category)
        flows = {study.resolve(name) for name in named if name is not None}
    for path in dict.fromkeys(input_files(study)):
        packed = path not in logs | flows
        yield InputFile(path=path, name=_name(path, run, packed=packed), packed=packed, digest=_digest(path, hashed))


def _digest(path: Path, hashed: Mapping[str, str]) -> str:
    """The hash that the run saw."""
    digest = file_hash(path)
    if digest not in hashed.values():
        msg = f"{path} was changed since the run. Run the study again, then package it."
        raise DataError(msg)
    return digest


def _name(path: Path, run: FinishedRun, *, packed: bool) -> str:
    """Its place below the folder `inputs`; of a log elsewhere the name that the study gives it."""
    real = Path(os.path.normpath(path))  # a name with .. leads elsewhere
    if real.is_relative_to(run.study.folder):
        return real.relative_to(run.study.folder).as_posix()
    if packed:
        msg = (
            f"{path} lies outside of {run.study.folder}, so a package cannot hold it where study.yaml looks for it. "
            "Put it beside the study, run again, then package."
        )
        raise DataError(msg)
    return path.name


def _copies(contents: Contents, made: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    """Files that are packed as they are."""
    for file in contents.inputs:
        if file.packed:
            yield f"{INPUTS}/{file.name}", file.path
    for name, path in made.items():
        yield f"{INPUTS}/{name}", path
    for name in contents.as_they_are:
        yield f"{OUTPUTS}/{name}", contents.run.output(name)
    sources = Path(tradelift.__file__).parent
    for path in sources.rglob("*"):
        if path.is_file() and path.suffix not in LEFT_OUT and not set(path.parts) & set(LEFT_OUT):
            yield f"code/tradelift/{path.relative_to(sources).as_posix()}", path


def _texts(contents: Contents, text: str) -> Iterator[tuple[str, str | bytes]]:
    """Files that are written for the package."""
    yield "README.md", text
    pins = {name: version for name, version in contents.requirements.items() if name != NAME}  # itself is in `code`
    yield "requirements.txt", "".join(f"{name}=={version}\n" for name, version in pins.items())
    yield "replicate.py", files("tradelift.pipeline.packaging").joinpath("master.py").read_text(encoding="utf-8")
    yield MANIFEST, _json(_manifest(contents))
    if contents.outputs is not None:
        for name, content in contents.outputs.rewritten.items():
            yield f"{OUTPUTS}/{name}", content
    if contents.disclosure is not None:
        # without money: that of few cells would be theirs
        record = contents.disclosure.record(money=False)
        if contents.outputs is not None:
            record["outputs"] = contents.outputs.record()
        yield DISCLOSURE, _json(record)
        yield f"{INPUTS}/{FROM_PANEL}", _study_from_panel(contents)


def _manifest(contents: Contents) -> dict[str, Any]:
    """The run's manifest, less what it tells of the house, and what is left out of the outputs."""
    manifest = dict(contents.run.manifest)
    manifest["study_file"] = contents.study_name  # the path from the results to the study is the house's
    if contents.outputs is not None:
        # a number that was left out could be guessed, and the guess proved by the hash of the file that had it
        gone = {*contents.outputs.rewritten, *contents.outputs.withheld}
        manifest["outputs"] = {name: digest for name, digest in contents.run.outputs.items() if name not in gone}
        manifest["account"] = without_amounts(manifest)
    return manifest


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _study_from_panel(contents: Contents) -> str:
    """The study with the packed flows in the place of its log, and all else as it was."""
    from ruamel.yaml import YAML

    path = contents.run.study.path
    assert path is not None, "the run was opened with its study's file"
    yaml = YAML()
    document = yaml.load(path.read_text(encoding="utf-8-sig"))
    flows: dict[str, str] = {"file": PANEL_FILE}
    if contents.by_category:
        flows["by_category"] = CATEGORIES_FILE
    currency = contents.run.manifest["currency"]
    if currency is not None:
        flows["currency"] = currency
    if "transactions" in document:
        document.insert(list(document).index("transactions"), "flows", flows)
        del document["transactions"]
    else:
        document["flows"] = flows
    out = StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _write(path: Path, texts: Mapping[str, str | bytes], copies: Mapping[str, Path]) -> tuple[str, ...]:
    """Write the zip: sorted names, one date, no owner."""
    names = tuple(sorted({*texts, *copies}))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in names:
            about = zipfile.ZipInfo(name, LONG_AGO)
            about.compress_type = zipfile.ZIP_DEFLATED
            about.external_attr = 0o644 << 16
            out.writestr(about, texts[name] if name in texts else copies[name].read_bytes())
    return names
