import dataclasses

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.fixest import as_frame, translated, with_pyfixest
from tests.designs.panels import one_sided, two_sided

EQUAL = 1e-8  # coefficients and errors, both sides at their tightest

TWO_WAY = ("origin^period", "destination^period")
PAIRS = (*TWO_WAY, "origin^destination")
CONTROLS = {
    "none": [],
    "log": ["log(distance_km)"],
    "moving": ["shock", "log(size)"],
    "products": ["log(distance_km):shock", "shock:size", "log(size):log(distance_km)"],
}
EFFECTS = {
    "two-way": TWO_WAY,
    "three-way": PAIRS,
    "undirected": (*TWO_WAY, "dyad"),
    "coarse": ("origin", "destination", "period"),
    "one": ("origin^destination",),
    "none": (),
}


@pytest.fixture(scope="module")
def panel():
    _, frame, chosen = two_sided(7, 8, 9, 3, partners=16, missing=0.05, mean=5.0)
    rng = np.random.default_rng(7)
    regions = pd.DataFrame({"region": sorted(set(frame["origin"]))})
    regions["side"] = np.where(regions["region"].str[0] == "e", "east", "west")
    regions["longitude"], regions["latitude"] = rng.uniform(0, 30, (2, len(regions)))
    frame["size"] = rng.uniform(1, 5, len(frame))
    frame["dyad"] = [" ".join(sorted(p)) for p in zip(frame["origin"], frame["destination"], strict=True)]
    partners = pd.DataFrame(chosen).assign(start=["2017-02", "2017-03"] * 8)
    return tl.Panel.from_frame(frame, regions=regions, partners=partners)


def check(panel, got, family, direction="both"):
    frame = as_frame(panel)
    if direction != "both":
        frame = frame[frame["direction"] == direction]
    model = with_pyfixest(got.formula, family, frame)
    kept = [name for name in model.coef().index if name != "Intercept"]
    np.testing.assert_allclose(got.coefficients, model.coef()[kept], rtol=EQUAL, atol=1e-10)
    np.testing.assert_allclose(got.std_errors, model.se()[kept], rtol=EQUAL)
    assert got.n_obs == model._N


# effects of the pairs absorb the distance
GRID = [
    (controls, effects)
    for controls in CONTROLS
    for effects in EFFECTS
    if controls != "log" or effects in ("two-way", "coarse", "none")
]


@pytest.mark.parametrize(("controls", "effects"), GRID)
@pytest.mark.parametrize("outcome", ["trade", "log(trade)"])
def test_a_pasted_formula_gives_the_estimate(panel, outcome, controls, effects):
    got = tl.Gravity(outcome=outcome, controls=CONTROLS[controls], effects=EFFECTS[effects], vcov="pair").estimate(
        panel
    )
    assert got.formula.count("|") == bool(EFFECTS[effects])
    check(panel, got, got.family)


@pytest.mark.parametrize("direction", ["both", "west->east"])
@pytest.mark.parametrize(
    ("options", "family"),
    [
        ({}, "poisson"),
        ({"outcome": "log1p(trade)"}, "gaussian"),
        ({"outcome": "asinh(trade)"}, "gaussian"),
        ({"family": "gaussian"}, "gaussian"),
        ({"outcome": "seller_concentration"}, "gaussian"),
        ({"treatment": "shock"}, "poisson"),
        ({"treatment": None}, "poisson"),
        ({"by": "direction", "controls": ["shock"]}, "poisson"),
    ],
)
def test_so_do_other_outcomes_directions_and_treatments(panel, options, family, direction):
    got = tl.Gravity(vcov="pair", direction=direction, **options).estimate(panel)
    check(panel, got, family, direction)


