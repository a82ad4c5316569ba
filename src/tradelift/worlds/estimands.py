"""What each exhibit is after, from the parameters of a world: never estimated, and without the noise of its flows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradelift.worlds.goods import CATEGORIES, MIX, PRICE, PRIORITY
from tradelift.worlds.intensities import EFFECTS, World
from tradelift.worlds.mediators import CHANNELS
from tradelift.worlds.seasons import NEW_YEARS
from tradelift.worlds.traits import pair_traits
from tradelift.worlds.treated import DECIMALS, Effect, Treated, difference, effects, treated_cells

Floats = NDArray[np.float64]

ZEROS = (
    "seller_concentration",
    "buyer_concentration",
    "top_against_other_sellers",
    "flights",
    "spillovers",
)
"""
What partnership does nothing to: the concentration ratios in percentage points, given how many sellers and buyers there
are; the flows of top sellers against the rest, the number of direct flights, and the flows of pairs near partners, all
in logs.
"""


def estimands(world: World) -> dict[str, Any]:
    """
    List the truths of a world beyond the limits of gravity.

    Returns
    -------
    What truth.json holds under `average`, `categories`, `category_groups`, `balassa`, `traits`, `breaks`, `periods`,
    `spending`, `years`, `mediation`, `money` and `zeros`; effects are in logs, see `treated`.
    """
    treated = [treated_cells(d) for d in world.directions]
    labels = np.array(world.scale.labels())
    years = np.array([label[:4] for label in labels])
    balassa = balassa_index(world)
    groups = {"priority": PRIORITY, "advantage": tuple(name for name in CATEGORIES if balassa[name] > 1)}
    by_category = {name: effects(treated, goods=[name]) for name in CATEGORIES}
    return {
        "average": effects(treated),
        "categories": {d: {name: own[d] for name, own in by_category.items()} for d in by_category[CATEGORIES[0]]},
        "category_groups": {group: _by_group(treated, inside) for group, inside in groups.items()},
        "balassa": balassa,
        "traits": {name: _by_trait(treated, values) for name, values in partner_traits(world).items()},
        "breaks": _at_break(world, treated),
        "periods": {str(label): effects(treated, months=labels == label) for label in labels},
        "spending": _spending(treated, labels),
        "years": {str(year): effects(treated, months=years == year) for year in np.unique(years)},
        "mediation": {**{f"log({name})": _mediation(name) for name in CHANNELS}, "flights": _no_mediation()},
        "money": _money(treated, years),
        "zeros": dict.fromkeys(ZEROS, 0.0),
    }


def partner_traits(world: World) -> dict[str, Floats]:
    """Traits of the partner pairs, in the order of the flattened (east, west), shape (P,) each."""
    partner = world.directions[0].partner
    traits = pair_traits(world.cities["east"], world.cities["west"])
    return {name: values[partner] for name, values in traits.items()}


def balassa_index(world: World) -> dict[str, float]:
    """
    Compute each category's share of what the west sells over its share of all sales, without the programme.

    References
    ----------
    Balassa (1965), Trade Liberalisation and Revealed Comparative Advantage, Manchester School 33, 99-123.
    """
    money = {}
    for d in world.directions:
        orders = (d.intensity * np.exp(-d.effect)).sum(axis=(0, 2)) @ d.price
        money[d.origins.name] = orders * MIX[d.origins.name] * PRICE
    west, everyone = money["west"], money["east"] + money["west"]
    index = (west / west.sum()) / (everyone / everyone.sum())
    return {name: round(float(value), DECIMALS) for name, value in zip(CATEGORIES, index, strict=True)}


def _by_group(treated: Sequence[Treated], inside: Sequence[str]) -> dict[str, dict[str, Effect]]:
    """Effects on the categories that a flag marks, and on the others."""
    outside = [name for name in CATEGORIES if name not in inside]
    return {"1": effects(treated, goods=inside), "0": effects(treated, goods=outside)}


def _by_trait(treated: Sequence[Treated], values: Floats) -> dict[str, Any]:
    """Effects by halves and thirds of the partner pairs, and the slope of the effect in the trait."""
    cut = float(np.median(values))
    third, two_thirds = (float(q) for q in np.quantile(values, [1 / 3, 2 / 3]))
    low, high = effects(treated, pairs=values <= cut), effects(treated, pairs=values > cut)
    slopes = {t.name: _slope(values, t.effect.mean(axis=0)) for t in treated}
    slopes = {"both": sum(slopes.values()) / len(slopes)} | slopes
    return {
        "cut": cut,
        "low": low,
        "high": high,
        "difference": difference(high, low),
        "terciles": {
            "cuts": [third, two_thirds],
            "low": effects(treated, pairs=values <= third),
            "middle": effects(treated, pairs=(values > third) & (values <= two_thirds)),
            "high": effects(treated, pairs=values > two_thirds),
        },
        "slope": {name: round(slope, DECIMALS) + 0.0 for name, slope in slopes.items()},
    }


def _slope(values: Floats, effect: Floats) -> float:
    """Least squares slope of pairs' effects in a trait."""
    centred = values - values.mean()
    return float(centred @ effect / (centred @ centred))


