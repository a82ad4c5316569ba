"""What a simulated world knows of itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tradelift.worlds.dirt import Tally
from tradelift.worlds.estimands import estimands
from tradelift.worlds.intensities import EFFECTS, World
from tradelift.worlds.limits import Limit, limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """
    The truth behind a log, or behind flows.

    Parameters
    ----------
    seed
        From which everything was drawn.
    effects
        Causal effect of partnership by direction, in logs: the mean over partner pairs and months.
    limits
        What each estimator of gravity converges to; see `tradelift.worlds.limits`.
    estimands
        What each exhibit is after; see `tradelift.worlds.estimands`.
    read, kept
        All rows of the log or the flows, and those that belong in the panel, with their money.
    dirt
        Rows that do not, by reason; read = kept + dirt.
    currency, digits
        The money's currency and its minor digits.
    """

    seed: int
    effects: Mapping[str, float]
    limits: tuple[Limit, ...]
    estimands: Mapping[str, Any]
    read: Tally
    kept: Tally
    dirt: Mapping[str, Tally]
    currency: str = "CNY"
    digits: int = 2

    def limit(self, outcome: str, direction: str) -> Limit:
        """Look up the limit of one estimator."""
        return next(x for x in self.limits if (x.outcome, x.direction) == (outcome, direction))

    def as_json(self) -> str:
        """Write the truth as text for truth.json."""
        record: dict[str, Any] = {
            "note": "Simulated data: nothing here is a finding about the real programme.",
            "seed": self.seed,
            "effects": dict(self.effects),
            **self.estimands,
            "limits": [
                {
                    "family": "gaussian" if x.outcome.startswith("log(") else "poisson",
                    "outcome": x.outcome,
                    "direction": x.direction,
                    "partner": x.partner,
                    "log(distance_km)": x.log_distance,
                }
                for x in self.limits
            ],
            "currency": self.currency,
            "digits": self.digits,
            "read": _tally(self.read),
            "kept": _tally(self.kept),
            "dirt": {reason: _tally(t) for reason, t in self.dirt.items()},
        }
        return json.dumps(record, indent=2, allow_nan=False) + "\n"


def truth_of(world: World, kept: Tally, dirt: Mapping[str, Tally]) -> Truth:
    """Complete the counts of a log, or of flows, with the effects and limits of its world."""
    known = [t.amount for t in (kept, *dirt.values()) if t.amount is not None]
    read = Tally(rows=kept.rows + sum(t.rows for t in dirt.values()), amount=sum(known))
    return Truth(
        seed=world.seed,
        effects=EFFECTS,
        limits=limits(world),
        estimands=estimands(world),
        read=read,
        kept=kept,
        dirt=dirt,
    )


def _tally(tally: Tally) -> dict[str, int | None]:
    return {"rows": tally.rows, "amount": tally.amount}
