import numpy as np
import pytest

from tradelift.worlds.scale import SCALES
from tradelift.worlds.seasons import NEW_YEARS, day_weights, month_days

WEIGHTS = day_weights(SCALES["small"])
DAYS = dict(zip(np.concatenate(month_days(SCALES["small"])).astype(str), np.concatenate(WEIGHTS), strict=True))


def test_the_window_is_2017():
    assert len(DAYS) == 365
    assert (min(DAYS), max(DAYS)) == ("2017-01-01", "2017-12-31")


def test_mean_weight_is_one():
    assert np.mean(list(DAYS.values())) == pytest.approx(1)


def test_november_peaks_on_singles_day():
    months = [w.sum() for w in WEIGHTS]
    assert np.argmax(months) == 10
    assert max(DAYS, key=DAYS.__getitem__) == "2017-11-11"


def test_trade_dips_at_chinese_new_year():
    assert min(DAYS, key=DAYS.__getitem__) == "2017-01-28"


def test_trade_dips_at_every_new_year():
    days = dict(
        zip(np.concatenate(month_days(SCALES["paper"])), np.concatenate(day_weights(SCALES["paper"])), strict=True)
    )
    for day in NEW_YEARS:
        assert days[day] < 0.3 * days[day + np.timedelta64(14, "D")]


def test_trade_grows():
    assert 1.2 < DAYS["2017-12-19"] / DAYS["2017-01-10"] < 1.4  # both Tuesdays without a sale
