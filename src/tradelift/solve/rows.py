"""Any other structure of fixed effects, through pyfixest: the only place that knows it."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import ConvergenceError
from tradelift.solve.dense import independent
from tradelift.solve.deviance import poisson_deviance
from tradelift.solve.problem import Fit, RowProblem
from tradelift.solve.sample import code_rank, code_separated, code_singletons

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]

MAX_STEPS = 200
DEMEAN_TOLERANCE = 1e-10
MAX_DEMEAN = 100_000


def fit_rows(problem: RowProblem, groups: Sequence[Ints], tolerance: float) -> Fit:
    """Fit a problem in rows; see `tradelift.solve.fit`."""
    used = np.ones(len(problem.outcome), dtype=bool)
    if problem.weights is not None:
        used &= problem.weights > 0
    effects = problem.effects or (np.zeros(len(used), dtype=np.int64),)
    separated = 0
    if problem.family == "poisson":
        empty = _within(used, lambda rows: code_separated(problem.outcome[rows], _take(effects, rows)))
        used &= ~empty
        separated = int(empty.sum())
    alone = _within(used, lambda rows: code_singletons(_take(effects, rows)))
    used &= ~alone
    rows = np.flatnonzero(used)
    model, kept, rows = _estimate(problem, effects, rows, tolerance)
    separated += int(used.sum()) - len(rows)
    return _finish(problem, effects, groups, rows, model, kept, {"separated": separated, "singleton": int(alone.sum())})


def _within(used: Bools, find: Any) -> Bools:
    """Apply a search to the used rows, and give its finds among all."""
    rows = np.flatnonzero(used)
    out = np.zeros_like(used)
    if len(rows):
        out[rows[find(rows)]] = True
    return out


def _take(effects: Sequence[Ints], rows: Ints) -> tuple[Ints, ...]:
    """Codes of some rows, renumbered without gaps."""
    return tuple(np.unique(codes[rows], return_inverse=True)[1].astype(np.int64) for codes in effects)


def _estimate(
    problem: RowProblem, effects: Sequence[Ints], rows: Ints, tolerance: float
) -> tuple[Any, tuple[int, ...], Ints]:
    """Estimate with pyfixest; returns its model, the kept regressors and the rows it used."""
    import pandas as pd
    import pyfixest as pf

    frame = pd.DataFrame({"y": problem.outcome[rows]})
    for n, codes in enumerate(_take(effects, rows)):
        frame[f"f{n}"] = codes
    for name, values in (("w", problem.weights), ("o", problem.offset)):
        if values is not None:
            frame[name] = values[rows]
    fixed = " + ".join(f"f{n}" for n in range(len(effects)))
    options: dict[str, Any] = {
        "vcov": "iid", "fixef_rm": "none", "copy_data": False, "store_data": False,
        "demeaner": pf.MapDemeaner(fixef_tol=DEMEAN_TOLERANCE, fixef_maxiter=MAX_DEMEAN),
    }  # fmt: skip
    if problem.weights is not None:
        options["weights"] = "w"
    kept = _independent(problem, frame, rows, fixed, options)
    for k in kept:
        frame[f"x{k}"] = problem.regressors[rows, k]
    if problem.family == "gaussian":
        if problem.offset is not None:
            frame["y"] = frame["y"] - frame["o"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pf.feols(_formula(kept, fixed), frame, **options), kept, rows
    if problem.offset is not None:
        options["offset"] = "o"
    options |= {"separation_check": ["fe", "ir"], "iwls_tol": max(tolerance, 1e-12), "iwls_maxiter": MAX_STEPS}
    model = _poisson(kept, fixed, frame, options)
    gone = np.asarray(sorted(model.na_index), dtype=np.int64)
    names = model._coefnames  # noqa: SLF001 - separation may have left some without variation
    return model, tuple(k for k in kept if f"x{k}" in names), np.delete(rows, gone)


def _formula(kept: Sequence[int], fixed: str) -> str:
    return f"y ~ {' + '.join(f'x{k}' for k in kept) or '1'} | {fixed}"


def _poisson(kept: Sequence[int], fixed: str, frame: Any, options: dict[str, Any]) -> Any:
    import pyfixest as pf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pf.fepois(_formula(kept, fixed), frame, **options)
        except pf.errors.NonConvergenceError:
            msg = (
                f"PPML did not converge in {MAX_STEPS} steps with these fixed effects. Drop regressors that are "
                f"large or nearly collinear, or use coarser effects."
            )
            raise ConvergenceError(msg) from None
        except ValueError as error:
            if "collinear" not in str(error) or not kept:
                raise
            # separation took all variation away: nothing but the effects is left
            return _poisson((), fixed, frame, options)


def _independent(problem: RowProblem, frame: Any, rows: Ints, fixed: str, options: dict[str, Any]) -> tuple[int, ...]:
    """Positions of regressors that are not collinear with the effects and the regressors before them."""
    import pyfixest as pf

    if not problem.regressors.shape[1]:
        return ()
    net = []
    total = []
    for k in range(problem.regressors.shape[1]):
        x = problem.regressors[rows, k]
        total.append(float(((x - x.mean()) ** 2).sum()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain = {key: value for key, value in options.items() if key != "weights"}
            model = pf.feols(f"x ~ 1 | {fixed}", frame.assign(x=x), **plain)
        net.append(np.asarray(model._u_hat).ravel())  # noqa: SLF001 - residuals, which resid() would copy
    flat = np.array(net)
    return independent(flat @ flat.T, np.array(total))


def _finish(
    problem: RowProblem,
    effects: Sequence[Ints],
    groups: Sequence[Ints],
    rows: Ints,
    model: Any,
    kept: tuple[int, ...],
    excluded: dict[str, int],
) -> Fit:
    k = len(kept)
    row_scores = np.zeros((len(rows), k))
    bread = np.zeros((k, k))
    if k:
        row_scores = np.asarray(model._scores)  # noqa: SLF001 - no public name gives them
        bread = np.linalg.inv(np.asarray(model._hessian))  # noqa: SLF001
    outcome = problem.outcome[rows]
    weights = np.ones(len(rows)) if problem.weights is None else problem.weights[rows]
    used = np.zeros(problem.n_pairs, dtype=bool)
    used[problem.pair[rows]] = True
    return Fit(
        coefficients=np.asarray(model.coef(), dtype=np.float64) if k else np.zeros(0),
        bread=bread,
        scores=_sum_by(problem.pair[rows], row_scores, problem.n_pairs),
        meat_rows=row_scores.T @ row_scores,
        group_scores=tuple(_sum_by(g[rows], row_scores, int(g.max(initial=-1)) + 1) for g in groups),
        kept=kept,
        effect_rank=code_rank(_take(effects, rows)),
        n_obs=len(rows),
        pairs_used=used,
        excluded=excluded,
        path="rows",
        iterations=int(getattr(model, "n_iter", 1)),
        deviance=_deviance(problem, model, outcome, weights),
        total=_null(problem, outcome, weights),
    )


def _sum_by(codes: Ints, values: Floats, n: int) -> Floats:
    out = np.zeros((n, values.shape[1]))
    for k in range(values.shape[1]):
        out[:, k] = np.bincount(codes, weights=values[:, k], minlength=n)
    return out


def _deviance(problem: RowProblem, model: Any, outcome: Floats, weights: Floats) -> float:
    error = np.asarray(model.resid()).ravel()
    if problem.family == "gaussian":
        return float((weights * error**2).sum())
    return poisson_deviance(outcome, outcome - error, weights)


def _null(problem: RowProblem, outcome: Floats, weights: Floats) -> float:
    mean = float(np.average(outcome, weights=weights)) if len(outcome) else 0.0
    if problem.family == "gaussian":
        return float((weights * (outcome - mean) ** 2).sum())
    return poisson_deviance(outcome, np.full_like(outcome, mean), weights) if mean else 0.0
