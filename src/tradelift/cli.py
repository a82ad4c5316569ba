"""The command line: arguments, progress, and calls of the rooms below; no logic."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import tradelift
from tradelift.errors import DataError, DesignError, StudyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradelift.pipeline import Results
    from tradelift.study import Study

app = typer.Typer(
    name="tradelift",
    help="How much does pairing two regions lift the trade between them?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file, study.yaml.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write.")]
Out = Annotated[Path, typer.Option(help="Folder of the results; replaced as a whole.")]
Scale = Annotated[str, typer.Option(help="Size of the simulated world: small or paper.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the simulated world.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
RunFolder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run.")]
StudyPlace = Annotated[Path | None, typer.Option("--study", help="The study file, where it was moved since the run.")]
Public = Annotated[bool, typer.Option("--public", help="The flows are public: judge and mask nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")]


def version(show: bool) -> None:  # noqa: FBT001 - typer's callback
    """Print the version and stop."""
    if show:
        typer.echo(f"tradelift {tradelift.__version__}")
        raise typer.Exit


def log_to_screen(verbose: bool) -> None:  # noqa: FBT001 - typer's callback
    """Show on standard error what the pipeline logs."""
    if verbose:
        import logging

        logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("tradelift").setLevel(logging.DEBUG)


Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", callback=log_to_screen, help="Log each step to standard error.")
]
Version = Annotated[bool, typer.Option("--version", callback=version, is_eager=True, help="Show the version.")]


def main() -> None:
    """Run the command line; the user's mistakes end with status 2 and one message."""
    try:
        app()
    except (StudyError, DataError, DesignError) as error:
        say(str(error))
        if "--json" in sys.argv:
            from tradelift.pipeline.summary import refused

            answer(True, refused(error), "")
        sys.exit(2)


@app.callback()
def common(*, _version: Version = False) -> None:
    """How much does pairing two regions lift the trade between them?"""


@app.command()
def demo(out: Out = Path("demo"), scale: Scale = "small", seed: Seed = 20170101, quiet: Quiet = False) -> None:  # noqa: FBT002
    """Simulate the East-West world and run the whole study on it."""
    from tradelift.pipeline import demo as run_demo

    with progress(quiet) as show:
        results, truth = run_demo(out, scale=scale, seed=seed, progress=show)
    if not quiet:
        compare(results, truth)
    typer.echo(out / "report.html")


@app.command()
def init(folder: Folder) -> None:
    """Write a commented study.yaml with small sample inputs beside it, ready to run."""
    from tradelift.study import write_template

    for path in write_template(folder):
        typer.echo(path)


@app.command()
def simulate(folder: Folder, scale: Scale = "small", seed: Seed = 20170101, quiet: Quiet = False) -> None:  # noqa: FBT002
    """Write only the inputs of the simulated East-West world, with truth.json beside them."""
    from tradelift.pipeline.workspace import workspace
    from tradelift.worlds import simulate as draw

    with progress(quiet) as show, workspace(folder, mark="truth.json") as inside:
        draw(inside, scale=scale, seed=seed, progress=show)
    typer.echo(folder / "study.yaml")


@app.command()
def check(
    study: StudyFile,
    as_json: AsJson = False,  # noqa: FBT002
    quiet: Quiet = False,  # noqa: FBT002
    verbose: Verbose = False,  # noqa: ARG001, FBT002
) -> None:
    """Read and validate the study and all that it names; estimate nothing."""
    from tradelift.pipeline import check as check_study
    from tradelift.pipeline.summary import checked as summary
    from tradelift.pipeline.summary import notes
    from tradelift.study import read_study

    checked = read_study(study)
    with progress(quiet) as show:
        panel, absent = check_study(checked, progress=show)
    if not quiet:
        for stage in panel.account.stages:
            say(f"{stage.name}: {stage.read_rows:,} rows read, {stage.kept_rows:,} kept")
            for e in stage.exclusions:
                say(f"  {e.shown}: {e.rows:,} rows")
        say(f"panel: {panel.n_cells:,} cells, {len(panel.pairs):,} directed pairs, {len(panel.periods)} periods")
        for note in notes(checked, panel):
            say(f"note: {note}")
        for name, why in absent.items():
            say(f"{name}: {why}")
    answer(as_json, summary(checked, panel, absent), "ok")


@app.command()
def panel(study: StudyFile, out: Out = Path("out"), quiet: Quiet = False) -> None:  # noqa: FBT002
    """Write only the panel, with the account of what is not in it."""
    from tradelift.pipeline import build_panel
    from tradelift.study import read_study

    checked = read_study(study)
    with progress(quiet) as show:
        build_panel(checked, out, progress=show)
    typer.echo(out / "panel")


