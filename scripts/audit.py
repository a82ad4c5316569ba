"""
Look up known vulnerabilities of the pinned dependencies, and say whether a database of advisories was reached.

    python scripts/audit.py [--reach]

pip-audit asks PyPI's advisories, and where they are not to be had those of OSV. Whether they answer is found out with a
release that is known to be vulnerable: a database that does not know it is none, for then no answer would mean
anything. The status is 1 if a pin has a known vulnerability. Where no database is reached nothing was audited: that is
said, and the status is 0, for a change is not worse for want of a network; with --reach, as before a release, it is 3.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PINS = Path(__file__).parents[1] / "constraints.txt"
KNOWN = "jinja2==2.10"  # CVE-2019-10906, CVE-2020-28493, ...
SERVICES = {"pypi": "PyPI's advisories", "osv": "OSV"}
VULNERABLE, UNREACHED = 1, 3


def ask(service: str, pins: Path) -> list[dict[str, Any]] | None:
    """What a service knows of each pin; None where it cannot be asked."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(pins), "--no-deps", "--disable-pip"]
    command += ["-s", service, "-f", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    return found


def reached() -> str | None:
    """Name of the first service that knows what is known."""
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "known.txt"
        probe.write_text(KNOWN)
        return next((s for s in SERVICES if any(pin.get("vulns") for pin in ask(s, probe) or ())), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reach", action="store_true", help="fail where no database of advisories is reached")
    parser.add_argument("--pins", type=Path, default=PINS)
    options = parser.parse_args()
    service = reached()
    found = None if service is None else ask(service, options.pins)
    if service is None or found is None:
        print(
            f"Audit: NO DATABASE OF ADVISORIES WAS REACHED ({' and '.join(SERVICES.values())} do not answer, or do not "
            f"know that {KNOWN} is vulnerable). Nothing was audited; run `make audit` where there is a network."
        )
        raise SystemExit(UNREACHED if options.reach else 0)
    unknown = [f"{pin['name']}: {pin['skip_reason']}" for pin in found if "skip_reason" in pin]
    bad = [
        f"{pin['name']} {pin['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version'}"
        for pin in found
        for flaw in pin.get("vulns", ())
    ]
    print(
        f"Audit: {SERVICES[service]} reached. {len(found)} pins: {len(found) - len(unknown)} audited, "
        f"{len(unknown)} unknown to it; {len(bad)} known vulnerabilities.",
        *unknown, *bad, sep="\n  ",
    )  # fmt: skip
    if bad:
        raise SystemExit(VULNERABLE)


if __name__ == "__main__":
    main()
