"""The audit of dependencies says whether it audited anything; pip-audit is played by a module of the same name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "audit.py"
PLAYED = """
import json, sys
service, pins = sys.argv[sys.argv.index("-s") + 1], open(sys.argv[sys.argv.index("-r") + 1]).read().split()
known = {known}
if service not in known:
    sys.exit({silence!r})
def answer(pin):
    name, version = pin.split("==")
    if name == "private":
        return {{"name": name, "skip_reason": "not found"}}
    flaws = [{{"id": i, "fix_versions": ["9.9"]}} for i in known[service].get(name, ())]
    return {{"name": name, "version": version, "vulns": flaws}}
print(json.dumps({{"dependencies": [answer(pin) for pin in pins], "fixes": []}}))
"""
ALL = {"jinja2": ["PYSEC-1"], "leaky": ["PYSEC-2", "PYSEC-3"]}


def audit(folder, pins, known, *options, silence="no network"):
    package = folder / "pip_audit"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(PLAYED.format(known=known, silence=silence))
    (folder / "pins.txt").write_text("\n".join(pins))
    command = [sys.executable, SCRIPT, "--pins", folder / "pins.txt", *options]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(folder)}
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize("known", [{}, {"pypi": {}, "osv": {"leaky": ["PYSEC-2"]}}])
def test_without_a_database_it_says_that_nothing_was_audited(tmp_path, known):
    """One that does not know what everybody knows is none."""
    status, said = audit(tmp_path, ["leaky==1.0"], known)
    assert status == 0
    assert "NO DATABASE OF ADVISORIES WAS REACHED" in said
    assert "Nothing was audited" in said
    assert audit(tmp_path, ["leaky==1.0"], known, "--reach")[0] == 3


@pytest.mark.parametrize("known", [{"pypi": ALL}, {"osv": ALL}, {"pypi": {}, "osv": ALL}])
def test_a_known_vulnerability_fails(tmp_path, known):
    status, said = audit(tmp_path, ["good==1.0", "leaky==1.0", "private==3"], known)
    assert status == 1
    assert "3 pins: 2 audited, 1 unknown to it; 2 known vulnerabilities" in said
    assert "leaky 1.0: PYSEC-2, mended in 9.9" in said
    assert "private: not found" in said


def test_without_one_it_passes(tmp_path):
    status, said = audit(tmp_path, ["good==1.0"], {"pypi": ALL}, "--reach")
    assert (status, "PyPI's advisories reached. 1 pins: 1 audited" in said) == (0, True)
