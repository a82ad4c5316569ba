"""How much a near pair weighs, by its distance as a share of the bandwidth."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tradelift.errors import DesignError

Floats = NDArray[Any]
Kernel = Literal["triangular", "uniform", "epanechnikov"]

KERNELS = ("triangular", "uniform", "epanechnikov")


def check_kernel(kernel: str) -> None:
    """
    Refuse what is no kernel.

    Raises
    ------
    DesignError
        With the list of what there is.
    """
    if kernel not in KERNELS:
        msg = f"There is no kernel '{kernel}'; use one of {', '.join(KERNELS)}."
        raise DesignError(msg)


def kernel_weight(kernel: str, share: Floats) -> Floats:
    """
    Weight of a near pair, 1 at its partner's place.

    Parameters
    ----------
    kernel
        "triangular", "uniform" or "epanechnikov".
    share
        Distance over the bandwidth, not negative, any shape; NaN where it is not known.

    Returns
    -------
    Between 0 and 1, of the same shape; 0 beyond the bandwidth and where the distance is not known.
    """
    inside = share <= 1
    if kernel == "uniform":
        return inside.astype(np.float64)
    known = np.where(inside, share, 1.0)
    return np.asarray(1 - known if kernel == "triangular" else 1 - known**2)
