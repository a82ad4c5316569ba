"""Simulate the East-West programme: a log of transactions, or flows, whose truth is known."""

from collections.abc import Callable
from pathlib import Path

from tradelift.worlds.baskets import draw_baskets
from tradelift.worlds.dirt import Tally, add_dirt, tally
from tradelift.worlds.flows import draw_flows
from tradelift.worlds.intensities import World, draw_world
from tradelift.worlds.mediators import draw_mediators
from tradelift.worlds.people import crowds
from tradelift.worlds.scale import Scale, scale_named
from tradelift.worlds.transactions import spread
from tradelift.worlds.truth import Truth, truth_of
from tradelift.worlds.writing import FlowsWriter, write_map, write_mediators, write_month, write_study

Progress = Callable[[str, int, int], None]


def simulate(folder: Path, *, scale: str = "small", seed: int = 20170101, progress: Progress | None = None) -> Truth:
    """
    Write the inputs of a study of the East-West programme, drawn by chance around a known truth.

    Parameters
    ----------
    folder
        Gets study.yaml, cities.csv, partners.csv, categories.csv, migration.csv, search.parquet, flights.parquet and
        truth.json; log/month=YYYY-MM/part-0.parquet, or flows.parquet and flows_by_category.parquet.
    scale
        "small": a log of six million lines over the twelve months of 2017. "paper": flows of 1,148,400 cells over the
        sixty months of 2017 to 2021, near the moments of the paper; the log of its orders would have billions of lines.
    seed
        Non-negative; the same seed gives the same bytes, given the versions of NumPy and PyArrow.
    progress
        Called with the stage's name, the steps done and all steps.

    Returns
    -------
    What truth.json holds.

    Raises
    ------
    DataError
        If there is no such scale.
    """
    return simulate_at(Path(folder), scale_named(scale), seed, progress)


def simulate_at(folder: Path, scale: Scale, seed: int, progress: Progress | None = None) -> Truth:
    """Simulate a world of any size; see `simulate`."""
    world = draw_world(scale, seed)
    folder.mkdir(parents=True, exist_ok=True)
    write_map(folder, world)
    write_study(folder, world)
    write_mediators(folder, world, draw_mediators(world))
    write = _write_flows if scale.as_flows else _write_log
    kept, dirt = write(folder, world, progress or _silent)
    truth = truth_of(world, kept, dirt)
    (folder / "truth.json").write_text(truth.as_json(), encoding="utf-8", newline="\n")
    return truth


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Show no progress."""


def _write_log(folder: Path, world: World, progress: Progress) -> tuple[Tally, dict[str, Tally]]:
    """Write a log by month; tell what belongs in the panel and what does not."""
    people = crowds(world)
    kept, dirt = Tally(rows=0, amount=0), dict[str, Tally]()
    for month in range(world.scale.months):
        clean = spread(world, month, draw_baskets(world, month), people)
        rows, found = add_dirt(world, month, clean)
        write_month(folder, world, month, rows)
        kept += tally(clean)
        dirt = {reason: dirt.get(reason, Tally(rows=0, amount=0)) + t for reason, t in found.items()}
        progress("simulate", month + 1, world.scale.months)
    return kept, dirt


def _write_flows(folder: Path, world: World, progress: Progress) -> tuple[Tally, dict[str, Tally]]:
    """Write flows that are summed already: there is no dirt in them."""
    kept = Tally(rows=0, amount=0)
    with FlowsWriter(folder) as writer:
        for month, flows in enumerate(draw_flows(world)):
            writer.write(flows)
            kept += Tally(rows=flows.cells.num_rows, amount=flows.fen)
            progress("simulate", month + 1, world.scale.months)
    return kept, {}