def test_so_do_one_sided_panels_without_periods_and_with_categories():
    small = one_sided(n=8, periods=1)[0]
    got = tl.Gravity(vcov="pair").estimate(small)
    assert got.formula == "trade ~ partner + log(distance_km) | origin + destination"
    check(small, got, "poisson")
    _, frame, chosen = two_sided(3, 6, 7, 2, mean=8.0)
    both = pd.concat([frame.assign(category=name, trade=frame["trade"] // n) for n, name in enumerate(("a", "b"), 1)])
    kinds = tl.Panel.from_frame(both, partners=pd.DataFrame(chosen), category="category")
    got = tl.Gravity(vcov="pair", by="category").estimate(kinds)
    assert got.formula == "trade ~ i(category, partner) | origin^period^category + destination^period^category"
    check(kinds, got, "poisson")


def test_the_translation_changes_functions_alone():
    said = "log(trade) ~ partner + log(distance_km):shock | origin^period + catalog"
    assert translated(said) == "np.log(trade) ~ partner + np.log(distance_km):shock | origin^period + catalog"
    assert translated("log1p(trade) ~ i(direction, partner)") == "np.log1p(trade) ~ i(direction, partner)"


DESIGNS = {
    "default": {},
    "log": {"outcome": "log(trade)"},
    "controls": {"controls": ("shock", "log(size)", "shock:size")},
    "none": {"treatment": None, "controls": (), "effects": ()},
    "pairs": {"effects": PAIRS},
    "by": {"by": "direction"},
    "options": {"direction": "west->east", "family": "gaussian", "vcov": ("period",), "weights": "size"},
}


@pytest.mark.parametrize("name", DESIGNS)
def test_a_designs_formula_is_the_same_design(panel, name):
    design = tl.Gravity(**DESIGNS[name])
    said = {"outcome", "treatment", "controls", "effects", "by"}
    options = {f.name: getattr(design, f.name) for f in dataclasses.fields(design) if f.name not in said}
    again = tl.Gravity.from_formula(design.formula, **options)
    assert again.formula == design.formula
    assert again == dataclasses.replace(
        design,
        treatment="partner" if design.treatment == "auto" else design.treatment,
        controls=("log(distance_km)",) if design.controls is None else design.controls,
        effects=TWO_WAY if design.effects is None else design.effects,
    )
    one, two = design.estimate(panel), again.estimate(panel)
    np.testing.assert_array_equal(one.coefficients, two.coefficients)
    assert one.formula == two.formula == design.formula


def test_another_treatment_is_named_beside_the_formula(panel):
    design = tl.Gravity(treatment="shock", controls=["log(size)"], effects=TWO_WAY)
    assert tl.Gravity.from_formula(design.formula, treatment="shock") == design
    split = dataclasses.replace(design, by="direction")
    assert split.formula.startswith("trade ~ i(direction, shock) + log(size) |")
    assert tl.Gravity.from_formula(split.formula) == split
    with pytest.raises(tl.DesignError, match="The treatment 'size' is no term of"):
        tl.Gravity.from_formula(design.formula, treatment="size")
    with pytest.raises(tl.DesignError, match="splits more than one treatment"):
        tl.Gravity.from_formula("trade ~ i(direction, shock) + i(period, partner)")


def test_an_estimate_prints_its_formula(panel):
    got = tl.Gravity(outcome="log(trade)", by="direction").estimate(panel)
    line = "log(trade) ~ i(direction, partner) + log(distance_km) | origin^period + destination^period"
    assert got.formula == line
    assert str(got).startswith(f"Gravity: {line}\n")


@pytest.mark.parametrize(
    ("name", "written"),
    [("trade", "trade"), ("year end", "`year end`"), ("a+b", "`a+b`"), ("2x", "`2x`"), ("_x", "`_x`"), (".5", "`.5`"),
     ("if", "`if`"), ("NA", "`NA`"), ("贸易", "贸易"), (".x", ".x"), ("a.b_c", "a.b_c"), ("a-b", "`a-b`")],
)  # fmt: skip
def test_a_formula_quotes_names_that_r_would_not_read(name, written):
    design = tl.Gravity(outcome=name, treatment=name, controls=[f"log({name})"], effects=[f"{name}^period"])
    assert design.formula == f"{written} ~ {written} + log({written}) | {written}^period"
    assert tl.Gravity.from_formula(design.formula, treatment=name) == design
    split = tl.Gravity(treatment="partner", by=name, controls=[], effects=[])
    assert split.formula == f"trade ~ i({written}, partner)"
    assert tl.Gravity.from_formula(split.formula) == split


def test_a_quoted_formula_gives_the_estimate(panel):
    frame = as_frame(panel).rename(columns={"shock": "a shock"})
    is_one_way = (frame["partner"] == 1) & (frame["origin"] < frame["destination"])
    chosen = frame.loc[is_one_way, ["origin", "destination"]].drop_duplicates()
    again = tl.Panel.from_frame(frame[["origin", "destination", "period", "trade", "a shock"]], partners=chosen)
    got = tl.Gravity(controls=["a shock", "a shock:partner"], vcov="pair").estimate(again)
    assert "partner + `a shock` + `a shock`:partner |" in got.formula
    check(again, got, got.family)
