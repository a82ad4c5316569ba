"""
The library of compiled loops: kernel.c, sums.c, stars.c, panel/rows.c and log/groups.c.

`loaded()` says whether it is there; where it was not compiled, the plain code beside each caller does the same. Its
functions hold no lock of the interpreter.
"""

import ctypes
import os
from collections.abc import Sequence
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.memory import reuse

Floats = NDArray[Any]
Ints = NDArray[Any]

INTERFACE = 7  # as tl_interface in kernel.c says
OFF = "TRADELIFT_NO_KERNEL"  # an environment variable: set to anything, the plain code runs


@cache
def loaded() -> bool:
    """Whether the compiled loops are there and wanted."""
    return not os.environ.get(OFF) and _library() is not None


@cache
def _library() -> ctypes.CDLL | None:
    here = Path(__file__).parent
    for suffix in EXTENSION_SUFFIXES:
        path = here / f"_kernel{suffix}"
        if path.exists():
            try:
                library = ctypes.CDLL(str(path))
                same = library.tl_interface() == INTERFACE
            except (OSError, AttributeError):  # compiled for another system, or from an old file
                return None
            if same:
                reuse()
            return library if same else None
    return None


class NoMemoryError(MemoryError):
    """The loops found no memory."""

    def __init__(self) -> None:
        super().__init__("There is no memory for the loops of the solver.")


def call(name: str, *arguments: Any) -> int:
    """Call a function of the library, and give its status."""
    library = _library()
    assert library is not None, "callers ask first whether it is loaded"
    return int(getattr(library, name)(*arguments))


def done(status: int) -> None:
    """Raise what a function's status says."""
    if status:
        raise NoMemoryError


def at(values: Floats | None) -> Any:
    """Where values begin."""
    if values is None:
        return ctypes.c_void_p(None)
    assert values.flags.c_contiguous, "the loops take arrays in C order"
    return ctypes.c_void_p(values.ctypes.data)


def in_place(values: Floats) -> Any:
    """Where values begin, for writing."""
    assert values.dtype == np.float64, "the loops write numbers of double precision"
    return at(values)


def pointers(values: Sequence[Floats]) -> Ints:
    """Where each of several arrays begins."""
    return np.array([v.ctypes.data for v in values], dtype=np.uintp)
