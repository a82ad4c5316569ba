"""How large a simulated world is, and how unlike its cities are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

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
    break_at
        The break's name and the label of the first month after it; None for no break.
    mean_trade
        Mean expected trade of a cell in yuan, by direction; it then takes the place of `orders`.
    size_on_population, size_spread, role_spread
        Elasticity of a city's size to its population, and standard deviations in logs: of its size about that, of its
        supply and its demand about its size.
    partner_size
        Log points by which the cities that take part are larger.
    month_noise
        Standard deviation in logs of each directed pair in each month.
    as_flows
        Whether flows are drawn and written that are summed already, in the place of a log.
    """

    orders: int = 0
    start: tuple[int, int] = (2017, 1)
    months: int = 12
    break_at: tuple[str, str] | None = None
    mean_trade: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    size_on_population: float = 0.5
    size_spread: float = 0.7
    role_spread: float = 0.3
    partner_size: float = 0.0
    month_noise: float = 0.0
    as_flows: bool = False

    def labels(self) -> tuple[str, ...]:
        """Months as text: 2017-01."""
        year, month = self.start
        counts = [year * 12 + month - 1 + m for m in range(self.months)]
        return tuple(f"{c // 12}-{c % 12 + 1:02d}" for c in counts)

    def after_break(self) -> tuple[bool, ...]:
        """Whether each month is after the break."""
        return tuple(self.break_at is not None and label >= self.break_at[1] for label in self.labels())


PAPER_TRADE = MappingProxyType({"east->west": 9_062_917.0, "west->east": 4_358_304.0})
"""Yuan a cell: the means of the paper's Table 1, the second from those of the full and the east to west sample."""

SCALES = {
    "small": Scale(orders=3_700_000, break_at=("midyear", "2017-07")),
    "paper": Scale(
        months=60,
        break_at=("covid", "2020-01"),
        mean_trade=PAPER_TRADE,
        size_spread=1.35,
        role_spread=0.5,
        partner_size=0.4,
        month_noise=0.3,
        as_flows=True,
    ),
}


def scale_named(name: str) -> Scale:
    """
    Look up a scale.

    Raises
    ------
    DataError
        If there is no such scale.
    """
    if name not in SCALES:
        msg = f"There is no scale '{name}'; the scales are {' and '.join(SCALES)}."
        raise DataError(msg)
    return SCALES[name]
