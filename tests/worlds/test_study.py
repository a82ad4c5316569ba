from tradelift.study import read_study
from tradelift.worlds.traits import GAINS


def test_the_study_reads_and_finds_its_files(written):
    study = read_study(written.folder / "study.yaml")
    assert study.name == "East-West partnership and e-commerce (simulated)"
    assert study.seed == 5
    assert study.resolve(study.regions.file).exists()
    assert study.resolve(study.partners.file).exists()
    assert (study.transactions.from_, study.transactions.to) == ("2017-01", "2017-03")
    assert study.label("trade") == "Trade (yuan)"


def test_the_study_asks_for_all_exhibits(written):
    study = read_study(written.folder / "study.yaml")
    assert study.mediators == ("log(migration)", "log(search)")
    assert set(study.traits) == set(GAINS)
    assert study.breaks == {"midyear": "2017-02"}
    assert (study.samples["before_midyear"].from_, study.samples["before_midyear"].to) == (None, "2017-01")
    for source in (study.categories, *study.pairs):
        assert study.resolve(source.file).is_file()


def test_the_study_of_flows(written_flows):
    study = read_study(written_flows.folder / "study.yaml")
    assert study.transactions is None
    assert study.resolve(study.flows.file).is_file()
    assert study.resolve(study.flows.by_category).is_file()
    assert study.breaks == {"covid": "2020-01"}
    assert study.samples["before_covid"].to == "2019-12"


def test_the_study_says_that_its_data_are_simulated(written):
    first = (written.folder / "study.yaml").read_text().splitlines()[0]
    assert first.startswith("# ")
    assert "simulated" in first
