from collections import Counter
from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

import tradelift as tl
from tests.designs.panels import one_sided, two_sided
from tradelift.inference.relabelling import draw_relabellings, under, under_everyone
from tradelift.worlds.cities import read_side
from tradelift.worlds.completion import known_partners

UNLIKELY = 1e-4  # p-value of a chi-square test below which draws are not uniform


def draw(panel, scheme, draws=50, seed=0):
    return draw_relabellings(panel, scheme, draws, np.random.default_rng(seed))


def partners_by_group(panel, first, second, label):
    """How many partners each region has in each group."""
    counts = Counter()
    for a, b in zip(first, second, strict=True):
        counts[a, label[b]] += 1
        counts[b, label[a]] += 1
    return counts


def coarse(panel):
    """The same regions in two groups a side."""
    label = np.array([f"{region[0]}{n % 2}" for n, region in enumerate(panel.regions.ids)])
    return replace(panel, regions=replace(panel.regions, columns={**panel.regions.columns, "group": label}))


PANELS = {"two-sided": lambda seed: two_sided(seed=seed)[0], "one-sided": lambda seed: one_sided(seed=seed)[0]}


@pytest.mark.parametrize("kind", PANELS)
@pytest.mark.parametrize("seed", range(5))
def test_relabelling_keeps_the_network_within_groups(kind, seed):
    panel = PANELS[kind](seed)
    label = panel.regions.group
    found = draw(panel, "relabel", seed=seed)
    before = partners_by_group(panel, found.first[0], found.second[0], label)
    shape = Counter((label[region], tuple(before[region, g] for g in np.unique(label))) for region in range(len(label)))
    for first, second in zip(found.first, found.second, strict=True):
        counts = partners_by_group(panel, first, second, label)
        # each group holds regions with the same numbers of partners in the same groups, under other names
        assert shape == Counter(
            (label[region], tuple(counts[region, g] for g in np.unique(label))) for region in range(len(label))
        )
        # each partnership stays between its groups
        old = [sorted(x) for x in zip(label[found.first[0]], label[found.second[0]], strict=True)]
        assert [sorted(x) for x in zip(label[first], label[second], strict=True)] == old
        assert len({frozenset(p) for p in zip(first, second, strict=True)}) == len(first)


@pytest.mark.parametrize("kind", PANELS)
@pytest.mark.parametrize("scheme", ["swap", "free"])
def test_exchanges_keep_the_number_of_partners(kind, scheme):
    panel = coarse(two_sided(seed=2, n_east=14, n_west=14, partners=24)[0] if kind == "two-sided" else PANELS[kind](2))
    label = panel.regions.group if scheme == "swap" else np.zeros(len(panel.regions), dtype=int)
    found = draw(panel, scheme)
    before = partners_by_group(panel, found.first[0], found.second[0], label)
    for first, second in zip(found.first, found.second, strict=True):
        assert partners_by_group(panel, first, second, label) == before
        pairs = {frozenset(p) for p in zip(first, second, strict=True)}
        assert len(pairs) == len(first)
        assert all(len(p) == 2 for p in pairs)
    assert found.moved > 0.1


def tiny(n_east=3, n_west=3, partners=(("e0", "w0"), ("e1", "w1"), ("e2", "w2"))):
    east, west = [f"e{i}" for i in range(n_east)], [f"w{i}" for i in range(n_west)]
    regions = pd.DataFrame(
        {"region": east + west, "side": ["east"] * n_east + ["west"] * n_west, "group": ["E"] * n_east + ["W"] * n_west}
    )
    rng = np.random.default_rng(5)
    rows = [(a, b, float(rng.poisson(30))) for e in east for w in west for a, b in ((e, w), (w, e))]
    flows = pd.DataFrame(rows, columns=["origin", "destination", "trade"])
    return tl.Panel.from_frame(flows, regions=regions, partners=pd.DataFrame(partners, columns=["east", "west"]))


@pytest.mark.parametrize("scheme", ["relabel", "swap", "free"])
def test_all_pairings_of_three_with_three_are_as_likely(scheme):
    panel = tiny()
    found = draw(panel, scheme, draws=3000)
    seen = Counter(
        tuple(sorted(zip(*pair, strict=True))) for pair in zip(found.first[1:], found.second[1:], strict=True)
    )
    assert len(seen) == 6
    assert chisquare(list(seen.values())).pvalue > UNLIKELY
    # two thirds of the pairs of a random pairing are others, and each place holds each partnership as often
    assert found.moved == pytest.approx(2 / 3, abs=0.03)
    assert found.movable == 1.0
    rows = Counter(zip(found.first[1:, 0], found.second[1:, 0], strict=True))
    assert len(rows) == 9
    assert chisquare(list(rows.values())).pvalue > UNLIKELY


