"""Stacks whose groups are stars: a hub, and rows that differ from it in one effect, so that sums are small products."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tradelift.solve.stack_blocks import Block

Floats = NDArray[Any]
Ints = NDArray[Any]
Bools = NDArray[Any]


MOVING = (
    "m", "a", "b", "a_e", "b_w", "p", "q", "groups", "columns", "inverse", "m_a", "m_b", "hub_a", "hub_b", "others",
)  # fmt: skip
"""What weights have of each period."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Star:
    """
    Groups of rows (g, i, j) with a hub (g, e, w) each: any other row has i = e or j = w.

    Parameters
    ----------
    block
        The m rows; its first effect is the group, G of them, and its others have A and B levels.
    e, w
        Levels of the hub of each group, shape (G,).
    left, right
        Rows with j = w but another i, and with i = e but another j.
    hub
        The hubs' rows, shape (G,).
    at_e, at_w
        Sum groups by e and by w, shapes (A, G) and (B, G).
    """

    block: Block
    e: Ints
    w: Ints
    left: Ints
    right: Ints
    hub: Ints
    at_e: csr_array[Any, tuple[int, int]]
    at_w: csr_array[Any, tuple[int, int]]

    @property
    def n_left(self) -> int:
        """A."""
        return int(self.at_e.shape[0])

    def weave(self, values: Floats) -> "Threads":
        """Put a number of each row, shape (m,), where products take it."""
        first, (i, j) = self.block.first, self.block.others
        left, right = np.zeros((len(self.e), self.n_left)), np.zeros((len(self.e), self.at_w.shape[0]))
        left[first[self.left], i[self.left]] = values[self.left]
        right[first[self.right], j[self.right] - self.n_left] = values[self.right]
        return Threads(left=left, right=right, hub=values[self.hub][:, None])

    def spread(self, groups: Floats, columns: Floats) -> Floats:
        """Effects (G, T) and (A + B, T) at each row, shape (m, T)."""
        out = groups[self.block.first]
        for codes in self.block.others:
            out += columns[codes]
        return np.asarray(out)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Threads:
    """A number of each row: of those with j = w by group and i, shape (G, A); with i = e by group and j; of hubs."""

    left: Floats
    right: Floats
    hub: Floats

    def times(self, other: "Threads") -> "Threads":
        """The product row by row."""
        return Threads(left=self.left * other.left, right=self.right * other.right, hub=self.hub * other.hub)


