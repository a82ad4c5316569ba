"""Near controls against plain loops, and what is said of those that are lost."""

import itertools

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.panels import one_sided, two_sided
from tradelift.designs.spatial import Near, near_pairs
from tradelift.designs.spatial.kernels import KERNELS, kernel_weight
from tradelift.designs.spatial.stacking import stack_panel
from tradelift.geography import great_circle_km

DISTANCE = 1e-9  # km: the same formula on the same numbers


def kernel(name, share):
    """The kernels, written out."""
    return {"triangular": 1 - share, "uniform": 1.0, "epanechnikov": 1 - share**2}[name]


def by_loops(panel, options, direction="both"):  # noqa: C901  one plain loop, as the method is told
    """Groups as {partner pair: {(origin, destination): (side, first km, second km, weight)}}, by ids, in plain loops."""
    regions, programme = panel.regions, panel.programme
    ids = regions.ids.tolist()
    side = [0] * len(ids) if regions.side is None else regions.side.tolist()
    km = great_circle_km(regions.longitude[:, None], regions.latitude[:, None], regions.longitude, regions.latitude)
    held = {(o, d) for o, d in zip(panel.pairs.origin.tolist(), panel.pairs.destination.tolist(), strict=True)}
    start = {
        frozenset(p): s
        for *p, s in zip(programme.first.tolist(), programme.second.tolist(), programme.start, strict=True)
    }
    member = set(programme.first.tolist()) | set(programme.second.tolist())
    names = regions.sides or ("origin", "destination")
    border = set() if panel.neighbours is None else {frozenset(b) for b in panel.neighbours.tolist()}

    def column(end, exporter):
        return end if regions.side is None else (exporter if end == 0 else 1 - exporter)

    def weigh(d):
        h = options.bandwidth_km
        return 1.0 if h is None else kernel(options.kernel, d / h) if d <= h else 0.0

    def stands(k, own, end, exporter):
        c = column(end, exporter)
        if options.neighbours not in ("both", "corners", names[c]) or k == own or side[k] != side[own]:
            return None
        w = weigh(km[k, own])
        if w <= 0 or (options.donut_km and km[k, own] <= options.donut_km):
            return None
        if options.same_group and regions.group[k] != regions.group[own]:
            return None
        if options.contiguous and frozenset((k, own)) not in border:
            return None
        return km[k, own], w

    def may(pair, own):
        partners = frozenset(pair) in start
        if pair[0] == pair[1] or pair not in held or frozenset(pair) == own:
            return False
        if partners and (options.not_yet == "never" or start[frozenset(pair)] == 0):
            return False
        a, b = pair if side[pair[0]] <= side[pair[1]] else pair[::-1]
        n = (a in member) + (b in member)
        kind = [1, 2, 4][n] if regions.side is None else 1 + (a in member) + 2 * (b in member)
        return kind in options.control_types

    out = {}
    for o, d in sorted(held):
        own = frozenset((o, d))
        if own not in start or (direction != "both" and names[side[o]] != direction.split("->")[0]):
            continue
        e, rows = side[o], []
        origins = [(k, s) for k in range(len(ids)) if (s := stands(k, o, 0, e))]
        destinations = [(k, s) for k in range(len(ids)) if (s := stands(k, d, 1, e))]
        rows += [(1, (k, d), (s[0], 0.0), s[1]) for k, s in origins]
        rows += [(2, (o, k), (0.0, s[0]), s[1]) for k, s in destinations]
        if options.neighbours == "corners":
            rows += [
                (3, (k, m), (s[0], z[0]), corner)
                for (k, s), (m, z) in itertools.product(origins, destinations)
                if (corner := weigh(float(np.hypot(s[0], z[0])))) > 0
            ]
        rows = [r for r in rows if may(r[1], own)]
        if options.nearest:
            rows = [
                r for kind in (1, 2, 3)
                for r in sorted((r for r in rows if r[0] == kind), key=lambda r: (np.hypot(*r[2]), r[1]))[: options.nearest]
            ]  # fmt: skip
        turned = regions.side is not None and e == 1
        if rows:
            out[ids[o], ids[d]] = {
                (ids[p[0]], ids[p[1]]): (
                    {1: 2, 2: 1, 3: 3}[kind] if turned else kind,
                    *(two[::-1] if turned else two),
                    w,
                )
                for kind, p, two, w in rows
            }
    return out