def test_pairings_among_the_regions_of_one_group_are_as_likely():
    regions = pd.DataFrame({"region": list("abcd"), "group": ["g"] * 4})
    flows = pd.DataFrame([(a, b, 1.0) for a, b in permutations("abcd", 2)], columns=["origin", "destination", "trade"])
    panel = tl.Panel.from_frame(flows, regions=regions, partners=pd.DataFrame({"one": ["a", "c"], "other": ["b", "d"]}))
    for scheme in ("relabel", "swap", "free"):
        found = draw(panel, scheme, draws=3000)
        pairs = zip(found.first[1:], found.second[1:], strict=True)
        seen = Counter(frozenset(frozenset(p) for p in zip(*pair, strict=True)) for pair in pairs)
        assert len(seen) == 3
        assert chisquare(list(seen.values())).pvalue > UNLIKELY


def test_moved_counts_the_pairs_that_are_partners_no_longer():
    panel = two_sided(seed=3)[0]
    found = draw(panel, "relabel", draws=20)
    sets = [{frozenset(p) for p in zip(a, b, strict=True)} for a, b in zip(found.first, found.second, strict=True)]
    assert found.moved == pytest.approx(np.mean([len(sets[0] - s) / len(sets[0]) for s in sets[1:]]))


def real_map():
    """The 88 partnerships that are known, between all cities of the two sides."""
    east, west = read_side("east"), read_side("west")
    regions = pd.DataFrame(
        {
            "region": np.concatenate([east.city, west.city]),
            "side": ["east"] * len(east) + ["west"] * len(west),
            "group": np.concatenate([east.province, west.province]),
        }
    )
    flows = pd.DataFrame(
        [(e, w, 1.0) for e in east.city for w in west.city], columns=["origin", "destination", "trade"]
    )
    partners = pd.DataFrame([(p.east, p.west) for p in known_partners()], columns=["east", "west"])
    return tl.Panel.from_frame(flows, regions=regions, partners=partners)


def test_swaps_on_the_real_map_move_43_of_88_pairs():
    """methods.md, section 4: Beijing, Shanghai and Tianjin are provinces of one city."""
    panel = real_map()
    with pytest.raises(tl.DesignError, match=r"Only 43 of 88 partner pairs can move .* hold one region.*'relabel'"):
        draw(panel, "swap")
    found = draw(panel, "relabel", draws=99)
    assert found.movable == 1.0
    assert found.moved > 0.5
    assert draw(panel, "free", draws=9).movable == 1.0


def test_regions_alone_in_their_groups_cannot_move():
    panel = two_sided()[0]
    regions = pd.DataFrame({"region": panel.regions.ids, "group": panel.regions.ids})
    regions["side"] = np.array(panel.regions.sides)[panel.regions.side]
    frame = panel.to_arrow().to_pandas()[["origin", "destination", "period", "trade"]]
    ids, p = panel.regions.ids, panel.programme
    partners = pd.DataFrame({"east": ids[p.first], "west": ids[p.second]})
    alone = tl.Panel.from_frame(frame, regions=regions, partners=partners)
    with pytest.raises(tl.DesignError, match=r"Only 0 of 12 partner pairs can move .* 17 of the 17 groups hold one"):
        draw(alone, "relabel")
    with pytest.raises(tl.DesignError, match=r"give the regions a column `group`.*scheme='free'"):
        draw(tl.Panel.from_frame(frame, regions=regions.drop(columns="group"), partners=partners), "relabel")
    some = regions.assign(group=["", *regions["group"][1:]])
    with pytest.raises(tl.DesignError, match="1 regions have no group, the first 'e0'"):
        draw(tl.Panel.from_frame(frame, regions=some, partners=partners), "swap")
    with pytest.raises(tl.DesignError, match="no scheme 'swaps'; use one of relabel, swap, free"):
        draw(panel, "swaps")


def test_regions_without_flows_stay():
    panel, frame, chosen = two_sided(seed=3)
    regions = pd.DataFrame({"region": panel.regions.ids, "group": panel.regions.group})
    regions["side"] = np.array(panel.regions.sides)[panel.regions.side]
    left = frame[(frame["origin"] != chosen[0][0]) & (frame["destination"] != chosen[0][0])]
    partners = pd.DataFrame(chosen, columns=["east", "west"])
    found = draw(tl.Panel.from_frame(left, regions=regions, partners=partners), "relabel")
    gone = np.flatnonzero(panel.regions.ids == chosen[0][0])[0]
    stays = found.first[0] == gone
    assert stays.any()
    assert (found.first[:, stays] == gone).all()
    assert not (found.first[1:, ~stays] == gone).any()


def test_a_panel_under_another_programme():
    panel, frame, _ = two_sided(seed=3)
    found = draw(panel, "free", draws=1)
    drawn = under(panel, found.first[1], found.second[1])
    regions = pd.DataFrame({"region": panel.regions.ids, "side": np.array(panel.regions.sides)[panel.regions.side]})
    ids = panel.regions.ids
    partners = pd.DataFrame({"east": ids[found.first[1]], "west": ids[found.second[1]]})
    built = tl.Panel.from_frame(frame, regions=regions, partners=partners)
    for name in ("partner", "control_type"):
        np.testing.assert_array_equal(drawn.column(name), built.column(name))
    assert drawn.digest != panel.digest
    assert (under_everyone(panel).column("partner") == 1).all()
    alone = one_sided()[0]
    everyone = under_everyone(alone)
    np.testing.assert_array_equal(everyone.column("partner"), 1 - alone.column("domestic"))
