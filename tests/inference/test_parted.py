import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.fixest import as_frame, with_pyfixest
from tests.designs.panels import one_sided, two_sided
from tradelift.inference import Parted, joint
from tradelift.inference.parted import can_part, periods_by

DIGITS = 1e-7  # beside pyfixest, as in test_joint
TWIN = 1e-7  # two solvers, PPML to 1e-10 and more of the deviance
PERIODS = ["2018-11", "2018-12", "2019-01", "2019-02", "2019-04", "2020-01"]


def regions_of(panel):
    r = panel.regions
    return pd.DataFrame({
        "region": r.ids, "side": np.array(["east", "west"])[r.side], "group": r.group,
        "longitude": r.longitude, "latitude": r.latitude,
    })  # fmt: skip


@pytest.fixture(scope="module")
def panel():
    """Six months of three years, with a column of the year, and its indicators."""
    source, frame, chosen = two_sided(periods=6, missing=0.05)
    frame["period"] = [PERIODS[int(p[-2:]) - 1] for p in frame["period"]]
    frame["year"] = frame["period"].str[:4]
    for year in ("2018", "2019", "2020"):
        frame[f"in{year}"] = (frame["year"] == year).astype(float)
    partners = pd.DataFrame(chosen, columns=["east", "west"])
    return tl.Panel.from_frame(frame, regions=regions_of(source), partners=partners)


def with_own_distance(design, **options):
    """The same on all flows at once: treatment and distance by year, in the path of moving regressors."""
    controls = [f"log(distance_km):in{year}" for year in ("2018", "2019", "2020")]
    return design(by="year", controls=controls, **options)


@pytest.mark.parametrize("outcome", ["trade", "log(trade)", "seller_concentration"])
@pytest.mark.parametrize("design", [tl.Gravity, tl.SpatialRD])
def test_parts_are_the_split_regression(panel, outcome, design):
    options = {"outcome": outcome, "direction": "west->east"}
    if design is tl.SpatialRD:
        options["bandwidth_km"] = 900
    found = Parted(design=design(**options), by="year").estimate(panel)
    whole = with_own_distance(design, **options).estimate(panel)
    assert found.treatment == whole.treatment == ("partner[2018]", "partner[2019]", "partner[2020]")
    np.testing.assert_allclose(found.coefficients, whole.coefficients[:3], rtol=TWIN)
    np.testing.assert_allclose(found.covariance, whole.covariance[:3, :3], rtol=1e-5, atol=1e-9)
    assert (found.n_obs, found.dof) == (whole.n_obs, whole.dof)
    assert found.dropped == whole.dropped
    one, other = (e.wald(e.treatment, equal=True) for e in (found, whole))
    assert one.p_value == pytest.approx(other.p_value, rel=1e-5)


def test_quarters_in_pyfixest(panel):
    found = Parted(design=tl.Gravity(vcov="pair"), by="quarter").estimate(panel)
    assert found.treatment == tuple(f"partner[{q}]" for q in ("2018-Q4", "2019-Q1", "2019-Q2", "2020-Q1"))
    frame = as_frame(panel)
    frame["ln"] = np.log(frame["distance_km"])
    for n, quarter in enumerate(("2018-Q4", "2019-Q1", "2019-Q2", "2020-Q1")):
        month = pd.PeriodIndex(frame["period"], freq="M")
        own = (month.year.astype(str) + "-Q" + month.quarter.astype(str)) == quarter
        frame[f"d{n}"], frame[f"ln{n}"] = frame["partner"] * own, frame["ln"] * own
    formula = f"trade ~ {' + '.join(f'd{n}' for n in range(4))} + {' + '.join(f'ln{n}' for n in range(4))}"
    fit = with_pyfixest(f"{formula} | origin^period + destination^period", "poisson", frame)
    np.testing.assert_allclose(found.coefficients, fit.coef().to_numpy()[:4], rtol=DIGITS)
    np.testing.assert_allclose(found.std_errors, fit.se().to_numpy()[:4], rtol=1e-6)


def test_directions_are_the_two_estimates(panel):
    found = Parted(design=tl.Gravity(), by="direction").estimate(panel)
    each = {d: tl.Gravity(direction=d).estimate(panel) for d in ("east->west", "west->east")}
    np.testing.assert_array_equal(found.coefficients, [e.coefficients[0] for e in each.values()])
    np.testing.assert_allclose(found.std_errors, [e.std_errors[0] for e in each.values()], rtol=1e-12)
    assert found.sample == "all pairs, by direction"


def test_a_break_has_two_sides(panel):
    found = Parted(design=tl.Gravity(), by="break", at="2019-02").estimate(panel)
    sides = {"to": "2019-01"}, {"from": "2019-02"}
    each = [tl.Gravity(where={"period": side}).estimate(panel) for side in sides]
    assert found.terms == ("partner[before 2019-02]", "partner[from 2019-02]")
    np.testing.assert_allclose(found.coefficients, [e.coefficients[0] for e in each], rtol=TWIN)
    np.testing.assert_allclose(found.std_errors, [e.std_errors[0] for e in each], rtol=1e-6)


