"""The spatial RD against pyfixest on the stack as rows, brute-force covariances, and what must not matter."""

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.fixest import with_pyfixest
from tests.designs.panels import one_sided, rebuilt, two_sided
from tradelift.designs.spatial import Near, near_pairs

H = 500  # km: small maps have few cities
COEFFICIENT = 1e-7  # pyfixest's demeaning stops at 1e-12 of a step
ERROR = 1e-6  # the same for scores


def world(**options):
    """A panel whose stack is well filled."""
    return two_sided(**({"seed": 3, "n_east": 9, "n_west": 10, "partners": 14} | options))[0]


def expanded(panel, direction="both", distance=False, **options):
    """The stack as rows: a plain join of near pairs and cells, with what a formula needs."""
    near = near_pairs(panel, Near(**({"bandwidth_km": H} | options)), direction)
    rows = pd.DataFrame(
        {
            "group": near.group, "pair": near.pair, "kernel": near.weight, "is_partner": near.is_partner,
            "d_first": near.distances_km[:, 0], "d_second": near.distances_km[:, 1],
        }
    )  # fmt: skip
    cells = panel.to_arrow().to_pandas()
    cells["pair"] = panel.pair_of_cell
    out = rows.merge(cells, on="pair")
    out["dyad"] = [" ".join(sorted(p)) for p in zip(out["origin"], out["destination"], strict=True)]
    return out


def usable(frame, outcome):
    """Rows with a log, in groups whose partner pair has one in the same period."""
    good = frame[frame[outcome] > 0]
    partner = good[good.is_partner][["group", "period"]]
    return good.merge(partner, on=["group", "period"])


