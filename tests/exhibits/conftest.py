import pytest

from tests.exhibits.small import study, two_sides
from tradelift.exhibits import EXHIBITS


@pytest.fixture(scope="session")
def panel():
    return two_sides()


@pytest.fixture(scope="session")
def results(panel):
    """What the exhibit gravity plans, estimated."""
    return {key: task.estimate(panel) for key, task in EXHIBITS["gravity"].plan(study(), panel).items()}
