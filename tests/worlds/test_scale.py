import pytest

from tradelift.errors import DataError
from tradelift.worlds import simulate
from tradelift.worlds.scale import Scale


def test_the_paper_scale_is_refused(tmp_path):
    with pytest.raises(DataError, match="'paper' is not in this version; use 'small'"):
        simulate(tmp_path / "world", scale="paper")
    assert not (tmp_path / "world").exists()


def test_an_unknown_scale_is_refused(tmp_path):
    with pytest.raises(DataError, match="no scale 'huge'; the scales are small and paper"):
        simulate(tmp_path / "world", scale="huge")


def test_months_cross_years():
    assert Scale(orders=1, start=(2017, 11), months=3).labels() == ("2017-11", "2017-12", "2018-01")