def test_categories_have_effects_and_distance_of_their_own():
    source, _, chosen = two_sided()
    frames = [two_sided(seed=s)[1].assign(kind=k) for s, k in ((1, "food"), (2, "toys"), (3, "wear"))]
    frame = pd.concat(frames, ignore_index=True)
    partners = pd.DataFrame(chosen, columns=["east", "west"])
    panel = tl.Panel.from_frame(frame, category="kind", regions=regions_of(source), partners=partners)
    for design in (tl.Gravity(), tl.SpatialRD(outcome="trade", bandwidth_km=900)):
        found = Parted(design=design, by="category").estimate(panel)
        assert found.treatment == ("partner[food]", "partner[toys]", "partner[wear]")
    found = Parted(design=tl.Gravity(vcov="pair"), by="category").estimate(panel)
    rows = as_frame(panel)
    rows["ln"] = np.log(rows["distance_km"])
    for kind in ("food", "toys", "wear"):
        rows[f"d_{kind}"], rows[f"ln_{kind}"] = (rows[c] * (rows["category"] == kind) for c in ("partner", "ln"))
    terms = " + ".join(f"d_{k} + ln_{k}" for k in ("food", "toys", "wear"))
    fit = with_pyfixest(f"trade ~ {terms} | origin^period^category + destination^period^category", "poisson", rows)
    np.testing.assert_allclose(found.coefficients, fit.coef().to_numpy()[::2], rtol=DIGITS)
    np.testing.assert_allclose(found.covariance, fit._vcov[::2, ::2], rtol=1e-5, atol=1e-9)


def test_directions_around_a_break_are_compared_jointly(panel):
    """The difference of differences by hand, from the influence of the pairs."""
    each = {
        d: Parted(design=tl.Gravity(direction=d, vcov="pair"), by="break", at="2019-02").estimate(panel)
        for d in panel.directions[1:]
    }
    found = joint(each)
    weights = np.array([-1.0, 1, 1, -1])
    gap = found.combine(dict(zip(found.terms, weights, strict=True)))
    own = sum(sign * e.influence.pairs @ np.array([-1.0, 1.0]) for sign, e in zip((1, -1), each.values(), strict=True))
    dyads = panel.pairs.dyad
    meat = sum(own[dyads == d].sum() ** 2 for d in np.unique(dyads))
    clusters = len(np.unique(dyads))
    assert gap.std_error == pytest.approx(np.sqrt(meat * clusters / (clusters - 1)), rel=1e-9)


def test_a_part_without_the_effect_is_named(panel):
    frame = panel.to_arrow().to_pandas()
    frame.loc[frame["period"] == "2020-01", "trade"] = 0.0
    frame = frame.drop(columns=["partner", "control_type", "distance_km", "domestic", "direction"])
    ids = panel.regions.ids
    partners = pd.DataFrame({"east": ids[panel.programme.first], "west": ids[panel.programme.second]})
    emptied = tl.Panel.from_frame(frame, regions=regions_of(panel), partners=partners)
    found = Parted(design=tl.Gravity(), by="year").estimate(emptied)
    assert found.treatment == ("partner[2018]", "partner[2019]")
    assert any(note.startswith("Not estimated for 2020: ") for note in found.diagnostics.notes)


def test_periods_before_any_partnership_are_named_in_both_designs():
    start = ["2017-02", "2017-03"] * 6
    staggered = two_sided(start=start)[0]
    for design in (tl.Gravity(), tl.SpatialRD(outcome="trade", bandwidth_km=900)):
        found = Parted(design=design, by="period").estimate(staggered)
        assert found.treatment == tuple(f"partner[2017-{m:02d}]" for m in (2, 3, 4))
        assert any(note.startswith("Not estimated for 2017-01: ") for note in found.diagnostics.notes)
    late = two_sided(start="2018-01")[0]
    with pytest.raises(tl.DesignError):
        Parted(design=tl.Gravity(), by="period").estimate(late)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "decade"}, "by is one of"),
        ({"by": "break"}, "belong together"),
        ({"by": "year", "at": "2019"}, "belong together"),
    ],
)
def test_contradictions_are_refused(options, message):
    with pytest.raises(tl.DesignError, match=message):
        Parted(design=tl.Gravity(), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "category"}, "needs flows by category"),
        ({"by": "break", "at": "2017-01"}, "no period lies before 2017-01"),
        ({"by": "break", "at": "2021-01"}, "no period lies from 2021-01 on"),
        ({"by": "break", "at": "January 2017"}, "The break 'January 2017' is not written as the periods are"),
    ],
)
def test_parts_that_are_not_there_are_refused(panel, options, message):
    with pytest.raises(tl.DesignError, match=message):
        Parted(design=tl.Gravity(), **options).estimate(panel)


def test_without_sides_or_treatment_there_is_nothing_to_compare(panel):
    with pytest.raises(tl.DesignError, match="needs two sides"):
        Parted(design=tl.Gravity(), by="direction").estimate(one_sided()[0])
    with pytest.raises(tl.DesignError, match="this design has none"):
        Parted(design=tl.Gravity(treatment=None), by="year").estimate(panel)
    with pytest.raises(tl.DesignError, match="has no column 'sellers'"):
        Parted(design=tl.Gravity(outcome="sellers"), by="year").estimate(panel)


def test_labels_tell_quarters_and_years():
    months = tuple(f"{y}-{m:02d}" for y in (2017, 2018) for m in range(1, 13))
    assert periods_by(months, "year") == {"2017": (0, 11), "2018": (12, 23)}
    assert list(periods_by(months, "quarter").items())[4] == ("2018-Q1", (12, 14))
    assert periods_by(("2017-Q3", "2018-Q1"), "year") == {"2017": (0, 0), "2018": (1, 1)}
    assert can_part(months, "quarter")
    assert not can_part(("2017", "2018"), "quarter")
    assert not can_part(("2017", "2018"), "year")  # the periods themselves
    assert not can_part(("all",), "year")
    with pytest.raises(tl.DesignError, match="does not tell its quarter"):
        periods_by(("2017",), "quarter")
