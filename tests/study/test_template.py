"""The sample study names every key that a study may have."""

import re
from importlib.resources import files

import pytest
from pydantic import BaseModel

from tradelift.study import Study, options
from tradelift.study import inputs as parts

TEXT = (files("tradelift.study") / "template.yaml").read_text(encoding="utf-8")
OWN = ("path", "folder")  # where the study was read from: no keys


def keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items() if name not in OWN]


def models() -> list[type[BaseModel]]:
    every = [x for module in (parts, options) for x in vars(module).values() if isinstance(x, type)]
    return [Study, Study.model_fields["model"].annotation, *(x for x in every if issubclass(x, BaseModel))]


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_key_is_named(model):
    assert not [key for key in keys(model) if not re.search(rf"\b{key}\b", TEXT)]


def test_a_key_that_is_not_there_would_be_found():
    assert not re.search(r"\bmargin_pints\b", TEXT)
    assert {"margin_points", "margin_percent", "grid_km"} <= {key for model in models() for key in keys(model)}
