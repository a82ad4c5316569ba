"""Gravity from sums that an engine makes: the cells stay there."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from tradelift.designs.comparison import Comparison, settle
from tradelift.designs.gravity import Gravity
from tradelift.designs.stored import refuse_refits
from tradelift.errors import DesignError
from tradelift.estimate import Estimate
from tradelift.panel import Panel
from tradelift.panel.frames import to_arrow
from tradelift.solve import DenseProblem
from tradelift.solve.summed import CELLS, Solution, SummedPiece, Weighted, fit_summed

ALL = "all"
MOVING = ("start", "end")
USUAL = {frozenset(("origin", "period")), frozenset(("destination", "period"))}


class Sums(Protocol):
    """What an engine's table of flows gives, as `tradelift.log.margins.FlowSums`."""

    @property
    def periods(self) -> tuple[str, ...]:
        """Labels."""
        ...

    @property
    def totals(self) -> pa.Table:
        """Sums over periods by pair: `origin`, `destination`, `flow`."""
        ...

    def margins(self, pairs: pa.Table, pieces: Sequence[SummedPiece]) -> tuple[list[SummedPiece], float]:
        """Fill the sums of blocks, and give that of flow x log(flow)."""
        ...

    def weighted(self, pairs: pa.Table, solutions: Sequence[Solution]) -> Weighted:
        """Sum the flows with the weights that solutions give them."""
        ...


def estimate_sums(
    design: Gravity, flows: Sums, *, regions: Any = None, partners: Any = None, pairs: Any = None
) -> Estimate:
    """
    Estimate PPML with fixed regressors and the usual effects from sums.

    Parameters
    ----------
    design
        Its outcome is `trade`, as the flows are called here.
    flows
        Who sums.
    regions, partners, pairs
        As `Panel.from_frame` takes them. Partnerships hold in all periods, and what stands with pairs does not move.

    Raises
    ------
    DesignError
        If the design needs more than sums: another family or other effects, weights, an offset, regressors that move,
        some of the periods, or clusters by columns; or for the reasons of its own `estimate`.
    ConvergenceError
        If PPML does not converge.

    Notes
    -----
    The estimate is that of the panel in memory. Sums are asked for by (period, origin), by (period, destination) and by
    pair, and once more by pair when the solution is known, for the scores.
    """
    refuse_refits(design)
    if design.by == "period" or "period" in (design.where or {}):
        msg = f"Sums over all periods do not tell periods apart, which `where` or `by` asks for. This needs {CELLS}"
        raise DesignError(msg)
    _refuse_effects(design)
    panel = panel_of_pairs(flows, regions=regions, partners=partners, pairs=pairs)
    comparison = _of_all_periods(replace(design, effects=None).compare(panel), design.effects, len(flows.periods))
    pieces = _pieces(comparison)
    places = _places(comparison, pieces)
    summed, entropy = flows.margins(places, pieces)
    found = fit_summed(summed, len(comparison.dyads.origin), lambda s: flows.weighted(places, s), entropy)
    return settle(found, comparison, design)


def _refuse_effects(design: Gravity) -> None:
    """Refuse effects that do not live within a period."""
    given = design.effects
    if given is not None and {frozenset(part.strip() for part in e.split("^")) for e in given} != USUAL:
        found = ", ".join(given) or "none"
        msg = f"Sums are enough for effects of origin^period and destination^period; found {found}. This needs {CELLS}"
        raise DesignError(msg)


def _of_all_periods(comparison: Comparison, effects: Sequence[str] | None, n_periods: int) -> Comparison:
    """What was compared in one period, said of all: every pair is excluded as often as there are periods."""
    if n_periods == 1:
        return comparison
    names = tuple(effects or (f"{name}^period" for name in comparison.effects))
    return replace(
        comparison,
        effects=names,
        formula=f"{comparison.formula.partition(' | ')[0]} | {' + '.join(names)}",
        exclusions={reason: n_periods * count for reason, count in comparison.exclusions.items()},
    )


def panel_of_pairs(flows: Sums, *, regions: Any = None, partners: Any = None, pairs: Any = None) -> Panel:
    """
    Build the panel of the flows of all periods together: one period, `all`, with the flows as `trade`.

    Parameters
    ----------
    flows, regions, partners, pairs
        As in `estimate_sums`.

    Raises
    ------
    DesignError
        If partnerships start or end.
    """
    moving = [] if partners is None else [n for n in to_arrow(partners, "partners").column_names if n in MOVING]
    if moving:
        msg = (
            f"The partners have a column '{moving[0]}', so the treatment may move, and sums are not enough. Leave the "
            f"column out where partnerships hold in all periods; else this needs {CELLS}"
        )
        raise DesignError(msg)
    totals = flows.totals
    frame = totals.rename_columns({"flow": "trade"}).append_column("period", pa.array([ALL] * len(totals)))
    return Panel.from_frame(frame, period="period", regions=regions, partners=partners, pairs=pairs)


def _pieces(comparison: Comparison) -> list[SummedPiece]:
    """The blocks, whose sums are not known yet."""
    problem = comparison.problem
    usual = isinstance(problem, DenseProblem) and all(p.group is None for p in problem.pieces)
    if not isinstance(problem, DenseProblem) or not usual or problem.family != "poisson":
        msg = (
            f"Sums are enough for PPML with effects of origin and destination by period; this design has "
            f"{problem.family} and effects {', '.join(comparison.effects) or 'none'}. It needs {CELLS}"
        )
        raise DesignError(msg)
    out = []
    for piece in problem.pieces:
        if piece.offset is not None or not (piece.weights is None or np.isin(piece.weights, (0.0, 1.0)).all()):
            msg = f"Sums are not enough for weights or an offset. This needs {CELLS}"
            raise DesignError(msg)
        mask = piece.pair >= 0
        if piece.weights is not None:
            mask = mask & (piece.weights[0] > 0)
        none = np.zeros((0, 0))
        out.append(
            SummedPiece(x=piece.regressors[:, 0], mask=mask, pair=piece.pair, rows=none, columns=none, pairs=none)
        )
    return out


def _places(comparison: Comparison, pieces: Sequence[SummedPiece]) -> pa.Table:
    """Where each pair of the sample stands: `origin`, `destination`, `block`, `i`, `j`."""
    ids = np.asarray(comparison.regions, dtype=object)
    parts = []
    for n, piece in enumerate(pieces):
        i, j = np.nonzero(piece.mask)
        pair = piece.pair[i, j]
        parts.append(
            pa.table(
                {
                    "origin": pa.array(ids[comparison.dyads.origin[pair]], pa.string()),
                    "destination": pa.array(ids[comparison.dyads.destination[pair]], pa.string()),
                    "block": np.full(len(i), n),
                    "i": i,
                    "j": j,
                }
            )
        )
    return pa.concat_tables(parts)
