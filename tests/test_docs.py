"""The pages of docs/: their code runs and prints what they say, and their tables are what the scripts make."""

import doctest
import importlib
import re
import sys

import pytest

import tradelift as tl
from tests.conftest import PROJECT
from tradelift.designs.spatial.cities import distances_km
from tradelift.worlds.affinity_panels import AffinityWorld, draw_affinity_world

DOCS = PROJECT / "docs"
PAGES = ("spatial-rd.md", "papers.md")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def code(name, language):
    """The blocks of a page in a language, one after the other."""
    text = (DOCS / name).read_text(encoding="utf-8")
    return [block for kind, block in FENCE.findall(text) if kind == language]


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(PROJECT / "scripts"))
    yield importlib.import_module("spatial_rd_page")
    sys.path.remove(str(PROJECT / "scripts"))
    del sys.modules["spatial_rd_page"]


@pytest.fixture(scope="module")
def worlds(script):
    return [draw_affinity_world(AffinityWorld(length_km=km), script.SEED) for km in (500.0, 250.0)]


@pytest.mark.parametrize("name", PAGES)
def test_the_code_of_a_page_prints_what_it_says(name):
    blocks = code(name, "python")
    assert blocks
    found = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, name, name, 0)
    assert len(found.examples) >= len(blocks)
    said = []
    doctest.DocTestRunner(optionflags=FLAGS).run(found, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("name", PAGES)
def test_the_studies_of_a_page_are_read(name, tmp_path):
    for block in code(name, "yaml"):
        (tmp_path / "study.yaml").write_text(block, encoding="utf-8")
        assert tl.read_study(tmp_path / "study.yaml").model.bandwidth_km == 150


@pytest.mark.parametrize("name", PAGES)
def test_the_links_of_a_page_lead_somewhere(name):
    links = LINK.findall((DOCS / name).read_text(encoding="utf-8"))
    assert links
    assert not [link for link in links if not (DOCS / link).is_file()]


def test_the_reference_names_all_that_the_package_offers():
    named = re.findall(r"auto\w+:: tradelift\.(\w+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(tl.__all__)


@pytest.mark.parametrize("name", tl.__all__)
def test_examples_of_docstrings_run(name):
    finder, said = doctest.DocTestFinder(), []
    for found in finder.find(getattr(tl, name), name, module=False, globs={}):
        doctest.DocTestRunner(optionflags=FLAGS).run(found, out=said.append)
    assert not said, "".join(said)


def test_the_tables_of_the_spatial_page_are_what_the_script_makes(script, worlds):
    text = (DOCS / "spatial-rd.md").read_text(encoding="utf-8")
    assert script.filled(text, script.blocks(*worlds, DOCS / "simulations")) == text


def test_a_block_without_a_place_is_refused(script):
    with pytest.raises(ValueError, match="The page has places for near; there are far"):
        script.filled("<!-- near -->\n<!-- end -->\n", {"far": "x"})
    assert script.filled("a\n<!-- near -->\nold\n<!-- end -->\nb", {"near": "new"}) == (
        "a\n<!-- near -->\nnew\n<!-- end -->\nb"
    )


def test_affinity_is_near_where_cities_are(script, worlds):
    """By loops over pairs, for the first of the bins."""
    for draw in worlds:
        means = script.affinity_gaps(draw)
        values = [gap for gap, _ in means.values()]
        assert values[1:-1] == sorted(values[1:-1], reverse=True)
        assert abs(values[0]) < 0.1 * abs(values[-1])
        field = draw.affinity
        net = field - field.mean(axis=0) - field.mean(axis=1, keepdims=True) + field.mean()
        n_east, n_west = draw.partner.shape
        km = distances_km(draw.panel)
        near = []
        for e, w in zip(*draw.partner.nonzero(), strict=True):
            west = [k for k in range(n_west) if not draw.partner[e, k] and 0 < km[n_east + w, n_east + k] <= 50]
            east = [k for k in range(n_east) if not draw.partner[k, w] and 0 < km[e, k] <= 50]
            near += [net[e, k] - net[e, w] for k in west] + [net[k, w] - net[e, w] for k in east]
        assert means["0 to 50 km"] == (pytest.approx(sum(near) / len(near)), len(near))


def test_the_figures_show_every_row_of_the_tables(script, worlds):
    near, bandwidth = script.figures(*worlds)
    assert len(near.intervals) == 2 * len(script.EDGES_KM)
    assert len(bandwidth.intervals) == len(script.GRID_KM) * len(script.TERMS)
    assert all(i.low < i.value < i.high for i in bandwidth.intervals)
    for figure in (near, bandwidth):
        assert (DOCS / "images" / f"{figure.name}.svg").is_file()
