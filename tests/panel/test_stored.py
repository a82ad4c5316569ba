import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tradelift as tl
from tests.designs.panels import one_sided, two_sided
from tests.pipeline.studies import write_study
from tradelift.errors import DataError, DesignError
from tradelift.panel.opening import open_parquet

SAME = {"rtol": 1e-9, "atol": 2e-9}  # in memory, steps end where the score asks for one below 1e-9
SAME_ERRORS = {"rtol": 1e-7}  # errors start from what the solvers leave of the scores


def region_frame(panel):
    regions = panel.regions
    columns = {"region": regions.ids, "longitude": regions.longitude, "latitude": regions.latitude}
    if regions.sides is not None:
        columns["side"] = [regions.sides[s] for s in regions.side]
    return pd.DataFrame(columns | dict(regions.columns))


def partner_frame(panel):
    programme = panel.programme
    ids = panel.regions.ids
    first, second = panel.regions.sides or ("one", "other")
    frame = pd.DataFrame({first: ids[programme.first], second: ids[programme.second]})
    if programme.start.any():
        frame["start"] = np.array(panel.periods)[programme.start]
    return frame


def stored(panel, folder, part_cells=200, **options):
    """The panel written to files, and opened again."""
    panel.to_parquet(folder)
    given = {"regions": region_frame(panel), "partners": partner_frame(panel)} | options
    return open_parquet(folder, part_cells=part_cells, **given)


def assert_same(got, want):
    assert (got.terms, got.n_obs, got.n_pairs, got.dropped) == (want.terms, want.n_obs, want.n_pairs, want.dropped)
    assert (got.formula, got.sample, got.diagnostics.omitted) == (want.formula, want.sample, want.diagnostics.omitted)
    assert got.diagnostics.effect_rank == want.diagnostics.effect_rank
    assert got.diagnostics.notes == want.diagnostics.notes
    np.testing.assert_allclose(got.coefficients, want.coefficients, **SAME)
    np.testing.assert_allclose(got.std_errors, want.std_errors, **SAME_ERRORS)
    np.testing.assert_allclose(got.diagnostics.pseudo_r2, want.diagnostics.pseudo_r2, rtol=1e-9)


PANELS = {
    "complete": {},
    "gaps": {"missing": 0.1},
    "sparse": {"mean": 0.4},
    "sparse with gaps": {"mean": 0.8, "missing": 0.1, "periods": 6},
}

DESIGNS = {
    "default": {},
    "east->west": {"direction": "east->west", "vcov": "pair"},
    "control types": {"control_types": [4], "vcov": "max-two-way", "correction": "full"},
    "periods": {"where": {"period": {"from": "2017-02", "to": "2017-03"}}, "vcov": "robust"},
    "fixed column": {"where": {"control_type": [0, 4]}, "vcov": "two-way"},
    "deals": {"outcome": "deals", "vcov": "province"},
    "ols": {"outcome": "log(trade)", "vcov": "directed-pair"},
    "ratio": {"outcome": "seller_concentration", "vcov": "none"},
    "moving control": {"controls": ["log(distance_km)", "shock"]},
    "weights": {"weights": "deals"},
    "offset": {"offset": "shock"},
    "by": {"by": "control_type", "treatment": "distance_km", "controls": [], "vcov": "spatial"},
    "spelled out": {"effects": ["period^origin", "destination^period"]},
}


@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize("design", DESIGNS)
def test_estimates_as_in_memory(tmp_path, name, design):
    panel, _, _ = two_sided(seed=3, **PANELS[name])
    gravity = tl.Gravity(**DESIGNS[design])
    assert_same(gravity.estimate(stored(panel, tmp_path)), gravity.estimate(panel))


def test_a_window_of_periods_is_solved_from_sums(tmp_path):
    panel, _, _ = two_sided(periods=6)
    gravity = tl.Gravity(where={"period": {"from": "2017-03", "to": "2017-05"}})
    got = gravity.estimate(stored(panel, tmp_path))
    assert got.diagnostics.path == "sums"
    assert_same(got, gravity.estimate(panel))


def test_one_sided_panels_with_domestic_flows(tmp_path):
    panel, _ = one_sided(n=8, periods=4)
    opened = stored(panel, tmp_path, part_cells=64)
    assert [len(block) for block in opened.cells.spans()] == [2] * 4
    for options in ({"controls": ["domestic", "log(distance_km)"]}, {}):
        gravity = tl.Gravity(**options)
        assert_same(gravity.estimate(opened), gravity.estimate(panel))


