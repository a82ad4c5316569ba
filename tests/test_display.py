"""Results in a terminal, in a notebook, in a pickle and in pandas."""

import io
import pickle
import re
from html import unescape

import numpy as np
import pandas as pd
import pytest

import tradelift as tl
from tests.designs.panels import two_sided
from tradelift.display import as_html, as_text
from tradelift.exhibits import Shown
from tradelift.inference import Mediation
from tradelift.pipeline import ExhibitResult, Results
from tradelift.pipeline.results import finding_rows


@pytest.fixture(scope="module")
def panel():
    return two_sided(seed=3, n_east=9, n_west=10, partners=14)[0]


@pytest.fixture(scope="module")
def results(panel, tmp_path_factory):
    """One of every kind of result that a user holds in the hand."""
    estimate = tl.Gravity(vcov="pair").estimate(panel)
    estimates = {"main": estimate}
    rows = tuple(finding_rows("gravity", estimates))
    found = ExhibitResult(estimates=estimates, rows=rows, refused={}, shown=Shown(finding="It <rises> by 5%"))
    out = tmp_path_factory.mktemp("a & b")
    return {
        "estimate": estimate,
        "spatial": tl.SpatialRD(bandwidth_km=500).estimate(panel),
        "randomized": tl.randomize(tl.Gravity(), panel, draws=19),
        "mediated": Mediation(design=tl.Gravity(vcov="pair"), mediators=("shock",)).estimate(panel),
        "correlogram": tl.residual_correlogram(panel, bandwidth_km=500),
        "predicted": tl.Gravity(vcov="pair").predict(panel),
        "panel": panel,
        "exhibit": found,
        "results": Results(out=out, panel=panel, exhibits={"gravity": found}, absent={"map": "give <coordinates>"}),
    }


KINDS = ("estimate", "spatial", "randomized", "mediated", "correlogram", "panel", "exhibit", "results", "predicted")


@pytest.mark.parametrize("kind", KINDS)
def test_a_notebook_shows_what_the_terminal_does_escaped(results, kind):
    shown, text = results[kind]._repr_html_(), str(results[kind])
    assert repr(results[kind]) == text
    assert len(shown) < 20_000
    lines = [unescape(line) for part in re.findall(r"<p>(.*?)</p>", shown, re.DOTALL) for line in part.split("<br>")]
    assert lines
    assert set(lines) <= set(text.split("\n"))
    assert not re.search(r"<(?!/?(div|p|br|table|thead|tbody|tr|th|td)\b)", shown)


@pytest.mark.parametrize("kind", KINDS)
def test_results_go_through_pickle_unharmed(results, kind):
    again = pickle.loads(pickle.dumps(results[kind]))
    assert type(again) is type(results[kind])
    assert again._repr_html_() == results[kind]._repr_html_()


@pytest.mark.parametrize("kind", ["estimate", "spatial", "randomized", "mediated", "correlogram"])
def test_results_go_into_pandas(results, kind):
    tidy = results[kind].tidy()
    assert isinstance(tidy, pd.DataFrame)
    assert {"term", "estimate", "p_value", "conf_low", "conf_high"} <= set(tidy)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(results[kind])).tidy(), tidy)


def test_the_table_of_a_notebook_holds_the_numbers(results):
    estimate = results["estimate"]
    (shown,) = pd.read_html(io.StringIO(estimate._repr_html_()), flavor="lxml")
    np.testing.assert_allclose(shown["estimate"], estimate.coefficients, atol=5e-5)
    np.testing.assert_allclose(shown["std_error"], estimate.std_errors, atol=5e-5)


def test_a_panel_says_its_size_and_what_a_design_can_name(panel):
    text = str(panel)
    assert text.startswith("19 regions (9 east, 10 west), ")
    assert f"{len(panel.pairs):,} directed pairs, {panel.n_cells:,} cells, 14 partner pairs" in text
    assert "Columns: " in text
    assert "partner" in text


def test_a_run_says_where_its_report_is_and_what_it_found(results):
    text = str(results["results"])
    assert text.startswith(str(results["results"].out / "report.html"))
    assert "It <rises> by 5%" in text
    assert "map: give <coordinates>" in text
    assert "<rises>" not in results["results"]._repr_html_()


def test_what_is_empty_takes_no_room(panel):
    assert as_text(["a"], pd.DataFrame(), []) == "a"
    assert as_html(["a & b"], pd.DataFrame(), []) == "<div><p>a &amp; b</p></div>"
    alone = tl.Gravity(treatment=None, controls=[]).estimate(panel)
    assert "no terms" in str(alone)
