"""Which mediators of a study an exhibit is about."""

from tradelift.inference.lagged import columns_of
from tradelift.panel import Panel
from tradelift.study import Study

FLIGHTS = "flights"
AWARE = ("search", "aware", "attention")
"""What the names of mediators hold that tell how well buyers know the origin."""


def awareness_mediators(study: Study) -> tuple[str, ...]:
    """The study's mediators that are searches, or awareness or attention otherwise."""
    return tuple(m for m in study.mediators if any(word in m.lower() for word in AWARE))


def migration_mediators(study: Study) -> tuple[str, ...]:
    """The study's other mediators but flights: migration, and what stands beside it."""
    others = awareness_mediators(study)
    return tuple(m for m in study.mediators if m not in others and FLIGHTS not in columns_of(m))


def flight_mediators(study: Study, panel: Panel) -> tuple[str, ...]:
    """The study's mediators that are made of flights; where there is none, the column itself."""
    named = tuple(m for m in study.mediators if FLIGHTS in columns_of(m))
    return named or ((FLIGHTS,) if FLIGHTS in panel.names else ())


def every_mediator(study: Study, panel: Panel) -> tuple[str, ...]:
    """All mediators of the study whose columns the panel has."""
    return tuple(m for m in study.mediators if set(columns_of(m)) <= set(panel.names))