def test_a_treatment_that_starts_later_moves(tmp_path):
    panel, _, _ = two_sided(start="2017-03", missing=0.05)
    gravity = tl.Gravity()
    got = gravity.estimate(stored(panel, tmp_path))
    assert_same(got, gravity.estimate(panel))
    assert got.diagnostics.path == "tensor"


def test_missing_outcomes_are_counted(tmp_path):
    panel, frame, chosen = two_sided()
    frame.loc[::17, "trade"] = np.nan
    panel = tl.Panel.from_frame(
        frame, regions=region_frame(panel), partners=pd.DataFrame(chosen, columns=["east", "west"])
    )
    got = tl.Gravity().estimate(stored(panel, tmp_path))
    assert got.dropped["missing"] == len(frame.loc[::17])
    assert_same(got, tl.Gravity().estimate(panel))


def test_regions_and_periods_without_trade_are_separated_as_in_memory(tmp_path):
    panel, frame, chosen = two_sided(mean=30)
    frame.loc[(frame["origin"] == "e1") & (frame["period"] == "2017-02"), "trade"] = 0.0
    frame.loc[(frame["destination"] == "w3") & (frame["period"] == "2017-04"), "trade"] = 0.0
    panel = tl.Panel.from_frame(
        frame, regions=region_frame(panel), partners=pd.DataFrame(chosen, columns=["east", "west"])
    )
    got = tl.Gravity().estimate(stored(panel, tmp_path))
    assert got.dropped["separated"] == 9 + 8
    assert got.diagnostics.path == "sums"
    assert_same(got, tl.Gravity().estimate(panel))


def test_effects_by_category_where_there_are_categories(tmp_path):
    _, frame, chosen = two_sided(periods=2)
    frame = pd.concat([frame.assign(good=good) for good in ("food", "toys")], ignore_index=True)
    frame["trade"] += np.arange(len(frame)) % 7
    given = {"partners": pd.DataFrame(chosen, columns=["east", "west"]), "category": "good"}
    regions = pd.DataFrame({"region": sorted(set(frame["origin"]))})
    panel = tl.Panel.from_frame(frame, regions=regions, **given)
    frame.sample(frac=1, random_state=1).to_parquet(tmp_path / "flows.parquet", index=False)
    opened = open_parquet(tmp_path, regions=regions, part_cells=300, **given)
    assert opened.categories == panel.categories
    gravity = tl.Gravity()
    assert gravity.estimate(opened).effects == ("origin^period^category", "destination^period^category")
    assert_same(gravity.estimate(opened), gravity.estimate(panel))


@pytest.mark.parametrize("row_group_size", [40, 10_000])
def test_rows_may_stand_in_any_order(tmp_path, row_group_size):
    panel, frame, chosen = two_sided(missing=0.05)
    shuffled = frame.sample(frac=1, random_state=2)
    half = len(frame) // 2
    for n, part in enumerate((shuffled[:half], shuffled[half:])):
        table = pa.Table.from_pandas(part, preserve_index=False)
        pq.write_table(table, tmp_path / f"{n}.parquet", row_group_size=row_group_size)
    opened = open_parquet(
        [tmp_path / "1.parquet", tmp_path / "0.parquet"],
        regions=region_frame(panel),
        partners=pd.DataFrame(chosen, columns=["east", "west"]),
        part_cells=200,
    )
    assert_same(tl.Gravity().estimate(opened), tl.Gravity().estimate(panel))


def test_parts_hold_the_cells_of_the_panel(tmp_path):
    panel, _, _ = two_sided(missing=0.2, periods=5)
    opened = stored(panel, tmp_path)
    assert opened.names == panel.names
    assert opened.n_cells == panel.n_cells
    parts = list(opened.parts())
    assert len(parts) == 5
    key = {}
    for name in ("origin", "destination", "period", "trade", "shock", "partner", "distance_km", "seller_concentration"):
        key[name] = np.concatenate([part.column(name) for part in parts])
        for part in parts:
            for block in part.cells.blocks:
                assert block.stop <= part.n_cells
    order = np.lexsort((key["destination"], key["origin"], key["period"]))
    wanted = np.lexsort((panel.column("destination"), panel.column("origin"), panel.column("period")))
    for name, values in key.items():
        np.testing.assert_array_equal(values[order], panel.column(name)[wanted])


