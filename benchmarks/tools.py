"""How each package estimates: its own best settings, integer ids, and standard errors by pair with G/(G-1) alone."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from work import Work

Array = NDArray[Any]

TOLERANCE = 1e-8  # of effects and of the Poisson steps, for every package
TIGHT, TIGHT_STEPS = 1e-11, 1e-13  # of the digits that the others are compared with
REFITS = 5  # of 1,000 randomization draws; their time is multiplied


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Coefficients in the order of the regressors, standard errors by pair, rows used, and a factor for the time."""

    coefficients: Sequence[float]
    errors: Sequence[float]
    n: int | None
    factor: float = 1.0


def read_frame(folder: Path) -> pd.DataFrame:
    """Read the columns of a panel, without a copy."""
    kinds = json.loads((folder / "about.json").read_text())["columns"]
    columns = {name: np.fromfile(folder / f"{name}.bin", dtype=kind) for name, kind in kinds.items()}
    return pd.DataFrame(columns, copy=False)


def flows_and_lists(folder: Path, frame: pd.DataFrame | None = None) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The flows of a folder, unless they were read before, its regions and its partners."""
    about = json.loads((folder / "about.json").read_text())
    flows = read_frame(folder) if frame is None else frame
    own = [name for name in ("origin", "destination", "period", "category", "trade", "x") if name in flows]
    return flows[own], pd.DataFrame(about["regions"]), pd.DataFrame(about["partners"])


def ready(tool: str, work: Work, folder: Path, frame: pd.DataFrame) -> Callable[[], Answer]:
    """
    Prepare a package's estimate, so that a call of the result does the work that is timed.

    Parameters
    ----------
    tool
        The package, and after a hyphen its variant.
    work
        What to estimate.
    folder, frame
        The panel; what a package would rather have, as logs or categories, is made here and not timed.
    """
    name, _, variant = tool.partition("-")
    if name == "tradelift":
        return _tradelift(work, folder, frame, from_frame=variant == "frame")
    if work.family == "gaussian":
        frame = frame[frame["trade"] > 0].reset_index(drop=True)
        frame["log_trade"] = np.log(frame["trade"])
    if work.draws:
        return _refits(name, variant, work, folder, frame)
    call = _MAKERS[name](variant, work, frame)
    return lambda: call(work.regressors)


def tool_version(tool: str) -> str:
    """The installed version of a package."""
    return version({"reference": "pyfixest"}.get(tool, tool.partition("-")[0]))


Fit = Callable[[Sequence[str]], Answer]


def _tradelift(work: Work, folder: Path, frame: pd.DataFrame, *, from_frame: bool) -> Callable[[], Answer]:
    import tradelift as tl

    flows, regions, partners = flows_and_lists(folder, frame)
    spelled = {"log_distance": "log(distance_km)", "route": "origin^destination"}
    category = "category" if "category" in frame else None
    suffix = f"^{category}" if category else ""
    names = {f"{end}_period": f"{end}^period{suffix}" for end in ("origin", "destination")} | spelled
    design = tl.Gravity(
        outcome="trade" if work.family == "poisson" else "log(trade)",
        controls=[spelled.get(name, name) for name in work.regressors if name != "partner"],
        effects=[names[name] for name in work.effects],
        vcov="pair",
        correction="clusters",
    )

    def build() -> tl.Panel:
        return tl.Panel.from_frame(flows, category=category, regions=regions, partners=partners)

    def estimate(panel: tl.Panel) -> Answer:
        if work.draws:
            drawn = tl.randomize(design, panel, scheme="relabel", draws=work.draws, seed=1)
            return Answer(coefficients=[drawn.estimates[0]], errors=[], n=None)
        found = design.estimate(panel)
        return Answer(
            coefficients=found.coefficients.tolist(),
            errors=np.sqrt(np.diag(found.covariance)).tolist(),
            n=found.n_obs,
        )

    if from_frame:
        return lambda: estimate(build())
    panel = build()
    return lambda: estimate(panel)


def _pyfixest(
    backend: str, work: Work, frame: pd.DataFrame, tolerance: float = TOLERANCE, steps: float = TOLERANCE
) -> Fit:
    import pyfixest as pf
    from pyfixest.demeaners import LsmrDemeaner, MapDemeaner

    if backend in ("within", "torch"):
        demeaner = LsmrDemeaner(backend=backend, fixef_atol=tolerance, fixef_btol=tolerance)
    else:
        demeaner = MapDemeaner(backend=backend, fixef_tol=tolerance)
    options = {"demeaner": demeaner, "ssc": pf.ssc(k_adj=False, G_adj=True)}
    if work.family == "poisson":
        options["iwls_tol"] = steps
    return _like_fixest(pf, work, frame, options)


def _reference(_: str, work: Work, frame: pd.DataFrame) -> Fit:
    return _pyfixest("rust", work, frame, TIGHT, TIGHT_STEPS)  # with looser steps its errors are one step behind


def _fereg(_: str, work: Work, frame: pd.DataFrame) -> Fit:
    import fereg

    return _like_fixest(fereg, work, frame, {"fixef_tol": TOLERANCE, "ssc": fereg.ssc(k_adj=False, G_adj=True)})


def _like_fixest(package: Any, work: Work, frame: pd.DataFrame, options: dict[str, Any]) -> Fit:
    estimate = package.fepois if work.family == "poisson" else package.feols
    outcome = "trade" if work.family == "poisson" else "log_trade"
    vcov = "iid" if work.draws else {"CRV1": "pair"}  # draws need the coefficient alone

    def fit(regressors: Sequence[str]) -> Answer:
        formula = f"{outcome} ~ {' + '.join(regressors)} | {' + '.join(work.effects)}"
        found = estimate(formula, frame, vcov=vcov, copy_data=False, store_data=False, lean=True, **options)
        return Answer(coefficients=found.coef().tolist(), errors=found.se().tolist(), n=int(found._N))

    return fit


def _linearmodels(_: str, work: Work, frame: pd.DataFrame) -> Fit:
    from linearmodels.iv import AbsorbingLS

    effects = frame[list(work.effects)].astype("category")
    groups = frame["pair"].nunique()

    def fit(regressors: Sequence[str]) -> Answer:
        model = AbsorbingLS(frame["log_trade"], frame[list(regressors)], absorb=effects)
        found = model.fit(cov_type="clustered", clusters=frame["pair"], use_cache=False)
        # it has no G/(G-1)
        errors = found.std_errors.to_numpy() * np.sqrt(groups / (groups - 1))
        return Answer(coefficients=found.params.tolist(), errors=errors.tolist(), n=int(found.nobs))

    return fit


def _econhdfe(_: str, work: Work, frame: pd.DataFrame) -> Fit:
    import econhdfe

    effects = list(work.effects)

    def fit(regressors: Sequence[str]) -> Answer:
        if work.family == "poisson":
            found = econhdfe.ppmlhdfe(
                frame["trade"].to_numpy(), frame[list(regressors)].to_numpy(), vce="cluster",
                absorb=[frame[name].to_numpy() for name in effects], clusters=[frame["pair"].to_numpy()],
            )  # fmt: skip
            values, n = found.coef, int(found.nobs)
        else:
            found = econhdfe.olshdfe(
                frame, y="log_trade", x=list(regressors), absorb=effects, cluster=["pair"], vce="cluster"
            )
            values, n = found.params, int(found.nobs)
        rank = found.df_absorbed + len(regressors)
        errors = np.asarray(found.stderr) / np.sqrt((n - 1) / (n - rank))  # without the correction for parameters
        return Answer(coefficients=np.asarray(values).tolist(), errors=errors.tolist(), n=n)

    return fit


def _fasthdfe(_: str, work: Work, frame: pd.DataFrame) -> Fit:
    import fasthdfe

    def fit(regressors: Sequence[str]) -> Answer:
        found = fasthdfe.ppmlhdfe(
            ["trade"], list(regressors), list(work.effects), frame, setype="cluster", clustvars=["pair"],
            print_stata_style_summary=False,
        )  # fmt: skip
        return Answer(
            coefficients=np.asarray(found.params).tolist(), errors=np.asarray(found.bse).tolist(), n=int(found.nobs)
        )

    return fit


_MAKERS: dict[str, Callable[[str, Work, pd.DataFrame], Fit]] = {
    "pyfixest": _pyfixest,
    "reference": _reference,
    "fereg": _fereg,
    "linearmodels": _linearmodels,
    "econhdfe": _econhdfe,
    "fasthdfe": _fasthdfe,
}


def _refits(name: str, variant: str, work: Work, folder: Path, frame: pd.DataFrame) -> Callable[[], Answer]:
    """Randomization as a user of the package writes it, a loop of refits: a few, for the time of all."""
    drawn = relabelled(folder, frame, REFITS)
    for k, treated in enumerate(drawn):
        frame[f"drawn{k}"] = treated
    fit = _MAKERS[name](variant, work, frame)

    def run() -> Answer:
        found = [fit((f"drawn{k}", *work.regressors[1:])) for k in range(REFITS)]
        return Answer(
            coefficients=[f.coefficients[0] for f in found], errors=[], n=found[0].n, factor=work.draws / REFITS
        )

    return run


def relabelled(folder: Path, frame: pd.DataFrame, draws: int) -> list[Array]:
    """Treatments with the cities of each province, on each side, in another order."""
    about = json.loads((folder / "about.json").read_text())
    regions = pd.DataFrame(about["regions"])
    rng = np.random.default_rng(1)
    out = []
    for _ in range(draws):
        place = np.arange(len(regions))
        for members in regions.groupby(["side", "group"]).indices.values():
            place[members] = rng.permutation(members)
        treated = np.zeros((len(regions), len(regions)))
        east, west = place[about["partners"]["east"]], place[about["partners"]["west"]]
        treated[east, west] = treated[west, east] = 1.0
        out.append(treated[frame["origin"], frame["destination"]])
    return out