def _at_break(world: World, treated: Sequence[Treated]) -> dict[str, Any]:
    if world.scale.break_at is None:
        return {}
    name, period = world.scale.break_at
    after = np.array(world.scale.after_break())
    early, late = effects(treated, months=~after), effects(treated, months=after)
    return {name: {"period": period, "before": early, "after": late, "change": difference(late, early)}}


def _spending(treated: Sequence[Treated], labels: NDArray[np.str_]) -> dict[str, dict[str, Effect]]:
    """Effects in December, and in the month of Chinese New Year's day, beyond that in all other months."""
    december = np.array([label.endswith("-12") for label in labels])
    new_year = np.isin(labels, [str(day)[:7] for day in NEW_YEARS])
    if not (december.any() and new_year.any()):
        return {}
    others = effects(treated, months=~(december | new_year))
    return {
        name: difference(effects(treated, months=months), others)
        for name, months in (("december", december), ("new_year", new_year))
    }


def _mediation(name: str) -> dict[str, dict[str, float | None]]:
    """
    What of the effect comes through a mediator, by direction.

    In both directions together, by OLS: half of the partner cells are in each, and so is half of the mediator's spread.
    """
    found = {}
    for direction, channel in CHANNELS[name].items():
        found[direction] = _through(channel.on_mediator, channel.elasticity, channel.mediated, EFFECTS[direction])
    n = len(found)
    on_mediator, elasticity, mediated = (
        sum(getattr(c, key) for c in CHANNELS[name].values()) / n for key in ("on_mediator", "elasticity", "mediated")
    )
    return {"both": _through(on_mediator, elasticity, mediated, sum(EFFECTS.values()) / n)} | found


def _no_mediation() -> dict[str, dict[str, float | None]]:
    both = sum(EFFECTS.values()) / len(EFFECTS)
    return {name: _through(0.0, 0.0, 0.0, effect) for name, effect in ({"both": both} | EFFECTS).items()}


def _through(on_mediator: float, elasticity: float, mediated: float, effect: float) -> dict[str, float | None]:
    return {
        "on_mediator": round(on_mediator, DECIMALS),
        "elasticity": round(elasticity, DECIMALS),
        "mediated": round(mediated, DECIMALS),
        "share": round(mediated / effect, DECIMALS) if effect else None,
    }


def _money(treated: Sequence[Treated], years: NDArray[np.str_]) -> dict[str, dict[str, float]]:
    """Yuan that partners trade because they are partners, by direction and year, given the noise of the pairs."""
    found = {}
    for t in treated:
        gained = (t.expected * -np.expm1(-t.effect)).sum(axis=1)
        by_year = {str(year): float(gained[years == year].sum()) for year in np.unique(years)}
        found[t.name] = by_year | {"total": float(gained.sum())}
    both = {key: sum(own[key] for own in found.values()) for key in found[treated[0].name]}
    return {
        name: {key: round(value, 2) for key, value in own.items()} for name, own in ({"both": both} | found).items()
    }
