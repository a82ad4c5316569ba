import numpy as np
import pytest

from tradelift.worlds.affinity import OVERSHOOT, draw_affinity, overshoot_weights
from tradelift.worlds.cities import distances_km, read_side
from tradelift.worlds.completion import complete, known_partners, partner_matrix

EAST, WEST = read_side("east"), read_side("west")
PARTNER = partner_matrix(complete(known_partners(), EAST, WEST), EAST, WEST)
LOG_DISTANCE = np.log(distances_km(EAST, WEST))
FIELD = draw_affinity(EAST, WEST, PARTNER, LOG_DISTANCE, np.random.default_rng(1))


def dummies_regression(y):
    """The slow twin: partner and log distance with a dummy for each city."""
    i, j = np.indices(PARTNER.shape).reshape(2, -1)
    x = np.column_stack([PARTNER.ravel(), LOG_DISTANCE.ravel(), np.eye(87)[i], np.eye(110)[j]])
    return (np.linalg.pinv(x.T @ x, hermitian=True) @ (x.T @ y.ravel()))[0]


def test_weights_give_the_coefficient_of_partner():
    y = np.random.default_rng(2).standard_normal(PARTNER.shape)
    assert np.vdot(overshoot_weights(PARTNER, LOG_DISTANCE), y) == pytest.approx(dummies_regression(y), abs=1e-10)


def test_gravity_overshoots_as_told():
    assert dummies_regression(FIELD) == pytest.approx(OVERSHOOT, abs=1e-10)


def test_affinity_is_higher_where_partners_are():
    assert FIELD[PARTNER].mean() - FIELD[~PARTNER].mean() > 0.1


def test_the_field_is_smooth_on_the_map():
    near = _pairs_of_cities(EAST, below=120.0)
    step = FIELD[near[0]] - FIELD[near[1]]
    far = _pairs_of_cities(EAST, below=np.inf)
    assert np.sqrt((step**2).mean()) < 0.25 * np.sqrt(((FIELD[far[0]] - FIELD[far[1]]) ** 2).mean())


def _pairs_of_cities(side, below):
    km = distances_km(side, side)
    return np.nonzero((km < below) & np.triu(np.ones_like(km, dtype=bool), 1))