def test_ids_may_be_numbers_and_periods_dates(tmp_path):
    rng = np.random.default_rng(1)
    months = pd.date_range("2020-01-01", periods=3, freq="MS")
    rows = [(a, b, m, float(rng.poisson(9))) for m in months for a in range(6) for b in range(6) if a != b]
    frame = pd.DataFrame(rows, columns=["exporter", "importer", "month", "trade"])
    partners = pd.DataFrame({"one": [0, 1], "other": [3, 4]})
    names = {"origin": "exporter", "destination": "importer", "period": "month", "partners": partners}
    panel = tl.Panel.from_frame(frame, **names)
    frame.to_parquet(tmp_path / "flows.parquet")
    opened = tl.Panel.from_parquet(tmp_path / "flows.parquet", **names)
    assert opened.periods == panel.periods == ("2020-01", "2020-02", "2020-03")
    assert list(opened.regions.ids) == list(panel.regions.ids)
    assert_same(tl.Gravity().estimate(opened), tl.Gravity().estimate(panel))


def test_without_a_period_there_is_one(tmp_path):
    _, frame, chosen = two_sided(periods=1)
    frame = frame.drop(columns="period")
    frame.to_parquet(tmp_path / "flows.parquet")
    given = {"partners": pd.DataFrame(chosen, columns=["one", "other"])}
    opened, panel = tl.Panel.from_parquet(tmp_path, **given), tl.Panel.from_frame(frame, **given)
    assert opened.periods == ("all",)
    assert_same(tl.Gravity().estimate(opened), tl.Gravity().estimate(panel))


def test_what_is_the_same_in_all_cells_of_a_pair_is_kept_with_the_pairs(tmp_path):
    panel, frame, chosen = two_sided()
    code = {name: n for n, name in enumerate(sorted(set(frame["origin"])))}
    frame["ties"] = frame["origin"].map(code) * frame["destination"].map(code) % 7 * 0.1
    frame["language"] = np.where(frame["origin"].str[-1] == frame["destination"].str[-1], "same", "other")
    frame.loc[frame["origin"] == "e0", "ties"] = np.nan
    frame["nearly"] = frame["ties"] + (np.arange(len(frame)) % 50 == 5)
    given = {"regions": region_frame(panel), "partners": pd.DataFrame(chosen, columns=["east", "west"])}
    frame.to_parquet(tmp_path / "flows.parquet", index=False)
    opened = open_parquet(tmp_path, part_cells=200, **given)
    assert opened.is_fixed("ties")
    assert opened.is_fixed("language")
    assert not opened.is_fixed("nearly")
    for gravity in (
        tl.Gravity(controls=["ties"]),
        tl.Gravity(controls=["nearly"]),
        tl.Gravity(where={"language": "other"}),
        tl.Gravity(treatment="distance_km", controls=[], by="language"),
    ):
        assert_same(gravity.estimate(opened), gravity.estimate(tl.Panel.from_frame(frame, **given)))
    assert tl.Gravity(controls=["ties"]).estimate(opened).diagnostics.path == "sums"  # e0 lacks it in every period


def test_covariates_of_pairs_join(tmp_path):
    panel, _, _ = two_sided()
    ids = panel.regions.ids
    pairs = pd.DataFrame({"origin": ids[panel.pairs.origin], "destination": ids[panel.pairs.destination]})
    pairs["ties"] = np.arange(len(pairs)) % 5 * 1.0
    opened = stored(panel, tmp_path, pairs=pairs.iloc[3:])
    assert [stage.name for stage in opened.account.stages] == ["flows", "pairs"]
    assert np.isnan(opened.pair_column("ties")).sum() == 3
    assert tl.Gravity(controls=["ties"]).estimate(opened).dropped["missing"] == 3 * 4


def test_an_opened_run_gives_its_estimates(tmp_path):
    study = tl.read_study(write_study(tmp_path))
    results = tl.run(study, tmp_path / "out", only=["summary"])
    opened = tl.Panel.from_parquet(
        tmp_path / "out" / "panel",
        regions=pd.read_csv(tmp_path / "regions.csv"),
        partners=pd.read_csv(tmp_path / "partners.csv"),
    )
    assert opened.directions == results.panel.directions
    for gravity in (tl.Gravity(), tl.Gravity(outcome="log(deals)", direction="east->west")):
        assert_same(gravity.estimate(opened), gravity.estimate(results.panel))


