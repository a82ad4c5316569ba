"""What the leverage corrections need of linear algebra."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]
Ints = NDArray[Any]

NULL = 1e-10  # of a variable's own scale: directions below it are not identified
ALONE = 1e-8  # of one: what is fitted but for this share is fitted whole


def inverse_on_range(matrix: Floats, variances: Floats | None = None) -> Floats:
    """
    Inverse of a positive semi-definite matrix on its range, each variable in its own scale.

    Parameters
    ----------
    matrix
        Shape (K, K).
    variances
        The variables' own, where the matrix is net of others, shape (K,): of what these explain whole only rounding is
        left, which is nothing in the scale of the variable, and all there is in its own.
    """
    scale = np.sqrt((np.diag(matrix) if variances is None else variances).clip(0.0))
    scale = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    values, vectors = np.linalg.eigh(matrix * np.outer(scale, scale))
    kept = values > NULL
    turned = vectors[:, kept] * scale[:, None]
    return np.asarray((turned / values[kept]) @ turned.T)


def members(owner: Ints) -> Iterator[Ints]:
    """Positions of each owner, in the order of the owners."""
    order = np.argsort(owner, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(owner[order])) + 1)


def net_of(q: Floats, matrices: Floats) -> Floats:
    """(I - q q') times each matrix times (I - q q'), for unit vectors q of shape (G, S) and shape (G, S, S)."""
    half = matrices - q[:, :, None] * np.einsum("gs,gst->gt", q, matrices)[:, None, :]
    return np.asarray(half - np.einsum("gst,gt->gs", half, q)[:, :, None] * q[:, None, :])


def inflated(leverage: Floats, residual: Floats, regressors: Floats) -> tuple[Floats, Floats]:
    """
    Scores and information of clusters, inflated by a leverage: x'(I - P)^+ s and x'(I - P)^+ x.

    What is fitted whole, where an eigenvalue of P is 1, holds neither residual nor regressor.

    Parameters
    ----------
    leverage
        P, symmetric, shape (G, S, S).
    residual
        s, shape (G, S).
    regressors
        x, shape (K, G, S).

    Returns
    -------
    Shapes (G, K) and (G, K, K).
    """
    values, vectors = np.linalg.eigh((leverage + leverage.transpose(0, 2, 1)) / 2)
    factor = larger(1 - values)
    turned = np.einsum("gst,gs->gt", vectors, residual)
    x = np.einsum("gst,kgs->kgt", vectors, regressors)
    return np.einsum("kgt,gt,gt->gk", x, factor, turned), np.einsum("kgt,gt,lgt->gkl", x, factor, x)


def larger(left: Floats) -> Floats:
    """One over the share that is left to residuals, 0 where nothing is."""
    return np.asarray(np.divide(1.0, left, out=np.zeros_like(left), where=left > ALONE))
