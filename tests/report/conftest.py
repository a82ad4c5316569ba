import pytest

from tests.exhibits.small import show_all, study, two_sides
from tradelift.report import write_report

PROVENANCE = {"tradelift": "0.1.0", "seed": 7, "packages": {"numpy": "2.4.0"}, "inputs": {"cities.csv": "ab" * 32}}


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """A folder with the report of a two-sided study."""
    folder = tmp_path_factory.mktemp("report")
    about, panel = study(breaks={"covid": "2020-01"}), two_sides()
    shown, absent = show_all(panel, about)
    write_report(folder, study=about, panel=panel, shown=shown, absent=absent, provenance=PROVENANCE)
    return folder
