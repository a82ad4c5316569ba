"""
The probability limits of gravity: what it would find in a world of the same cities without noise.

Gravity leaves the affinity out, so it does not converge to the causal effect. PPML solves

    sum over cells of (y - exp(x'b + effects)) x = 0   and the same by origin-month and destination-month,

which is linear in y. Averaged over the noise, y is the noise-free intensity m, since pair noise, counts and amounts
have mean 1 or mean m given everything else. As the number of pairs that carry the estimate grows, the solution at y
therefore tends to the solution at m: the fit of the same equations to noise-free intensities is the probability limit
(the pseudo-true value of Gourieroux, Monfort and Trognon 1984), zeros and small counts or not.

OLS on logs has the limit below only if E[log y | positive] = log m up to city-month effects. Pair noise alone would
keep that: its mean in logs is the same for every pair. Counts do not. E[log n | n > 0] of a Poisson count n with mean m
lies above log m where m is small (what is not zero is at least one) and just below it where m is a few, and cells
without trade are left out; so log trade moves by less than log m where flows are small, and a coefficient shrinks
towards 0 the more, the more pairs trade little. The difference of OLS from its entry here is that, not noise.

References
----------
Gourieroux, Monfort and Trognon (1984), Econometrica 52, 681-700.
Santos Silva and Tenreyro (2006), The Review of Economics and Statistics 88, 641-658.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tradelift.solve import DenseProblem, Piece, fit
from tradelift.worlds.intensities import Direction, World

Floats = NDArray[np.float64]
Outcome = Literal["trade", "deals", "log(trade)", "log(deals)"]

OUTCOMES: tuple[Outcome, ...] = ("trade", "deals", "log(trade)", "log(deals)")
DECIMALS = 10  # of a limit: beyond them it depends on how many threads summed the matrix products


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """
    What one estimator of gravity converges to.

    Parameters
    ----------
    outcome
        "trade" and "deals" by PPML, "log(trade)" and "log(deals)" by OLS.
    direction
        "both", "east->west" or "west->east".
    partner, log_distance
        The coefficients, rounded to ten decimals so that a seed gives the same bytes on any number of threads.
    """

    outcome: Outcome
    direction: str
    partner: float
    log_distance: float


def limits(world: World) -> tuple[Limit, ...]:
    """Compute the limits of all estimators: four outcomes by three directions."""
    samples = {"both": world.directions} | {d.name: (d,) for d in world.directions}
    return tuple(limit(directions, name, outcome) for outcome in OUTCOMES for name, directions in samples.items())


def limit(directions: tuple[Direction, ...], name: str, outcome: Outcome) -> Limit:
    """Fit gravity to the noise-free intensities of some directions."""
    flows = [_noise_free(d, outcome) for d in directions]
    partner, log_distance = (round(coefficient, DECIMALS) for coefficient in gravity(directions, flows, outcome))
    return Limit(outcome=outcome, direction=name, partner=partner, log_distance=log_distance)


def gravity(directions: tuple[Direction, ...], flows: list[Floats], outcome: Outcome) -> tuple[float, float]:
    """
    Fit partner and log distance with city-month effects.

    Parameters
    ----------
    directions
        Whose regressors.
    flows
        Flow of each direction, shape (T, I, J); for logs cells without a positive flow are left out.
    outcome
        Logs are fitted by OLS, all else by PPML.

    Returns
    -------
    The two coefficients.
    """
    logs = outcome.startswith("log(")
    pieces, first = [], 0
    for d, y in zip(directions, flows, strict=True):
        positive = y > 0
        pieces.append(
            Piece(
                outcome=np.log(np.where(positive, y, 1.0)) if logs else y,
                regressors=np.stack([d.partner.astype(float), d.log_distance])[:, None],
                weights=positive.astype(float) if logs and not positive.all() else None,
                pair=first + np.arange(d.partner.size).reshape(d.partner.shape),
            )
        )
        first += d.partner.size
    found = fit(DenseProblem(pieces=tuple(pieces), family="gaussian" if logs else "poisson", n_pairs=first))
    return float(found.coefficients[0]), float(found.coefficients[1])


def _noise_free(direction: Direction, outcome: Outcome) -> Floats:
    return direction.intensity if "deals" in outcome else direction.money()
