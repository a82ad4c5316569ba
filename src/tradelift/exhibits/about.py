"""What stands behind the column that leads a table: sample, exclusions, errors, and the line for fixest."""

from collections.abc import Iterable, Mapping

from tradelift.designs import Finding
from tradelift.estimate import Estimate
from tradelift.exhibits.labels import direction_label
from tradelift.panel import Panel

STACKED = "SpatialRD"
COMMANDS = {"gaussian": "feols", "poisson": "fepois"}


def about_column(
    panel: Panel, found: Finding, model: str, formula: str, dropped: Mapping[str, int] | None = None
) -> str:
    """
    Say what stands behind a column: sample, what is not used, errors, and the line to paste into fixest.

    Parameters
    ----------
    panel
        Names of directions.
    found
        An estimate, or what was made of one.
    model
        Outcome and estimator in words: "ln(Trade), OLS".
    formula
        As fixest writes it.
    dropped
        Observations of the sample that are not used, by reason.
    """
    lost = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in (dropped or {}).items() if count)
    command = "fepois" if model.endswith("PPML") else "feols"
    where = ", on the rows of the stack with their weights" if found.design == STACKED else ""
    return (
        f"The column that leads: {model}, {direction_label(panel, found.direction)}. Sample: {found.sample}; "
        f"{found.n_obs:,} observations of {found.n_pairs:,} directed pairs{f', not used: {lost}' if lost else ''}. "
        f"Errors: {found.se_type}. In fixest{where}: {command}({formula})."
    )


def fixest_lines(estimates: Iterable[Estimate]) -> list[str]:
    """
    Say the lines to paste into fixest: outcomes with equal right sides stand in one.

    Parameters
    ----------
    estimates
        Of a table, in its order.
    """
    sides: dict[tuple[str, str], dict[str, None]] = {}
    for e in estimates:
        left, right = e.formula.split(" ~ ", 1)
        sides.setdefault((COMMANDS[e.family], right), {})[left] = None
    joined = ((*about, ", ".join(lefts), len(lefts) > 1) for about, lefts in sides.items())
    return [f"{command}({f'c({left})' if many else left} ~ {right})" for command, right, left, many in joined]


def errors_by(kinds: Iterable[tuple[str, str]]) -> str:
    """
    Say which errors there are: "max-two-way", or by what where they differ.

    Parameters
    ----------
    kinds
        The kind of errors, and the design that has it.
    """
    distinct = dict.fromkeys(kinds)
    if len({kind for kind, _ in distinct}) == 1:
        return next(kind for kind, _ in distinct)
    return ", ".join(f"{kind} ({design})" for kind, design in distinct)