def star_of(block: Block, is_hub: Bools) -> Star | None:
    """
    Find the stars of a block.

    Parameters
    ----------
    block
        Its rows, m of them.
    is_hub
        Which rows are hubs, shape (m,).

    Returns
    -------
    None where its groups are no stars: without one hub each, with rows that differ in both effects, or twice.
    """
    if len(block.others) != 2:
        return None
    first, i, j = block.first, *block.others
    hub = np.flatnonzero(is_hub)
    if len(hub) != len(block.starts) or not np.array_equal(first[hub], np.arange(len(hub))):
        return None
    e, w = i[hub], j[hub]
    same = i == e[first], j == w[first]
    if not (same[0] | same[1]).all() or not np.array_equal(np.flatnonzero(same[0] & same[1]), hub):
        return None
    n_left = int(i.max()) + 1
    keys = first * block.n_columns + np.where(same[0], j, i)
    if len(np.unique(keys)) < len(keys):
        return None
    g = np.arange(len(hub))
    one = np.ones(len(hub))
    return Star(
        block=block,
        e=e,
        w=w - n_left,
        left=np.flatnonzero(~same[0]),
        right=np.flatnonzero(~same[1]),
        hub=hub,
        at_e=csr_array((one, (e, g)), shape=(n_left, len(g))),
        at_w=csr_array((one, (w - n_left, g)), shape=(block.n_columns - n_left, len(g))),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """
    Weights of all rows in T periods, as products of a number of the row and factors of its effects.

    Parameters
    ----------
    star, rows
        The groups, and the number of each row.
    m, a, b
        Factors of groups and of the two other effects, shapes (G, T), (A, T) and (B, T); 0 where a level is not used.
    a_e, b_w
        Those of the hubs' levels, shape (G, T) each.
    p, q
        What rows with i = e sum to without the factors of group and e, hubs included; and rows with j = w.
    groups, columns
        Sums of the weights, shapes (G, T) and (A + B, T).
    inverse
        One over `groups`, 0 where it is 0.
    m_a, m_b
        Factors of groups times those of the hubs' levels, shape (G, T) each.
    hub_a, hub_b
        Numbers of the hubs times those, shape (G, T) each.
    others
        `q` without the hubs.
    """

    star: Star
    rows: Threads
    m: Floats
    a: Floats
    b: Floats
    a_e: Floats
    b_w: Floats
    p: Floats
    q: Floats
    groups: Floats
    columns: Floats
    inverse: Floats
    m_a: Floats
    m_b: Floats
    hub_a: Floats
    hub_b: Floats
    others: Floats

    @classmethod
    def of(cls, star: Star, rows: Threads, m: Floats, a: Floats, b: Floats) -> "Fitted":
        """Multiply and sum."""
        a_e, b_w = a[star.e], b[star.w]
        m_a, m_b, hub_a, hub_b = m * a_e, m * b_w, rows.hub * a_e, rows.hub * b_w
        p, others = rows.right @ b + hub_b, rows.left @ a
        q = others + hub_a
        groups = m * (a_e * p + b_w * others)
        left = star.at_e @ (m * p) + rows.left.T @ m_b
        right = star.at_w @ (m * q) + rows.right.T @ m_a
        return cls(
            star=star, rows=rows, m=m, a=a, b=b, a_e=a_e, b_w=b_w, p=p, q=q, groups=groups,
            columns=np.concatenate([a * left, b * right]),
            inverse=np.divide(1.0, groups, out=np.zeros_like(groups), where=groups > 0),
            m_a=m_a, m_b=m_b, hub_a=hub_a, hub_b=hub_b, others=others,
        )  # fmt: skip

    def take(self, periods: Ints) -> "Fitted":
        """Some of the periods."""
        return replace(self, **{name: getattr(self, name).take(periods, axis=1) for name in MOVING})

    def sums(self, values: Threads) -> tuple[Floats, Floats]:
        """Sums of the weights times another number of each row, by group (G, T) and column (A + B, T)."""
        other = Fitted.of(self.star, self.rows.times(values), self.m, self.a, self.b)
        return other.groups, other.columns

    def to_columns(self, groups: Floats) -> Floats:
        """Sums by column of the weights times a number of the group, shape (A + B, T) from (G, T)."""
        star, rows, m = self.star, self.rows, self.m * groups
        left = star.at_e @ (m * self.p) + rows.left.T @ (m * self.b_w)
        right = star.at_w @ (m * self.q) + rows.right.T @ (m * self.a_e)
        return np.concatenate([self.a * left, self.b * right])

    def to_groups(self, columns: Floats) -> Floats:
        """Sums by group of the weights times the numbers of both columns, shape (G, T) from (A + B, T)."""
        return self._both(columns)[0]

    def net(self, columns: Floats) -> Floats:
        """Apply the normal equations of the columns net of the groups to (A + B, T)."""
        star, rows, n = self.star, self.rows, self.star.n_left
        mean, u, v, x_e, y_w = self._both(columns)
        mean *= self.inverse
        u -= mean * self.p
        u *= self.m
        v -= mean * self.q
        v *= self.m
        y_w -= mean
        y_w *= self.m_b
        x_e -= mean
        x_e *= self.m_a
        left, right = star.at_e @ u, star.at_w @ v
        left += rows.left.T @ y_w
        left *= self.a
        right += rows.right.T @ x_e
        right *= self.b
        out = self.columns * columns
        out[:n] += left
        out[n:] += right
        return np.asarray(out)

    def _both(self, columns: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Sums of both columns' numbers by group; of j's where i = e, of i's where j = w, with hubs; those of hubs."""
        star, rows = self.star, self.rows
        x, y = columns[: star.n_left], columns[star.n_left :]
        x_e, y_w = x[star.e], y[star.w]
        v = rows.left @ (self.a * x)
        u = rows.right @ (self.b * y)
        u += self.hub_b * y_w
        one, other = x_e * self.p, y_w * self.others
        one += u
        one *= self.a_e
        other += v
        other *= self.b_w
        one += other
        one *= self.m
        v += self.hub_a * x_e
        return one, u, v, x_e, y_w

    def size(self) -> Floats:
        """The diagonal of what `net` applies, shape (A + B, T)."""
        star, rows = self.star, self.rows
        left = star.at_e @ ((self.m * self.p) ** 2 * self.inverse)
        left += (rows.left**2).T @ ((self.m * self.b_w) ** 2 * self.inverse)
        right = star.at_w @ ((self.m * self.q) ** 2 * self.inverse)
        right += (rows.right**2).T @ ((self.m * self.a_e) ** 2 * self.inverse)
        return np.asarray(self.columns - np.concatenate([self.a**2 * left, self.b**2 * right]))
