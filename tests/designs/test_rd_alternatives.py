"""Location polynomial, partner territory and contiguous cities against dense least squares and pyfixest."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.by_hand import cells_of, dummies, kilometres, least_squares
from tests.designs.panels import one_sided, two_sided
from tradelift.designs.spatial.alternatives import LocationPolynomial, PartnerTerritory, contiguous_cities
from tradelift.designs.spatial.kernels import kernel_weight
from tradelift.designs.spatial.location import location_terms
from tradelift.designs.spatial.territory import border_km
from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world

EXACT = 1e-8  # iterated projections beside dense least squares with dummies, on numbers about 1
PEER = 1e-6  # pyfixest's PPML stops when the deviance moves by 1e-8 of itself
KM = 1e-9  # the same formula on the same numbers
H = 400  # km: small maps have few cities
HALF_EMPTY = {"missing": 0.1, "mean": 3.0}


def log_trade(panel):
    """Log trade by cell, NaN where there is none."""
    trade = panel.outcome("trade")
    return np.where(trade > 0, np.log(np.where(trade > 0, trade, 1.0)), np.nan)


def by_cell(panel, name):
    """A fixed column by cell."""
    return np.asarray(panel.pair_column(name))[panel.pair_of_cell].astype(float)


def near_by_loops(panel, h, border=None):
    """Directed pairs that are partners with a near control, or near controls: no more than h km, or a border, away."""
    km, side = kilometres(panel), panel.regions.side
    pairs = zip(panel.pairs.origin.tolist(), panel.pairs.destination.tolist(), strict=True)
    partner = dict(zip(pairs, (panel.pairs.partnership >= 0).tolist(), strict=True))
    out = {}
    for (o, d), treated in partner.items():
        if not treated:
            continue
        near = lambda a, b: a != b and side[a] == side[b] and ((a, b) in border if border else km[a, b] < h)  # noqa: E731
        controls = [(k, d) for k in range(len(side)) if near(k, o) and partner.get((k, d)) is False]
        controls += [(o, k) for k in range(len(side)) if near(k, d) and partner.get((o, k)) is False]
        if controls:
            out[o, d] = controls
    return out


def east_west(panel):
    """The eastern and the western city of each cell."""
    o, d = panel.cells.column("origin"), panel.cells.column("destination")
    east = panel.regions.side[o] == 0
    return np.where(east, o, d), np.where(east, d, o)


def raw_polynomial(panel, degree):
    """Products of powers of plain degrees (over 10, so that powers stay small), in both cities."""
    places = [
        coordinate[city] / 10
        for city in east_west(panel)
        for coordinate in (panel.regions.longitude - 100, panel.regions.latitude - 30)
    ]
    powers = [p for p in np.ndindex(*[degree] * 4) if sum(p) <= degree and sum(p[:2]) and sum(p[2:])]
    return np.column_stack([np.prod([x**k for x, k in zip(places, p, strict=True)], axis=0) for p in powers])


def used_rows(panel, pairs):
    """Cells with a log of directed pairs."""
    inside = np.array([(c.origin, c.destination) in pairs for c in cells_of(panel)])
    return inside & ~np.isnan(log_trade(panel))


@pytest.mark.parametrize("degree", [2, 3])
def test_location_polynomial_is_dense_least_squares(degree):
    panel, _, _ = two_sided(seed=2, n_east=9, n_west=11, periods=3, partners=20, **HALF_EMPTY)
    groups = near_by_loops(panel, H)
    pairs = set(groups) | {pair for controls in groups.values() for pair in controls}
    rows = used_rows(panel, pairs)
    columns = [by_cell(panel, "partner"), np.log(by_cell(panel, "distance_km"))]
    design = np.column_stack([*columns, raw_polynomial(panel, degree)])
    expected = least_squares(design[rows], dummies(cells_of(panel), len(panel.regions))[rows], log_trade(panel)[rows])
    found = LocationPolynomial(degree=degree, bandwidth_km=H).estimate(panel)
    # city-period effects take up what moving the origin of the coordinates adds
    np.testing.assert_allclose(found.coefficients[:2], expected[:2], atol=EXACT)
    assert found.n_obs + found.dropped["singleton"] == rows.sum()
    assert found.n_obs + sum(found.dropped.values()) == sum((c.origin, c.destination) in pairs for c in cells_of(panel))


def test_location_polynomial_by_ppml_is_pyfixest():
    import pyfixest as pf

    panel, _, _ = two_sided(seed=2, n_east=9, n_west=11, periods=2, partners=20)
    groups = near_by_loops(panel, H)
    pairs = set(groups) | {pair for controls in groups.values() for pair in controls}
    frame = panel.to_arrow().to_pandas()
    extra = pd.DataFrame(raw_polynomial(panel, 2), columns=[f"z{k}" for k in range(4)])
    frame = pd.concat([frame, extra], axis=1)[[(c.origin, c.destination) in pairs for c in cells_of(panel)]]
    frame["ld"] = np.log(frame["distance_km"])
    frame["op"], frame["dp"] = frame["origin"] + frame["period"], frame["destination"] + frame["period"]
    fit = pf.fepois("trade ~ partner + ld + z0 + z1 + z2 + z3 | op + dp", frame, iwls_tol=1e-12, fixef_tol=1e-11)
    found = LocationPolynomial(outcome="trade", degree=2, bandwidth_km=H).estimate(panel)
    assert found.coefficients[0] == pytest.approx(fit.coef()["partner"], abs=PEER)


def test_location_terms_do_not_see_the_date_line():
    panel, _, _ = two_sided(periods=1)
    inside = np.ones(len(panel.pairs), dtype=bool)
    turned = np.where(panel.regions.longitude + 70 > 180, panel.regions.longitude - 290, panel.regions.longitude + 70)
    assert turned.min() < -170  # some cities are on either side of it
    moved = replace(panel, regions=replace(panel.regions, longitude=turned))
    for one, other in zip(location_terms(panel, inside, 3), location_terms(moved, inside, 3), strict=True):
        assert one.name == other.name
        np.testing.assert_allclose(one.values, other.values, atol=EXACT)


def test_location_polynomial_names_its_terms():
    panel, _, _ = two_sided(periods=1)
    terms = location_terms(panel, np.ones(len(panel.pairs), dtype=bool), 3)
    assert len(terms) == 4 + 6 + 6
    assert {"x[east] x[west]", "x[east]^2 y[west]"} <= {term.name for term in terms}


def border_by_loops(panel, sides):
    """Signed half distances of directed pairs to the nearest city across, on some sides."""
    km, side = kilometres(panel), panel.regions.side
    partner = {
        frozenset((o, d)): bool(p >= 0)
        for o, d, p in zip(panel.pairs.origin, panel.pairs.destination, panel.pairs.partnership, strict=True)
    }
    out = []
    for o, d in zip(panel.pairs.origin, panel.pairs.destination, strict=True):
        own, ways = partner[frozenset((o, d))], []
        for owner, city in ((o, d), (d, o)):
            if side[city] in sides:
                ways += [
                    km[city, k]
                    for k in range(len(side))
                    if k != city and side[k] == side[city] and partner.get(frozenset((owner, k)), own) != own
                ]
        out.append((1 if own else -1) * min(ways, default=np.inf) / 2)
    return np.array(out)


@pytest.mark.parametrize(("neighbours", "sides"), [("both", (0, 1)), ("east", (0,)), ("west", (1,))])
def test_distance_to_the_border_is_what_loops_give(neighbours, sides):
    panel, _, _ = two_sided(seed=4)
    np.testing.assert_allclose(border_km(panel, neighbours), border_by_loops(panel, sides), atol=KM)


@pytest.mark.parametrize("kernel", ["triangular", "epanechnikov"])
@pytest.mark.parametrize("slopes", [True, False])
def test_partner_territory_is_dense_weighted_least_squares(kernel, slopes):
    panel, _, _ = two_sided(seed=2, n_east=9, n_west=11, periods=3, partners=20, **HALF_EMPTY)
    signed = border_by_loops(panel, (0, 1))[panel.pair_of_cell]
    weights = kernel_weight(kernel, np.abs(signed) / H)
    rows = (weights > 0) & ~np.isnan(log_trade(panel))
    columns = [by_cell(panel, "partner"), np.log(by_cell(panel, "distance_km"))]
    if slopes:
        columns += [np.maximum(signed, 0), np.minimum(signed, 0)]
    expected = least_squares(
        np.column_stack(columns)[rows],
        dummies(cells_of(panel), len(panel.regions))[rows],
        log_trade(panel)[rows],
        weights[rows],
    )
    found = PartnerTerritory(bandwidth_km=H, kernel=kernel, slopes=slopes).estimate(panel)
    np.testing.assert_allclose(found.coefficients, expected, atol=EXACT)
    assert found.n_obs + sum(found.dropped.values()) == (weights > 0).sum()


def test_contiguous_cities_are_dense_least_squares_with_effects_of_groups():
    panel, _, _ = two_sided(seed=2, n_east=9, n_west=11, periods=2, partners=20)
    km, side = kilometres(panel), panel.regions.side
    a, b = np.nonzero((km < 450) & (side[:, None] == side) & (km > 0))
    panel = replace(panel, neighbours=np.stack([a, b], axis=1))
    border = set(zip(a.tolist(), b.tolist(), strict=True))
    cells, place = cells_of(panel), {}
    for c in cells:
        place[c.origin, c.destination, c.period] = c.row
    stack = [
        (group, t, place[(*pair, t)])
        for group, (own, controls) in enumerate(near_by_loops(panel, None, border).items())
        for pair in [own, *controls]
        for t in range(2)
    ]
    group, period, rows = map(np.array, zip(*stack, strict=True))
    own = np.zeros((len(rows), 2 * (group.max() + 1)))
    own[np.arange(len(rows)), 2 * group + period] = 1.0
    effects = np.column_stack([own, dummies(cells, len(panel.regions))[rows]])
    columns = np.column_stack([by_cell(panel, "partner"), np.log(by_cell(panel, "distance_km"))])[rows]
    found = contiguous_cities().estimate(panel)
    np.testing.assert_allclose(found.coefficients, least_squares(columns, effects, log_trade(panel)[rows]), atol=EXACT)
    plain = contiguous_cities(effects=["group^period"]).estimate(panel)
    np.testing.assert_allclose(plain.coefficients, least_squares(columns, own, log_trade(panel)[rows]), atol=EXACT)


def test_pairs_without_coordinates_or_border_are_counted():
    panel, _, chosen = two_sided(seed=4)
    longitude = panel.regions.longitude.copy()
    east, west = (list(panel.regions.ids).index(city) for city in chosen[0])
    longitude[[east, west]] = np.nan
    panel = replace(panel, regions=replace(panel.regions, longitude=longitude))
    found = PartnerTerritory(bandwidth_km=H).estimate(panel)
    assert any("no coordinates 2" in note for note in found.diagnostics.notes)
    found = PartnerTerritory(bandwidth_km=60, slopes=False).estimate(panel)
    assert any("beyond the bandwidth" in note for note in found.diagnostics.notes)
    near = LocationPolynomial(bandwidth_km=H, degree=2).estimate(panel)
    assert any("no coordinates" in note for note in near.diagnostics.notes)


def test_without_sides():
    panel, _ = one_sided(n=12)
    found = LocationPolynomial(degree=2, bandwidth_km=1200).estimate(panel)
    assert "x[origin] x[destination]" in found.terms
    signed = border_km(panel)
    assert np.isinf(signed[panel.pairs.origin == panel.pairs.destination]).sum() == 6  # regions without partners
    assert PartnerTerritory(bandwidth_km=600).estimate(panel).terms[0] == "partner"


def test_partners_that_start_later_are_outside_before():
    panel, _, _ = two_sided(seed=2, n_east=9, n_west=11, periods=3, partners=20, start="2017-02")
    for design in (PartnerTerritory(bandwidth_km=H), LocationPolynomial(degree=2, bandwidth_km=H)):
        assert np.isfinite(design.estimate(panel).std_errors[0])


@pytest.mark.parametrize(
    ("design", "options", "says"),
    [
        (LocationPolynomial, {"degree": 1}, "from 2 to 6"),
        (LocationPolynomial, {"degree": 2.5}, "from 2 to 6"),
        (LocationPolynomial, {"controls": "x"}, "controls must be a list"),
        (LocationPolynomial, {"vcov": "city"}, "no vcov 'city'"),
        (LocationPolynomial, {"vcov": ["a", "b", "c"]}, "one or two columns"),
        (LocationPolynomial, {"vcov": None}, "vcov is a scheme or a list"),
        (LocationPolynomial, {"family": "poisson"}, "contradicts the outcome"),
        (LocationPolynomial, {"bandwidth_km": 0}, "bandwidth_km is a distance above 0"),
        (PartnerTerritory, {"bandwidth_km": 0}, "bandwidth_km is a distance above 0"),
        (PartnerTerritory, {"bandwidth_km": None}, "bandwidth_km is a distance above 0"),
        (PartnerTerritory, {"kernel": "normal"}, "no kernel 'normal'"),
        (PartnerTerritory, {"neighbours": "corners"}, "A territory lies on one side"),
        (PartnerTerritory, {"control_types": [0]}, "control_types are among"),
    ],
)
def test_options_that_contradict_are_refused(design, options, says):
    with pytest.raises(tl.DesignError, match=says):
        design(**options)


@pytest.mark.parametrize("design", [LocationPolynomial(), PartnerTerritory()])
def test_panels_that_cannot_be_compared_are_refused(design, tmp_path):
    panel, _, chosen = two_sided(periods=2)
    with pytest.raises(tl.DesignError, match="need coordinates"):
        design.estimate(replace(panel, regions=replace(panel.regions, longitude=None, latitude=None)))
    with pytest.raises(tl.DesignError, match="give `partners`"):
        design.estimate(replace(panel, programme=None))
    with pytest.raises(tl.DesignError, match="no neighbours 'north'"):
        replace(design, neighbours="north").estimate(panel)
    panel.to_parquet(tmp_path)
    with pytest.raises(tl.DesignError, match="stays in its files"):
        design.estimate(tl.Panel.from_parquet(tmp_path, partners=pd.DataFrame(chosen, columns=["east", "west"])))


def test_no_border_within_the_bandwidth_is_said():
    panel, _, _ = two_sided(periods=1)
    with pytest.raises(tl.DesignError, match=r"No partner pair lies within 0\.01 km .* beyond the bandwidth 24"):
        PartnerTerritory(bandwidth_km=0.01).estimate(panel)


def test_a_polynomial_needs_coordinates_where_contiguity_does_not():
    panel, _, _ = two_sided(periods=1)
    side = panel.regions.side
    a, b = np.nonzero((side[:, None] == side) & ~np.eye(len(side), dtype=bool))
    bare = replace(
        panel,
        neighbours=np.stack([a, b], axis=1),
        regions=replace(panel.regions, longitude=None, latitude=None),
    )
    with pytest.raises(tl.DesignError, match="polynomial in locations needs coordinates"):
        LocationPolynomial(contiguous=True, bandwidth_km=None).estimate(bare)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("design", "bias"), [(LocationPolynomial(), 0.02), (PartnerTerritory(), 0.03)], ids=["location", "territory"]
)
def test_bias_is_small_and_intervals_cover_where_affinity_is_smooth(design, bias):
    """200 worlds of 87 x 110 cities whose partners are chosen by an affinity that is smooth over 500 km."""
    world = AffinityWorld()
    draws = [design.estimate(draw_affinity_world(world, seed).panel).tidy().iloc[0] for seed in range(200)]
    found = pd.DataFrame(draws)
    assert abs(found["estimate"].mean() - world.effect) <= bias
    covered = (found["conf_low"] <= world.effect) & (found["conf_high"] >= world.effect)
    assert covered.mean() >= 0.91  # .95 less 2.6 standard errors of 200 draws
