"""Errors of the exhibits that look at parts of the flows, at channels and at money."""

from dataclasses import replace
from typing import TypeVar

from tradelift.designs import Gravity, SpatialRD
from tradelift.designs.terms import choose_family, parse_outcome

D = TypeVar("D", Gravity, SpatialRD)


def careful(design: D, *, stored: bool = False) -> D:
    """
    Give a design the errors whose 95% intervals hold the truth where few flows carry it (decision record 21).

    Max-two-way for gravity, too: dyadic ones subtract the variance of pairs, and may leave too little, or nothing.
    PPML goes through its largest flows, so that its scores are taken as if each pair had not been fitted.

    Parameters
    ----------
    design
        With the errors of its class.
    stored
        Whether the panel stays in its files, so that no pair can be taken out of its fit.
    """
    scheme = replace(design, vcov="max-two-way")
    is_ppml = choose_family(parse_outcome(design.outcome), design.family) == "poisson"
    return replace(scheme, correction="leverage") if is_ppml and not stored else scheme
