"""Awareness as a mechanism: the effect on searches, and the effect on trade with them held."""

from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.mechanism import Mechanism
from tradelift.exhibits.mediator_names import awareness_mediators

MECHANISM = Mechanism(name="awareness", mediators=lambda study, _panel: awareness_mediators(study))
EXHIBIT = Exhibit(
    name="awareness",
    title="Mechanisms: awareness",
    needs=frozenset({"partners", "awareness"}),
    plan=MECHANISM.plan,
    show=MECHANISM.show,
)
