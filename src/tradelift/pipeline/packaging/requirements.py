"""Versions of what a run stood on, for others to install."""

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import requires, version
from typing import Any

import tradelift
from tradelift.errors import DataError

NAME = "tradelift"


def requirements(manifest: Mapping[str, Any]) -> dict[str, str]:
    """
    List everything that tradelift needs, at the versions of a run.

    Parameters
    ----------
    manifest
        Of the run.

    Returns
    -------
    Name to version, tradelift first.

    Raises
    ------
    DataError
        If this environment is not the one of the run: then nobody knows the versions of the rest.
    """
    now = {"tradelift": tradelift.__version__, "Python": platform.python_version()}
    then = {"tradelift": manifest["tradelift"], "Python": manifest["python"]}
    then |= manifest["packages"]
    now |= {name: version(name) for name in manifest["packages"]}
    changed = [f"{name} {then[name]} then, {now[name]} now" for name in then if then[name] != now[name]]
    if changed:
        msg = f"The run was made with other versions: {'; '.join(changed)}. Run the study again, then package it."
        raise DataError(msg)
    found: dict[str, str] = {}
    _collect(NAME, (), found)
    return {NAME: tradelift.__version__} | {name: found[name] for name in sorted(found)}


def _collect(name: str, extras: Iterable[str], found: dict[str, str]) -> None:
    """Add what a distribution needs here, and what that needs."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    for need in map(Requirement, requires(name) or ()):
        key = canonicalize_name(need.name)
        wanted = need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras))
        if not wanted or key in (NAME, *found):
            continue
        found[key] = version(need.name)
        _collect(need.name, need.extras, found)
