import numpy as np
import pytest

from tests.worlds.conftest import SEED, TINY
from tradelift.worlds.baskets import draw_baskets
from tradelift.worlds.goods import MIX
from tradelift.worlds.intensities import draw_world
from tradelift.worlds.scale import Scale

WORLD = draw_world(TINY, SEED)
MONTHS = [draw_baskets(WORLD, month) for month in range(TINY.months)]


def test_deals_follow_intensities():
    deals = np.array([[m[k].deals.sum() for k in (0, 1)] for m in MONTHS])
    expected = np.array([[(d.intensity[t] * d.noise).sum() for d in WORLD.directions] for t in range(TINY.months)])
    assert np.abs(deals - expected).max() < 5 * np.sqrt(expected).max()


def test_money_follows_intensities():
    for k, d in enumerate(WORLD.directions):
        trade = sum(m[k].trade().sum() for m in MONTHS) / 100
        assert trade == pytest.approx((d.money() * d.noise).sum(), rel=0.1)  # heavy-tailed amounts: error some 2%


def test_partners_buy_more_of_what_the_programme_lifts():
    world = draw_world(Scale(orders=400_000, months=1), SEED)
    d = world.directions[1]
    month = draw_baskets(world, 0)[1]
    partner = d.partner.ravel()[month.pair_of_order()]
    for chosen, mix in ((partner, MIX["west"] * np.exp(d.tilt)), (~partner, MIX["west"])):
        n = chosen.sum()
        found = np.bincount(month.category[chosen], minlength=len(mix)) / n
        assert np.abs(found - mix).max() < 4 * np.sqrt(0.25 / n)
    assert partner.sum() > 2_000


def test_trade_is_the_sum_of_the_lines_of_each_pair():
    month = MONTHS[0][1]
    slow = np.zeros(month.deals.size, dtype=np.int64)
    line = 0
    for pair, lines in zip(month.pair_of_order(), month.lines, strict=True):
        slow[pair] += month.amount[line : line + lines].sum()
        line += lines
    assert (month.trade().ravel() == slow).all()


def test_orders_have_one_to_three_lines_with_money():
    lines = np.concatenate([x.lines for m in MONTHS for x in m])
    assert set(lines) == {1, 2, 3}
    assert min(x.amount.min() for m in MONTHS for x in m) >= 1


def test_the_order_of_months_does_not_matter():
    assert (draw_baskets(WORLD, 2)[0].amount == MONTHS[2][0].amount).all()


def test_some_pairs_do_not_trade():
    assert (sum(m[1].deals for m in MONTHS) == 0).mean() > 0.2