@app.command()
def run(
    study: StudyFile,
    out: Out = Path("out"),
    only: Annotated[list[str] | None, typer.Option(help="An exhibit to make; may be repeated.")] = None,
    engine: Annotated[str | None, typer.Option(help="What sums the log: duckdb or spark, else the study's.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Estimate anew what an earlier run has kept.")] = False,  # noqa: FBT002
    repeat: Annotated[bool, typer.Option("--check", help="Repeat the finished run in --out and compare.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
    quiet: Quiet = False,  # noqa: FBT002
    verbose: Verbose = False,  # noqa: ARG001, FBT002
) -> None:
    """Run a study from its inputs to its report, or repeat a finished run and compare."""
    from tradelift.pipeline import run as run_study
    from tradelift.pipeline.summary import ran
    from tradelift.study import read_study

    checked = read_study(study)
    if repeat and (only or force or engine):
        msg = "--check repeats a run as its manifest says; leave out --only, --engine and --force."
        raise StudyError(msg)
    if repeat:
        compare_repetition(checked, out, quiet, as_json)
        return
    with progress(quiet) as show:
        results = run_study(checked, out, only=only or (), engine=engine, force=force, progress=show)
    answer(as_json, ran(results), out / "report.html")


def compare_repetition(study: "Study", out: Path, quiet: bool, as_json: bool) -> None:  # noqa: FBT001 - options passed on
    """Repeat a finished run; outputs that differ end with status 1."""
    from tradelift.pipeline import repeat
    from tradelift.pipeline.summary import repeated

    with progress(quiet) as show:
        repetition = repeat(study, out, progress=show)
    for version in repetition.versions:
        say(f"note: made with {version}")
    said = "\n".join(f"{name}: {how}" for name, how in repetition.differences.items())
    say(f"{repetition.same:,} outputs are the same, {len(repetition.differences):,} differ")
    answer(as_json, repeated(repetition), said or "ok")
    if repetition.differences:
        raise typer.Exit(1)


@app.command()
def export(
    folder: RunFolder,
    to: Annotated[Path, typer.Option(help="The file to write: .parquet or .csv.")],
    public: Public = False,  # noqa: FBT002
    study: StudyPlace = None,
    as_json: AsJson = False,  # noqa: FBT002
    quiet: Quiet = False,  # noqa: FBT002
) -> None:
    """Write the panel of a finished run for other hands, with disclosure control."""
    from tradelift.pipeline.exporting import export as export_panel

    report = export_panel(folder, to, public=public, study=study)
    if not quiet:
        for line in report.lines():
            say(line)
    answer(as_json, {"file": str(to), "disclosure": report.record()}, to)


@app.command()
def package(
    folder: RunFolder,
    to: Annotated[Path, typer.Option(help="The zip to write.")],
    public: Public = False,  # noqa: FBT002
    study: StudyPlace = None,
    as_json: AsJson = False,  # noqa: FBT002
    quiet: Quiet = False,  # noqa: FBT002
) -> None:
    """Pack a finished run for those who want to see the same numbers."""
    from tradelift.pipeline.packaging import package as pack

    packed = pack(folder, to, public=public, study=study)
    disclosure = None if packed.disclosure is None else packed.disclosure.record()
    if not quiet:
        for line in packed.lines():
            say(line)
    outputs = None if packed.outputs is None else packed.outputs.record()
    answer(as_json, {"file": str(to), "files": len(packed.names), "disclosure": disclosure, "outputs": outputs}, to)


@app.command()
def explore(
    folder: RunFolder,
    port: Annotated[int | None, typer.Option(help="Where to listen on this machine; left out: a free port.")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no browser; print the address.")] = False,  # noqa: FBT002
    study: StudyPlace = None,
) -> None:
    """Look at finished results in a browser; change outcome, design, bandwidth, controls and errors."""
    from tradelift.explore import serve

    raise typer.Exit(serve(folder, study=study, port=port, browser=not no_browser, ready=typer.echo))


def answer(as_json: bool, content: "Mapping[str, Any]", place: Path | str) -> None:  # noqa: FBT001 - a choice passed on
    """Print what a machine reads: one JSON object, or the place of the result."""
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False) if as_json else place)


def say(text: str) -> None:
    """Speak to the person at the screen; standard output stays machine-readable."""
    typer.echo(text, err=True)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:  # noqa: FBT001 - a context, not an option
    """Show one bar a stage on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, quiet=quiet)
    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


def compare(results: "Results", truth: "Mapping[str, Any]") -> None:
    """Print one screen of estimates beside the truth that the simulation knows."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    from tradelift.pipeline import beside_truth

    title = "Gravity and spatial RD of trade beside the truth of the simulated world, in percent"
    table = Table(title=title, box=SIMPLE)
    for head in ("direction", "estimator"):
        table.add_column(head, no_wrap=True)
    for head in ("truth", "limit", "estimate", "95% interval"):
        table.add_column(head, no_wrap=True, justify="right")
    for row in beside_truth(results, truth):
        table.add_row(*row)
    console = Console(stderr=True)
    console.print(table)
    console.print(
        "Truth: the causal effect that was simulated. Limit: what gravity comes to with ever more data. Gravity "
        "overshoots because partners were chosen for an affinity that the data do not show."
    )
