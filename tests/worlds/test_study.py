from tradelift.study import read_study


def test_the_study_reads_and_finds_its_files(written):
    study = read_study(written.folder / "study.yaml")
    assert study.name == "East-West partnership and e-commerce (simulated)"
    assert study.seed == 5
    assert study.resolve(study.regions.file).exists()
    assert study.resolve(study.partners.file).exists()
    assert (study.transactions.from_, study.transactions.to) == ("2017-01", "2017-03")
    assert study.label("trade") == "Trade (yuan)"


def test_the_study_says_that_its_data_are_simulated(written):
    first = (written.folder / "study.yaml").read_text().splitlines()[0]
    assert first.startswith("# ")
    assert "simulated" in first
