"""What the page's script knows of figures that answer: plain data, which the page holds as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from tradelift.exhibits import CurveFigure, MapFigure

Data = Mapping[str, Any]


def map_data(figure: MapFigure) -> Data:
    """
    Give each place its names, kind and amounts, and each line its ends and amounts.

    Parameters
    ----------
    figure
        Of regions.
    """
    return {
        "kind": "map",
        "kinds": [kind.label for kind in figure.kinds],
        "measures": list(figure.measures),
        "unit": figure.unit,
        "ties": ["partner", "partners"] if all(k.weight is None for k in figure.links) else ["flow", "flows"],
        "places": [[p.name, " / ".join(p.other_names), p.group, p.kind, list(p.amounts)] for p in figure.places],
        "links": [[link.first, link.second, link.kind, list(link.amounts or ())] for link in figure.links],
    }


def curve_data(figure: CurveFigure) -> Data:
    """
    Give each panel of a figure its place among those that are drawn, its points, and what is said of each.

    Parameters
    ----------
    figure
        With a choice to move along.
    """
    panels: dict[tuple[str, str], list[list[Any]]] = {}
    for point in figure.points:
        panels.setdefault((point.row, point.column), []).append([point.x, [list(fact) for fact in point.facts]])
    columns = list(dict.fromkeys(column for _, column in panels))
    drawn = sorted(panels, key=lambda panel: columns.index(panel[1]))  # a column after the other
    return {
        "kind": "curve",
        "choice": figure.choice,
        "unit": figure.unit,
        "start": figure.mark,
        "panels": [
            {
                "row": figure.words.get(row, row),
                "column": figure.words.get(column, column),
                "place": drawn.index((row, column)),
                "points": points,
            }
            for (row, column), points in panels.items()
        ],
    }


def as_json(data: Data) -> str:
    """Write data so that no text in it can end the script element that holds it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
