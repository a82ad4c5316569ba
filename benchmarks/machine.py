"""The machine and the libraries that a benchmark ran on, in words."""

import os
import platform
from pathlib import Path

from processes import Setting
from threadpoolctl import threadpool_info


def describe(setting: Setting) -> dict[str, str]:
    """What a reader needs to know to compare the seconds with others."""
    blas = [f"{lib['internal_api']} {lib['version']} ({lib.get('architecture', '?')})" for lib in _blas()]
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "threads given to each package": str(setting.threads),
        "memory": _memory(),
        "system": _system(),
        "Python": platform.python_version(),
        "BLAS of tradelift": ", ".join(sorted(set(blas))) or "?",
        "load before the run": f"{os.getloadavg()[0]:.1f} processes in the last minute",
    }


def _blas() -> list[dict[str, str]]:
    import numpy as np

    np.zeros((2, 2)) @ np.zeros((2, 2))
    return [lib for lib in threadpool_info() if lib["user_api"] == "blas"]


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    fields: dict[str, str] = {}
    for line in info.read_text().splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    model = fields.get("model name", platform.machine())
    number = f", family {fields['cpu family']} model {fields['model']}" if "model" in fields else ""
    return f"{model}{number}"


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return "?"
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _system() -> str:
    release = Path("/etc/os-release")
    if release.exists():
        names = dict(line.split("=", 1) for line in release.read_text().splitlines() if "=" in line)
        name = names.get("PRETTY_NAME", platform.system()).strip('"')
        return f"{name}, {platform.machine()}"
    return f"{platform.system()} {platform.release()}, {platform.machine()}"
