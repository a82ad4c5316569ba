import json
from math import log

import pandas as pd
import pytest

from tests.conftest import PROJECT
from tests.test_cli import call


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory):
    """What the command said, and its folder."""
    out = tmp_path_factory.mktemp("demonstration") / "demo"
    return call("demo", "--out", out), out


@pytest.mark.slow
def test_the_demonstration_finds_what_it_simulated(demonstration):
    done, out = demonstration
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(out / "report.html")
    assert "Gravity and spatial RD of trade beside the truth" in done.stderr
    assert done.stderr.count("spatial RD, OLS, logs") == done.stderr.count("gravity, OLS, logs") == 3
    truth = json.loads((out / "world" / "truth.json").read_text())
    manifest = json.loads((out / "manifest.json").read_text())
    assert truth["effects"]["west->east"] == pytest.approx(log(1.1))
    assert 5_000_000 <= truth["read"]["rows"] <= 10_000_000

    # the account is the dirt that was put in, to the row and the fen
    account = pd.read_csv(out / "account.csv").set_index("reason")
    assert {r: t["rows"] for r, t in truth["dirt"].items()} == account["rows"].to_dict()
    for reason, tally in truth["dirt"].items():
        assert round(account.loc[reason, "amount"] * 100) == (tally["amount"] or 0)
    stage = manifest["account"][0]
    assert stage["kept_rows"] == truth["kept"]["rows"]
    assert round(float(stage["kept_amount"]) * 100) == truth["kept"]["amount"]

    # one draw: the estimate is near gravity's limit, by its own error, and not near the causal truth by accident
    estimates = (
        pd.read_csv(out / "estimates.csv")
        .query("exhibit == 'gravity' and term == 'partner' and outcome == 'trade' and se_type == 'dyadic'")
        .set_index("direction")
    )
    limits = {x["direction"]: x["partner"] for x in truth["limits"] if x["outcome"] == "trade"}
    for direction, limit in limits.items():
        assert abs(estimates.loc[direction, "estimate"] - limit) < 3 * estimates.loc[direction, "std_error"]
    assert all(stage["peak_mb"] < 2000 for stage in manifest["stages"].values())

    # the causal answer: each direction within two of its errors of the truth
    rd = pd.read_csv(out / "estimates.csv").query("exhibit == 'spatial_rd' and term == 'partner'").set_index("column")
    for direction, effect in truth["effects"].items():
        row = rd.loc[f"log(trade), OLS, {direction}"]
        assert abs(row["estimate"] - effect) < 2 * row["std_error"]


@pytest.mark.slow
def test_the_demonstration_gives_the_numbers_of_the_page_on_the_paper(demonstration, paper_page):
    _, out = demonstration
    for new, old in zip(paper_page.read(out), paper_page.kept(PROJECT / "docs"), strict=True):
        assert new["what"] == old["what"]
        for name in ("estimate", "low", "high", "truth"):
            # nine digits are kept; PPML stops at 1e-8 of its coefficients
            assert (new[name] == "") == (old[name] == "")
            if new[name]:
                assert float(new[name]) == pytest.approx(float(old[name]), rel=1e-5, abs=1e-7)
