"""How a programme enters a design: which terms it makes, of which cells, and whether the sample depends on it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tradelift.designs import Comparison
from tradelift.errors import DesignError
from tradelift.inference.relabelling import under_everyone
from tradelift.panel import Panel
from tradelift.solve import DenseProblem, Piece, RowProblem
from tradelift.solve.stack import StackProblem

Floats = NDArray[Any]

REFIT = "With refit=True each draw is estimated anew."


class Comparing(Protocol):
    """What randomization asks of a design; anything frozen that has these serves."""

    @property
    def vcov(self) -> str | Sequence[str]:
        """A scheme, or a list of one or two columns."""
        ...

    @property
    def correction(self) -> str:
        """A small-sample correction."""
        ...

    def compare(self, panel: Panel) -> Comparison:
        """Say which flows are compared."""
        ...


def check_comparison(comparison: Comparison) -> None:
    """
    Refuse what randomization cannot draw anew.

    Raises
    ------
    DesignError
        If a treatment is not the programme's, or the cells are not in memory.
    """
    if not isinstance(comparison.problem, (DenseProblem, RowProblem, StackProblem)):
        msg = (
            "Randomization needs the panel's cells in memory, and these stay in files: build a smaller panel, of fewer "
            "periods or regions, with Panel.from_frame."
        )
        raise DesignError(msg)
    factors = [term.split("[")[0].split(":") for term in comparison.treatment]
    if factors and all("partner" in names for names in factors):
        return
    found = ", ".join(f"'{term}'" for term in comparison.treatment) or "none"
    msg = f"Randomization draws the programme anew, so the treatment must be 'partner'; found {found}."
    raise DesignError(msg)


def treatment_rows(comparison: Comparison) -> list[int]:
    """Positions of the treatment among the terms."""
    return [comparison.terms.index(term) for term in comparison.treatment]


def masks_of(design: Comparing, panel: Panel, comparison: Comparison) -> list[Floats]:
    """
    Find what the programme is multiplied with in each treatment term, by asking the design what it makes of a programme
    of all pairs.

    Parameters
    ----------
    design, panel, comparison
        The design, and what it makes of the panel.

    Returns
    -------
    By piece, shape (K, T | 1, I, J).

    Raises
    ------
    DesignError
        If the effects are not those of dense blocks, or anything but the treatment depends on the programme.
    """
    problem = comparison.problem
    if not isinstance(problem, DenseProblem) or any(piece.group is not None for piece in problem.pieces):
        msg = f"Without a refit, draws need the usual effects (origin^period, destination^period) alone. {REFIT}"
        raise DesignError(msg)
    try:
        everyone = design.compare(under_everyone(panel))
    except DesignError:
        everyone = None
    rows = treatment_rows(comparison)
    if everyone is not None and same_sample(comparison, everyone):
        other = everyone.problem
        assert isinstance(other, DenseProblem), "the same sample has the same kind of problem"
        masks = [piece.regressors[rows] for piece in other.pieces]
        if all(_is_product(panel, p, p.regressors[rows], m) for p, m in zip(problem.pieces, masks, strict=True)):
            return masks
    msg = (
        f"The sample, controls or treatment of this design depend on the programme in more than who is a partner "
        f"({comparison.sample}), so that each draw has its own. {REFIT}"
    )
    raise DesignError(msg)


def same_sample(one: Comparison, other: Comparison) -> bool:
    """Tell whether two comparisons differ in the treatment's values alone."""
    rest = [k for k, term in enumerate(one.terms) if term not in one.treatment]
    a, b = one.problem, other.problem
    if one.terms != other.terms:
        return False
    if isinstance(a, RowProblem) and isinstance(b, RowProblem):
        return (
            all(_equal(getattr(a, name), getattr(b, name)) for name in ("outcome", "weights", "offset", "pair"))
            and _equal(a.regressors[:, rest], b.regressors[:, rest])
            and len(a.effects) == len(b.effects)
            and all(map(_equal, a.effects, b.effects))
        )
    if isinstance(a, DenseProblem) and isinstance(b, DenseProblem) and len(a.pieces) == len(b.pieces):
        return all(_same_piece(p, q, rest) for p, q in zip(a.pieces, b.pieces, strict=True))
    return False


def _same_piece(a: Piece, b: Piece, rest: Sequence[int]) -> bool:
    names = ("outcome", "weights", "offset", "pair", "group")
    return all(_equal(getattr(a, name), getattr(b, name)) for name in names) and all(
        _equal(*np.broadcast_arrays(a.regressors[k], b.regressors[k])) for k in rest
    )


def _equal(a: Floats | None, b: Floats | None) -> bool:
    if a is None or b is None:
        return a is b
    return np.array_equal(a, b)


def _is_product(panel: Panel, piece: Piece, treatment: Floats, masks: Floats) -> bool:
    """Whether each treatment term is the programme times its mask, on the sample."""
    assert panel.programme is not None, "the treatment is the programme's"
    row = np.where(piece.pair >= 0, panel.pairs.partnership[piece.pair], -1)
    on = np.ones(piece.outcome.shape, dtype=bool) if piece.weights is None else piece.weights > 0
    for t in range(treatment.shape[1]):
        programme = panel.programme.treatment(row.ravel(), np.full(row.size, t)).reshape(row.shape)
        wanted = programme * masks[:, t if masks.shape[1] > 1 else 0]
        here = on[t] if treatment.shape[1] > 1 else on.any(axis=0)
        if not np.array_equal(np.where(here, treatment[:, t], 0.0), np.where(here, wanted, 0.0)):
            return False
    return True


def shifted(comparison: Comparison, treatment: Sequence[Floats], effects: Floats) -> Comparison:
    """
    Take hypothetical effects out of a comparison, by its offset.

    Parameters
    ----------
    comparison
        Of a relabelled programme, or without any.
    treatment
        The observed treatments: by piece, shape (K, T | 1, I, J), or of the rows, shape (K, N), or of a stack, shape
        (K, T | 1, n).
    effects
        Shape (K,).
    """
    problem = comparison.problem
    plus = [np.tensordot(effects, columns, 1) for columns in treatment]
    if isinstance(problem, (RowProblem, StackProblem)):
        offset = plus[0] if problem.offset is None else problem.offset + plus[0]
        return replace(comparison, problem=replace(problem, offset=offset))
    assert isinstance(problem, DenseProblem), "checked before"
    pieces = [
        replace(piece, offset=new if piece.offset is None else piece.offset + new)
        for piece, new in zip(problem.pieces, plus, strict=True)
    ]
    return replace(comparison, problem=replace(problem, pieces=tuple(pieces)))


def treatment_of(comparison: Comparison) -> list[Floats]:
    """The treatments of a comparison: by piece, shape (K, T | 1, I, J), or of the rows, shape (K, N)."""
    rows, problem = treatment_rows(comparison), comparison.problem
    if isinstance(problem, RowProblem):
        return [problem.regressors[:, rows].T]
    assert isinstance(problem, DenseProblem), "checked before"
    return [piece.regressors[rows] for piece in problem.pieces]
