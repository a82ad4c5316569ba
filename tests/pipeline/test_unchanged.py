"""Results that come out as they were stay the files that they were."""

import os

import pytest

from tests.pipeline.studies import write_study
from tradelift.pipeline import build_panel, unchanged
from tradelift.pipeline.unchanged import keep_unchanged
from tradelift.study import read_study

LONG_AGO = 1_000_000_000


def identity(folder):
    """What tells whether a file was written to: its inode and its time of change, by name."""
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in folder.iterdir()}


def test_a_new_month_touches_one_file_of_the_panel(tmp_path):
    out = tmp_path / "out"
    build_panel(read_study(write_study(tmp_path / "study", periods=2)), out)
    before = identity(out / "panel")
    content = {p.name: p.read_bytes() for p in (out / "panel").iterdir()}
    build_panel(read_study(write_study(tmp_path / "study", periods=3)), out)
    after = identity(out / "panel")
    assert after.keys() - before.keys() == {"2017-03.parquet"}
    assert {name: after[name] for name in before} == before
    assert {name: (out / "panel" / name).read_bytes() for name in content} == content
    assert {p.stat().st_nlink for p in (out / "panel").iterdir()} == {1}
    # other numbers are other files
    build_panel(read_study(write_study(tmp_path / "study", periods=3, seed=2)), out)
    assert not identity(out / "panel").items() & after.items()


def lay_out(folder, **files):
    """A folder of results: names of the files of its panel, and what they hold."""
    (folder / "panel").mkdir(parents=True)
    for name, text in files.items():
        (folder / "panel" / name).write_text(text)
        os.utime(folder / "panel" / name, (LONG_AGO, LONG_AGO))
    return folder


def test_only_equal_bytes_are_kept_and_the_old_folder_stays_as_it_is(tmp_path):
    old = lay_out(tmp_path / "old", same="a", other="b", gone="c")
    new = lay_out(tmp_path / "new", same="a", other="B", fresh="d")
    (new / "panel" / "same").touch()
    assert keep_unchanged(new, old, ("panel", "absent")) == 1
    assert identity(new / "panel")["same"] == identity(old / "panel")["same"]
    assert {p.name: p.read_text() for p in (new / "panel").iterdir()} == {"same": "a", "other": "B", "fresh": "d"}
    assert {p.name: p.read_text() for p in (old / "panel").iterdir()} == {"same": "a", "other": "b", "gone": "c"}


def test_links_are_not_followed(tmp_path):
    old = lay_out(tmp_path / "old")
    new = lay_out(tmp_path / "new", same="a")
    (tmp_path / "elsewhere").write_text("a")
    (old / "panel" / "same").symlink_to(tmp_path / "elsewhere")
    assert keep_unchanged(new, old, ("panel",)) == 0
    (old / "panel" / "same").unlink()
    (old / "panel").rmdir()
    (old / "panel").symlink_to(lay_out(tmp_path / "other", same="a") / "panel")
    assert keep_unchanged(new, old, ("panel",)) == 0
    assert not (new / "panel" / "same").is_symlink()


@pytest.mark.parametrize("fails", ["link", "second look"])
def test_where_there_are_no_hard_links_or_a_file_is_written_to_the_new_one_stays(tmp_path, monkeypatch, fails):
    old, new = lay_out(tmp_path / "old", same="a"), lay_out(tmp_path / "new", same="a")
    if fails == "link":
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(PermissionError()))
    else:
        answers = iter([True, False])
        monkeypatch.setattr(unchanged.filecmp, "cmp", lambda *_, **__: next(answers))
    assert keep_unchanged(new, old, ("panel",)) == 0
    assert identity(new / "panel").keys() == {"same"}
    assert (new / "panel" / "same").stat().st_ino != (old / "panel" / "same").stat().st_ino
