"""The panel: cells, regions, directed pairs and the programme, with an account of what is not in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tradelift.account import Account
from tradelift.display import as_html, as_text
from tradelift.errors import DesignError
from tradelift.panel.cells import ABSENT, PAIR, Cells
from tradelift.panel.digest import Fingerprint
from tradelift.panel.regions import Pairs, Regions
from tradelift.panel.stored import StoredCells
from tradelift.panel.summary import summary
from tradelift.programme import Programme
from tradelift.threads import side_by_side

if TYPE_CHECKING:
    from tradelift.panel.goods import Goods

Array = NDArray[Any]
Ints = NDArray[np.int64]

RATIOS = ("seller_concentration", "buyer_concentration")  # undefined, not 0, where there is no trade


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """
    Origin x destination x period (x category) cells of a study.

    Parameters
    ----------
    regions, periods, categories
        What the codes in the cells count; periods are labels in order, categories None where there are none.
    pairs
        The directed pairs and what is fixed about them.
    cells
        Everything that differs from cell to cell.
    programme
        The partnerships, or None.
    neighbours
        Region codes of regions that share a border, shape (B, 2), or None.
    account
        Every input row that is not in the panel.
    fingerprint
        What the digest is made of.
    goods
        Flows by category that stand beside a panel of all goods, or None.
    """

    regions: Regions
    periods: tuple[str, ...]
    categories: tuple[str, ...] | None
    pairs: Pairs
    cells: Cells
    programme: Programme | None
    neighbours: Ints | None
    account: Account
    fingerprint: Fingerprint
    goods: "Goods | None" = None

    def __str__(self) -> str:
        return as_text(*summary(self))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(*summary(self))

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        origin: str = "origin",
        destination: str = "destination",
        period: str | None = None,
        category: str | None = None,
        regions: Any = None,
        partners: Any = None,
        pairs: Any = None,
        neighbours: Any = None,
        absent: Literal["missing", "zero"] = "missing",
    ) -> "Panel":
        """
        Build a panel from flows that are already summed.

        Parameters
        ----------
        frame
            One row a cell: pandas, Polars, PyArrow or DuckDB. Its other columns are outcomes and covariates.
        origin, destination
            Columns of the exporting and importing region; ids compare as text. A column with a role takes the place
            of another column that is called like the role.
        period
            Column of the period; None for the column `period` if there is one, else a single period.
        category
            Column of the product category, if any.
        regions
            Frame with a column `region` and, where known, `longitude` and `latitude` (degrees), `side`, `group`,
            `name`, `area_km2` and traits. With two sides, only flows between them are kept.
        partners
            Frame whose first two columns name regions, and `start`, `end` (periods) and `dose` where they vary.
        pairs
            Frame, or frames, of dyadic covariates keyed by `origin` and `destination`, or by the names of the two
            sides where they are the same both ways, and by `period` where they move.
        neighbours
            Frame with two columns of regions that share a border.
        absent
            "missing": absent cells are unknown; "zero": they are zero flows.

        Raises
        ------
        DataError
            If a column is missing, a cell stands twice, a partner is unknown, or a coordinate is out of range.

        Examples
        --------
        >>> import pyarrow as pa
        >>> import tradelift as tl
        >>> flows = {"origin": ["a", "b"], "destination": ["b", "a"], "trade": [3.0, 2.0]}
        >>> panel = tl.Panel.from_frame(pa.table(flows))
        >>> panel.n_cells
        2
        """
        from tradelift.panel.building import build  # building makes panels, so it imports this module

        return build(
            frame,
            origin=origin,
            destination=destination,
            period=period,
            category=category,
            regions=regions,
            partners=partners,
            pairs=pairs,
            neighbours=neighbours,
            absent=absent,
        )

    @classmethod
    def from_parquet(
        cls,
        source: str | Path | Sequence[str | Path],
        *,
        origin: str = "origin",
        destination: str = "destination",
        period: str | None = None,
        category: str | None = None,
        regions: Any = None,
        partners: Any = None,
        pairs: Any = None,
        neighbours: Any = None,
    ) -> "Panel":
        """
        Open a panel whose cells stay in Parquet files, because they may not fit in memory.

        Memory grows with the pairs and the region-periods, not with the rows. A design with the default effects is
        estimated as it would be in memory, to the same digits; what needs all cells at once is refused. Rows may
        stand in any order, but it is fastest where a period's rows are together, as `to_parquet` writes them.

        Parameters
        ----------
        source
            A folder of Parquet files, such as `out/panel` of a run, or the files. A column that is the same in all
            cells of each pair is kept with the pairs.
        origin, destination, period, category, regions, partners, neighbours
            As in `from_frame`.
        pairs
            Frame, or frames, of dyadic covariates that do not move in time.

        Raises
        ------
        DataError
            If there are no such files, they differ in their columns, or for the reasons of `from_frame`.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import pyarrow as pa
        >>> import tradelift as tl
        >>> flows = {"origin": ["a", "b"], "destination": ["b", "a"], "trade": [3.0, 2.0]}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     files = tl.Panel.from_frame(pa.table(flows)).to_parquet(Path(folder))
        ...     tl.Panel.from_parquet(folder).n_cells
        2
        """
        from tradelift.panel.opening import open_parquet  # opening makes panels, so it imports this module

        return open_parquet(
            source,
            origin=origin,
            destination=destination,
            period=period,
            category=category,
            regions=regions,
            partners=partners,
            pairs=pairs,
            neighbours=neighbours,
        )

    @property
    def stored(self) -> bool:
        """Whether the cells stay in files: then `parts` gives them, and no column of all cells is to be had."""
        return isinstance(self.cells, StoredCells)

    def parts(self) -> Iterator["Panel"]:
        """The panel a few periods at a time, each in memory; itself where all of it is."""
        for cells in self.cells.parts():
            yield replace(self, cells=cells)

    @property
    def digest(self) -> str:
        """A hash of all that the panel holds, made at its first use."""
        return self.fingerprint.digest

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.cells.n_rows

    @property
    def directions(self) -> tuple[str, ...]:
        """`both`, and with two sides each direction, as "west->east"."""
        if self.regions.sides is None:
            return ("both",)
        first, second = self.regions.sides
        return ("both", f"{first}->{second}", f"{second}->{first}")

    @property
    def pair_of_cell(self) -> Ints:
        """Position of each cell's directed pair, shape (N,)."""
        return self.cells.column(PAIR)

    @property
    def absent(self) -> NDArray[np.bool_] | None:
        """Cells that the flows did not list and that stand for zero flows, shape (N,); None where there are none."""
        return self.cells.column(ABSENT) if ABSENT in self.cells.names else None

    def pair_direction(self, direction: str) -> NDArray[np.bool_]:
        """
        Mark the directed pairs of a direction, shape (P,).

        Raises
        ------
        DesignError
            If the panel has no such direction.
        """
        if direction not in self.directions:
            msg = f"There is no direction '{direction}' in this panel; it has {', '.join(self.directions)}."
            raise DesignError(msg)
        if direction == "both" or self.regions.side is None:
            return np.ones(len(self.pairs), dtype=bool)
        exporter = self.directions.index(direction) - 1
        return np.asarray(self.regions.side[self.pairs.origin] == exporter)

    @property
    def names(self) -> tuple[str, ...]:
        """Every column that `column` can give."""
        derived = ("direction", *(("partner", "control_type") if self.programme is not None else ()))
        own = [name for name in self.cells.names if name not in (PAIR, ABSENT)]
        return tuple(dict.fromkeys((*own, *self.pairs.columns, *derived)))

    def is_fixed(self, name: str) -> bool:
        """Tell whether a column is the same in all periods of a directed pair by the way it is kept."""
        if name == "partner" and self.programme is not None:
            return self.programme.always_on(len(self.periods))
        return name in self.pairs.columns or name in ("control_type", "direction")

    def pair_column(self, name: str) -> Array:
        """
        A fixed column by directed pair, shape (P,).

        Raises
        ------
        DesignError
            If the panel has no such fixed column.
        """
        if name in self.pairs.columns:
            return self.pairs.columns[name]
        if name == "direction":
            return np.array(self.directions)[self._exporter()]
        if name == "control_type" and self.pairs.control_type is not None:
            return self.pairs.control_type
        if name == "partner" and self.programme is not None and self.is_fixed("partner"):
            return self.programme.treatment(self.pairs.partnership, np.zeros(len(self.pairs), dtype=np.int64))
        raise DesignError(self._unknown(name))

    def _exporter(self) -> Ints:
        """Position of each directed pair's direction in `directions`, shape (P,)."""
        if self.regions.side is None:
            return np.zeros(len(self.pairs), dtype=np.int64)
        return np.asarray(1 + self.regions.side[self.pairs.origin])

    def column(self, name: str) -> Array:
        """
        Any column by cell, shape (N,), canonical order.

        Raises
        ------
        DesignError
            If the panel has no such column.
        """
        if name == "partner" and self.programme is not None:
            return self._treatment(self.programme)
        if name in self.cells.names:
            return self.cells.column(name)
        return self.pair_column(name)[self.pair_of_cell]

    def _treatment(self, programme: Programme) -> Array:
        """Treatment by cell, which only those of pairs with a partnership can have."""
        out, pair, partnership = np.zeros(self.n_cells), self.pair_of_cell, self.pairs.partnership
        blocks = self.cells.blocks
        if blocks is None or any(block.position is not None for block in blocks):
            cells = np.flatnonzero((partnership >= 0)[pair])
            out[cells] = programme.treatment(partnership[pair[cells]], self.cells.column("period")[cells])
            return out
        for block in blocks:  # complete: every period repeats the pairs of the first
            of_pair = partnership[pair[block.start : block.start + block.size]]
            own, periods = np.flatnonzero(of_pair >= 0), np.arange(block.n_periods)
            values = programme.treatment(np.tile(of_pair[own], len(periods)), np.repeat(periods, len(own)))
            out[block.start : block.stop].reshape(len(periods), -1)[:, own] = values.reshape(len(periods), -1)
        return out

    def outcome(self, name: str) -> Array:
        """A column of flows as floats, shape (N,): 0 in cells that are absent because nothing was traded."""
        values = np.asarray(self.column(name))
        if values.dtype.kind not in "iuf":
            msg = f"The outcome '{name}' is text; give a column of numbers."
            raise DesignError(msg)
        values = values.astype(np.float64, copy=False)
        if not np.isfinite(np.vdot(values, values)) and np.isinf(values).any():
            msg = f"The outcome '{name}' is infinite in {int(np.isinf(values).sum()):,} cells; correct or remove them."
            raise DesignError(msg)
        if self.absent is not None and not name.startswith(RATIOS):
            unlisted = self.absent & np.isnan(values)
            if unlisted.any():  # a copy of all cells costs more than to look
                values = np.where(unlisted, 0.0, values)
        return values

    def _unknown(self, name: str) -> str:
        close = get_close_matches(name, self.names, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        return f"The panel has no column '{name}'; it has {', '.join(self.names)}.{hint}"

    def to_arrow(self, period: int | None = None) -> pa.Table:
        """
        The cells with their ids as text, one period or all.

        Parameters
        ----------
        period
            Position of the period; None for all.
        """
        rows = np.arange(self.n_cells) if period is None else np.flatnonzero(self.cells.column("period") == period)
        return self._rows_of(self._written(), rows)

    def to_parquet(self, folder: Path) -> list[Path]:
        """Write one Parquet file a period, named by its label, and return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        written, period = self._written(), self.cells.column("period")

        def write(t: int, path: Path) -> None:
            pq.write_table(self._rows_of(written, np.flatnonzero(period == t)), path, compression="zstd")

        paths = [folder / f"{label.replace('/', '-')}.parquet" for label in self.periods]
        side_by_side(write, self.n_cells, range(len(paths)), paths)
        return paths

    def _written(self) -> dict[str, tuple[Array, Array | None]]:
        """Every column of a file: by cell, or codes by cell and the text of each."""
        cells, ids, direction = self.cells, self.regions.ids, np.array(self.directions)
        out: dict[str, tuple[Array, Array | None]] = {
            "origin": (cells.column("origin"), ids),
            "destination": (cells.column("destination"), ids),
            "period": (cells.column("period"), np.array(self.periods)),
        }
        if self.categories is not None:
            out["category"] = cells.column("category"), np.array(self.categories)
        for name in self.names:
            if name == "direction":
                out[name] = self._exporter()[self.pair_of_cell], direction
            elif name not in out:
                out[name] = (self.outcome(name) if name in ("trade", "deals") else self.column(name)), None
        return out

    @staticmethod
    def _rows_of(written: Mapping[str, tuple[Array, Array | None]], rows: Ints) -> pa.Table:
        """Some rows as a table, with their ids as text."""
        return pa.table(
            {name: column[rows] if texts is None else texts[column[rows]] for name, (column, texts) in written.items()}
        )