def as_groups(panel, near):
    """The same of what is tested."""
    ids = panel.regions.ids
    out = {}
    assert np.array_equal(near.weight[near.is_partner], np.ones(near.n_groups))
    assert np.array_equal(np.flatnonzero(near.is_partner), np.searchsorted(near.group, np.arange(near.n_groups)))
    assert np.array_equal(near.pair[near.is_partner], near.partner_pair)
    assert np.array_equal(near.partnership[near.is_partner], near.partner_row)
    for g in range(near.n_groups):
        p = near.partner_pair[g]
        rows = np.flatnonzero((near.group == g) & ~near.is_partner)
        out[str(ids[panel.pairs.origin[p]]), str(ids[panel.pairs.destination[p]])] = {
            (str(ids[near.origin[r]]), str(ids[near.destination[r]])): (
                int(near.side[r]), *map(float, near.distances_km[r]), float(near.weight[r])
            )
            for r in rows
        }  # fmt: skip
    return out


def bordered(panel_of, **options):
    """A panel whose regions share borders with those next to them in the list."""
    panel, frame, _ = panel_of(**options)
    ids = panel.regions.ids
    return panel, frame, pd.DataFrame({"a": ids[:-1], "b": ids[1:]})


def compare_groups(got, wanted):
    assert got.keys() == wanted.keys()
    for name, rows in wanted.items():
        assert got[name].keys() == rows.keys()
        for pair, row in rows.items():
            assert got[name][pair] == pytest.approx(row, abs=DISTANCE)


@pytest.mark.parametrize("neighbours", ["west", "east", "both", "corners"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kernel": "uniform", "bandwidth_km": 700},
        {"kernel": "epanechnikov", "donut_km": 200},
        {"nearest": 2},
        {"same_group": True, "bandwidth_km": 1500},
        {"control_types": [2, 4]},
        {"control_types": (1, 2, 3)},
        {"not_yet": "never"},
        {"bandwidth_km": None},
    ],
    ids=str,
)
def test_near_pairs_are_those_of_plain_loops(neighbours, options):
    start = ["2017-01", "2017-03", "2017-01", "2017-02"] * 3
    panel, _, _ = two_sided(seed=3, missing=0.1, periods=2, start=start[:12])
    near = Near(**({"bandwidth_km": 500} | options), neighbours=neighbours)
    for direction in ("both", "west->east"):
        wanted = by_loops(panel, near, direction)
        got = near_pairs(panel, near, direction)
        compare_groups(as_groups(panel, got), {k: v for k, v in wanted.items() if k in as_groups(panel, got)})
        # a partnership that starts after the data is no group
        late = {
            frozenset(p)
            for *p, s, e in zip(
                panel.programme.first, panel.programme.second, panel.programme.start, panel.programme.end, strict=True
            )
            if s > e
        }
        ids = panel.regions.ids.tolist()
        expected = {k for k in wanted if frozenset(map(ids.index, k)) not in late}
        assert set(as_groups(panel, got)) == expected
        listed = 12 * (2 if direction == "both" else 1)
        assert got.n_groups + sum(got.lost_groups.values()) == listed


@pytest.mark.parametrize("neighbours", ["origin", "destination", "both", "corners"])
def test_without_sides_near_means_near_the_origin_or_the_destination(neighbours):
    panel, _ = one_sided(n=12)
    options = Near(bandwidth_km=900, neighbours=neighbours)
    got = near_pairs(panel, options)
    compare_groups(as_groups(panel, got), by_loops(panel, options))
    assert got.n_groups + sum(got.lost_groups.values()) == 6


