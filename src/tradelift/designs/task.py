"""Tasks: anything frozen that can be estimated, what it gives, and the text that identifies it."""

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol

from tradelift.panel import Panel

if TYPE_CHECKING:
    import pandas as pd


class Finding(Protocol):
    """What a task gives: an `Estimate`, or what names its sample and lists its terms as one does."""

    @property
    def design(self) -> str:
        """What was estimated."""
        ...

    @property
    def outcome(self) -> str:
        """Of what."""
        ...

    @property
    def direction(self) -> str:
        """In which direction."""
        ...

    @property
    def sample(self) -> str:
        """On which pairs."""
        ...

    @property
    def se_type(self) -> str:
        """What the intervals stand on."""
        ...

    @property
    def n_obs(self) -> int:
        """Observations used."""
        ...

    @property
    def n_pairs(self) -> int:
        """Directed pairs used."""
        ...

    def tidy(self) -> "pd.DataFrame":
        """One row a term: term, estimate, statistic, p_value, conf_low, conf_high; std_error where there is one."""
        ...


def records(found: Finding) -> list[dict[str, Any]]:
    """
    List the rows of `tidy` of a finding, one record a term.

    Parameters
    ----------
    found
        Where it lists them by itself, no frame is made: a report reads thousands.
    """
    own = getattr(found, "records", None)
    return list(own() if own is not None else found.tidy().to_dict("records"))


class Task(Protocol):
    """What an exhibit plans and the pipeline estimates once: a frozen dataclass with `.estimate(panel)`."""

    def estimate(self, panel: Panel) -> Finding:
        """Estimate on a panel."""
        ...


def task_json(task: Any) -> str:
    """
    Write a task as canonical JSON: equal tasks give equal texts, in any process.

    Parameters
    ----------
    task
        A frozen dataclass of numbers, texts, tuples, mappings and other such dataclasses.
    """
    return json.dumps(_plain(task), sort_keys=True, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        kind = type(value)
        return {"task": f"{kind.__module__}.{kind.__qualname__}"} | {
            f.name: _plain(getattr(value, f.name)) for f in fields(value)
        }
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(v) for v in value)
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
