"""Plain twins of the null draws: explicit dummies, one least squares problem a draw."""

import numpy as np
import pandas as pd

from tradelift.inference.relabelling import draw_relabellings


def observations(panel):
    """Cells of a panel as a frame, with codes of their effects."""
    frame = panel.to_arrow().to_pandas()
    by = ["category"] if "category" in frame else []
    frame["i"] = frame.groupby(["origin", "period", *by]).ngroup()
    frame["j"] = frame.groupby(["destination", "period", *by]).ngroup()
    if "distance_km" in frame:
        frame["log_distance"] = np.log(frame["distance_km"].where(frame["distance_km"] > 0, 1.0))
    return frame


def programmes(panel, scheme, draws, seed):
    """Each drawn programme as a frame: one, other, and the partnership's start, end and dose."""
    drawn = draw_relabellings(panel, scheme, draws, np.random.default_rng(seed))
    p, ids = panel.programme, panel.regions.ids
    for first, second in zip(drawn.first[1:], drawn.second[1:], strict=True):
        yield pd.DataFrame({"one": ids[first], "other": ids[second], "start": p.start, "end": p.end, "dose": p.dose})


def treatment(frame, panel, programme):
    """The treatment of each row under a programme, by looking it up."""
    position = {label: t for t, label in enumerate(panel.periods)}
    listed = {frozenset((r.one, r.other)): r for r in programme.itertuples()}
    out = np.zeros(len(frame))
    for n, (a, b, label) in enumerate(zip(frame["origin"], frame["destination"], frame["period"], strict=True)):
        found = listed.get(frozenset((a, b)))
        if found is not None and found.start <= position[label] <= found.end:
            out[n] = found.dose
    return out


def dummies(frame):
    i, j = frame["i"].to_numpy(), frame["j"].to_numpy()
    return np.hstack([i[:, None] == np.unique(i), j[:, None] == np.unique(j)]).astype(float)


def net(values, others, weights):
    """Residuals of a weighted regression, by least squares."""
    root = np.sqrt(weights)[:, None]
    return values - others @ np.linalg.lstsq(others * root, values * root, rcond=None)[0]


def coefficients(y, treatments, others, weights=None):
    """Coefficients of treatments in a weighted regression."""
    w = np.ones(len(y)) if weights is None else weights
    x = net(treatments, others, w)
    return np.linalg.lstsq(x * np.sqrt(w)[:, None], net(y[:, None], others, w)[:, 0] * np.sqrt(w), rcond=None)[0]


def poisson(y, others, offset=0.0):
    """Fitted flows of a Poisson regression, by iteratively reweighted least squares."""
    eta = np.log((y + y.mean()) / 2)
    for _ in range(60):
        mu = np.exp(eta)
        z = eta - offset + (y - mu) / mu
        root = np.sqrt(mu)
        eta = offset + others @ np.linalg.lstsq(others * root[:, None], z * root, rcond=None)[0]
    return np.exp(eta)


def dyadic_error(frame, influence):
    """Dyadic standard error with G/(G-1), by the double sum over pairs that share a region."""
    sums = frame.assign(s=influence).groupby(["origin", "destination"])["s"].sum()
    pairs = [frozenset(pair) for pair in sums.index]
    meat = sum(a * b for a, p in zip(sums, pairs, strict=True) for b, q in zip(sums, pairs, strict=True) if p & q)
    n = len(set(frame["origin"]) | set(frame["destination"]))
    return np.sqrt(meat * n / (n - 1)) if meat > 0 else np.nan
