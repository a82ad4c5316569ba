"""Fingerprints of what a panel is made of."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fingerprint:
    """
    What a digest is made of; it is made at its first use, since it takes as long as to build the panel.

    Parameters
    ----------
    parts
        Arrays and texts in order, as `fingerprint` takes them; they are not to change.
    """

    parts: tuple["Part", ...] = field(repr=False)
    made: list[str] = field(default_factory=list, init=False, repr=False)

    @property
    def digest(self) -> str:
        """The digest of the parts."""
        if not self.made:
            self.made.append(fingerprint(*self.parts))
        return self.made[0]


Part = Array | Sequence[str] | Mapping[str, Array] | str | Fingerprint | None


def fingerprint(*parts: Part) -> str:
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


def _bytes(part: Array | Sequence[str] | str | Fingerprint | None) -> bytes:
    if part is None:
        return b"-"
    if isinstance(part, Fingerprint):
        return part.digest.encode()
    if isinstance(part, str):
        return part.encode()
    array = np.ascontiguousarray(part)
    if array.dtype.kind in "OU":
        return "\1".join(map(str, array.ravel())).encode()
    return array.dtype.str.encode() + array.tobytes()