def test_shared_borders_are_those_of_the_list():
    panel, frame, neighbours = bordered(two_sided, seed=5)
    partners = pd.DataFrame(
        {"east": panel.regions.ids[panel.programme.first], "west": panel.regions.ids[panel.programme.second]}
    )
    regions = pd.DataFrame(
        {
            "region": panel.regions.ids,
            "side": np.array(panel.regions.sides)[panel.regions.side],
            "longitude": panel.regions.longitude,
            "latitude": panel.regions.latitude,
        }
    )
    known = tl.Panel.from_frame(frame, regions=regions, partners=partners, neighbours=neighbours)
    options = Near(bandwidth_km=2000, contiguous=True)
    compare_groups(as_groups(known, near_pairs(known, options)), by_loops(known, options))
    without = tl.Panel.from_frame(frame, regions=regions[["region", "side"]], partners=partners, neighbours=neighbours)
    free = near_pairs(without, Near(bandwidth_km=None, contiguous=True))
    assert set(as_groups(without, free)) == set(as_groups(known, near_pairs(known, options)))
    assert np.array_equal(free.weight, np.ones(len(free)))
    with pytest.raises(tl.DesignError, match=r"need coordinates; 0 of 17 regions have them"):
        near_pairs(without, Near(bandwidth_km=200, contiguous=True))
    with pytest.raises(tl.DesignError, match=r"contiguous=True needs to know .* tl\.shared_borders"):
        near_pairs(panel, Near(contiguous=True))


def test_pairs_and_groups_that_are_lost_are_counted():
    panel, _, _ = two_sided(seed=3, missing=0.3, periods=1)
    wide = near_pairs(panel, Near(bandwidth_km=600, kernel="uniform"))
    narrow = near_pairs(panel, Near(bandwidth_km=600, kernel="uniform", donut_km=300, control_types=[4]))
    lost = {reason: count for reason, count in narrow.lost_pairs.items() if count}
    assert {"within the donut", "near pair not in the panel", "partners themselves", "of another control type"} <= set(
        lost
    )
    candidates = sum(wide.lost_pairs.values()) + (~wide.is_partner).sum()
    assert candidates == sum(narrow.lost_pairs.values()) + (~narrow.is_partner).sum()
    assert wide.lost_groups["not in the panel"] > 0


@pytest.mark.parametrize("options", [Near(bandwidth_km=500), Near(bandwidth_km=None, nearest=30)])
def test_a_region_without_coordinates_is_near_nothing(options):
    panel, frame, chosen = two_sided(seed=3, periods=1)
    regions = pd.DataFrame(
        {
            "region": panel.regions.ids,
            "side": np.array(panel.regions.sides)[panel.regions.side],
            "longitude": panel.regions.longitude,
            "latitude": panel.regions.latitude,
        }
    )
    gone = chosen[0]
    regions.loc[regions.region.isin(gone), ["longitude", "latitude"]] = np.nan
    partners = pd.DataFrame(chosen, columns=["east", "west"])
    near = near_pairs(tl.Panel.from_frame(frame, regions=regions, partners=partners), options)
    assert near.lost_groups["no coordinates"] == 2
    assert np.isfinite(near.distance_km).all()
    ids, side = panel.regions.ids, panel.regions.side
    for row in np.flatnonzero(~near.is_partner):
        ends = near.origin[row], near.destination[row]
        stands_in = [ids[city] for city in ends if side[city] + 1 == near.side[row]]
        assert len(stands_in) == 1
        assert stands_in[0] not in gone