FORMULA = "{} ~ partner + log(distance_km){} | group^period + origin^period + destination^period"
CASES = {
    "default": {},
    "west": {"neighbours": "west", "bandwidth_km": 900},
    "corners": {"neighbours": "corners"},
    "uniform": {"kernel": "uniform"},
    "nearest": {"nearest": 3},
    "one way": {"direction": "west->east"},
    "types": {"control_types": (2, 4)},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("outcome", ["log(trade)", "trade"])
@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_estimates_are_those_of_pyfixest_on_the_stack(name, outcome, missing):
    panel = world(missing=missing, mean=6.0)
    options = {"bandwidth_km": H} | CASES[name]
    got = tl.SpatialRD(outcome=outcome, vcov="pair", correction="clusters", **options).estimate(panel)
    rows = expanded(panel, **options)
    family = "poisson" if outcome == "trade" else "gaussian"
    rows = usable(rows, "trade") if family == "gaussian" else _with_partner(rows)
    want = with_pyfixest(FORMULA.format(outcome, ""), family, rows, weights="kernel")
    assert got.n_obs == want._N
    np.testing.assert_allclose(got.coefficients, want.coef(), rtol=COEFFICIENT)
    np.testing.assert_allclose(got.std_errors, want.se(), rtol=ERROR)
    assert got.n_obs + sum(got.dropped.values()) == len(expanded(panel, **options))


def _with_partner(rows):
    return rows.merge(rows[rows.is_partner][["group", "period"]], on=["group", "period"])


@pytest.mark.parametrize("terms", [("d",), ("d2",), ("d", "d2")])
def test_distance_terms_have_a_slope_a_side(terms):
    panel = world()
    got = tl.SpatialRD(bandwidth_km=H, distance_terms=terms, vcov="pair", correction="clusters").estimate(panel)
    rows = usable(expanded(panel), "trade")
    names = []
    for term in terms:
        for side, column in (("east", "d_first"), ("west", "d_second")):
            names.append(f"{term}[{side}]")
            rows[f"{term}_{side}"] = (rows[column] / H) ** (1 if term == "d" else 2)  # its tolerance is absolute
    plus = "".join(f" + {t}_{s}" for t in terms for s in ("east", "west"))
    want = with_pyfixest(FORMULA.format("log(trade)", plus), "gaussian", rows, weights="kernel")
    assert got.terms == ("partner", "log(distance_km)", *names)
    scale = [1, 1, *(H ** (1 if name.startswith("d[") else 2) for name in names)]
    np.testing.assert_allclose(got.coefficients * scale, want.coef(), rtol=COEFFICIENT)
    np.testing.assert_allclose(got.std_errors * scale, want.se(), rtol=ERROR)


def test_one_sided_panels():
    panel, _ = one_sided(n=12)
    options = {"bandwidth_km": 900, "neighbours": "both"}
    got = tl.SpatialRD(vcov="pair", correction="clusters", **options).estimate(panel)
    want = with_pyfixest(
        FORMULA.format("log(trade)", ""), "gaussian", usable(expanded(panel, **options), "trade"), weights="kernel"
    )
    np.testing.assert_allclose(got.coefficients, want.coef(), rtol=COEFFICIENT)
    np.testing.assert_allclose(got.std_errors, want.se(), rtol=ERROR)
    origin = tl.SpatialRD(outcome="trade", distance_terms=["d"], bandwidth_km=900).estimate(panel)
    assert origin.terms[2:] == ("d[origin]", "d[destination]")


@pytest.mark.parametrize("outcome", ["log(trade)", "trade"])
@pytest.mark.parametrize("not_yet", [True, "never"])
def test_partnerships_that_start_at_different_times(outcome, not_yet):
    start = ["2017-01", "2017-03", "2017-02", "2017-04"] * 4
    panel = world(start=start[:14], mean=40.0)
    got = tl.SpatialRD(outcome=outcome, bandwidth_km=H, not_yet=not_yet, vcov="pair", correction="clusters").estimate(
        panel
    )
    assert got.diagnostics.path == "tensor"
    rows = expanded(panel, not_yet=not_yet)
    near = near_pairs(panel, Near(bandwidth_km=H, not_yet=not_yet))
    begin = panel.programme.start
    t = rows["period"].map({label: i for i, label in enumerate(panel.periods)}).to_numpy()
    own = begin[near.partner_row[rows["group"].to_numpy()]]
    partnership = panel.pairs.partnership[rows["pair"].to_numpy()]
    kept = rows["is_partner"].to_numpy() | (partnership < 0) | (t < begin[partnership])
    if not_yet == "never":
        kept &= t >= own
        assert (partnership[~rows["is_partner"]] < 0).all()
    else:
        assert (partnership[~rows["is_partner"]] >= 0).any()
    rows = rows[kept]
    rows = usable(rows, "trade") if outcome != "trade" else rows
    want = with_pyfixest(
        FORMULA.format(outcome, ""), "poisson" if outcome == "trade" else "gaussian", rows, weights="kernel"
    )
    assert got.n_obs == want._N
    np.testing.assert_allclose(got.coefficients, want.coef(), rtol=COEFFICIENT)
    np.testing.assert_allclose(got.std_errors, want.se(), rtol=ERROR)


def test_a_dose_takes_the_place_of_one():
    panel, frame, chosen = two_sided(seed=3, n_east=9, n_west=10, partners=14)
    partners = pd.DataFrame(chosen, columns=["east", "west"])
    plain = tl.SpatialRD(bandwidth_km=H).estimate(rebuilt(panel, frame, partners))
    double = tl.SpatialRD(bandwidth_km=H).estimate(rebuilt(panel, frame, partners.assign(dose=2.0)))
    np.testing.assert_allclose(double.coefficients, plain.coefficients / [2, 1], rtol=1e-9)
    varied = partners.assign(dose=np.linspace(0.5, 2, len(partners)))
    panel = rebuilt(panel, frame, varied)
    got = tl.SpatialRD(bandwidth_km=H).estimate(panel)
    want = with_pyfixest(
        FORMULA.format("log(trade)", ""), "gaussian", usable(expanded(panel), "trade"), weights="kernel"
    )
    np.testing.assert_allclose(got.coefficients, want.coef(), rtol=COEFFICIENT)


def test_controls_weights_and_effects_of_the_user():
    panel = world(mean=30.0)
    options = {"bandwidth_km": H, "vcov": "pair", "correction": "clusters"}
    got = tl.SpatialRD(controls=["shock"], weights="deals", effects=["group^period"], **options).estimate(panel)
    rows = usable(expanded(panel), "trade")
    rows["both"] = rows["kernel"] * rows["deals"]
    want = with_pyfixest("log(trade) ~ partner + shock | group^period", "gaussian", rows, weights="both")
    np.testing.assert_allclose(got.coefficients, want.coef(), rtol=COEFFICIENT)
    np.testing.assert_allclose(got.std_errors, want.se(), rtol=ERROR)
    split = tl.SpatialRD(by="direction", **options).estimate(panel)
    assert split.terms == ("partner[east->west]", "partner[west->east]", "log(distance_km)")
    want = with_pyfixest(
        FORMULA.format("log(trade)", "").replace("partner", "partner:C(direction)", 1),
        "gaussian",
        usable(expanded(panel), "trade"),
        weights="kernel",
    )
    np.testing.assert_allclose(sorted(split.coefficients), sorted(want.coef()), rtol=COEFFICIENT)
    assert split.wald(split.terms[:2], equal=True).restrictions == 1
    window = tl.SpatialRD(where={"period": {"from": "2017-03"}}, **options).estimate(panel)
    assert "period 2017-03.." in window.sample
    want = with_pyfixest(
        FORMULA.format("log(trade)", ""),
        "gaussian",
        usable(expanded(panel), "trade").query("period >= '2017-03'"),
        weights="kernel",
    )
    np.testing.assert_allclose(window.coefficients, want.coef(), rtol=COEFFICIENT)


def test_categories_are_like_periods():
    panel, frame, chosen = two_sided(seed=3, n_east=9, n_west=10, partners=14, periods=4, mean=30.0)
    frame = frame.assign(
        category=frame["period"].str[-1], period="2017-0" + (1 + (frame["period"] > "2017-02")).astype(str)
    )
    frame["category"] = np.where(frame["category"].isin(["1", "3"]), "food", "other")
    split = rebuilt(panel, frame, category="category")
    got, want = (tl.SpatialRD(bandwidth_km=H).estimate(p) for p in (split, panel))
    assert got.effects[0] == "group^period^category"
    np.testing.assert_allclose(got.coefficients, want.coefficients, rtol=1e-10)
    np.testing.assert_allclose(got.covariance, want.covariance, rtol=1e-10)


# errors


def scores_of(panel, outcome):
    """Bread, row scores, N and K of the default design, from explicit dummies."""
    rows = usable(expanded(panel), "trade") if outcome == "log(trade)" else expanded(panel)
    while True:  # singletons
        alone = np.zeros(len(rows), dtype=bool)
        for effect in ("group", "origin", "destination"):
            alone |= (rows.groupby([effect, "period"])["pair"].transform("size") == 1).to_numpy()
        if not alone.any():
            break
        rows = rows[~alone]
    codes = [rows.groupby([e, "period"]).ngroup().to_numpy() for e in ("group", "origin", "destination")]
    z = np.concatenate([np.eye(c.max() + 1)[c] for c in codes], axis=1)
    x = np.c_[rows["partner"], np.log(rows["distance_km"])]
    w = rows["kernel"].to_numpy()
    if outcome == "log(trade)":
        y = np.log(rows["trade"].to_numpy())
        full = np.c_[x, z] * np.sqrt(w)[:, None]
        error = y - np.c_[x, z] @ np.linalg.lstsq(full, y * np.sqrt(w), rcond=1e-10)[0]
        working = w
    else:
        y, beta = rows["trade"].to_numpy(), np.zeros(2 + z.shape[1])
        index = np.log((y + y.mean()) / 2)
        for _ in range(40):
            mu = np.exp(index)
            root = np.sqrt(w * mu)
            beta = np.linalg.lstsq(np.c_[x, z] * root[:, None], (index + (y - mu) / mu) * root, rcond=1e-10)[0]
            index = np.c_[x, z] @ beta
        error, working = y - np.exp(index), w * np.exp(index)
    root = np.sqrt(working)[:, None]
    net = x - z @ np.linalg.lstsq(z * root, x * root, rcond=1e-10)[0]
    bread = np.linalg.inv(net.T @ (net * working[:, None]))
    return rows, bread, net * (w * error)[:, None], len(rows), np.linalg.matrix_rank(z) + 2


@pytest.mark.parametrize("outcome", ["log(trade)", "trade"])
def test_covariances_by_brute_force(outcome):
    panel = world(mean=30.0, periods=2)
    rows, bread, scores, n, k = scores_of(panel, outcome)
    got = tl.SpatialRD(outcome=outcome, bandwidth_km=H).estimate(panel)
    assert (got.n_obs, got.diagnostics.effect_rank + 2) == (n, k)
    east = np.where(rows["origin"].str[0] == "e", rows["origin"], rows["destination"])
    west = np.where(rows["origin"].str[0] == "e", rows["destination"], rows["origin"])

    def clustered(*labels):
        sums = pd.DataFrame(scores @ bread).groupby([np.asarray(label) for label in labels]).sum().to_numpy()
        return sums.T @ sums

    full = (n - 1) / (n - k)
    size = {"east": len(set(east)), "west": len(set(west)), "pair": rows["dyad"].nunique()}
    both = min(size["east"], size["west"])
    two = (clustered(east) + clustered(west) - clustered(rows["dyad"])) * both / (both - 1) * full
    one = {
        "east": clustered(east) * size["east"] / (size["east"] - 1) * full,
        "west": clustered(west) * size["west"] / (size["west"] - 1) * full,
        "pair": clustered(rows["dyad"]) * size["pair"] / (size["pair"] - 1) * full,
    }
    largest = np.max([np.diag(v) for v in (two, *one.values())], axis=0)
    assert (got.se_type, got.correction, got.dof) == ("max-two-way", "full", both - 1)
    np.testing.assert_allclose(np.diag(got.covariance), largest, rtol=ERROR)
    np.testing.assert_allclose(got.with_vcov("pair").covariance, one["pair"], rtol=ERROR)
    robust = bread @ scores.T @ scores @ bread * n / (n - 1) * full
    np.testing.assert_allclose(got.with_vcov("robust").covariance, robust, rtol=ERROR)
    groups = tl.SpatialRD(outcome=outcome, bandwidth_km=H, vcov=["group"], correction="clusters").estimate(panel)
    count = rows["group"].nunique()
    np.testing.assert_allclose(groups.covariance, clustered(rows["group"]) * count / (count - 1), rtol=ERROR)
    columns = tl.SpatialRD(outcome=outcome, bandwidth_km=H, vcov=["group", "origin"], correction="none").estimate(panel)
    wanted = clustered(rows["group"]) + clustered(rows["origin"]) - clustered(rows["group"], rows["origin"])
    np.testing.assert_allclose(columns.covariance, wanted, rtol=ERROR)


@pytest.mark.parametrize("outcome", ["log(trade)", "trade"])
def test_the_jackknife_leaves_out_each_city_and_the_groups_that_lose_their_partner(outcome):
    panel = world(mean=30.0, periods=1)
    got = tl.SpatialRD(outcome=outcome, bandwidth_km=H, vcov="jackknife").estimate(panel)
    frame = panel.to_arrow().to_pandas()[["origin", "destination", "period", "trade"]]
    ids = panel.regions.ids
    used = {*ids[near_pairs(panel, Near(bandwidth_km=H)).origin]}
    draws = []
    for city in sorted(used):
        # a city leaves the flows and keeps its place in the programme, so that no pair changes its kind
        rest = frame[(frame["origin"] != city) & (frame["destination"] != city)]
        draws.append(tl.SpatialRD(outcome=outcome, bandwidth_km=H).estimate(rebuilt(panel, rest)).coefficients)
    centred = np.array(draws) - np.mean(draws, axis=0)
    count = len(draws)
    assert got.diagnostics.clusters == (count,)
    np.testing.assert_allclose(got.covariance, centred.T @ centred * (count - 1) / count, rtol=1e-7)


# what must not matter


@pytest.mark.parametrize("outcome", ["log(trade)", "trade"])
def test_order_labels_and_units_do_not_matter(outcome):
    panel, frame, chosen = two_sided(seed=3, n_east=9, n_west=10, partners=14, missing=0.1)
    want = tl.SpatialRD(outcome=outcome, bandwidth_km=H).estimate(panel)
    regions = pd.DataFrame(
        {"region": panel.regions.ids, "side": np.array(panel.regions.sides)[panel.regions.side],
         "longitude": panel.regions.longitude, "latitude": panel.regions.latitude}
    )  # fmt: skip
    rng = np.random.default_rng(0)
    name = dict(zip(panel.regions.ids, rng.permutation([f"city {i}" for i in range(19)]), strict=True))
    renamed = regions.assign(region=regions["region"].map(name)).sample(frac=1, random_state=1)
    other = frame.assign(
        origin=frame["origin"].map(name), destination=frame["destination"].map(name), trade=frame["trade"] * 7.3
    )
    partners = pd.DataFrame([(name[b], name[a]) for a, b in reversed(chosen)], columns=["x", "y"])
    shuffled = tl.Panel.from_frame(other.sample(frac=1, random_state=2), regions=renamed, partners=partners)
    got = tl.SpatialRD(outcome=outcome, bandwidth_km=H).estimate(shuffled)
    np.testing.assert_allclose(got.coefficients, want.coefficients, rtol=1e-8)
    np.testing.assert_allclose(got.covariance, want.covariance, rtol=1e-7)
    assert got.dropped == want.dropped
    a, b = got.diagnostics.identification, want.diagnostics.identification
    assert (a.groups, a.contributing, dict(a.lost_pairs)) == (b.groups, b.contributing, dict(b.lost_pairs))
    assert a.effective_partners == pytest.approx(b.effective_partners)


def test_the_collapse_is_told_and_equals_the_full_stack():
    full = world(mean=2000.0)
    got = tl.SpatialRD(bandwidth_km=H).estimate(full)
    assert got.diagnostics.path == "sums"
    assert got.n_obs == 4 * (got.n_obs // 4)
    moving = tl.SpatialRD(bandwidth_km=H, controls=["log(distance_km)", "log(distance_km):one"]).estimate(
        _with_constant(full)
    )
    assert moving.diagnostics.path == "tensor"
    np.testing.assert_allclose(moving.coefficients[:2], got.coefficients, rtol=1e-9)
    np.testing.assert_allclose(moving.covariance, got.covariance, rtol=1e-8)


def _with_constant(panel):
    """The same panel with a column of ones that is kept by cell."""
    frame = panel.to_arrow().to_pandas()[["origin", "destination", "period", "trade"]].assign(one=1.0)
    return rebuilt(panel, frame)
