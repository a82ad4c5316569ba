"""What is measured: the panels, the estimates on them, who takes part, and what tradelift must reach."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

TWO_WAY = ("origin_period", "destination_period")
THREE_WAY = (*TWO_WAY, "route")
FIXED = ("partner", "log_distance")
OURS = ("tradelift", "tradelift-frame")  # from a panel that is built, and from the frame
ALWAYS = 1_000  # as often as the run repeats
USUAL = dict.fromkeys((*OURS, "fereg", "pyfixest-rust", "pyfixest-numba", "fixest"), ALWAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """
    What a panel looks like: 87 x 110 cities, both directions.

    Parameters
    ----------
    months, categories
        Cells of a directed pair: months times categories.
    missing
        Share of the cells that are not in the panel.
    moving
        Whether it has a regressor that moves in time.
    staggered
        Whether partnerships start in different months rather than before the first.
    """

    months: int
    categories: int = 1
    missing: float = 0.0
    moving: bool = False
    staggered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """
    One estimate on one panel.

    Parameters
    ----------
    name, title
        For the command line and for the table.
    shape
        The panel; `warm` is the small one that each package sees first.
    family
        "poisson" on the flows, or "gaussian" on the logs of the positive ones.
    regressors, effects
        Columns of the panel.
    tools
        Who takes part, and how often at most: what takes a minute is not repeated.
    reference
        Whose digits the others are compared with; None where there is nothing to compare.
    target, target_frame, target_fixest, target_fixest_frame
        How many times faster than the fastest Python package, and than fixest, from the panel and from the frame.
    draws
        Of randomization inference, 0 for none.
    fresh
        Whether each repetition is the first estimate of a new process, imports included.
    note
        What a reader of its table must know.
    """

    name: str
    title: str
    shape: Shape
    warm: Shape = Shape(months=3)
    family: str = "poisson"
    regressors: tuple[str, ...] = FIXED
    effects: tuple[str, ...] = TWO_WAY
    tools: Mapping[str, int] = field(default_factory=lambda: USUAL)
    reference: str | None = "reference"
    target: float | None = None
    target_frame: float | None = None
    target_fixest: float | None = None
    target_fixest_frame: float | None = None
    draws: int = 0
    fresh: bool = False
    note: str = ""


PAPER = Shape(months=60)

WORKS = (
    Work(
        name="two-way", title="PPML two-way, complete", shape=PAPER,
        tools=USUAL | {"pyfixest-jax": 2, "pyfixest-within": 1, "econhdfe": 1},
        target=20, target_frame=12, target_fixest=40, target_fixest_frame=25,
    ),
    Work(
        name="missing", title="PPML two-way, 3% of cells missing", shape=Shape(months=60, missing=0.03),
        target=8, target_fixest=15,
    ),
    Work(
        name="moving", title="PPML two-way, a moving regressor", shape=Shape(months=60, moving=True),
        warm=Shape(months=3, moving=True), regressors=(*FIXED, "x"), target=8, target_fixest=15,
    ),
    Work(
        name="three-way", title="PPML three-way", shape=Shape(months=60, moving=True, staggered=True),
        warm=Shape(months=3, moving=True, staggered=True), regressors=("partner", "x"), effects=THREE_WAY,
        tools=USUAL | {"pyfixest-jax": 2}, target=10, target_fixest=20,
        note="Effects of origin-month, destination-month and directed pair; partnerships start in different months.",
    ),
    Work(
        name="ols", title="OLS two-way, log of positive flows", shape=PAPER, family="gaussian",
        tools=USUAL | {"pyfixest-jax": 2, "linearmodels": 3, "econhdfe": 3}, target=6, target_fixest=12,
    ),
    Work(
        name="randomization", title="1,000 randomization draws, OLS", shape=PAPER, family="gaussian", draws=1_000,
        tools={"tradelift": ALWAYS, "fereg": ALWAYS, "pyfixest-rust": 2, "pyfixest-numba": 2}, reference=None,
        target=200,
        note="A package's loop is timed on 5 refits and multiplied by 200. tradelift's seconds are those of "
        "`tl.randomize`: the estimate, 1,000 draws, the p-value and the inverted interval.",
    ),
    Work(
        name="categories", title="PPML two-way in each of 20 categories, 3 months",
        shape=Shape(months=3, categories=20), warm=Shape(months=1, categories=3),
    ),
    Work(
        name="tenfold", title="PPML two-way, complete, ten times the rows", shape=Shape(months=600),
        tools={"tradelift": ALWAYS, "tradelift-frame": ALWAYS, "fereg": 2, "fixest": 2}, reference="fereg",
        note="Digits are beside fereg's.",
    ),
    Work(
        name="month", title="PPML two-way, one month (19,140 rows)", shape=Shape(months=1), warm=Shape(months=1),
        tools=USUAL | {"fasthdfe": 1},
        note="For a package that takes minutes at the full size.",
    ),
    Work(
        name="first", title="First estimate in a fresh process, imports included", shape=PAPER, fresh=True,
        tools={"tradelift-frame": 3, "fereg": 3, "pyfixest-rust": 3, "pyfixest-numba": 2, "fixest": 3}, reference=None,
        note="From the start of the process to the estimate, less the reading of the data; no code compiled before.",
    ),
)  # fmt: skip


def shrink(work: Work) -> Work:
    """The same work on its small panel, for a run that only shows that everything works."""
    return replace(work, shape=replace(work.warm, missing=work.shape.missing))
