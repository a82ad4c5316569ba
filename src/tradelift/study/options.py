"""Options of exhibits."""

from collections.abc import Mapping
from typing import Any

from pydantic import PositiveFloat, field_validator

from tradelift.study.part import Part

GRID_KM = (100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0)


class BandwidthOptions(Part):
    """Options of the exhibit `bandwidth`: the bandwidths of its curve."""

    grid_km: tuple[PositiveFloat, ...] = GRID_KM

    @field_validator("grid_km")
    @classmethod
    def _in_order(cls, grid: tuple[float, ...]) -> tuple[float, ...]:
        if not grid:
            msg = "give at least one bandwidth, as [100, 150, 200]"
            raise ValueError(msg)
        return tuple(sorted(set(grid)))


class KnownOptions(Part):
    """Options of exhibits that have some."""

    bandwidth: BandwidthOptions = BandwidthOptions()


def known_options(exhibits: Mapping[str, Any]) -> KnownOptions:
    """Read the options that exhibits have, or their defaults."""
    return KnownOptions.model_validate({n: exhibits[n] for n in KnownOptions.model_fields if _has_options(exhibits, n)})


def check_options(exhibits: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse options that exhibits do not have; pydantic takes the place of each mistake over."""
    known_options(exhibits)
    return exhibits


def _has_options(exhibits: Mapping[str, Any], name: str) -> bool:
    return isinstance(exhibits.get(name), Mapping)
