"""
The East-West world as a panel in memory, without a file: for simulations over many seeds.

`REDUCED` has all cities and partners, and eight months about the break. Nothing leads gravity astray in it unless that
is asked for: partners were not chosen for an affinity, so gravity and spatial RD are after the same truth.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tradelift.panel import Panel
from tradelift.panel.goods import with_goods
from tradelift.worlds.dirt import Tally
from tradelift.worlds.flows import MonthFlows, draw_flows
from tradelift.worlds.goods import CATEGORIES, PRIORITY
from tradelift.worlds.intensities import World, draw_world
from tradelift.worlds.mediators import Mediators, draw_mediators
from tradelift.worlds.scale import Scale
from tradelift.worlds.traits import pair_traits
from tradelift.worlds.truth import Truth, truth_of

Floats = NDArray[np.float64]

REDUCED = Scale(
    start=(2019, 9),
    months=8,
    break_at=("covid", "2020-01"),
    mean_trade={"east->west": 400_000.0, "west->east": 300_000.0},
    month_noise=0.3,
    as_flows=True,
)
"""Flows without zeros to speak of, of cities less unlike than those of the paper."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PanelDraw:
    """
    A world drawn at panel level.

    Parameters
    ----------
    panel
        Flows of all goods with what the files of a world hold: traits of cities (`panel.regions.columns`) and of pairs,
        `migration`, `search` and `flights`.
    goods
        Flows by category that are not empty: origin, destination, period, category, trade, deals.
    truth
        What is known of them.
    regions, partners
        Frames, as `Panel.from_frame` takes them.
    world
        What the flows were drawn from: truths of sets that `truth` does not list are made of it.
    """

    panel: Panel
    goods: pa.Table
    truth: Truth
    regions: pa.Table
    partners: pa.Table
    world: World

    def with_goods(self) -> Panel:
        """Put the flows by category and the programme's priorities beside the panel, as a study's files do."""
        priority = [float(name in PRIORITY) for name in CATEGORIES]
        return with_goods(self.panel, self.goods, pa.table({"category": list(CATEGORIES), "priority": priority}))

    def by_category(self) -> Panel:
        """Build the panel by category, its absent cells zero."""
        return Panel.from_frame(
            self.goods, category="category", regions=self.regions, partners=self.partners, absent="zero"
        )


def draw_panel(scale: Scale = REDUCED, *, seed: int, overshoot: float | None = None) -> PanelDraw:
    """
    Draw a world as a panel.

    Parameters
    ----------
    scale
        How large it is.
    seed
        Non-negative; the same seed gives the flows that `simulate` writes at the same scale and overshoot.
    overshoot
        By how much an affinity that the panel does not show leads gravity by OLS astray, in logs; None for no affinity.

    Examples
    --------
    >>> draw = draw_panel(seed=1)
    >>> draw.panel.n_cells
    153120
    """
    world = draw_world(scale, seed, overshoot=overshoot)
    months = list(draw_flows(world))
    regions, partners = _regions(world), _partners(world)
    cells = pa.concat_tables([month.cells for month in months])
    panel = Panel.from_frame(
        _beside(cells, world, draw_mediators(world)), regions=regions, partners=partners, pairs=[_traits(world)]
    )
    return PanelDraw(
        panel=panel,
        goods=pa.concat_tables([month.by_category for month in months]),
        truth=truth_of(world, _kept(months), {}),
        regions=regions,
        partners=partners,
        world=world,
    )


def _kept(months: list[MonthFlows]) -> Tally:
    return Tally(rows=sum(m.cells.num_rows for m in months), amount=sum(m.fen for m in months))


def _regions(world: World) -> pa.Table:
    """Cities with their traits, as cities.csv has them."""
    parts = []
    for side in (world.east, world.west):
        columns = {
            "region": side.city,
            "side": np.full(len(side), side.name),
            "group": side.province,
            "longitude": side.longitude,
            "latitude": side.latitude,
        }
        parts.append(pa.table(columns | dict(world.cities[side.name])))
    return pa.concat_tables(parts)


def _partners(world: World) -> pa.Table:
    return pa.table({"east": [p.east for p in world.partners], "west": [p.west for p in world.partners]})


def _traits(world: World) -> pa.Table:
    """Traits of pairs under the names of the study, which are no columns of cities where they belong to one side."""
    traits = pair_traits(world.cities["east"], world.cities["west"])
    east, west = (np.repeat(world.east.city, len(world.west)), np.tile(world.west.city, len(world.east)))
    return pa.table({"east": east, "west": west} | {name: values.ravel() for name, values in traits.items()})


def _beside(cells: pa.Table, world: World, mediators: Mediators) -> pa.Table:
    """Put migration, search and flights beside the flows, whose rows are in the order of `draw_flows`."""
    found: dict[str, list[Floats]] = {"migration": [], "search": [], "flights": []}
    for month in range(world.scale.months):
        for d, search in zip(world.directions, mediators.search, strict=True):
            from_east = d.origins.name == "east"
            for name, values in (("migration", mediators.migration), ("flights", mediators.flights[month])):
                found[name].append((values if from_east else values.T).ravel().astype(np.float64))
            found["search"].append(search[month].ravel())
    for name, values in found.items():
        cells = cells.append_column(name, pa.array(np.concatenate(values)))
    return cells
