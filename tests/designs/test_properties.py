"""What holds for any data: what an estimate must not depend on, and what must add up."""

from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

import tradelift as tl

SAME = 1e-8  # both are solved until the score vanishes
COVARIANCE = 1e-7  # of products of such numbers
ROUNDING = 1e-6  # errors of a fit that is exact are what the solver left

TWO_WAY = ("origin^period", "destination^period")
PAIRS = (*TWO_WAY, "origin^destination")

# the worlds are small as they are: to look for smaller ones that fail would take minutes
few = settings(max_examples=10, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))


class World:
    """Flows between two sides, with regions, partners that start one after another, and a fixed and a moving covariate."""

    def __init__(self, seed, missing, mean, n_east=6, n_west=7, periods=3):
        rng = np.random.default_rng(seed)
        east, west = [f"e{i}" for i in range(n_east)], [f"w{i}" for i in range(n_west)]
        self.regions = pd.DataFrame({"region": east + west, "side": ["east"] * n_east + ["west"] * n_west})
        both = [(a, b) for e in east for w in west for a, b in ((e, w), (w, e))]
        self.pairs = pd.DataFrame(both, columns=["origin", "destination"])
        self.pairs["km"] = rng.uniform(100, 3000, len(both))
        chosen = [(e, w) for e in east[:-1] for w in west[:-1] if rng.random() < 0.4]
        self.partners = pd.DataFrame(chosen, columns=["east", "west"])
        self.partners["start"] = rng.choice(["1", "2"], len(chosen))
        frame = self.pairs[["origin", "destination"]].merge(
            pd.DataFrame({"period": range(1, periods + 1)}), how="cross"
        )
        frame["trade"] = rng.poisson(mean * np.exp(rng.normal(0, 0.5, len(frame)))).astype(float)
        frame["shock"] = rng.normal(size=len(frame))
        self.frame = frame[rng.random(len(frame)) >= missing].reset_index(drop=True)

    def panel(self, frame=None, **options):
        own = {"regions": self.regions, "partners": self.partners, "pairs": self.pairs}
        return tl.Panel.from_frame(self.frame if frame is None else frame, **(own | options))


