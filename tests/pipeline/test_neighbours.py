"""Regions that share a border come from a table or from polygons."""

import json

import pandas as pd
import pytest

import tradelift as tl
from tests.pipeline.studies import STUDY, write_study
from tradelift.errors import DataError
from tradelift.pipeline.steps import check

BORDERS = [("e0", "e1"), ("w0", "w1")]


def squares():
    """Outlines whose neighbours are those of BORDERS."""
    features = []
    for name, x in (("e0", 110), ("e1", 111), ("e2", 115), ("w0", 100), ("w1", 101)):
        ring = [[x, 30], [x + 1, 30], [x + 1, 31], [x, 31], [x, 30]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"code": name}, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}


def borders_of(panel):
    ids = panel.regions.ids
    return sorted((str(ids[a]), str(ids[b])) for a, b in panel.neighbours)


def test_a_table_and_polygons_give_the_same_borders(tmp_path):
    path = write_study(tmp_path, STUDY + "neighbours: borders.csv\n")
    pd.DataFrame(BORDERS, columns=["one", "other"]).to_csv(tmp_path / "borders.csv", index=False)
    assert borders_of(check(tl.read_study(path))[0]) == BORDERS
    (tmp_path / "map.geojson").write_text(json.dumps(squares()))
    path.write_text(STUDY + "neighbours: {file: map.geojson, region: code}\n")
    assert borders_of(check(tl.read_study(path))[0]) == BORDERS


def test_contiguous_regions_are_estimated_and_their_file_is_hashed(tmp_path):
    path = write_study(tmp_path, STUDY + "neighbours: borders.csv\n")
    pairs = [(f"{side}{i}", f"{side}{i + 1}") for side in "ew" for i in range(4)]
    pd.DataFrame(pairs, columns=["one", "other"]).to_csv(tmp_path / "borders.csv", index=False)
    results = tl.run(tl.read_study(path), tmp_path / "out", only=["rd_alternatives"])
    assert results.estimates["column"].str.contains("contiguous").any()
    assert "borders.csv" in (tmp_path / "out" / "manifest.json").read_text()


@pytest.mark.parametrize("name", ["none.csv", "none.geojson"])
def test_a_file_that_is_not_there(tmp_path, name):
    path = write_study(tmp_path, STUDY + f"neighbours: {name}\n")
    with pytest.raises(DataError, match=r"The neighbours file does not exist: .*none\."):
        check(tl.read_study(path))
