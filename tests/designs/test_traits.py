import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.panels import one_sided, two_sided
from tradelift.designs.traits import partner_values, split_pairs, trait_values


@pytest.fixture(scope="module")
def panel():
    """Regions with GDP and a share, pairs with a fixed and a moving covariate."""
    source, frame, chosen = two_sided()
    rng = np.random.default_rng(4)
    r = source.regions
    regions = pd.DataFrame({
        "region": r.ids, "side": np.array(["east", "west"])[r.side], "longitude": r.longitude, "latitude": r.latitude,
        "gdp": rng.lognormal(1, 1, len(r)), "share": rng.uniform(0, 1, len(r)), "motto": "x",
    })  # fmt: skip
    regions.loc[regions["region"] == "w8", "share"] = np.nan
    east, west = r.ids[r.side == 0], r.ids[r.side == 1]
    fixed = pd.DataFrame([(e, w, rng.uniform(1, 5)) for e in east for w in west], columns=["east", "west", "links"])
    return tl.Panel.from_frame(
        frame, regions=regions, partners=pd.DataFrame(chosen, columns=["east", "west"]), pairs=fixed
    )


def by_loop(panel, function):
    """A function of the eastern region, the western region and the pair, each a mapping of columns."""
    r = panel.regions
    at = [{name: column[k] for name, column in r.columns.items()} for k in range(len(r))]
    out = []
    for p, (o, d) in enumerate(zip(panel.pairs.origin, panel.pairs.destination, strict=True)):
        e, w = (o, d) if r.side[o] == 0 else (d, o)
        pair = {name: column[p] for name, column in panel.pairs.columns.items()}
        out.append(function(at[e], at[w], pair))
    return np.array(out)


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("log(gdp[east] / gdp[west])", lambda e, w, p: np.log(e["gdp"] / w["gdp"])),
        ("share[west]", lambda e, w, p: w["share"]),
        ("-gdp[west] * 2 + links - .5", lambda e, w, p: -w["gdp"] * 2 + p["links"] - 0.5),
        ("log(distance_km)", lambda e, w, p: np.log(p["distance_km"])),
    ],
)
def test_traits_are_evaluated_pair_by_pair(panel, text, function):
    np.testing.assert_allclose(trait_values(panel, text), by_loop(panel, function), rtol=1e-14)


def test_ends_and_places_can_be_named(panel):
    r, pairs = panel.regions, panel.pairs
    np.testing.assert_array_equal(trait_values(panel, "latitude[origin]"), r.latitude[pairs.origin])
    np.testing.assert_array_equal(trait_values(panel, "gdp[destination]"), r.columns["gdp"][pairs.destination])


def test_partner_pairs_are_halved_and_parted_in_thirds(panel):
    values = trait_values(panel, "log(gdp[east] / gdp[west])")
    own = partner_values(panel, values)
    assert len(own) == len(panel.programme.first) == 12  # each once, though both directions hold them
    for into, n in (("halves", 2), ("terciles", 3)):
        split = split_pairs(panel, values, into)
        assert split.cuts == pytest.approx([np.quantile(own, k / n) for k in range(1, n)])
        assert split.partners == (12 // n,) * n
        for value, name in zip(values, split.labels, strict=True):
            assert name == split.levels[sum(value > cut for cut in split.cuts)]


def test_missing_traits_have_no_group(panel):
    values = trait_values(panel, "share[west]")
    split = split_pairs(panel, values, "halves")
    np.testing.assert_array_equal(split.labels == "", np.isnan(values))
    assert np.isnan(values).any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gdp[", "not understood"),
        ("__import__('os')", "not understood"),
        ("gdp ** 2", "not understood"),
        ("True + gdp[west]", "not understood"),
        ("gdp", r"of regions; say whose, as gdp\[west\]"),
        ("gdp[north]", r"no side 'north'; write gdp\[east\] or gdp\[west\]"),
        ("wealth[west]", r"regions have no column 'wealth' of numbers; there are .*gdp\[west\]"),
        ("wealth", "pairs have no column 'wealth' of numbers; there are .*links"),
        ("motto[west]", "no column 'motto' of numbers"),
        ("shock", "moves in time"),
        ("direction", "is text"),
        ("log(links - 5)", "log of numbers that are not positive"),
        ("links / (gdp[west] - gdp[west])", "infinite for"),
        ("0 * log(links) / 0", "missing for every pair"),
    ],
)
def test_what_is_no_trait_is_refused(panel, text, message):
    with pytest.raises(tl.DesignError, match=message):
        trait_values(panel, text)


def test_traits_that_part_nothing_are_refused(panel):
    values = np.round(trait_values(panel, "share[west]"))
    with pytest.raises(tl.DesignError, match="do not fall into terciles"):
        split_pairs(panel, values, "terciles")
    with pytest.raises(tl.DesignError, match="missing for every partner pair"):
        split_pairs(panel, np.where(panel.pairs.partnership >= 0, np.nan, 1.0), "halves")
    alone = tl.Panel.from_frame(one_sided()[1])
    with pytest.raises(tl.DesignError, match="no programme"):
        split_pairs(alone, np.ones(len(alone.pairs)), "halves")
