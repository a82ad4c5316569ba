"""Options of exhibits."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PositiveFloat, field_validator

from tradelift.study.columns import check_outcome
from tradelift.study.part import Part

GRID_KM = (100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


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


class PlaceboOptions(Part):
    """Options of the exhibit `placebo`: outcomes that partnership cannot move."""

    outcomes: Annotated[tuple[Annotated[str, AfterValidator(check_outcome)], ...], BeforeValidator(_as_list)] = ()


class ConcentrationOptions(Part):
    """Options of the exhibit `concentration`: effects below these do not matter."""

    margin_points: PositiveFloat = 1.0
    margin_percent: PositiveFloat = 5.0


class KnownOptions(Part):
    """Options of exhibits that have some."""

    bandwidth: BandwidthOptions = BandwidthOptions()
    placebo: PlaceboOptions = PlaceboOptions()
    concentration: ConcentrationOptions = ConcentrationOptions()


def known_options(exhibits: Mapping[str, Any]) -> KnownOptions:
    """Read the options that exhibits have, or their defaults."""
    return KnownOptions.model_validate({n: exhibits[n] for n in KnownOptions.model_fields if _has_options(exhibits, n)})


def check_options(exhibits: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse options that exhibits do not have; pydantic takes the place of each mistake over."""
    known_options(exhibits)
    return exhibits


def _has_options(exhibits: Mapping[str, Any], name: str) -> bool:
    return isinstance(exhibits.get(name), Mapping)
