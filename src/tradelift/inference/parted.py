"""A design estimated on each part of the flows: by period, quarter, year, category, direction, or around a break."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from tradelift.errors import DataError, DesignError
from tradelift.estimate import Estimate
from tradelift.inference.joint import joint
from tradelift.panel import Panel
from tradelift.panel.cutting import cut_category, cut_periods
from tradelift.panel.goods import goods_panel
from tradelift.panel.period_order import period_position

PARTS = ("period", "quarter", "year", "category", "direction", "break")
BEFORE, AFTER = "before", "from"
MONTH, QUARTER, YEAR = re.compile(r"(\d{4})-(\d{2})"), re.compile(r"(\d{4})-?Q([1-4])"), re.compile(r"\d{4}")


class Partible(Protocol):
    """A frozen design with a direction that can be estimated on any panel."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def direction(self) -> str:
        """In which direction."""
        ...

    def estimate(self, panel: Panel) -> Estimate:
        """Estimate on a panel."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """
    A design on each part of the flows, as one estimate with a joint covariance.

    Every part has effects and controls of its own. Where the effects are by period (and category) anyway, as they
    are by default, this is the regression on all flows in which treatment and controls are split by part; it takes
    as long as one estimate of the whole.

    Parameters
    ----------
    design
        `Gravity`, `SpatialRD`, ...
    by
        "period", "quarter", "year", "category", "direction", or "break" for before and from a period on.
    at
        The first period after the break, as the panel calls it.
    groups
        For by="category": names of groups to the categories whose flows are summed in each; None for every category
        by itself.

    Examples
    --------
    >>> import pandas as pd
    >>> import tradelift as tl
    >>> rows = [(a, b, t, 1.0 + (a < b)) for t in ("2019", "2020") for a in "abcd" for b in "abcd" if a != b]
    >>> flows = pd.DataFrame(rows, columns=["origin", "destination", "period", "trade"])
    >>> partners = pd.DataFrame({"one": ["a", "c"], "other": ["b", "d"]})
    >>> panel = tl.Panel.from_frame(flows, partners=partners)
    >>> Parted(design=tl.Gravity(vcov="pair"), by="year").estimate(panel).treatment
    ('partner[2019]', 'partner[2020]')
    """

    design: Partible
    by: str
    at: str | None = None
    groups: Mapping[str, Sequence[str]] | None = None

    def __post_init__(self) -> None:
        if self.by not in PARTS:
            msg = f"by is one of {', '.join(PARTS)}; found {self.by!r}."
            raise DesignError(msg)
        if (self.at is not None) != (self.by == "break"):
            msg = "by='break' and at, the first period after it, belong together; give both or neither."
            raise DesignError(msg)
        if self.groups is not None and (self.by != "category" or not all(self.groups.values())):
            msg = f"groups are of categories, at least one each, with by='category'; found {self.groups} by {self.by}."
            raise DesignError(msg)

    def estimate(self, panel: Panel) -> Estimate:
        """
        Estimate the design on each part.

        Returns
        -------
        The treatment's terms, as "partner[2019]"; parts that cannot be estimated are named in `diagnostics.notes`.

        Raises
        ------
        DesignError
            If the panel has no such parts, or none of them can be estimated.
        ConvergenceError
            If PPML does not converge.
        """
        found: dict[str, Estimate] = {}
        refused: dict[str, str] = {}
        for name, design, part in self._parts(panel):
            try:
                found[name] = design.estimate(part)
            except DesignError as error:
                refused[name] = str(error)
        if not found:
            reasons = list(dict.fromkeys(refused.values()))
            which = "" if len(reasons) == 1 else f"None of the {len(refused):,} parts by {self.by} can be estimated: "
            msg = f"{which}{reasons[0]}"
            raise DesignError(msg)
        if not any(e.treatment for e in found.values()):
            msg = f"by='{self.by}' compares the effects of a treatment, and this design has none; name one."
            raise DesignError(msg)
        together = joint(found, controls=False)
        notes = [f"Not estimated for {name}: {why}" for name, why in refused.items()]
        first = next(iter(found.values()))
        about = replace(together.diagnostics, notes=(*together.diagnostics.notes, *notes))
        return replace(together, sample=f"{first.sample}, by {self._words()}", formula=first.formula, diagnostics=about)

    def _words(self) -> str:
        return f"break at {self.at}" if self.by == "break" else self.by

    def _parts(self, panel: Panel) -> Iterator[tuple[str, Partible, Panel]]:
        """Name of each part, the design for it, and its panel."""
        if self.by == "direction":
            if panel.regions.sides is None:
                msg = (
                    "by='direction' needs two sides, and this panel has all ordered pairs: give regions a column side."
                )
                raise DesignError(msg)
            for direction in panel.directions[1:]:
                yield direction, replace(self.design, direction=direction), panel
        elif self.by == "category":
            for name, part in categories_of(panel, self.groups):
                yield name, self.design, part
        else:
            for name, (first, last) in periods_by(panel.periods, self.by, self.at).items():
                yield name, self.design, cut_periods(panel, first, last)


def categories_of(panel: Panel, groups: Mapping[str, Sequence[str]] | None = None) -> Iterator[tuple[str, Panel]]:
    """
    Yield the flows of each category, or group of them, as a panel without categories.

    Parameters
    ----------
    panel
        With categories, or with flows by category beside it.
    groups
        As in `Parted`.

    Raises
    ------
    DesignError
        If the panel has no categories, or not those.
    """
    names = panel.categories if panel.goods is None else panel.goods.names
    if names is None:
        msg = "by='category' needs flows by category: name the column of the category when you make the panel."
        raise DesignError(msg)
    for group, members in (groups or {name: [name] for name in names}).items():
        unknown = [member for member in members if member not in names]
        if unknown:
            msg = f"There is no category '{unknown[0]}'; there are {', '.join(names)}."
            raise DesignError(msg)
        codes = [names.index(member) for member in members]
        if panel.goods is not None:
            yield group, goods_panel(panel, codes)
        elif len(codes) == 1:
            yield group, cut_category(panel, codes[0])
        else:
            msg = f"The group '{group}' has flows of several categories, which stand apart here: sum them in the flows."
            raise DesignError(msg)


def periods_by(labels: tuple[str, ...], by: str, at: str | None = None) -> Mapping[str, tuple[int, int]]:
    """
    Part periods that follow each other.

    Parameters
    ----------
    labels
        Of the periods in order: "2017-01", "2017-Q1" or "2017".
    by
        "period", "quarter", "year" or "break".
    at
        The first period after the break.

    Returns
    -------
    By name of the part, the positions of its first and last period.

    Raises
    ------
    DesignError
        If the labels do not tell the quarter, the year or the place of the break, or no periods are on one side of it.
    """
    if by == "break":
        try:
            start = period_position(str(at), labels, end=False, what="The break")
        except DataError as error:
            raise DesignError(str(error)) from None
        if not 0 < start < len(labels):
            msg = (
                f"There is nothing to compare: no period lies {'before' if start <= 0 else 'from'} {at}"
                f"{'' if start <= 0 else ' on'}; the panel has {labels[0]} to {labels[-1]}."
            )
            raise DesignError(msg)
        return {f"{BEFORE} {at}": (0, start - 1), f"{AFTER} {at}": (start, len(labels) - 1)}
    names = [label if by == "period" else _calendar(label, by) for label in labels]
    out: dict[str, tuple[int, int]] = {}
    for t, name in enumerate(names):
        out[name] = (out.get(name, (t, t))[0], t)
    return out


def can_part(labels: tuple[str, ...], by: str) -> bool:
    """Whether the labels of periods tell quarters, or years, and there are fewer of them than periods."""
    try:
        return 1 < len(periods_by(labels, by)) < len(labels)
    except DesignError:
        return False


def _calendar(label: str, by: str) -> str:
    """The quarter or year of a period."""
    month, quarter = MONTH.match(label), QUARTER.fullmatch(label)
    if by == "year" and (month or quarter or YEAR.fullmatch(label)):
        return label[:4]
    if by == "quarter" and month and 1 <= int(month[2]) <= 12:
        return f"{month[1]}-Q{(int(month[2]) + 2) // 3}"
    if by == "quarter" and quarter:
        return f"{quarter[1]}-Q{quarter[2]}"
    example = "2017-01" if by == "year" else "2017-01 or 2017-Q1"
    msg = f"The period '{label}' does not tell its {by}; call periods as {example}, or part by 'period'."
    raise DesignError(msg)
