"""
The partner list: 88 pairs that are known, completed by a rule to the programme's 128.

The rule, with ties broken by the city's code. Provinces are linked if they share a known pair.

1. The 12 western cities of the smallest urban population among those without a partner join (69 become 81), and the
   5 eastern cities of the largest among those of linked provinces (51 become 56).
2. Each western city that joins, in order, is paired with the city of the fewest partners among the participating
   eastern cities of the provinces linked to its own. Then each eastern city that is still alone is paired likewise.
3. Until there are 128: the participating western city of the fewest partners, and with it the eastern city of the
   fewest partners, as before. Cities of the same count take turns by code.

The added pairs are simulated: they say nothing about the real programme.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.cities import Side, read_packaged

N_PAIRS, N_EAST, N_WEST = 128, 56, 81


@dataclass(frozen=True, slots=True, kw_only=True)
class Partnership:
    """One pair of the list: codes of the two cities, how it is known, and whether it is simulated."""

    east: str
    west: str
    evidence: str
    simulated: bool


def known_partners() -> list[Partnership]:
    """Read the 88 pairs found in public reports."""
    rows = read_packaged("partners.csv")
    return [Partnership(east=r["east"], west=r["west"], evidence=r["evidence"], simulated=False) for r in rows]


def complete(known: list[Partnership], east: Side, west: Side) -> list[Partnership]:
    """
    Complete the known pairs to 128 over 56 eastern and 81 western cities, by the rule above.

    Returns
    -------
    The known pairs in their order, then the simulated ones in the order in which they were added.
    """
    province = dict(zip(east.city, east.province, strict=True)) | dict(zip(west.city, west.province, strict=True))
    linked = {(province[p.east], province[p.west]) for p in known}
    pairs = [(p.east, p.west) for p in known]
    new_east, new_west = _joining(pairs, linked, east, west)
    taking_part = sorted({e for e, _ in pairs} | set(new_east)), sorted({w for _, w in pairs} | set(new_west))

    def add(fixed: str, side: int) -> bool:
        """Pair a city of one side with the freest of the other; tell whether there was one."""
        others = [c for c in taking_part[1 - side] if _ordered(fixed, c, side) not in pairs]
        others = [c for c in others if tuple(province[x] for x in _ordered(fixed, c, side)) in linked]
        if others:
            count = Counter(pair[1 - side] for pair in pairs)
            pairs.append(_ordered(fixed, min(others, key=lambda c: (count[c], c)), side))
        return bool(others)

    for city in new_west:
        add(city, side=1)
    for city in new_east:
        if city not in {e for e, _ in pairs}:
            add(city, side=0)
    while len(pairs) < N_PAIRS:
        count = Counter(w for _, w in pairs)
        next(city for city in sorted(taking_part[1], key=lambda c: (count[c], c)) if add(city, side=1))
    added = [Partnership(east=e, west=w, evidence="", simulated=True) for e, w in pairs[len(known) :]]
    return [*known, *added]


def partner_matrix(partners: list[Partnership], east: Side, west: Side) -> NDArray[np.bool_]:
    """Mark the partner pairs, shape (east, west)."""
    found = np.zeros((len(east), len(west)), dtype=bool)
    row = {city: place for place, city in enumerate(east.city)}
    column = {city: place for place, city in enumerate(west.city)}
    for p in partners:
        found[row[p.east], column[p.west]] = True
    return found


def _ordered(city: str, other: str, side: int) -> tuple[str, str]:
    return (city, other) if side == 0 else (other, city)


def _joining(
    pairs: list[tuple[str, str]], linked: set[tuple[str, str]], east: Side, west: Side
) -> tuple[list[str], list[str]]:
    """Cities that join the programme, eastern and western."""
    in_east, in_west = {e for e, _ in pairs}, {w for _, w in pairs}
    provinces = {p for p, _ in linked}
    rows = zip(east.city, east.province, east.population, strict=True)
    large = sorted((-size, str(c)) for c, p, size in rows if c not in in_east and p in provinces)
    small = sorted((size, str(c)) for c, size in zip(west.city, west.population, strict=True) if c not in in_west)
    new_east = [city for _, city in large[: N_EAST - len(in_east)]]
    return new_east, [city for _, city in small[: N_WEST - len(in_west)]]
