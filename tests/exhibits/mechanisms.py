"""A study of migration, searches and flights."""

from dataclasses import replace

import numpy as np

from tests.exhibits.small import study
from tests.inference.mediators import with_mediators
from tradelift.panel.cells import MemoryCells

KILOMETRES = 900.0


def world():
    """Twelve months; migration of pairs, searches that move, flights without an effect on trade."""
    panel = with_mediators(periods=12, missing=0.0)
    columns = {name: panel.cells.column(name) for name in panel.cells.names}
    migration = np.empty(len(panel.pairs))
    migration[panel.pair_of_cell] = columns.pop("migration")
    columns["flights"] = np.random.default_rng(9).poisson(0.5, panel.n_cells)
    pairs = replace(panel.pairs, columns={**panel.pairs.columns, "migration": migration})
    return replace(panel, pairs=pairs, cells=MemoryCells(columns=columns, blocks=panel.cells.blocks))


def asked(**content):
    """The study that names them."""
    return study(
        **{"mediators": ["migration", "search"], "model": {"bandwidth_km": KILOMETRES, "outcomes": ["trade"]}} | content
    )
