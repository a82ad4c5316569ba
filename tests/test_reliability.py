"""The page on reliability says what its parts say, and names what there is."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text()


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import reliability
    import reliability_summary

    yield reliability, reliability_summary
    for name in ("reliability", "reliability_summary"):
        sys.modules.pop(name)


def test_the_table_at_the_top_is_that_of_the_parts(scripts, tmp_path):
    reliability, summary = scripts
    for name in ("reliability.md", "scale.md"):
        (tmp_path / name).write_text((ROOT / "docs" / name).read_text())
    copy = tmp_path / "reliability.md"
    faults = re.search(r"<!-- part: faults -->\n(.*?)<!-- end", PAGE, re.DOTALL)[1]
    reliability.write_part("faults", faults, copy)
    assert copy.read_text() == PAGE
    assert summary.NOT_YET not in PAGE
    assert "Not measured yet" not in PAGE
    # another figure is another table
    reliability.write_part("faults", faults.replace("faults injected", "faults injected, **7 faults injected", 1), copy)
    assert copy.read_text().count("7 injected") == 1


def test_what_was_not_measured_is_said_to_be(scripts):
    _, summary = scripts
    nothing = dict.fromkeys(("faults", "fuzz", "scale", "memory", "disclosure", "ids", "same_bytes"), "")
    lines = summary.summary(nothing).splitlines()[2:10]
    assert len(lines) == len(summary.LINES)
    assert all(summary.NOT_YET in line and not re.search(r"\| [\d,]+ ", line) for line in lines)


def test_every_line_has_a_script_and_a_shortened_form(scripts):
    _, summary = scripts
    for line in summary.LINES:
        by, short = (re.findall(r"`([^`]+)`", text) for text in (line.by, line.short))
        assert by
        assert short
        assert all((ROOT / name).is_file() for name in by + short), line.shown
        assert all(name.startswith("tests/") for name in short)


def test_a_page_without_the_marks_is_refused(scripts, tmp_path):
    reliability, _ = scripts
    (tmp_path / "page.md").write_text("nothing")
    with pytest.raises(ValueError, match="has 0 parts named 'faults'"):
        reliability.write_part("faults", "x", tmp_path / "page.md")
