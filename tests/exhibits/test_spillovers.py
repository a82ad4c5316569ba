import numpy as np
import pytest

import tradelift as tl
from tests.exhibits.small import estimated, one_side, study
from tradelift.exhibits import EXHIBITS, missing
from tradelift.exhibits.labels import plain
from tradelift.inference.joint import joint
from tradelift.inference.spillovers import Exposure
from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world

SPILLOVERS = EXHIBITS["spillovers"]


@pytest.fixture(scope="module")
def world():
    return draw_affinity_world(AffinityWorld(), 4).panel


@pytest.fixture(scope="module")
def found(world):
    return estimated("spillovers", world, study())


@pytest.fixture(scope="module")
def shown(world, found):
    return SPILLOVERS.show(study(), world, found)


def rows(shown, direction):
    return {r["comparison"]: r for r in shown.tables[0].records() if r["direction"] == direction}


def test_near_pairs_stand_between_partners_and_far_pairs(world, shown):
    own = rows(shown, "west->east")
    design = tl.Gravity(outcome="log(trade)", direction="west->east", vcov="max-two-way")
    estimate = Exposure(design=design).estimate(world).found
    b, s = estimate.coefficients[:2]
    assert own["Partners less far pairs"]["estimate"] == pytest.approx(b, rel=1e-9)
    assert own["Near pairs less far pairs"]["estimate"] == pytest.approx(s, rel=1e-9)
    assert own["Partners less near pairs"]["estimate"] == pytest.approx(b - s, rel=1e-9)
    variance = estimate.covariance[0, 0] + estimate.covariance[1, 1] - 2 * estimate.covariance[0, 1]
    assert own["Partners less near pairs"]["std_error"] == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_rings_are_spatial_rd_and_differ_by_the_joint_error(world, shown):
    own = rows(shown, "both")
    near = tl.SpatialRD(bandwidth_km=75, kernel="uniform").estimate(world)
    far = tl.SpatialRD(bandwidth_km=300, donut_km=150, kernel="uniform").estimate(world)
    assert own["Spatial RD, 0 to 75 km"]["estimate"] == pytest.approx(near.coefficients[0], rel=1e-9)
    assert own["Spatial RD, 150 to 300 km"]["estimate"] == pytest.approx(far.coefficients[0], rel=1e-9)
    apart = joint({"a": near, "b": far}).combine({"partner[a]": 1, "partner[b]": -1})
    assert own["Nearest less farthest ring"]["std_error"] == pytest.approx(apart.std_error, rel=1e-9)
    assert own["Nearest less farthest ring"]["p_value"] == pytest.approx(apart.p_value, rel=1e-6)


def test_money_is_of_ppml_and_adds_up(found, shown):
    money = {r["part"]: r for r in shown.tables[1].records() if r["direction"] == "both"}
    both = found["exposed (near), trade, PPML, both"].money("partner", "near_partner")
    assert money["Both"]["estimate"] == pytest.approx(both.value, rel=1e-12)
    assert money["Both"]["conf_high"] == pytest.approx(both.conf_high, rel=1e-12)
    parts = money["Partner pairs"]["estimate"] + money["Pairs within 150 km"]["estimate"]
    assert parts == pytest.approx(both.value, rel=1e-9)
    assert "in units of trade over all periods" in shown.sentences[-1].lower()


def test_sentences_and_figure_name_both_readings(shown):
    assert "Below zero, trade may have been drawn from them" in " ".join(shown.sentences)
    figure = shown.figures[0]
    assert len(figure.intervals) == 30
    assert figure.axis == "Difference in percent, 95% interval"
    percent = rows(shown, "both")["Partners less far pairs"]["percent"]
    assert figure.intervals[0].value == pytest.approx(percent, rel=1e-12)


def test_what_was_refused_is_left_out(world, found):
    few = {key: x for key, x in found.items() if not key.startswith(("exposed (near)", "controls within"))}
    shown = SPILLOVERS.show(study(), world, few)
    assert len(shown.tables) == 1
    assert "Nearest less farthest ring" not in rows(shown, "both")
    assert not any("Below zero" in s for s in shown.sentences)
    assert SPILLOVERS.show(study(), world, {}).tables == ()
    assert SPILLOVERS.plan(study(model={"outcomes": ["deals"]}), world) == {}
    assert missing(SPILLOVERS, study(), one_side()) == "absent: give partners"


def test_the_title_sets_near_pairs_beside_far_ones(shown):
    row = rows(shown, "both")["Near pairs less far pairs"]
    ends = " to ".join(plain(100 * np.expm1(row[k])) for k in ("conf_low", "conf_high"))
    assert shown.finding == (
        f"Near pairs that are no partners trade {plain(row['percent'])}% more than far ones ({ends}%)"
    )