def test_every_row_is_accounted_for_as_from_a_frame(tmp_path):
    panel, frame, _ = two_sided(periods=2)
    odd = pd.DataFrame(
        {
            "origin": ["e0", "nowhere", None, "e0", "w0"],
            "destination": ["e1", "w1", "w1", "nowhere", "w1"],
            "period": ["2017-01", "2017-01", "2017-01", None, "2017-02"],
        }
    )
    frame = pd.concat([odd, frame], ignore_index=True)
    frame.to_parquet(tmp_path / "flows.parquet", index=False)
    opened = open_parquet(tmp_path, regions=region_frame(panel), part_cells=200)
    assert opened.account == tl.Panel.from_frame(frame, regions=region_frame(panel)).account
    assert opened.account.stages[0].read_rows == len(frame)
    assert opened.n_cells == panel.n_cells


def test_the_digest_follows_the_content(tmp_path):
    panel, frame, _ = two_sided(periods=2)
    one = stored(panel, tmp_path / "a").digest
    assert stored(panel, tmp_path / "b").digest == one
    frame.loc[5, "trade"] += 1
    changed = tl.Panel.from_frame(frame, regions=region_frame(panel), partners=partner_frame(panel))
    assert stored(changed, tmp_path / "c").digest != one
    assert stored(panel, tmp_path / "b", partners=partner_frame(panel)[1:]).digest != one


def test_memory_does_not_grow_with_the_rows(tmp_path):
    """A panel of ten times the periods takes little more; in memory it would take all of its columns."""
    script = (
        "import resource, sys, tradelift as tl\n"
        "from tradelift.panel.opening import open_parquet\n"
        "panel = open_parquet(sys.argv[1], part_cells=2**15)\n"
        "for controls in ([], ['shock']):\n"
        "    tl.Gravity(treatment='ties', controls=controls, vcov='pair').estimate(panel)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    rng = np.random.default_rng(1)
    n, peaks = 50, []
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    ids = np.array([f"r{code}" for code in range(n)])
    for periods in (30, 300):
        folder = tmp_path / f"{periods}"
        folder.mkdir()
        for t in range(periods):
            flows = {
                "trade": rng.poisson(20.0, len(i)) * 1.0,
                "shock": rng.normal(size=len(i)),
                "ties": (i * j) % 7 / 7,
            }
            keys = {"origin": ids[i], "destination": ids[j], "period": np.full(len(i), t)}
            pq.write_table(pa.table(keys | flows), folder / f"{t}.parquet")
        run = subprocess.run([sys.executable, "-c", script, folder], check=True, capture_output=True, text=True)
        peaks.append(int(run.stdout) / 1024)
    columns = 300 * len(i) * 7 * 8 / 2**20  # four keys and three columns of numbers, in MB
    assert columns > 35
    assert peaks[1] - peaks[0] < 0.4 * columns, peaks


# what cannot be done is refused, and says what to do

LOAD = r"Panel\.from_frame"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vcov": ["origin"]}, r"Clustering by 'origin' needs .* in memory"),
        ({"vcov": "jackknife"}, "'jackknife' needs all cells in memory"),
        ({"vcov": "directed-pair", "correction": "weidner-zylkin"}, "'weidner-zylkin' needs all cells"),
        ({"effects": ["origin^period", "destination^period", "origin^destination"]}, r"effects are origin\^period and"),
        ({"effects": ["origin", "destination"]}, "found origin, destination"),
        ({"effects": []}, "found none"),
        ({"treatment": "distance_km", "controls": [], "by": "period"}, "terms are not the same in all periods"),
    ],
)
def test_designs_that_need_all_cells_are_refused(tmp_path, options, message):
    panel, _, _ = two_sided()
    opened = stored(panel, tmp_path)
    with pytest.raises(DesignError, match=f"{message}.*{LOAD}"):
        tl.Gravity(**options).estimate(opened)


def test_all_cells_at_once_are_refused(tmp_path):
    opened = stored(two_sided()[0], tmp_path)
    for ask in (
        lambda: opened.column("trade"),
        lambda: opened.outcome("trade"),
        opened.to_arrow,
        lambda: opened.pair_of_cell,
        lambda: tl.Gravity().compare(opened),
        lambda: tl.randomize(tl.Gravity(), opened, draws=9, seed=1),
    ):
        with pytest.raises(DesignError, match=f"stay in their files.*{LOAD}"):
            ask()
    with pytest.raises(DesignError, match=r"no column 'trad'.*Did you mean 'trade'"):
        opened.column("trad")


def test_a_treatment_that_the_effects_absorb_is_refused_with_its_reason(tmp_path):
    opened = stored(two_sided()[0], tmp_path)
    with pytest.raises(DesignError, match=r"absorb all variation in 'partner'.*With control types \[2\]") as caught:
        tl.Gravity(control_types=[2]).estimate(opened)
    assert caught.value.dropped["missing"] == 0


