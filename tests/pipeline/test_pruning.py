"""Estimates that nobody asks for are forgotten, and nothing else is."""

import logging
import os
import time
from pathlib import Path

import pytest

import tradelift as tl
from tests.designs.panels import two_sided
from tradelift.pipeline.cache import EstimateCache
from tradelift.pipeline.private import private_place
from tradelift.pipeline.pruning import UNUSED_DAYS, Pruned, prune

DAY = 86_400
USED, UNUSED = tl.Gravity(), tl.Gravity(vcov="pair")


@pytest.fixture(scope="module")
def panel():
    return two_sided(seed=3, n_east=6, n_west=7, partners=8)[0]


@pytest.fixture
def kept(tmp_path, panel):
    """Two estimates, of which one was last used long ago; and a file of somebody else."""
    cache = EstimateCache(tmp_path / "kept")
    for task in (UNUSED, USED):
        cache.estimate(task, panel)
        if task is UNUSED:
            for path in pickles(tmp_path / "kept"):
                age(path)
    (tmp_path / "kept" / "notes.txt").write_text("mine")
    age(tmp_path / "kept" / "notes.txt")
    return tmp_path / "kept"


def age(path, days=UNUSED_DAYS + 1):
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def pickles(folder):
    return sorted(Path(folder).rglob("output.pkl"))


def test_what_was_not_used_for_long_is_forgotten_counted_and_logged(kept, panel, caplog):
    size = {p: sum(x.stat().st_size for x in p.parent.iterdir()) for p in pickles(kept)}
    old = min(size, key=lambda p: p.stat().st_atime)
    with caplog.at_level(logging.INFO):
        assert prune(kept) == Pruned(entries=1, size=size[old])
    assert "forgot 1 kept estimates" in caplog.text
    assert set(pickles(kept)) == size.keys() - {old}
    assert (kept / "notes.txt").read_text() == "mine"
    assert prune(kept) == Pruned()
    # what is gone is estimated again, what is there is recalled
    again = EstimateCache(kept)
    assert again.estimate(UNUSED, panel).tidy().equals(UNUSED.estimate(panel).tidy())
    assert again.estimate(USED, panel).tidy().equals(USED.estimate(panel).tidy())


def test_too_much_is_cut_down_to_what_was_used_last(kept):
    newest = max(pickles(kept), key=lambda p: p.stat().st_atime)
    for path in pickles(kept):
        if path != newest:
            age(path, days=1)
    size = sum(x.stat().st_size for x in newest.parent.iterdir())
    assert prune(kept, most=size).entries == 1
    assert pickles(kept) == [newest]


def test_without_a_place_or_key_nothing_happens(tmp_path, monkeypatch, kept):
    assert prune(None) == prune(tmp_path / "nothing") == Pruned()
    assert not (tmp_path / "nothing").exists()
    monkeypatch.setattr("tradelift.pipeline.pruning.private_place", lambda _: None)
    assert prune(kept) == Pruned()


def test_a_place_that_leads_elsewhere_is_left_alone(tmp_path, kept):
    place = private_place(kept)
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    assert prune(kept) == Pruned()
    assert len(pickles(tmp_path / "elsewhere")) == 2


def test_a_run_at_work_misses_nothing(kept, panel):
    """What is forgotten between the moment when it was seen and the moment when it is read is estimated anew."""
    cache = EstimateCache(kept)
    assert (
        len(list(cache.prepare([UNUSED], panel, lambda _done, _total: None))) == 1
    )  # it knows that the estimate is kept
    assert prune(kept).entries == 1
    assert cache.estimate(UNUSED, panel).tidy().equals(UNUSED.estimate(panel).tidy())


@pytest.mark.parametrize("left", ["output.pkl", "metadata.json"])
def test_a_kill_between_two_files_of_an_estimate_leaves_one_that_serves_or_is_estimated_anew(kept, panel, left, caplog):
    for path in pickles(kept):  # joblib removes a folder file by file
        for other in path.parent.iterdir():
            if other.name != left:
                other.unlink()
    assert EstimateCache(kept).estimate(USED, panel).tidy().equals(USED.estimate(panel).tidy())
    assert not caplog.records
    assert prune(kept, days=0).entries == 2
    assert pickles(kept) == []
