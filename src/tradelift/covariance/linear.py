"""What the leverage corrections need of linear algebra."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]
Ints = NDArray[Any]

NULL = 1e-10  # of a variable's own scale: directions below it are not identified


def inverse_on_range(matrix: Floats) -> Floats:
    """Inverse of a positive semi-definite matrix on its range, each variable in its own scale."""
    scale = np.sqrt(np.diag(matrix).clip(0.0))
    scale = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    values, vectors = np.linalg.eigh(matrix * np.outer(scale, scale))
    kept = values > NULL
    turned = vectors[:, kept] * scale[:, None]
    return np.asarray((turned / values[kept]) @ turned.T)


def members(owner: Ints) -> Iterator[Ints]:
    """Positions of each owner, in the order of the owners."""
    order = np.argsort(owner, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(owner[order])) + 1)
