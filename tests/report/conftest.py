import pytest

from tests.exhibits.small import show_all, study, two_sides
from tradelift.report import write_report

PROVENANCE = {"tradelift": "0.1.0", "seed": 7, "packages": {"numpy": "2.4.0"}, "inputs": {"cities.csv": "ab" * 32}}


@pytest.fixture(scope="session")
def exhibits():
    """A two-sided study, its panel, what its exhibits show, and why others are absent."""
    about, panel = study(breaks={"covid": "2020-01"}), two_sides()
    return about, panel, *show_all(panel, about)


@pytest.fixture(scope="session")
def report(exhibits, tmp_path_factory):
    """A folder with the report of that study."""
    folder = tmp_path_factory.mktemp("report")
    about, panel, shown, absent = exhibits
    write_report(folder, study=about, panel=panel, shown=shown, absent=absent, provenance=PROVENANCE)
    return folder
