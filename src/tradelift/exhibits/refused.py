"""What could not be estimated, where many columns share a design and with it a reason."""

from collections.abc import Mapping
from dataclasses import replace

from tradelift.exhibits.exhibit import Explain
from tradelift.exhibits.shown import Shown
from tradelift.panel import Panel
from tradelift.study import Study


def told_once(parts: int) -> Explain:
    """
    Make the `explain` of an exhibit that says one reason a design, instead of one for each of its columns.

    Parameters
    ----------
    parts
        Of a column's name, separated by commas, that do not tell designs apart: outcome, estimator, direction.

    Returns
    -------
    Puts behind the sentences one for each design that was refused: its columns, and the first reason.
    """

    def explain(_study: Study, _panel: Panel, shown: Shown, refused: Mapping[str, str]) -> Shown:
        columns: dict[str, list[str]] = {}
        for key in refused:
            columns.setdefault(_design(key, parts), []).append(key)
        said = []
        for design, own in columns.items():
            what = "; ".join(key[len(design) + 2 :] for key in own)
            more = " Reasons of the others: manifest.json." if len({refused[key] for key in own}) > 1 else ""
            said.append(f"Not estimated: {design} ({what}): {refused[own[0]]}{more}")
        return replace(shown, sentences=(*shown.sentences, *said))

    return explain


def _design(key: str, parts: int) -> str:
    return key.rsplit(", ", parts)[0]
