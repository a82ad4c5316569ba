from collections import Counter

import numpy as np

from tradelift.programme import Programme
from tradelift.worlds.cities import read_side
from tradelift.worlds.completion import complete, known_partners, partner_matrix

EAST, WEST = read_side("east"), read_side("west")
LIST = complete(known_partners(), EAST, WEST)


def test_88_known_pairs_become_128_over_56_and_81_cities():
    assert len(LIST) == len({(p.east, p.west) for p in LIST}) == 128
    assert Counter(p.simulated for p in LIST) == {False: 88, True: 40}
    assert (len({p.east for p in LIST}), len({p.west for p in LIST})) == (56, 81)


def test_known_pairs_come_first_and_unchanged():
    assert LIST[:88] == known_partners()
    assert all(p.evidence in set("ABC") for p in LIST[:88])


def test_added_pairs_join_linked_provinces():
    province = dict(zip(EAST.city, EAST.province, strict=True)) | dict(zip(WEST.city, WEST.province, strict=True))
    linked = {(province[p.east], province[p.west]) for p in LIST[:88]}
    assert {(province[p.east], province[p.west]) for p in LIST[88:]} <= linked


def test_control_types_are_those_of_the_paper():
    partner = partner_matrix(LIST, EAST, WEST)
    first, second = np.nonzero(partner)
    n_east, n = len(EAST), len(EAST) + len(WEST)
    programme = Programme(
        first=first,
        second=second + n_east,
        start=np.zeros(128, int),
        end=np.zeros(128, int),
        dose=np.ones(128),
        n_regions=n,
    )
    side = (np.arange(n) >= n_east).astype(int)
    origin, destination = np.nonzero(side[:, None] != side)
    types = Counter(programme.control_type(origin, destination, side).tolist())
    assert types == {0: 256, 1: 1_798, 2: 3_248, 3: 5_022, 4: 8_816}
