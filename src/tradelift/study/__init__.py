"""The study file: what the user asks, validated and frozen."""

from tradelift.study.currency import MINOR_DIGITS
from tradelift.study.inputs import (
    CategoriesInput,
    Concentration,
    FlowsInput,
    PairsInput,
    PartnersInput,
    RegionsInput,
    TransactionsInput,
)
from tradelift.study.model import Model, Study
from tradelift.study.reading import read_study
from tradelift.study.template import write_template
from tradelift.study.traits import trait_columns

__all__ = [
    "MINOR_DIGITS",
    "CategoriesInput",
    "Concentration",
    "FlowsInput",
    "Model",
    "PairsInput",
    "PartnersInput",
    "RegionsInput",
    "Study",
    "TransactionsInput",
    "read_study",
    "trait_columns",
    "write_template",
]
