"""What stands behind the estimate that leads an exhibit of parts."""

from collections.abc import Iterator, Sequence

from tradelift.estimate import Estimate
from tradelift.exhibits.about import about_column
from tradelift.exhibits.spatial import model_label
from tradelift.exhibits.split import Approach
from tradelift.panel import Panel
from tradelift.study import Study


def leading_notes(
    study: Study, panel: Panel, each: Sequence[tuple[str, Approach, Estimate]], lead: Approach, part: str = ""
) -> Iterator[str]:
    """
    Say what stands behind the first direction of the leading approach; nothing where it was not estimated.

    Parameters
    ----------
    study, panel
        Names of columns and directions.
    each
        Direction, approach and estimate.
    lead
        The approach that sentences are about.
    part
        What the line for fixest is estimated on one by one: "category"; empty where it is one regression.
    """
    own = next((e for _, a, e in each if a == lead), None)
    if own is not None:
        yield about_column(panel, own, model_label(study, panel, lead.model), own.formula, own.dropped)
        if part:
            yield f"The line holds for each {part} by itself."
