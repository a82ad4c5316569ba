"""What the master command of a replication package does: run, and compare."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradelift.errors import DataError
from tradelift.exhibits import EXHIBITS
from tradelift.pipeline.difference import describe
from tradelift.pipeline.inputs import input_files
from tradelift.pipeline.manifest import file_hash
from tradelift.pipeline.packaging.layout import DISCLOSURE, FROM_PANEL, INPUTS, MADE, OUTPUTS
from tradelift.pipeline.steps import run
from tradelift.pipeline.workspace import MANIFEST
from tradelift.study import Study, read_study

EQUAL, DIFFERENT, MASKED = 0, 1, 3
ESTIMATES = "estimates.csv"
KEY = ["exhibit", "column", "outcome", "direction", "sample", "term", "se_type"]
ACCOUNT = "account.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """
    How a replication compares with what was published.

    Parameters
    ----------
    source
        The study file that was run.
    equal, different
        Outputs that were compared, by hash; how the others differ.
    masked
        What of the panel that was read is masked, in words; empty where nothing is, or where the raw inputs were read.
    estimates
        How the estimates compare, in words.
    uncompared
        How many outputs were left out of the package, or written anew for it, and so have no hash.
    """

    source: str
    equal: tuple[str, ...]
    different: Mapping[str, str]
    masked: str
    estimates: str
    uncompared: int = 0

    @property
    def status(self) -> int:
        """0: all outputs are equal; 1: they are not; 3: they cannot be, since cells are masked."""
        if self.masked and (self.different or self.uncompared):
            return MASKED
        return DIFFERENT if self.different else EQUAL

    def lines(self) -> Iterator[str]:
        """Say it."""
        total = len(self.equal) + len(self.different)
        yield f"Run from {self.source}: {len(self.equal)} of {total} outputs are equal, byte for byte."
        if self.uncompared:
            yield f"{self.uncompared:,} others were left out of the package or written anew for it, and have no hash."
        yield self.estimates
        if self.status == MASKED:
            yield (
                f"{self.masked}, so this package's panel cannot give the published numbers. Who may have the raw "
                "inputs puts them where README.md says, and runs this command again."
            )
        elif self.different:
            yield from (f"{name}: {how}" for name, how in self.different.items())


def replicate(folder: Path) -> Replication:
    """
    Run the study of a package from its raw inputs, where they are, or from its panel, and compare the outputs.

    From raw inputs every output is compared, from the panel all numbers: estimates.csv, and CSV of tables and figures.

    Parameters
    ----------
    folder
        Of the unpacked package; the outputs are written to `replication` in it.

    Raises
    ------
    DataError
        If what the study names cannot be read.
    """
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    study = read_study(folder / INPUTS / manifest["study_file"])
    complete = _has_inputs(study, manifest)
    if not complete:
        study = read_study(folder / INPUTS / FROM_PANEL)
    only = [name for name in (*manifest["exhibits"], *manifest["absent"]) if name in EXHIBITS]
    run(study, folder / MADE, only=only, engine=manifest["engine"], force=True)  # nothing is recalled
    outputs = {name: digest for name, digest in manifest["outputs"].items() if complete or _holds_numbers(name)}
    equal = [name for name, digest in outputs.items() if _is(folder / MADE / name, digest)]
    assert study.path is not None, "it was read from a file"
    return Replication(
        source=f"{INPUTS}/{study.path.name}",
        equal=tuple(equal),
        different={name: _how(folder, name) for name in outputs if name not in equal},
        masked="" if complete else _masked(folder),
        estimates=_estimates(folder / OUTPUTS / ESTIMATES, folder / MADE / ESTIMATES),
        uncompared=_uncompared(folder),
    )


def _has_inputs(study: Study, manifest: Mapping[str, Any]) -> bool:
    """Whether the files that the study names are those of the run."""
    try:
        paths = input_files(study)
    except DataError:  # a log without files
        return False
    hashes = {file_hash(path) if path.is_file() else "" for path in paths}
    return hashes == set(manifest["inputs"].values())


def _holds_numbers(name: str) -> bool:
    """Whether an output is made of estimates alone: pages and figures speak of the inputs, too."""
    return name.endswith(".csv") and name != ACCOUNT


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and file_hash(path) == digest


def _how(folder: Path, name: str) -> str:
    """How an output differs from the published one."""
    published, made = folder / OUTPUTS / name, folder / MADE / name
    if not made.is_file():
        return "it was not made again"
    return describe(published, made) if published.is_file() else "it is not the published one, which is not here"


def _masked(folder: Path) -> str:
    """What of the packed panel is masked, in words; empty where nothing is."""
    found = json.loads((folder / DISCLOSURE).read_text(encoding="utf-8"))
    ratios = sum(count["cells"] for count in found["ratios"])
    if not (found["masked_cells"] or ratios or found["withheld"]):
        return ""
    return (
        f"{found['masked_cells']:,} of {found['cells']:,} cells are masked, ratios in {ratios:,} others, and "
        f"{len(found['withheld'])} columns are withheld"
    )


def _uncompared(folder: Path) -> int:
    """How many outputs have no hash."""
    path = folder / DISCLOSURE
    judged = json.loads(path.read_text(encoding="utf-8")).get("outputs") if path.is_file() else None
    return 0 if judged is None else len(judged["rewritten"]) + len(judged["withheld"])


def _estimates(published: Path, made: Path) -> str:
    """Compare the estimates row by row."""
    import pandas as pd

    frames = []
    for path in (published, made):
        frame = pd.read_csv(path)[[*KEY, "estimate", "std_error"]]
        frames.append(frame.assign(nth=frame.groupby(KEY, dropna=False).cumcount()))
    both = frames[0].merge(frames[1], on=[*KEY, "nth"], suffixes=("", "_made"))
    then, now = both["estimate"], both["estimate_made"]
    same = (then == now) | (then.isna() & now.isna())
    near = ~same & ((then - now).abs() <= both["std_error"])
    others = int((~same & ~near).sum())
    return (
        f"Of {len(frames[0]):,} published estimates {len(both):,} were made again: {int(same.sum()):,} are equal, "
        f"{int(near.sum()):,} differ by at most one published standard error, and {others:,} by more or have no error."
    )
