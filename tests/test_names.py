import pytest

import tradelift as tl


def test_public_names():
    assert tl.__all__ == [
        "ConvergenceError", "DataError", "DesignError", "Estimate", "Gravity", "Matching", "Panel", "SpatialRD", "Study", "StudyError",
        "benjamini_hochberg", "randomize", "read_study", "residual_correlogram", "romano_wolf", "run", "shared_borders", "table",
    ]  # fmt: skip
    assert all(callable(getattr(tl, name)) for name in tl.__all__)
    assert set(tl.__all__) <= set(dir(tl))
    with pytest.raises(AttributeError, match="tradelift has no 'Gravty'"):
        tl.Gravty  # noqa: B018


def test_errors_are_builtins_too():
    assert issubclass(tl.DataError, ValueError)
    assert issubclass(tl.StudyError, ValueError)
    assert issubclass(tl.DesignError, ValueError)
    assert issubclass(tl.ConvergenceError, RuntimeError)
