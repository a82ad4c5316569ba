"""The study as frozen data, with every rule that the file alone can break."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

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

from tradelift.study.columns import COLUMN, check_outcome
from tradelift.study.currency import MINOR_DIGITS
from tradelift.study.options import check_options, known_options
from tradelift.study.part import Part

EXHIBITS = (
    "partners", "map", "summary", "partner_shares", "gravity", "balance", "spatial_rd", "bandwidth", "control_types",
    "rd_alternatives", "matching", "placebo", "specifications", "concentration", "categories", "traits", "dynamics",
    "migration", "awareness", "spending", "flights", "magnitude", "inference", "sensitivity", "spillovers",
)  # fmt: skip
"""Every name that `exhibits` may hold; a version of the program need not have them all."""

Period = Literal["month", "quarter", "year"]
PERIOD_FORMS: dict[str, tuple[str, str]] = {
    "month": (r"\d{4}-(0[1-9]|1[0-2])", "2017-01"),
    "quarter": (r"\d{4}-Q[1-4]", "2017-Q1"),
    "year": (r"\d{4}", "2017"),
}
CONTROL = re.compile(rf"^(?:{COLUMN}|log\({COLUMN}\))(?::(?:{COLUMN}|log\({COLUMN}\)))*$")


def _label(value: Any) -> Any:
    """A year is a label although YAML reads it as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _currency(code: str) -> str:
    if code not in MINOR_DIGITS:
        msg = f"there is no currency '{code}'; give an ISO 4217 code, such as CNY"
        raise ValueError(msg)
    return code


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        msg = f"there is no time zone '{name}'; give a name such as Asia/Shanghai"
        raise ValueError(msg) from None
    return name


def _control(text: str) -> str:
    if not CONTROL.match(text):
        msg = f"'{text}' is no control; give a column, log(column), or a product x:y of these"
        raise ValueError(msg)
    return text


def _trait(text: str) -> str:
    """Parse an expression; it is never evaluated here."""
    try:
        _check_trait(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError):
        msg = f"'{text}' is no trait; use columns, numbers, log(), + - * / and column[side]"
        raise ValueError(msg) from None
    return text


