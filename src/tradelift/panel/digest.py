"""Fingerprints of what a panel is made of."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def fingerprint(*parts: Array | Sequence[str] | Mapping[str, Array] | str | None) -> str:
    """Hash arrays and texts in order."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, Mapping):
            for name in sorted(part):
                state.update(name.encode())
                state.update(_bytes(part[name]))
        else:
            state.update(_bytes(part))
        state.update(b"\0")
    return state.hexdigest()


def _bytes(part: Array | Sequence[str] | str | None) -> bytes | memoryview:
    if part is None:
        return b"-"
    if isinstance(part, str):
        return part.encode()
    array = np.ascontiguousarray(part)
    if array.dtype.kind in "OU":
        return "\1".join(map(str, array.ravel())).encode()
    return array.dtype.str.encode() + array.tobytes()
