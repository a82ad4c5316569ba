import numpy as np
import pytest

from tradelift.worlds.cities import read_side
from tradelift.worlds.completion import complete, known_partners
from tradelift.worlds.pairing import LINKS, draw_programme, read_participants

EAST, WEST = read_participants()
DRAWS = [draw_programme(EAST, WEST, np.random.default_rng(seed)) for seed in range(40)]


def test_the_cities_are_those_of_the_list():
    partners = complete(known_partners(), read_side("east"), read_side("west"))
    assert EAST.city.tolist() == sorted({p.east for p in partners})
    assert WEST.city.tolist() == sorted({p.west for p in partners})
    assert (len(EAST), len(WEST)) == (56, 81)


@pytest.mark.parametrize("partner", DRAWS[:10])
def test_128_pairs_over_all_cities(partner):
    assert partner.sum() == 128
    assert partner.any(axis=0).all()
    assert partner.any(axis=1).all()


@pytest.mark.parametrize("partner", DRAWS[:10])
def test_partners_are_drawn_within_linked_provinces(partner):
    east, west = np.nonzero(partner)
    links = set(zip(EAST.province[east], WEST.province[west], strict=True))
    n_east, n_west = len(set(EAST.province)), len(set(WEST.province))
    # two links of each western province, and one of each eastern province that these do not reach: 27 of 90
    assert len(links) <= LINKS * n_west + n_east - LINKS


def test_provinces_are_linked_anew():
    # each draw pairs Gansu with other provinces
    gansu = WEST.province == "Gansu"
    assert len({tuple(np.unique(EAST.province[d[:, gansu].any(axis=1)])) for d in DRAWS}) > len(DRAWS) / 4


def test_cities_of_a_province_have_the_same_chance():
    # the first city of Guangdong and its last: numbers of partners differ by chance alone
    rows = np.flatnonzero(EAST.province == "Guangdong")
    counts = np.array([d[rows].sum(axis=1) for d in DRAWS])
    difference = counts[:, 0] - counts[:, -1]
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(DRAWS))
