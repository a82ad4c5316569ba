"""README.md of a replication package, after the template of the social science data editors."""

import platform
from collections.abc import Iterator
from importlib.resources import files
from string import Template

from tradelift.exhibits import EXHIBITS
from tradelift.pipeline.packaging.layout import FROM_PANEL, INPUTS, OUTPUTS, PANEL_FILE, Contents

FEW = 10  # masked cells: so few can be found from totals


def readme(contents: Contents) -> str:
    """Fill the template."""
    run = contents.run
    manifest = run.manifest
    seconds = sum(stage["seconds"] for stage in manifest["stages"].values())
    template = files("tradelift.pipeline.packaging").joinpath("template.md").read_text(encoding="utf-8")
    return Template(template).substitute(
        name=run.study.name,
        question=run.study.question or "How much does pairing two regions lift the trade between them?",
        version=manifest["tradelift"],
        python=manifest["python"],
        seed=manifest["seed"],
        written=f", engine {manifest['engine']}",
        minutes=_minutes(seconds),
        reach=_reach(contents),
        availability="\n".join(_availability(contents)),
        disclosure="\n".join(_disclosure(contents)),
        datasets="\n".join(_datasets(contents)),
        stages="\n".join(
            f"| {name} | {stage['seconds']:.0f} | {stage['peak_mb']:,.0f} |"
            for name, stage in manifest["stages"].items()
        ),
        storage=f"{sum(run.output(name).stat().st_size for name in run.outputs) / 1e6:,.1f}",
        processor=f"{platform.machine()} on {platform.system()}",
        study=contents.study_name,
        from_panel=_from_panel(contents),
        place=_place(contents),
        exhibits="\n".join(_exhibits(contents)),
    )


def _minutes(seconds: float) -> str:
    """How long a run took, in words."""
    whole = round(seconds / 60)
    if seconds < 60:
        return "less than a minute"
    return "about a minute" if whole == 1 else f"{whole:,} minutes"


def _reach(contents: Contents) -> str:
    """How far the package goes without other files."""
    if contents.disclosure is None:
        return "All inputs are in this package, so every output can be reproduced, byte for byte."
    if contents.disclosure.complete:
        return "The panel in this package is complete, so the estimates can be reproduced from it."
    masked = contents.disclosure.masked_cells
    return (
        f"To protect sellers and buyers {masked:,} of {contents.disclosure.total.cells:,} cells of the panel are "
        "masked, and ratios or columns are left out: the published numbers can be reproduced from the raw inputs "
        "alone. From the panel in this package the command makes others, and says so."
    )


def _availability(contents: Contents) -> Iterator[str]:
    """The template's three boxes."""
    everything = all(file.packed for file in contents.inputs)
    yield f"- [{'x' if everything else ' '}] All data are in this package."
    why = "because they are not public or too large"
    yield f"- [{' ' if everything else 'x'}] Some data are not in this package, {why}."
    yield "- [ ] No data are in this package."


def _disclosure(contents: Contents) -> Iterator[str]:
    """What was masked, without its money."""
    report = contents.disclosure
    if report is None:
        if contents.public:
            yield "Whoever made this package declared the flows public; nothing in it was masked."
        return
    yield f"Disclosure control of `{INPUTS}/{PANEL_FILE}`:"
    yield ""
    yield from (f"    {line}" for line in report.lines(money=False))
    if report.public:
        return
    yield ""
    yield (
        "A cell is masked if it has fewer than 10 sellers or buyers, or if the second largest could estimate the "
        "largest within 10% (the p% rule). A ratio is masked if its top group has fewer than 3. Sums and values of "
        "cells in the outputs are judged by the same rules; estimates of models are not judged. Masked cells are not "
        "protected against differences from totals."
    )
    if contents.outputs is not None:
        yield ""
        yield from (f"    {line}" for line in contents.outputs.lines())
        yield ""
        yield (
            "What was written anew or withheld has no hash in `manifest.json` and is not compared; whoever has the raw "
            "inputs makes it whole."
        )
    if 0 < report.masked_cells < FEW:
        yield (
            f"Only {report.masked_cells} cells are masked: whoever knows the total of trade learns what they hold "
            "together. AUTHORS: decide whether manifest.json and the outputs may show totals."
        )


def _datasets(contents: Contents) -> Iterator[str]:
    yield "| file | in this package | SHA-256 |"
    yield "|---|---|---|"
    for file in contents.inputs:
        yield f"| `{file.name}` | {'yes' if file.packed else 'no'} | `{file.digest}` |"
    if contents.disclosure is not None:
        yield f"| `{PANEL_FILE}` | yes, made by the run from the files above | |"


def _from_panel(contents: Contents) -> str:
    if contents.disclosure is None:
        return ""
    return (
        f"- `{INPUTS}/{FROM_PANEL}`: the same study with `{INPUTS}/{PANEL_FILE}` in the place of the inputs that are "
        "not in this package.\n"
    )


def _place(contents: Contents) -> str:
    """Where raw inputs belong."""
    absent = [file for file in contents.inputs if not file.packed]
    if not absent:
        return "All inputs are in place."
    outside = any(not file.path.is_relative_to(contents.run.study.folder) for file in absent)
    where = (
        f"where `{INPUTS}/{contents.study_name}` names them"
        if outside
        else f"in `{INPUTS}`, under their names in the list"
    )
    return (
        f"Who may have the raw inputs ({len(absent):,} files) puts them {where}. They are recognized by their hashes. "
        f"Without them the command runs from `{INPUTS}/{PANEL_FILE}`."
    )


def _exhibits(contents: Contents) -> Iterator[str]:
    """Exhibit by exhibit: its program and files."""
    yield f"| exhibit | program | tables in `{OUTPUTS}/tables` | figures in `{OUTPUTS}/figures` |"
    yield "|---|---|---|---|"
    for name, shown in contents.run.manifest["exhibits"].items():
        title = EXHIBITS[name].title if name in EXHIBITS else name
        tables, figures = (", ".join(f"`{x}`" for x in shown[kind]) for kind in ("tables", "figures"))
        yield f"| {title} | `code/tradelift/exhibits/{name}.py` | {tables} | {figures} |"
