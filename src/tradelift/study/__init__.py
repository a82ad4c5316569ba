"""The study file: what the user asks, validated and frozen."""

from tradelift.study.currency import MINOR_DIGITS
from tradelift.study.model import (
    Concentration,
    FlowsInput,
    Model,
    PairsInput,
    PartnersInput,
    RegionsInput,
    Study,
    TransactionsInput,
)
from tradelift.study.reading import read_study
from tradelift.study.template import write_template

__all__ = [
    "MINOR_DIGITS",
    "Concentration",
    "FlowsInput",
    "Model",
    "PairsInput",
    "PartnersInput",
    "RegionsInput",
    "Study",
    "TransactionsInput",
    "read_study",
    "write_template",
]
