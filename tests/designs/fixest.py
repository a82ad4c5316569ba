"""An estimate's formula, translated mechanically to pyfixest and estimated there."""

import re
import warnings

import numpy as np
import pyfixest as pf

NUMPY = {"log1p": "np.log1p", "log": "np.log", "asinh": "np.arcsinh"}
TIGHT = {"fixef_tol": 1e-12, "fixef_maxiter": 100_000}


def translated(formula):
    """The formula in pyfixest's spelling: functions are numpy's there; x:y, i(x, y) and a^b are understood."""
    return re.sub(r"\b(log1p|log|asinh)\(", lambda call: f"{NUMPY[call[1]]}(", formula)


def as_frame(panel):
    """The panel's cells, with a name for each undirected pair."""
    frame = panel.to_arrow().to_pandas()
    frame["dyad"] = [" ".join(sorted(p)) for p in zip(frame["origin"], frame["destination"], strict=True)]
    return frame


def with_pyfixest(formula, family, frame, **options):
    """Estimate there, with errors by pair and G/(G-1)."""
    own = {"vcov": {"CRV1": "dyad"}, "ssc": pf.ssc(k_adj=False, G_adj=True, G_df="min")} | TIGHT | options
    # it warns of the flows that it drops: infinite logs, separated observations, singletons
    with np.errstate(divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        if family == "gaussian":
            return pf.feols(translated(formula), frame, **own)
        return pf.fepois(translated(formula), frame, iwls_tol=1e-14, iwls_maxiter=100, **own)
