"""Migration as a mechanism: the effect on it, and the effect on trade with it held."""

from tradelift.exhibits.exhibit import Exhibit
from tradelift.exhibits.mechanism import Mechanism
from tradelift.exhibits.mediator_names import migration_mediators

MECHANISM = Mechanism(name="migration", mediators=lambda study, _panel: migration_mediators(study))
EXHIBIT = Exhibit(
    name="migration",
    title="Mechanisms: migration",
    needs=frozenset({"partners", "migration"}),
    plan=MECHANISM.plan,
    show=MECHANISM.show,
)
