"""Every test of the solvers runs with the compiled loops and with the plain code that serves without them."""

import pytest

from tradelift.solve import compiled

LOOPS = ["compiled", "plain"] if compiled.loaded() else ["plain"]


@pytest.fixture(autouse=True, params=LOOPS)
def loops(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(compiled, "loaded", lambda: False)
    return request.param
