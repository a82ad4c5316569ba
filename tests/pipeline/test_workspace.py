"""Results are old or new, whatever ends a run, and what it leaves is cleared up."""

import errno
import os
import signal
import sys

import pytest

from tradelift.errors import DataError
from tradelift.pipeline import atomic, unchanged
from tradelift.pipeline import workspace as workspace_module
from tradelift.pipeline.workspace import MANIFEST, workspace

WATCHED = {workspace_module.__file__, atomic.__file__, unchanged.__file__}
FILES = (MANIFEST, "report.html", "panel/2017-01.parquet")
ALWAYS = "panel/always.parquet"


def write(out, version):
    with workspace(out) as folder:
        (folder / "panel").mkdir()
        for name in reversed(FILES):
            (folder / name).write_text(version)
        (folder / ALWAYS).write_text("the same")


def versions(out):
    """What each file of a folder of results holds, but for the one that is always the same."""
    assert (out / ALWAYS).read_text() == "the same"
    assert {p.name for p in (out / "panel").iterdir()} == {"2017-01.parquet", "always.parquet"}
    return {(out / name).read_text() for name in FILES}


def leftovers(out):
    return [p for p in out.parent.iterdir() if p not in (out, out.parent / f".{out.name}.lock")]


def killed_at(step, out, version):
    """Whether a process that writes new results is killed before it executes so many lines of the workspace."""
    child = os.fork()
    if not child:
        left = step

        def count(frame, event, _argument):
            nonlocal left
            if frame.f_code.co_filename not in WATCHED:
                return None
            left -= event == "line"
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return count

        sys.settrace(count)
        write(out, version)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("can", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_a_run_that_is_killed_at_any_line_leaves_old_results_or_new_ones(tmp_path, monkeypatch, can, there):
    if not can:
        monkeypatch.setattr(workspace_module, "exchange", lambda *_: False)
    out = tmp_path / "out"
    step = 0
    while True:
        if there:
            write(out, "old")
        killed = killed_at(step, out, "new")
        if can or out.exists():  # without an exchange there is a moment between two renames: the next run mends it
            assert not there or out.exists()
            assert not out.exists() or versions(out) in ({"old"}, {"new"})
        with workspace(out) as folder:  # mends before it writes
            assert not there or versions(out) in ({"old"}, {"new"})
            (folder / MANIFEST).write_text("next")
        assert leftovers(out) == []
        write(out, "rerun")
        assert versions(out) == {"rerun"}
        if not killed:
            break
        step += 1
        if not there:
            (out / MANIFEST).unlink()
            for name in (*FILES[1:], ALWAYS):
                (out / name).unlink()
            (out / "panel").rmdir()
            out.rmdir()
    assert step > 30


def test_only_own_leftovers_are_cleared_up(tmp_path):
    others = [
        ".out.new-1",
        ".out.draft-abcdefgh",
        ".out.new-abcdefgh.new-abcdefgh",
        "out.new-abcdefgh",
        ".other.new-abcdefgh",
    ]
    for name in [*others, ".out.new-abcdefgh", ".out.old-abcdefgh"]:
        (tmp_path / name).mkdir()
    (tmp_path / ".out.new-zzzzzzzz").write_text("a file")
    write(tmp_path / "out", "new")
    assert {p.name for p in tmp_path.iterdir()} == {"out", ".out.lock", ".out.new-zzzzzzzz", *others}


def test_leftovers_of_a_run_that_still_works_are_its_own(tmp_path):
    with workspace(tmp_path / "out") as folder:
        with pytest.raises(DataError, match="Another run is writing"):
            write(tmp_path / "out", "second")
        assert folder.is_dir()


def test_two_names_of_one_folder_are_one_lock(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with workspace(tmp_path / "real"), pytest.raises(DataError, match="Another run is writing"):
        write(tmp_path / "link", "second")
    write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert versions(tmp_path / "real") == {"new"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_said_so_and_old_results_stay(tmp_path, number):
    out = tmp_path / "out"
    with (
        pytest.raises(DataError, match=r"(?s)nothing more can be written to .*Make room there.* was not written"),
        workspace(out),
    ):
        raise OSError(number, "no room")
    write(out, "old")
    with pytest.raises(DataError, match="is as it was"), workspace(out):
        raise OSError(number, "no room")
    assert versions(out) == {"old"}
    assert leftovers(out) == []


def test_other_errors_of_the_system_are_not_taken_for_a_full_disk(tmp_path):
    with pytest.raises(PermissionError), workspace(tmp_path / "out"):
        raise PermissionError(errno.EACCES, "no")


def test_exchange_says_what_went_wrong(tmp_path):
    with pytest.raises(FileNotFoundError):
        atomic.exchange(tmp_path / "none", tmp_path)
