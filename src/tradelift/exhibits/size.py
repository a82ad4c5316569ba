"""An effect in words: its value and its interval, as tables, figures and sentences say it."""

from dataclasses import dataclass

import numpy as np

from tradelift.exhibits.labels import plain, signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """
    The effect on partner pairs with its 95% interval.

    Parameters
    ----------
    value, low, high
        In percent where the coefficient is a difference in logs, else as the outcome is; NaN where not known.
    unit
        "%", or "" for an outcome that is not in logs.
    """

    value: float
    low: float
    high: float
    unit: str

    @property
    def is_known(self) -> bool:
        """Whether there is an interval."""
        return bool(np.isfinite(self.high - self.low))

    @property
    def is_clear(self) -> bool:
        """Whether the interval is known and leaves out zero."""
        return self.is_known and not self.low <= 0 <= self.high

    @property
    def brief(self) -> str:
        """The effect and its interval, where the words before have said which: "+4.8% (1.0 to 8.7)"."""
        span = f"{plain(self.low)} to {plain(self.high)}" if self.is_known else "error not known"
        return f"{signed(self.value)}{self.unit} ({span})"

    def __str__(self) -> str:
        span = f"95% interval {plain(self.low)} to {plain(self.high)}" if self.is_known else "its error is not known"
        return f"{signed(self.value)}{self.unit} ({span})"
