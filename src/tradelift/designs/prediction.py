"""Fitted flows, residuals and effects of an estimate, cell by cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tradelift.designs.assembly import by_cell
from tradelift.designs.comparison import Comparison, Design, fitted, settle
from tradelift.designs.effects import effect_codes
from tradelift.designs.terms import parse_outcome, transform
from tradelift.display import Displayed
from tradelift.errors import ConvergenceError
from tradelift.estimate import Estimate
from tradelift.panel import Panel
from tradelift.solve import DenseProblem, Fit, RowProblem
from tradelift.solve.stack import StackProblem

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[Any]
Ints = NDArray[Any]
Array = NDArray[Any]
Bools = NDArray[Any]

ADDS_UP = 1e-9  # by how much the effects of a cell may miss their sum, relative to the largest
ROUNDS = 5  # of least squares on what is left
SHOWN = 10  # cells that a print has
CONSTANT = "constant"  # the effect of a design that has none


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Prediction(Displayed):
    """
    An estimate with its fitted flows: as large as the panel, where the estimate is small.

    For PPML fitted values are expected flows. For OLS they are on the scale of the outcome: of log(trade) the fitted
    log, whose exponential is no expected flow. An offset is part of them. With correction="weidner-zylkin" and pair
    effects they are those of PPML itself, before the coefficients are corrected for their bias.

    Parameters
    ----------
    estimate
        What `estimate` of the design gives.
    panel
        Where the cells are.
    outcome
        By cell of the panel in canonical order, as it is modelled (log(trade) is the log), shape (N,); NaN where it
        is not defined.
    fitted
        Expected outcome, shape (N,); NaN where the cell is not used.
    effect_sum
        Sum of the effects, shape (N,): the fitted outcome (PPML: its log) less the offset and the regressors times
        their coefficients; NaN where the cell is not used.
    dropped
        Why each cell is not used, as `Estimate.dropped` counts it, or "not in the sample"; "" where it is used,
        shape (N,).

    Examples
    --------
    >>> import pandas as pd
    >>> import tradelift as tl
    >>> rows = [(a, b, 1.0 + (a < b)) for a in "abcd" for b in "abcd" if a != b]
    >>> flows = pd.DataFrame(rows, columns=["origin", "destination", "trade"])
    >>> found = tl.Gravity().predict(tl.Panel.from_frame(flows))
    >>> bool(abs(found.residuals.sum()) < 1e-9)
    True
    >>> list(found.effects().columns)
    ['effect', 'level', 'value']
    """

    estimate: Estimate
    panel: Panel
    outcome: Floats
    fitted: Floats
    effect_sum: Floats
    dropped: Array

    @property
    def residuals(self) -> Floats:
        """Outcome less fitted outcome, shape (N,); NaN where the cell is not used."""
        return np.asarray(self.outcome - self.fitted)

    def _shown(self) -> tuple[list[str], "pd.DataFrame", list[str]]:
        """What was fitted, the first cells, and how many there are."""
        n, used = len(self.fitted), int(np.count_nonzero(np.isfinite(self.fitted)))
        more = [f"The first {SHOWN} of {n:,} cells."] if n > SHOWN else []
        return [f"Prediction: {self.estimate.formula}"], self._frame(slice(SHOWN)), [*more, f"{used:,} cells are used."]

    def frame(self) -> "pd.DataFrame":
        """One row a cell: origin, destination, period, category (if any), outcome, fitted, residual, dropped."""
        return self._frame(slice(None))

    def _frame(self, rows: slice) -> "pd.DataFrame":
        import pandas as pd

        panel = self.panel
        keys = ["origin", "destination", "period", *(["category"] if panel.categories is not None else [])]
        columns: dict[str, Array] = {name: _labels(panel, name)[panel.cells.column(name)[rows]] for name in keys}
        numbers = {"outcome": self.outcome[rows], "fitted": self.fitted[rows], "residual": self.residuals[rows]}
        return pd.DataFrame(columns | numbers | {"dropped": self.dropped[rows]})

    def effects(self) -> "pd.DataFrame":
        """
        The effects level by level: columns effect, level, value (in logs for PPML).

        Effects are known up to constants that move from one to another. Of all values that add up to the same sums,
        these have the least sum of squares over the observations: where two effects are linked, both have the same
        mean over their observations. Differences between levels of one effect within linked observations do not
        depend on that choice, for two effects. Without effects there is one level, the constant.

        Raises
        ------
        ConvergenceError
            If the values do not add up to the sums.
        """
        import pandas as pd

        used = np.isfinite(self.effect_sum)
        names = self.estimate.effects or (CONSTANT,)
        codes, levels = zip(*(_levels(self.panel, name, used) for name in names), strict=True)
        values = _part(self.effect_sum[used], codes, [len(level) for level in levels])
        return pd.DataFrame(
            {
                "effect": np.repeat(np.array(names, dtype=object), [len(level) for level in levels]),
                "level": np.concatenate(levels),
                "value": values,
            }
        )


def predict(panel: Panel, comparison: Comparison, design: Design) -> Prediction:
    """
    Estimate a comparison and keep what it says of every cell.

    Parameters
    ----------
    panel
        What the comparison was made of.
    comparison, design
        As in `conclude`.

    Raises
    ------
    DesignError, ConvergenceError
        As in `conclude`.
    """
    problem = comparison.problem
    assert not isinstance(problem, StackProblem), "the rows of a stack are not the cells of the panel"
    found = fitted(comparison, design, detail=True)
    estimate = settle(found, comparison, design)
    used = comparison.screened.used
    here = by_cell(problem, panel, used, [piece.sample for piece in found.detail])
    expected = np.where(here, by_cell(problem, panel, used, [piece.fitted for piece in found.detail]), np.nan)
    given = by_cell(problem, panel, used, _given(problem, found))
    what = parse_outcome(comparison.outcome)
    outcome, undefined = transform(what, panel.outcome(what.column))
    dropped = comparison.screened.reasons()
    lost = used & ~here
    apart = lost & (outcome == 0) if problem.family == "poisson" else np.zeros_like(lost)
    # separated flows are zero; a zero flow that were alone would be separated
    dropped[apart], dropped[lost & ~apart] = "separated", "singleton"
    return Prediction(
        estimate=estimate,
        panel=panel,
        outcome=np.where(undefined, np.nan, outcome),
        fitted=expected,
        effect_sum=(np.log(expected) if problem.family == "poisson" else expected) - given,
        dropped=dropped,
    )


def _given(problem: DenseProblem | RowProblem, found: Fit) -> list[Floats]:
    """Offset and regressors times their coefficients, by piece."""
    kept = list(found.kept)
    if isinstance(problem, RowProblem):
        index = problem.regressors[:, kept] @ found.coefficients
        return [index if problem.offset is None else index + problem.offset]
    out = []
    for piece in problem.pieces:
        index = np.tensordot(found.coefficients, piece.regressors[kept], 1)
        index = index if piece.offset is None else index + piece.offset
        out.append(np.broadcast_to(index, piece.outcome.shape))
    return out


def _labels(panel: Panel, role: str) -> Array:
    """What the codes of a role stand for."""
    if role in ("origin", "destination"):
        return panel.regions.ids.astype(object)
    return np.array(panel.periods if role == "period" else panel.categories, dtype=object)


def _levels(panel: Panel, effect: str, used: Bools) -> tuple[Ints, Array]:
    """Codes of an effect on the used cells, and the level that each code stands for, as text."""
    cells = np.flatnonzero(used)
    if effect == CONSTANT:
        return np.zeros(len(cells), dtype=np.int64), np.array([""], dtype=object)
    _, first, codes = np.unique(effect_codes(panel, effect)[cells], return_index=True, return_inverse=True)
    parts = [_texts(panel, part.strip(), cells[first]) for part in effect.split("^")]
    return codes, np.array(["^".join(texts) for texts in zip(*parts, strict=True)], dtype=object)


def _texts(panel: Panel, name: str, cells: Ints) -> list[str]:
    values = panel.column(name)[cells]
    if name in ("origin", "destination", "period", "category"):
        return [str(label) for label in _labels(panel, name)[values]]
    return [str(int(v)) if values.dtype.kind == "f" and float(v).is_integer() else str(v) for v in values]


def _part(total: Floats, codes: Sequence[Ints], sizes: Sequence[int]) -> Floats:
    """Part sums into effects by least squares on dummies, one after another in one array."""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import lsqr

    start = np.concatenate([[0], np.cumsum(sizes)])
    columns = np.stack([c + s for c, s in zip(codes, start[:-1], strict=True)], axis=1)
    # dummies of equal length: it settles faster, and least squares count each observation
    scale = 1 / np.sqrt(np.bincount(columns.ravel(), minlength=start[-1]))
    rows = np.arange(len(total) + 1) * len(codes)
    dummies = csr_array((scale[columns].ravel(), columns.ravel(), rows), shape=(len(total), start[-1]))
    out, left = np.zeros(start[-1]), total
    allowed = ADDS_UP * max(float(np.abs(total).max()), 1.0)
    for _ in range(ROUNDS):
        out = out + lsqr(dummies, left, atol=1e-15, btol=1e-12, conlim=0)[0]
        left = total - dummies @ out
        if np.abs(left).max() <= allowed:
            return np.asarray(out * scale)
    msg = (
        f"The effects miss their sums by {np.abs(left).max():.3g}: the observations link their levels too weakly to "
        f"part them. Use `effect_sum`, or coarser effects."
    )
    raise ConvergenceError(msg)
