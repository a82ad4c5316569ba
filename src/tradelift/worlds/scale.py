"""How large a simulated world is."""

from dataclasses import dataclass

from tradelift.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """
    Size of a world.

    Parameters
    ----------
    orders
        Expected number of clean orders over the whole window; an order has one to three lines.
    start
        First month, as year and month.
    months
        Number of months.
    """

    orders: int
    start: tuple[int, int] = (2017, 1)
    months: int = 12

    def labels(self) -> tuple[str, ...]:
        """Months as text: 2017-01."""
        year, month = self.start
        counts = [year * 12 + month - 1 + m for m in range(self.months)]
        return tuple(f"{c // 12}-{c % 12 + 1:02d}" for c in counts)


SCALES = {"small": Scale(orders=3_700_000)}


def scale_named(name: str) -> Scale:
    """
    Look up a scale.

    Raises
    ------
    DataError
        If there is no such scale in this version.
    """
    if name == "paper":
        raise DataError("The scale 'paper' is not in this version; use 'small'.")
    if name not in SCALES:
        msg = f"There is no scale '{name}'; the scales are small and paper."
        raise DataError(msg)
    return SCALES[name]
