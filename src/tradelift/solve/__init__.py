"""Solvers: arrays in, frozen arrays out. No column names, no files, no data frames."""

from collections.abc import Sequence
from typing import Any

from tradelift.solve.problem import DenseProblem, Detail, Family, Fit, Piece, RowProblem

__all__ = ["DenseProblem", "Detail", "Family", "Fit", "Piece", "RowProblem", "fit"]


def fit(
    problem: DenseProblem | RowProblem, *, groups: Sequence[Any] = (), tolerance: float = 1e-10, detail: bool = False
) -> Fit:
    """
    Estimate a problem by OLS or PPML.

    Parameters
    ----------
    problem
        Dense blocks with two-way effects by period, or rows with any effects.
    groups
        Codes by which the rows' scores are summed for clustering: for rows arrays of shape (N,), for blocks
        sequences of one array a piece, shape (T, I, J) or (1, I, J). Codes count from 0 without gaps.
    tolerance
        Of the relative change of the deviance at which PPML in rows stops; blocks stop when the score vanishes.
    detail
        Also give fitted values and net regressors of every observation: as large as the data.

    Raises
    ------
    ConvergenceError
        If PPML does not reach a point where the scores vanish.

    References
    ----------
    Santos Silva and Tenreyro (2006), The Review of Economics and Statistics 88, 641-658.
    Correia, Guimaraes and Zylkin (2020), The Stata Journal 20, 95-115.
    """
    if isinstance(problem, DenseProblem):
        from tradelift.solve.dense import fit_dense
        from tradelift.threads import one_blas_thread

        with one_blas_thread():
            return fit_dense(problem, groups, detail=detail)
    from tradelift.solve.rows import fit_rows

    return fit_rows(problem, groups, tolerance, detail=detail)
