"""Programmes that keep each region's number of partners: two partnerships exchange an end, again and again."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
Bools = NDArray[Any]

PROPOSALS = 20  # of an exchange, for each partnership and draw
TABLE = 2**25  # entries of the tables of who is whose partner, for the chains that run side by side


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classes:
    """
    Partnerships that may exchange ends: those between the same two groups.

    Parameters
    ----------
    rows
        Partnerships sorted by class, shape (L,).
    start, size
        Of the class of each partnership: its first place in `rows`, and its length, shape (L,).
    inner
        Whether both groups of a partnership are one, so that its ends may turn, shape (L,).
    """

    rows: Ints
    start: Ints
    size: Ints
    inner: Bools


def swap(first: Ints, second: Ints, group: Ints, draws: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """
    Draw programmes by exchanges of ends between partnerships of the same two groups.

    Each draw is a Markov chain from the observed programme; its steps are symmetric, so that all programmes that it
    reaches become equally likely.

    Parameters
    ----------
    first, second
        Region codes of each partnership, shape (L,), groups in ascending order.
    group
        Code of each region, shape (R,).
    draws
        How many.
    rng
        Source of randomness.

    Returns
    -------
    Region codes, shape (draws, L) each.

    References
    ----------
    Rao, Jana and Bandyopadhyay (1996), Sankhya A 58, 225-242.
    """
    classes = _classes(first, second, group)
    out = np.tile(first, (draws, 1)), np.tile(second, (draws, 1))
    if not np.any(classes.size > 1):
        return out
    n = len(group)
    chains = max(TABLE // n**2, 1)
    for begin in range(0, draws, chains):
        part = slice(begin, begin + chains)
        _run(out[0][part], out[1][part], n, classes, rng)
    return out


def _classes(first: Ints, second: Ints, group: Ints) -> Classes:
    key = group[first] * (int(group.max(initial=0)) + 1) + group[second]
    _, own, counts = np.unique(key, return_inverse=True, return_counts=True)
    starts = np.cumsum(counts) - counts
    return Classes(
        rows=np.argsort(own, kind="stable"),
        start=starts[own],
        size=counts[own],
        inner=np.asarray(group[first] == group[second]),
    )


def _run(first: Ints, second: Ints, n: int, classes: Classes, rng: np.random.Generator) -> None:
    """Run chains side by side, in place; shapes (chains, L)."""
    chains, length = first.shape
    chain = np.arange(chains)
    partner = np.zeros((chains, n, n), dtype=bool)
    partner[chain[:, None], first, second] = partner[chain[:, None], second, first] = True
    choices = np.flatnonzero(classes.size > 1)
    for _ in range(PROPOSALS * length):
        one = choices[rng.integers(len(choices), size=chains)]
        other = classes.rows[classes.start[one] + rng.integers(classes.size[one])]
        turn = classes.inner[one] & (rng.random(chains) < 0.5)
        firsts = np.less(rng.random(chains), 0.5)  # which ends are exchanged matters for when they start
        a, b = first[chain, one], second[chain, one]
        c, d = first[chain, other], second[chain, other]
        c, d = np.where(turn, d, c), np.where(turn, c, d)
        free = np.not_equal(one, other) & (a != d) & (b != c) & ~partner[chain, a, d] & ~partner[chain, c, b]
        k, a, b, c, d = chain[free], a[free], b[free], c[free], d[free]
        one, other, firsts = one[free], other[free], firsts[free]
        for i, j, value in ((a, b, False), (c, d, False), (a, d, True), (c, b, True)):
            partner[k, i, j] = partner[k, j, i] = value
        first[k, one], second[k, one] = np.where(firsts, c, a), np.where(firsts, b, d)
        first[k, other], second[k, other] = np.where(firsts, a, c), np.where(firsts, d, b)


def swappable(first: Ints, second: Ints, group: Ints) -> Bools:
    """
    Find the partnerships that a single exchange can end, shape (L,).

    Parameters
    ----------
    first, second, group
        As in `swap`.
    """
    n = len(group)
    partner = np.zeros((n, n), dtype=bool)
    partner[first, second] = partner[second, first] = True
    classes = _classes(first, second, group)
    out = np.zeros(len(first), dtype=bool)
    for row in range(len(first)):
        others = classes.rows[classes.start[row] : classes.start[row] + classes.size[row]]
        others = others[others != row]
        a, b, c, d = first[row], second[row], first[others], second[others]
        free = (a != d) & (b != c) & ~partner[a, d] & ~partner[c, b]
        if classes.inner[row]:
            free |= (a != c) & (b != d) & ~partner[a, c] & ~partner[d, b]
        out[row] = free.any()
    return out