def test_a_sample_without_observations_is_refused(tmp_path):
    panel, frame, chosen = two_sided()
    frame["trade"] = np.nan
    panel = tl.Panel.from_frame(
        frame, regions=region_frame(panel), partners=pd.DataFrame(chosen, columns=["east", "west"])
    )
    with pytest.raises(DesignError, match=r"No observation is left: .*missing 576"):
        tl.Gravity().estimate(stored(panel, tmp_path))


def test_negative_flows_are_refused(tmp_path):
    panel, frame, chosen = two_sided()
    frame.loc[3, "trade"] = -1.0
    panel = tl.Panel.from_frame(
        frame, regions=region_frame(panel), partners=pd.DataFrame(chosen, columns=["east", "west"])
    )
    with pytest.raises(DesignError, match="'trade' is negative in 1 cells"):
        tl.Gravity().estimate(stored(panel, tmp_path))


def test_cells_that_stand_twice_are_refused(tmp_path):
    panel, frame, _ = two_sided()
    frame = pd.concat([frame, frame.iloc[[7, 400]]])
    frame.to_parquet(tmp_path / "flows.parquet", index=False)
    first = frame.iloc[7]
    with pytest.raises(DataError, match=f"2 flows stand twice.*{first['origin']} -> {first['destination']} in 2017-01"):
        open_parquet(tmp_path, regions=region_frame(panel), part_cells=200)


def test_a_file_that_was_changed_is_noticed(tmp_path):
    panel, frame, _ = two_sided()
    opened = stored(panel, tmp_path)
    pq.write_table(pa.Table.from_pandas(frame[:10]), tmp_path / "2017-03.parquet")
    with pytest.raises(DataError, match=r"2017-03\.parquet' was changed after the panel was opened"):
        tl.Gravity().estimate(opened)


def test_files_that_are_not_there_or_not_parquet_are_refused(tmp_path):
    with pytest.raises(DataError, match="No Parquet file was found"):
        tl.Panel.from_parquet(tmp_path)
    with pytest.raises(DataError, match="There is no file"):
        tl.Panel.from_parquet([tmp_path / "a.parquet"])
    (tmp_path / "a.parquet").write_text("origin,destination,trade")
    with pytest.raises(DataError, match="is not a Parquet file"):
        tl.Panel.from_parquet(tmp_path)


def test_files_that_differ_are_refused(tmp_path):
    table = pa.table({"origin": ["a"], "destination": ["b"], "trade": [1.0]})
    pq.write_table(table, tmp_path / "a.parquet")
    pq.write_table(table.append_column("deals", pa.array([1])), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"'deals' is in 'a\.parquet' or 'b\.parquet', not in both"):
        tl.Panel.from_parquet(tmp_path)
    pq.write_table(table.set_column(2, "trade", pa.array(["much"])), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"'trade' is text in 'b\.parquet' and numbers in files before it"):
        tl.Panel.from_parquet(tmp_path)


def test_keys_that_are_not_there_are_refused(tmp_path):
    pq.write_table(pa.table({"orgin": ["a"], "destination": ["b"], "trade": [1.0]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"has no column 'origin'.*Did you mean 'orgin'"):
        tl.Panel.from_parquet(tmp_path)


def test_files_without_usable_rows_are_refused(tmp_path):
    table = pa.table({"origin": ["a"], "destination": ["b"], "trade": [1.0]})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"None of the 1 flows is usable.*unknown region: 1"):
        tl.Panel.from_parquet(tmp_path, regions=pd.DataFrame({"region": ["c", "d"]}))
    pq.write_table(table[:0], tmp_path / "a.parquet")
    with pytest.raises(DataError, match="have no rows"):
        tl.Panel.from_parquet(tmp_path)


def test_covariates_of_pairs_that_move_or_are_there_already_are_refused(tmp_path):
    panel, _, _ = two_sided()
    ids = panel.regions.ids
    pairs = pd.DataFrame({"origin": ids[panel.pairs.origin], "destination": ids[panel.pairs.destination]})
    with pytest.raises(DataError, match="already; rename it"):
        stored(panel, tmp_path, pairs=pairs.assign(shock=1.0))
    with pytest.raises(DataError, match="cannot join a stored panel; write them into its files"):
        stored(panel, tmp_path, pairs=pairs.assign(period="2017-01", ties=1.0))
