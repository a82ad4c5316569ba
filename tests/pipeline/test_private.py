"""Kept estimates are pickles; those of others are never read."""

import pickle
import shutil
import stat
from pathlib import Path

import pytest

import tradelift as tl
from tests.designs.panels import two_sided
from tradelift.pipeline.cache import EstimateCache
from tradelift.pipeline.private import private_place


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("a foreign pickle was read",)


@pytest.fixture
def panel():
    return two_sided(seed=3, n_east=6, n_west=7, partners=8)[0]


def test_the_place_is_this_users_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "mine"))
    place = private_place(tmp_path / "cache")
    assert private_place(tmp_path / "cache") == place
    assert private_place(tmp_path / "other").name != place.name
    key = tmp_path / "mine" / "tradelift" / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [p.name for p in key.parent.iterdir()] == ["key"]
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "yours"))
    assert private_place(tmp_path / "cache") != place


def test_without_a_key_nothing_is_kept(tmp_path, monkeypatch, panel):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    assert private_place(tmp_path / "cache") is None
    EstimateCache(tmp_path / "cache").estimate(tl.Gravity(), panel)
    assert not (tmp_path / "cache").exists()


def test_kept_estimates_of_another_are_never_read(tmp_path, monkeypatch, panel):
    """A study comes with a folder of kept estimates whose writer knew every name but ours."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "theirs"))
    EstimateCache(tmp_path / "cache").estimate(tl.Gravity(), panel)
    pickles = list(Path(tmp_path / "cache").rglob("output.pkl"))
    assert pickles
    for path in pickles:
        path.write_bytes(pickle.dumps(Bomb()))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "mine"))
    assert EstimateCache(tmp_path / "cache").estimate(tl.Gravity(), panel).design == "Gravity"
    # moved, not even their own are read
    shutil.move(tmp_path / "cache", tmp_path / "moved")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "theirs"))
    assert EstimateCache(tmp_path / "moved").estimate(tl.Gravity(), panel).design == "Gravity"
