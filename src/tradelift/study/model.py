"""The study as frozen data, with every rule that the file alone can break."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tradelift.study.columns import check_control, check_outcome
from tradelift.study.databases import is_database, read_address
from tradelift.study.inputs import (
    PERIOD_FORMS,
    CategoriesInput,
    EngineInput,
    FlowsInput,
    Label,
    NeighboursInput,
    PairsInput,
    PartnersInput,
    RegionsInput,
    TransactionsInput,
    Window,
)
from tradelift.study.options import check_options, known_options
from tradelift.study.part import Part
from tradelift.study.traits import check_trait, trait_columns

EXHIBITS = (
    "map", "partners", "summary", "partner_shares", "gravity", "balance", "spatial_rd", "bandwidth", "control_types",
    "rd_alternatives", "matching", "placebo", "specifications", "concentration", "categories", "traits", "dynamics",
    "migration", "awareness", "spending", "flights", "magnitude", "inference", "sensitivity", "spillovers",
)  # fmt: skip
"""Every name that `exhibits` may hold; a version of the program need not have them all."""


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    repeated = [name for n, name in enumerate(names) if name in names[:n]]
    if repeated:
        msg = f"'{repeated[0]}' stands twice; name each once"
        raise ValueError(msg)
    return names


def _named(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a study calls by names of its own: they name terms, columns and files."""
    for name in values:
        if not re.fullmatch(r"[^\W\d]\w*", name):
            msg = f"'{name}' is no name; use letters, digits and _, as in gdp_gap"
            raise ValueError(msg)
    return values


def _after(first: str, last: str) -> bool:
    """Whether a window that starts and ends at these labels is empty; to 2019 covers 2019-12."""
    if first.isdigit() and last.isdigit():
        return int(first) > int(last)
    return first > last and not first.startswith(last)


def _options(value: Any) -> Any:
    """Whether an exhibit is wanted, or its options; YAML 1.2 reads `off` as text."""
    if isinstance(value, str) and value.lower() in ("off", "no", "on", "yes"):
        msg = f"write true or false; YAML reads {value} as text"
        raise ValueError(msg)
    if not isinstance(value, (bool, Mapping)):
        msg = f"give true, false or a mapping of options; found '{value}'"
        raise ValueError(msg)  # noqa: TRY004 - pydantic collects ValueError
    return value


Options = Annotated[Any, AfterValidator(_options)]


class Model(Part):
    """Where every exhibit starts."""

    outcomes: tuple[Annotated[str, AfterValidator(check_outcome)], ...] | None = None
    controls: tuple[Annotated[str, AfterValidator(check_control)], ...] | None = None
    bandwidth_km: PositiveFloat = 150.0


def _path_or(key: str, *, many: bool = False) -> BeforeValidator:
    """A bare path stands for the mapping that has only it."""

    def read(value: Any) -> Any:
        if isinstance(value, str):
            return {key: [value] if many else value}
        return value

    return BeforeValidator(read)


