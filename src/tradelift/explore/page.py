"""What the notebook shows, as HTML."""

import time
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from threading import Lock
from typing import Any

from tradelift.errors import ConvergenceError, DesignError
from tradelift.exhibits.gravity import Model
from tradelift.exhibits.spatial import leading
from tradelift.explore import views
from tradelift.explore.choices import AS_REPORTED, SPATIAL_RD, Choice, usual_errors
from tradelift.explore.session import Session
from tradelift.report.svg import FONT

STYLE = (
    "<style>.tl-answer{font-size:1.5rem;font-weight:600;margin:.3rem 0}.tl-note{color:#5b6770;margin:.3rem 0}"
    ".scroll{overflow-x:auto}.scroll table{border-collapse:collapse}.scroll caption{text-align:left;color:#5b6770;"
    "font-family:monospace;padding:.4rem 0}.scroll th,.scroll td{padding:.2rem .8rem;text-align:right;"
    "border-bottom:1px solid #e3e7ea}.scroll th:first-child,.scroll td:first-child{text-align:left}"
    f"svg{{font-family:{FONT};max-width:100%;height:auto}}"
    ".tl-beside{display:grid;grid-template-columns:3fr 2fr;gap:2rem}"
    ".tl-beside>div{min-width:0}@media(max-width:40rem){.tl-beside{grid-template-columns:1fr;gap:1rem}}</style>"
)


_TAKING = Lock()


class Page:
    """
    The page of one finished run.

    Parameters
    ----------
    session
        What it is about.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._maps: dict[tuple[object, ...], str] = {}

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> "Page":
        """Show the run that the command opens, on one page for all who look at it."""
        with _TAKING:
            return _taken(Path(str(arguments["session"])))

    @property
    def title(self) -> str:
        """Of the study."""
        return self.session.study.name

    @property
    def first_model(self) -> str | None:
        """The label of the outcome that leads the report."""
        lead = leading(tuple(self.session.choices.models.values()))
        return next((words for words, model in self.session.choices.models.items() if model == lead), None)

    @property
    def first_errors(self) -> str:
        """Those of the report."""
        return self.session.choices.errors[0]

    def begin(self) -> None:
        """Make what is looked at first, and so load what making it needs."""
        choices = self.session.choices
        if self.first_model is None:
            return
        first = self.choice(
            design=choices.designs[0],
            model=choices.models[self.first_model],
            direction=next(iter(choices.directions.values())),
            bandwidth_km=choices.bandwidth_km,
            control_types=(),
            vcov=self.first_errors,
        )
        for make in (self.answer, self.curve, self.map):
            make(first)

    def has_bandwidth(self, design: str) -> bool:
        """Whether a design compares within a bandwidth."""
        return design == SPATIAL_RD

    def choice(
        self, *, design: str, model: Model, direction: str, bandwidth_km: float, control_types: Sequence[int], vcov: str
    ) -> Choice:
        """Take the values of the controls together; without a kind of control pair all are meant."""
        kinds = tuple(sorted(control_types)) or tuple(self.session.choices.control_types.values()) or (1, 2, 3, 4)
        return Choice(
            design=design,
            model=model,
            direction=direction,
            bandwidth_km=float(bandwidth_km),
            control_types=kinds,
            vcov=usual_errors(design) if vcov == AS_REPORTED else vcov,
        )

    def answer(self, choice: Choice) -> str:
        """The effect, its table and its sample; or why there is none."""
        start = time.perf_counter()
        self.session.begin(choice)
        try:
            found = self.session.estimate(choice)
            body = (
                f'<p class="tl-answer" data-testid="answer">{escape(views.headline(self.session, found))}</p>'
                f"{views.table(self.session, found)}"
                f'<p class="tl-note">{escape(views.facts(found))}</p>'
            )
        except (DesignError, ConvergenceError) as error:
            body = (
                '<p class="tl-answer" data-testid="answer">Not estimated</p>'
                f'<p class="tl-note">{escape(str(error))}</p>'
            )
        seconds = time.perf_counter() - start
        return f'{STYLE}{body}<p class="tl-note">{seconds:.2f} s</p>'

    def map(self, choice: Choice) -> str:
        """Who is compared; nothing where nobody is."""
        which = choice.design, choice.direction, choice.bandwidth_km, choice.control_types  # who, not what
        if which not in self._maps:
            try:
                self._maps[which] = views.map_of(self.session, choice)
            except DesignError:
                self._maps[which] = ""
        return self._maps[which]

    def curve(self, choice: Choice) -> str:
        """What is known of the curve over bandwidths, or of gravity over time; nothing where there is none."""
        try:
            return views.curve(self.session, choice)
        except (DesignError, ConvergenceError):
            return ""

    def beside(self, answer: str, curve: str) -> str:
        """Put the curve beside the answer, or below it where the page is narrow."""
        return f'<div class="tl-beside"><div>{answer}</div><div>{curve}</div></div>'

    def is_whole(self, choice: Choice) -> bool:
        """Whether the curve has all its points."""
        return not self.session.left(choice)

    def begin_beside(self) -> None:
        """Start processes that estimate, too, once the first view is there."""
        self.session.begin_beside()

    def extend(self, choice: Choice) -> bool:
        """Estimate one more point of the curve, or more; False where none is left."""
        return self.session.extend(choice)

    def prepare(self, choice: Choice) -> bool:
        """Estimate one more of what may be chosen next; False where all is known."""
        return self.session.prepare(choice)


@cache
def _taken(place: Path) -> Page:
    page = Page(Session.take_over(place))
    page.begin()
    return page
