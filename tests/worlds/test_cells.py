"""Flows that are drawn without a log, against the log's own draws and against what they are drawn from."""

import numpy as np
import pytest

from tests.worlds.conftest import SEED, TINY_FLOWS
from tradelift.worlds.baskets import draw_baskets
from tradelift.worlds.cells import CROWDS, Crowds, category_shares, draw_cells, order_variance
from tradelift.worlds.goods import CATEGORIES, LINES, MIX, SPREAD
from tradelift.worlds.intensities import draw_world
from tradelift.worlds.scale import Scale

WORLD = draw_world(TINY_FLOWS, SEED)
MONTHS = [draw_cells(WORLD, month) for month in range(TINY_FLOWS.months)]


def test_deals_follow_intensities_in_every_category():
    for k, d in enumerate(WORLD.directions):
        expected = sum(d.expected(t) * category_shares(d) for t in range(TINY_FLOWS.months))
        found = sum(m[k].deals for m in MONTHS)
        for c in range(len(CATEGORIES)):
            for pairs in (d.partner, ~d.partner):
                mean = expected[c][pairs].sum()
                assert abs(found[c][pairs].sum() - mean) < 4 * np.sqrt(mean)


def test_shares_are_the_mix_and_its_tilt_for_partners():
    d = WORLD.directions[1]
    shares = category_shares(d)
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-12)
    np.testing.assert_allclose(shares[:, ~d.partner], np.repeat(MIX["west"][:, None], (~d.partner).sum(), axis=1))
    np.testing.assert_allclose(shares[:, d.partner][:, 0], MIX["west"] * np.exp(d.tilt))


def test_orders_cost_what_those_of_the_log_cost():
    """Mean and spread of the money of an order, by simulation of its lines."""
    rng = np.random.default_rng(1)
    lines = rng.choice([1, 2, 3], 400_000, p=LINES)
    amounts = np.exp(SPREAD * rng.standard_normal((len(lines), 3)) - SPREAD**2 / 2)
    order = (amounts * (np.arange(3) < lines[:, None])).sum(axis=1)
    assert order.mean() == pytest.approx(LINES @ [1, 2, 3], rel=0.01)
    assert order.var() / order.mean() ** 2 == pytest.approx(order_variance(), rel=0.05)  # heavy tails


def test_money_is_the_log_s_in_mean_and_spread():
    """The same world as a log and as cells: money a deal over pairs with many deals."""
    world = draw_world(Scale(orders=1_000_000, months=1), SEED)
    log, cells = draw_baskets(world, 0), draw_cells(world, 0)
    for k, d in enumerate(world.directions):
        value = d.order_value()[:, None]
        found = []
        for deals, trade in ((log[k].deals, log[k].trade()), (cells[k].deals.sum(0), cells[k].fen.sum(0))):
            many = deals >= 30
            each = (trade / 100 / np.maximum(deals, 1) / value)[many]
            assert each.mean() == pytest.approx(1, abs=5 * each.std() / np.sqrt(many.sum()))
            found.append(((each - 1) * np.sqrt(deals[many])).std())
        assert found[0] == pytest.approx(found[1], rel=0.15)


def test_money_stands_where_deals_do():
    for month in MONTHS:
        for cells in month:
            assert ((cells.fen > 0) == (cells.deals > 0)).all()
    assert any((cells.deals.sum(0) == 0).any() for month in MONTHS for cells in month)


def test_crowds_fit_in_their_flows():
    crowds = Crowds(WORLD)
    for month, cells in enumerate(MONTHS):
        for own, ratios in zip(cells, crowds.draw(month, cells), strict=True):
            deals, fen = own.deals.sum(0), own.fen.sum(0)
            for who in CROWDS:
                assert (ratios[who].count <= deals).all()
                assert ((ratios[who].count > 0) == (deals > 0)).all()
                assert (ratios[who].top["city"] <= ratios[who].top["flow"]).all()
                assert (ratios[who].top["flow"] <= fen).all()
                assert (ratios[who].top["flow"][ratios[who].count < 10] == 0).all()


def test_partnership_does_nothing_to_the_ratios():
    """The same crowds whether or not there are partners: only money and numbers scale."""
    d = WORLD.directions[1]
    draws = [Crowds(WORLD).draw(month, cells)[1]["seller"] for month, cells in enumerate(MONTHS)]
    many = np.stack([x.count for x in draws]) >= 10
    ratio = np.stack([x.top["flow"] / np.maximum(c[1].fen.sum(0), 1) for x, c in zip(draws, MONTHS, strict=True)])
    inside = np.where(many, np.clip(ratio, 0.001, 0.999), 0.5)
    odds = np.log(inside / (1 - inside))
    mean = np.where(many, odds, 0).sum(0) / np.maximum(many.sum(0), 1)
    centred = mean - mean.sum(1, keepdims=True) / (many.any(0)).sum(1, keepdims=True).clip(1)
    own = centred[d.partner & many.any(0)]
    assert abs(own.mean()) < 4 * own.std() / np.sqrt(len(own))


def test_months_do_not_depend_on_each_other():
    again = draw_cells(draw_world(TINY_FLOWS, SEED), 2)
    for one, other in zip(again, MONTHS[2], strict=True):
        np.testing.assert_array_equal(one.fen, other.fen)