worlds = st.builds(
    World, seed=st.integers(0, 10**6), missing=st.sampled_from([0.0, 0.15]), mean=st.sampled_from([1.5, 6.0])
)
designs = st.builds(
    lambda outcome, third, moving, vcov: tl.Gravity(
        outcome=outcome,
        controls=(["shock"] if moving else []) + ([] if third else ["log(km)"]),
        effects=PAIRS if third else TWO_WAY,
        vcov=vcov,
    ),
    st.sampled_from(["trade", "log(trade)"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["pair", "dyadic", "robust"]),
)


def estimated(design, panel):
    try:
        return design.estimate(panel)
    except tl.DesignError:  # too few flows to identify the treatment
        assume(False)
        raise


def same(one, two, scale=1.0):
    """Equal estimates, the second in units of `scale` of the first."""
    assert one.terms == two.terms
    assert one.n_obs == two.n_obs
    assert one.dropped == two.dropped
    close(one, two, scale)


def close(one, two, scale=1.0):
    """Equal coefficients and covariances, each beside its own size."""
    scale = scale * np.ones(len(one.terms))
    errors = np.maximum(one.with_vcov("pair").std_errors, ROUNDING)  # dyadic errors need not be there
    gap = np.abs(two.coefficients / scale - one.coefficients)
    assert (gap <= SAME * np.maximum(np.abs(one.coefficients), errors)).all()
    np.testing.assert_array_equal(np.isnan(one.covariance), np.isnan(two.covariance))
    gap = np.abs(two.covariance / np.outer(scale, scale) - one.covariance)
    assert (np.nan_to_num(gap) <= COVARIANCE * np.outer(errors, errors)).all()


@few
@given(worlds, designs, st.integers(0, 10**6))
def test_the_order_of_rows(world, design, seed):
    shuffled = world.frame.sample(frac=1, random_state=seed)
    others = {"pairs": world.pairs.sample(frac=1, random_state=seed), "regions": world.regions.iloc[::-1]}
    same(estimated(design, world.panel()), estimated(design, world.panel(shuffled, **others)))


@few
@given(worlds, designs, st.randoms(use_true_random=False))
def test_labels_of_regions(world, design, random):
    names = list(world.regions["region"])
    label = dict(zip(names, random.sample([f"region {n}" for n in range(len(names))], len(names)), strict=True))
    renamed = {
        "regions": world.regions.replace({"region": label}),
        "partners": world.partners.replace({"east": label, "west": label}),
        "pairs": world.pairs.replace({"origin": label, "destination": label}),
    }
    frame = world.frame.replace({"origin": label, "destination": label})
    same(estimated(design, world.panel()), estimated(design, world.panel(frame, **renamed)))


@few
@given(worlds, designs, st.permutations(["a", "b"]))
def test_names_of_sides(world, design, names):
    side = world.regions["side"].map(dict(zip(["east", "west"], names, strict=True)))
    first, second = (
        estimated(design, world.panel()),
        estimated(design, world.panel(regions=world.regions.assign(side=side))),
    )
    same(first, second)
    assert second.direction == "both"


@few
@given(worlds, designs)
def test_labels_of_periods(world, design):
    # the same order in other words: what starts in the second period still does
    label = {1: "2017-01", 2: "2017-02", 3: "2018-01"}
    frame = world.frame.assign(period=world.frame["period"].map(label))
    partners = world.partners.assign(start=world.partners["start"].astype(int).map(label))
    same(estimated(design, world.panel()), estimated(design, world.panel(frame, partners=partners)))


@few
@given(worlds, designs, st.sampled_from([1e-6, 0.01, 7.0, 1e9]))
def test_the_currency_unit(world, design, unit):
    frame = world.frame.assign(trade=world.frame["trade"] * unit)
    same(estimated(design, world.panel()), estimated(design, world.panel(frame)))


@few
@given(worlds, designs, st.sampled_from([1e-6, 0.01, 7.0, 1e9]))
def test_ols_in_levels_scales_with_the_currency_unit(world, design, unit):
    levels = tl.Gravity(family="gaussian", controls=design.controls, effects=design.effects, vcov=design.vcov)
    frame = world.frame.assign(trade=world.frame["trade"] * unit)
    same(estimated(levels, world.panel()), estimated(levels, world.panel(frame)), unit)


@few
@given(worlds, designs)
def test_miles_for_km(world, design):
    miles = world.pairs.assign(km=world.pairs["km"] / 1.609344)
    same(estimated(design, world.panel()), estimated(design, world.panel(pairs=miles)))


@few
@given(worlds, designs, st.sampled_from([-3.0, 1e-5, 1e5]), st.sampled_from([0.0, 40.0]))
def test_units_of_a_control(world, design, unit, shift):
    assume("shock" in design.controls)
    one = estimated(design, world.panel())
    assume(one.terms[1:2] == ("shock",))
    frame = world.frame.assign(shock=(world.frame["shock"] + shift) / unit)
    two = estimated(design, world.panel(frame))
    scale = np.array([unit if term == "shock" else 1.0 for term in one.terms])
    same(one, two, scale)


@few
@given(worlds, designs)
def test_absent_flows_are_listed_zeros(world, design):
    assume("shock" not in design.controls)  # a covariate of absent cells is not known
    everywhere = World(0, 0.0, 1.0).frame[["origin", "destination", "period"]]
    listed = everywhere.merge(world.frame, how="left").fillna({"trade": 0.0})
    one = estimated(design, world.panel(absent="zero"))
    same(one, estimated(design, world.panel(listed)))
    assert one.n_obs + sum(one.dropped.values()) == len(listed)


@few
@given(worlds, designs, st.floats(0.1, 0.9))
def test_periods_cut_in_two(world, design, share):
    # two months of half the trade say what one says: pairs stay clusters, and effects by period take the shares
    assume(design.vcov != "robust")
    partners = world.partners.assign(start=world.partners["start"].map({"1": "1", "2": "3"}))
    frame = world.frame
    parts = [frame.assign(period=2 * frame["period"] - 1, trade=frame["trade"] * share)]
    parts.append(frame.assign(period=2 * frame["period"], trade=frame["trade"] * (1 - share)))
    # a flow that is alone with effects of the pairs has company when it is cut in two: it says no more, but its pair
    # is counted as a cluster
    design = replace(design, correction="none")
    one, two = estimated(design, world.panel()), estimated(design, world.panel(pd.concat(parts), partners=partners))
    if "origin^destination" not in design.effects:
        assert two.n_obs == 2 * one.n_obs
        assert two.dropped == {reason: 2 * count for reason, count in one.dropped.items()}
    close(one, two)


@few
@given(worlds, designs)
def test_a_sample_of_periods_is_a_panel_of_them(world, design):
    late = world.frame[world.frame["period"] >= 2]
    partners = world.partners.assign(start="2")
    plain = tl.Gravity(
        outcome=design.outcome, treatment="shock", controls=["log(km)"], effects=TWO_WAY, vcov=design.vcov,
        where={"period": {"from": "2"}},
    )  # fmt: skip
    one = estimated(plain, world.panel(partners=partners))
    same(one, estimated(plain, world.panel(late, partners=partners)))


@few
@given(
    worlds,
    designs,
    st.sampled_from(["both", "east->west", "west->east"]),
    st.floats(0, 0.5),
    st.sampled_from([None, "w"]),
    st.integers(0, 10**6),
)
def test_every_row_of_the_sample_is_used_or_counted(world, design, direction, bad, weights, seed):
    rng = np.random.default_rng(seed)
    frame = world.frame.assign(w=rng.uniform(1, 2, len(world.frame)))
    for name, value in (("trade", np.nan), ("shock", np.nan), ("w", 0.0), ("w", np.nan)):
        frame[name] = frame[name].mask(rng.random(len(frame)) < bad / 4, value)
    chosen = tl.Gravity(
        outcome=design.outcome, controls=design.controls, effects=design.effects, direction=direction, weights=weights,
        where={"period": {"from": "2"}},
    )  # fmt: skip
    rows = int(((frame["period"] >= 2) & ((direction == "both") | (frame["origin"].str[0] == direction[0]))).sum())
    panel = world.panel(frame)
    got = estimated(chosen, panel)
    assert got.n_obs + sum(got.dropped.values()) == rows
    assert list(got.dropped)[:5] == ["missing", "not_positive", "zero_distance", "separated", "singleton"]
    predicted = chosen.predict(panel)
    assert (predicted.dropped != "not in the sample").sum() == rows
    counts = pd.Series(predicted.dropped[~np.isin(predicted.dropped, ["", "not in the sample"])]).value_counts()
    assert counts.to_dict() == {reason: count for reason, count in got.dropped.items() if count}