class Study(Part):
    """
    What the user wrote in study.yaml.

    Parameters
    ----------
    path, folder
        Where it stands; files are relative to the folder.
    """

    name: str
    question: str | None = None
    seed: NonNegativeInt = 20170101
    regions: Annotated[RegionsInput, _path_or("file")] | None = None
    partners: Annotated[PartnersInput, _path_or("file")] | None = None
    neighbours: Annotated[NeighboursInput, _path_or("file")] | None = None
    transactions: Annotated[TransactionsInput, _path_or("files", many=True)] | None = None
    engine: Annotated[EngineInput, _path_or("name")] = EngineInput()
    flows: Annotated[FlowsInput, _path_or("file")] | None = None
    categories: Annotated[CategoriesInput, _path_or("file")] | None = None
    pairs: tuple[Annotated[PairsInput, _path_or("file")], ...] = ()
    model: Model = Model()
    mediators: Annotated[tuple[Annotated[str, AfterValidator(check_control)], ...], AfterValidator(_distinct)] = ()
    traits: Annotated[Mapping[str, Annotated[str, AfterValidator(check_trait)]], AfterValidator(_named)] = {}
    breaks: Annotated[Mapping[str, Label], AfterValidator(_named)] = {}
    samples: Annotated[Mapping[str, Window], AfterValidator(_named)] = {}
    labels: Mapping[str, str] = {}
    exhibits: Annotated[Mapping[Literal[EXHIBITS], Options], AfterValidator(check_options)] = {}  # type: ignore[valid-type]
    path: Path | None = Field(default=None, exclude=True)
    folder: Path = Field(default=Path(), exclude=True)

    @field_validator("traits")
    @classmethod
    def _of_its_sides(cls, traits: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        regions = info.data.get("regions")
        if regions is None or regions.sides is None:
            return traits
        for name, text in traits.items():
            for column, side in trait_columns(text):
                if side is not None and side not in regions.sides:
                    msg = f"{name}: '{column}[{side}]' is of no side; the sides are {' and '.join(regions.sides)}"
                    raise ValueError(msg)
        return traits

    @field_validator("breaks")
    @classmethod
    def _parting(cls, breaks: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        log = info.data.get("transactions")
        if log is None:
            return breaks
        for name, label in breaks.items():
            form, example = PERIOD_FORMS[log.period]
            if not re.fullmatch(form, label):
                msg = f"{name}: '{label}' is no {log.period}; write it as {example}"
                raise ValueError(msg)
            if (log.from_ is not None and label <= log.from_) or (log.to is not None and label > log.to):
                window = f"{log.from_ or 'the first period'} to {log.to or 'the last'}"
                msg = f"{name}: {label} parts nothing: the first period after a break lies inside the window {window}"
                raise ValueError(msg)
        return breaks

    @field_validator("samples")
    @classmethod
    def _in_order(cls, samples: Mapping[str, Window]) -> Mapping[str, Window]:
        for name, window in samples.items():
            if window.from_ is None and window.to is None:
                msg = f"{name}: give its first period (from), its last (to), or both"
                raise ValueError(msg)
            if window.from_ is not None and window.to is not None and _after(window.from_, window.to):
                msg = f"{name}: from {window.from_} is after to {window.to}"
                raise ValueError(msg)
        return samples

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        if (self.transactions is None) == (self.flows is None):
            found = "both" if self.flows is not None else "neither"
            msg = f"a study has either `transactions` or `flows`; found {found}"
            raise ValueError(msg)
        return self

    @property
    def grid_km(self) -> tuple[float, ...]:
        """Bandwidths of the exhibit `bandwidth`, km."""
        return known_options(self.exhibits).bandwidth.grid_km

    @property
    def placebo_outcomes(self) -> tuple[str, ...]:
        """Outcomes that the exhibit `placebo` looks at beside distance."""
        return known_options(self.exhibits).placebo.outcomes

    @property
    def concentration_margins(self) -> tuple[float, float]:
        """Effects below these do not matter: on ratios in percentage points, on one flow over another in percent."""
        options = known_options(self.exhibits).concentration
        return options.margin_points, options.margin_percent

    def resolve(self, file: str) -> Path:
        """Path of a file that the study names."""
        return self.folder / file

    def label(self, column: str) -> str:
        """What tables and figures call a column."""
        return self.labels.get(column, LABELS.get(column, column))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the study says that does not do what a reader may expect."""
        log = self.transactions
        if log is None:
            return ()
        notes = []
        if "line" not in log.columns:
            notes.append(
                "transactions.columns: without transaction and line ids a duplicate is a row equal in all columns"
            )
        if any(is_database(file) and read_address(file).has_password for file in log.files):
            notes.append(
                "transactions.files: the address holds a password; PGPASSWORD or ~/.pgpass keep it to yourself"
            )
        return tuple(notes)

    def canonical(self) -> dict[str, Any]:
        """The study as plain data, the same for equal studies."""
        return self.model_dump(mode="json", by_alias=True)


LABELS = {
    "trade": "Trade",
    "deals": "Deals",
    "seller_concentration": "Seller concentration (%)",
    "buyer_concentration": "Buyer concentration (%)",
    "seller_concentration_flow": "Seller concentration, ranked in the flow (%)",
    "seller_concentration_city": "Seller concentration, ranked in the city (%)",
    "buyer_concentration_flow": "Buyer concentration, ranked in the flow (%)",
    "buyer_concentration_city": "Buyer concentration, ranked in the city (%)",
    "partner": "Partner pair",
    "distance_km": "Distance (km)",
    "log(distance_km)": "ln(Distance)",
    "domestic": "Within the region",
}
"""Labels of the columns that the program makes itself."""