def _check_trait(node: ast.AST) -> None:
    match node:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right=right):
            _check_trait(left)
            _check_trait(right)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            _check_trait(inner)
        case ast.Call(func=ast.Name(id="log"), args=[inner], keywords=[]):
            _check_trait(inner)
        case ast.Name() | ast.Subscript(value=ast.Name(), slice=ast.Name()):
            pass
        case ast.Constant(value=int() | float()):
            pass
        case _:
            raise ValueError


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
Label = Annotated[str, BeforeValidator(_label)]
Currency = Annotated[str, AfterValidator(_currency)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
Labels = Annotated[tuple[Label, ...], BeforeValidator(_as_list)]


class RegionsInput(Part):
    """One row a region."""

    file: str
    columns: Mapping[Literal["region", "name", "group", "side", "longitude", "latitude", "area_km2"], str] = {}
    sides: tuple[str, str] | None = None
    domestic: bool = False

    @field_validator("sides")
    @classmethod
    def _distinct(cls, sides: tuple[str, str] | None) -> tuple[str, str] | None:
        if sides is not None and sides[0] == sides[1]:
            msg = f"the two sides must differ; found '{sides[0]}' twice"
            raise ValueError(msg)
        return sides


class PartnersInput(Part):
    """Two columns of regions; `start` and `end` of all partnerships where they do not vary."""

    file: str
    columns: Mapping[Literal["start", "end", "dose"], str] = {}
    start: Label | None = None
    end: Label | None = None


class Window(Part):
    """First and last period, both inside."""

    from_: Label | None = Field(default=None, alias="from")
    to: Label | None = None


class FlowsInput(Window):
    """Flows that are already summed."""

    file: str
    columns: Mapping[Literal["origin", "destination", "period", "category", "trade", "deals"], str] = {}
    currency: Currency | None = None


class PairsInput(Part):
    """Covariates of pairs; `absent` is the value of pairs that the file does not list."""

    file: str
    columns: Mapping[Literal["origin", "destination", "period"], str] = {}
    absent: float | None = None


class Concentration(Part):
    """How the concentration ratios rank and cut."""

    share: float = Field(default=0.1, gt=0, lt=1)
    ranking: Literal["flow", "city"] = "flow"
    rounding: Literal["floor", "ceil", "fraction"] = "floor"


LogRole = Literal[
    "time",
    "origin",
    "destination",
    "seller",
    "buyer",
    "transaction",
    "line",
    "amount",
    "currency",
    "category",
    "status",
]


class TransactionsInput(Window):
    """A transaction log: Parquet or CSV files."""

    files: Texts
    columns: Mapping[LogRole, str]
    keep: Mapping[Literal["status"], Labels] = {}
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    currency: Currency
    period: Period = "month"
    concentration: Concentration = Concentration()

    @field_validator("columns")
    @classmethod
    def _complete(cls, columns: Mapping[LogRole, str]) -> Mapping[LogRole, str]:
        lacking = [role for role in ("time", "origin", "destination", "amount") if role not in columns]
        if lacking:
            msg = f"name the columns of {', '.join(lacking)}"
            raise ValueError(msg)
        if "line" in columns and "transaction" not in columns:
            msg = "a line id needs a transaction id beside it"
            raise ValueError(msg)
        return columns

    @field_validator("keep")
    @classmethod
    def _mapped(cls, keep: Mapping[Any, Any], info: ValidationInfo) -> Mapping[Any, Any]:
        if keep and "status" not in info.data.get("columns", {"status": ""}):
            msg = "status is kept by value, but `columns` names no status column"
            raise ValueError(msg)
        return keep

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        form, example = PERIOD_FORMS[self.period]
        for name, label in (("from", self.from_), ("to", self.to)):
            if label is not None and not re.fullmatch(form, label):
                msg = f"{name}: '{label}' is no {self.period}; write it as {example}"
                raise ValueError(msg)
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            msg = f"from {self.from_} is after to {self.to}"
            raise ValueError(msg)
        return self


class Model(Part):
    """Where every exhibit starts."""

    outcomes: tuple[Annotated[str, AfterValidator(check_outcome)], ...] | None = None
    controls: tuple[Annotated[str, AfterValidator(_control)], ...] | None = None
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
    transactions: Annotated[TransactionsInput, _path_or("files", many=True)] | None = None
    flows: Annotated[FlowsInput, _path_or("file")] | None = None
    pairs: tuple[Annotated[PairsInput, _path_or("file")], ...] = ()
    model: Model = Model()
    mediators: tuple[str, ...] = ()
    traits: Mapping[str, Annotated[str, AfterValidator(_trait)]] = {}
    breaks: Mapping[str, Label] = {}
    samples: Mapping[str, Window] = {}
    labels: Mapping[str, str] = {}
    exhibits: Annotated[Mapping[Literal[EXHIBITS], Options], AfterValidator(check_options)] = {}  # type: ignore[valid-type]
    path: Path | None = Field(default=None, exclude=True)
    folder: Path = Field(default=Path(), exclude=True)

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

    def resolve(self, file: str) -> Path:
        """Path of a file that the study names."""
        return self.folder / file

    def label(self, column: str) -> str:
        """What tables and figures call a column."""
        return self.labels.get(column, LABELS.get(column, column))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the study says that does not do what a reader may expect."""
        unused = [key for key in ("mediators", "traits", "breaks", "samples") if getattr(self, key)]
        notes = [f"{key}: read, but no exhibit of this version uses them" for key in unused]
        log = self.transactions
        if log is not None and "line" not in log.columns:
            notes.append(
                "transactions.columns: without transaction and line ids a duplicate is a row equal in all columns"
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
