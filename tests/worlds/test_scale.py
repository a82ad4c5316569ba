import pytest

from tradelift.errors import DataError
from tradelift.worlds import simulate
from tradelift.worlds.scale import SCALES, Scale


def test_an_unknown_scale_is_refused(tmp_path):
    with pytest.raises(DataError, match="no scale 'huge'; the scales are small and paper"):
        simulate(tmp_path / "world", scale="huge")
    assert not (tmp_path / "world").exists()


def test_months_cross_years():
    assert Scale(orders=1, start=(2017, 11), months=3).labels() == ("2017-11", "2017-12", "2018-01")


def test_months_after_the_break():
    assert Scale(start=(2019, 11), months=3, break_at=("covid", "2020-01")).after_break() == (False, False, True)
    assert Scale(months=2).after_break() == (False, False)


def test_the_paper_has_sixty_months_and_the_break_of_the_pandemic():
    labels = SCALES["paper"].labels()
    assert (len(labels), labels[0], labels[-1]) == (60, "2017-01", "2021-12")
    assert SCALES["paper"].break_at == ("covid", "2020-01")
