"""Codes of the cells of dense blocks, made when they are first asked for: an estimate may do without them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.panel.cells import PAIR, Block

Array = NDArray[Any]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockCodes:
    """
    What the places of cells in their blocks say.

    Parameters
    ----------
    blocks
        All blocks, one after another.
    categories
        Category of each, shape (B,), or None where the panel has none.
    pairs
        Keys of the directed pairs, origin x R + destination, ascending, shape (P,).
    n_regions
        R.
    """

    blocks: Sequence[Block]
    categories: Ints | None
    pairs: Ints
    n_regions: int

    @property
    def roles(self) -> tuple[str, ...]:
        """The codes that there are."""
        return ("origin", "destination", "period", *(() if self.categories is None else ("category",)), PAIR)

    def column(self, role: str) -> Ints:
        """One of the codes, shape (N,): every period of a block repeats one pattern."""
        out = np.empty(self.blocks[-1].stop, dtype=np.int64)
        for b, block in enumerate(self.blocks):
            pattern = self._pattern(role, b)
            own = out[block.start : block.stop]
            if block.position is None:
                own.reshape(block.n_periods, -1)[:] = pattern
            else:
                own[:] = np.broadcast_to(pattern, (block.n_periods, block.size)).ravel()[block.position]
        return out

    def _pattern(self, role: str, b: int) -> Ints:
        """Codes of a block, broadcast to the shape (T, I x J)."""
        block = self.blocks[b]
        if role == "period":
            return np.arange(block.n_periods)[:, None]
        if role == "category" and self.categories is not None:
            return self.categories[[b]]
        origin = np.repeat(block.origins, len(block.destinations))
        if role == "origin":
            return origin
        destination = np.tile(block.destinations, len(block.origins))
        if role == "destination":
            return destination
        return np.searchsorted(self.pairs, origin * self.n_regions + destination)


class Columns(Mapping[str, Array]):
    """
    Columns of cells by name.

    Parameters
    ----------
    codes
        The codes of the cells, or what makes them.
    values
        Everything else.
    """

    __slots__ = ("_codes", "_held", "_names")

    def __init__(self, codes: BlockCodes | Mapping[str, Ints], values: Mapping[str, Array]) -> None:
        self._held: dict[str, Array] = dict(values)
        self._codes = codes if isinstance(codes, BlockCodes) else None
        if not isinstance(codes, BlockCodes):
            self._held |= codes
        roles = codes.roles if isinstance(codes, BlockCodes) else tuple(codes)
        self._names = dict.fromkeys((*(role for role in roles if role != PAIR), *values, PAIR))

    def __getitem__(self, name: str) -> Array:
        if name not in self._held:
            if name not in self._names or self._codes is None:
                raise KeyError(name)
            self._held[name] = self._codes.column(name)
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names
