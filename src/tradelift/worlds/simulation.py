"""Simulate the East-West programme: a log of transactions whose truth is known."""

from collections.abc import Callable
from pathlib import Path

from tradelift.worlds.baskets import draw_baskets
from tradelift.worlds.dirt import Tally, add_dirt, tally
from tradelift.worlds.intensities import draw_world
from tradelift.worlds.people import crowds
from tradelift.worlds.scale import Scale, scale_named
from tradelift.worlds.transactions import spread
from tradelift.worlds.truth import Truth, truth_of
from tradelift.worlds.writing import write_map, write_month, write_study

Progress = Callable[[str, int, int], None]


def simulate(folder: Path, *, scale: str = "small", seed: int = 20170101, progress: Progress | None = None) -> Truth:
    """
    Write the inputs of a study of the East-West programme, drawn by chance around a known truth.

    Parameters
    ----------
    folder
        Gets cities.csv, partners.csv, log/month=YYYY-MM/part-0.parquet, study.yaml and truth.json.
    scale
        "small": six million lines over the twelve months of 2017.
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
    people = crowds(world)
    folder.mkdir(parents=True, exist_ok=True)
    write_map(folder, world)
    write_study(folder, world)
    kept, dirt = Tally(rows=0, amount=0), dict[str, Tally]()
    for month in range(scale.months):
        clean = spread(world, month, draw_baskets(world, month), people)
        rows, found = add_dirt(world, month, clean)
        write_month(folder, world, month, rows)
        kept += tally(clean)
        dirt = {reason: dirt.get(reason, Tally(rows=0, amount=0)) + t for reason, t in found.items()}
        if progress is not None:
            progress("simulate", month + 1, scale.months)
    truth = truth_of(world, kept, dirt)
    (folder / "truth.json").write_text(truth.as_json(), encoding="utf-8", newline="\n")
    return truth