@pytest.mark.parametrize("name", KERNELS)
def test_kernels(name):
    share = np.array([0.0, 0.25, 0.999, 1.0, 1.01, np.nan])
    wanted = [kernel(name, s) if s <= 1 else 0.0 for s in share]
    assert kernel_weight(name, share) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "cosine"}, "There is no kernel 'cosine'; use one of triangular, uniform, epanechnikov"),
        ({"bandwidth_km": 0}, "bandwidth_km is a distance above 0, or None for no limit; found 0"),
        ({"bandwidth_km": float("nan")}, "bandwidth_km is a distance above 0"),
        ({"bandwidth_km": "far"}, "bandwidth_km is a distance above 0"),
        ({"donut_km": -1}, r"donut_km is a distance from 0 up to the bandwidth \(150 km\); found -1"),
        ({"donut_km": 200}, "donut_km is a distance from 0 up to the bandwidth"),
        ({"nearest": 0}, "nearest is a number of controls, at least 1, or None for all; found 0"),
        ({"nearest": True}, "nearest is a number of controls"),
        ({"not_yet": False}, "not_yet is True, or 'never' for controls that are never treated; found False"),
        ({"control_types": "4"}, r"control_types must be a list, as \[2, 3, 4\]; found '4'"),
        ({"control_types": [4, 5]}, "control_types are among 1, 2, 3 and 4; found 5"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, message):
    with pytest.raises(tl.DesignError, match=message):
        Near(**options)


def test_panels_that_have_no_near_controls_are_refused():
    panel, frame, chosen = two_sided(periods=1)
    with pytest.raises(
        tl.DesignError, match="There are no neighbours 'north' in this panel; use east, west, both, corners"
    ):
        near_pairs(panel, Near(neighbours="north"))
    with pytest.raises(tl.DesignError, match="There are no neighbours 'west' in this panel; use origin, destination"):
        near_pairs(one_sided()[0], Near(neighbours="west"))
    with pytest.raises(
        tl.DesignError,
        match=r"No partner pair has a near control \(both, near controls within 1 km.*no near control 24",
    ):
        near_pairs(panel, Near(bandwidth_km=1))
    with pytest.raises(tl.DesignError, match="There is no direction 'east->north'"):
        near_pairs(panel, Near(), "east->north")
    bare = pd.DataFrame({"region": panel.regions.ids, "side": ["east"] * 8 + ["west"] * 9})
    partners = pd.DataFrame(chosen, columns=["east", "west"])
    unplaced = tl.Panel.from_frame(frame, regions=bare, partners=partners)
    with pytest.raises(tl.DesignError, match="Near pairs need coordinates; 0 of 17 regions have them"):
        near_pairs(unplaced, Near())
    placed = bare.assign(longitude=np.arange(17.0), latitude=30.0)
    ungrouped = tl.Panel.from_frame(frame, regions=placed, partners=partners)
    with pytest.raises(tl.DesignError, match="same_group=True needs the group of each region"):
        near_pairs(ungrouped, Near(same_group=True))
    with pytest.raises(tl.DesignError, match="Near controls stand beside partner pairs: give `partners`"):
        near_pairs(tl.Panel.from_frame(frame, regions=placed), Near())


@pytest.mark.parametrize("missing", [0.0, 0.3], ids=["complete", "with gaps"])
def test_cells_of_a_stack_are_those_of_the_pair_and_period(missing):
    (panel, *_), options = two_sided(missing=missing), Near(bandwidth_km=600)
    near = near_pairs(panel, options)
    pair, period = panel.pair_of_cell, np.asarray(panel.cells.column("period"))
    cell = {(p, t): n for n, (p, t) in enumerate(zip(pair.tolist(), period.tolist(), strict=True))}
    wanted = [[cell.get((p, t), -1) for p in near.pair.tolist()] for t in range(len(panel.periods))]
    got = stack_panel(panel, near, options).cell
    assert np.array_equal(got, wanted)
    assert (got < 0).any() == (missing > 0)


def test_pairs_are_found_in_a_list_of_all_and_in_order(monkeypatch):
    (panel, *_), options = two_sided(missing=0.6, periods=1), Near(bandwidth_km=900)
    listed = near_pairs(panel, options)
    monkeypatch.setattr("tradelift.designs.spatial.near.DENSE", 0)
    ordered = near_pairs(panel, options)
    assert listed.lost_pairs["near pair not in the panel"] > 0
    assert listed.lost_pairs == ordered.lost_pairs
    assert np.array_equal(listed.pair, ordered.pair)
