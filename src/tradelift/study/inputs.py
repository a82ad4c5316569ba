"""What a study reads: regions, partners, flows or a log, categories, and covariates of pairs."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from tradelift.study.currency import MINOR_DIGITS
from tradelift.study.databases import is_database, read_address
from tradelift.study.part import Part

Period = Literal["month", "quarter", "year"]
PERIOD_FORMS: dict[str, tuple[str, str]] = {
    "month": (r"\d{4}-(0[1-9]|1[0-2])", "2017-01"),
    "quarter": (r"\d{4}-Q[1-4]", "2017-Q1"),
    "year": (r"\d{4}", "2017"),
}


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


def _memory(size: str) -> str:
    if not re.fullmatch(r"[1-9]\d*(\.\d+)? ?(MB|GB|TB|MiB|GiB|TiB)", size):
        msg = f"'{size}' is no size of memory; write it as 2GB"
        raise ValueError(msg)
    return size


SPARK_URL = r"local(\[(\d+|\*)(,\d+)?\])?$|yarn$|(spark|sc|k8s)://."
Label = Annotated[str, BeforeValidator(_label)]
Currency = Annotated[str, AfterValidator(_currency)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
Labels = Annotated[tuple[Label, ...], BeforeValidator(_as_list)]


def _addresses(files: tuple[str, ...]) -> tuple[str, ...]:
    for file in files:
        if is_database(file):
            read_address(file)
    return files


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


class NeighboursInput(Part):
    """Regions that share a border: two columns of regions, or polygons (.geojson) whose property `region` is the id."""

    file: str
    region: str = "region"


class EngineInput(Part):
    """
    What sums the log.

    Parameters
    ----------
    name
        "duckdb", which comes with the program, or "spark".
    memory
        What DuckDB may hold in memory; beyond it, it writes to disk.
    url
        Spark's master, as local[4] or spark://host:7077, or a Spark Connect server, as sc://host:15002.
    settings
        Spark's own settings, as spark.driver.memory.
    """

    name: Literal["duckdb", "spark"] = "duckdb"
    memory: Annotated[str, AfterValidator(_memory)] = "1GB"
    url: str | None = None
    settings: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _of_spark(self) -> Self:
        if self.name != "spark" and (self.url is not None or self.settings):
            msg = "url and settings are Spark's; write name: spark"
            raise ValueError(msg)
        if self.name == "spark" and "memory" in self.model_fields_set:
            msg = "memory is DuckDB's; for Spark set spark.driver.memory and spark.executor.memory under settings"
            raise ValueError(msg)
        if self.url is not None and not re.match(SPARK_URL, self.url):
            msg = (
                f"'{self.url}' is no Spark master or server; write local[4], spark://host:7077, yarn or sc://host:15002"
            )
            raise ValueError(msg)
        for key in self.settings:
            if not key.startswith("spark."):
                msg = f"'{key}' is no setting of Spark; their names begin with spark."
                raise ValueError(msg)
        return self


class Window(Part):
    """First and last period, both inside."""

    from_: Label | None = Field(default=None, alias="from")
    to: Label | None = None


class FlowsInput(Window):
    """
    Flows that are already summed.

    Parameters
    ----------
    by_category
        A second file, of the same flows by category; its columns have the same roles.
    """

    file: str
    by_category: str | None = None
    columns: Mapping[Literal["origin", "destination", "period", "category", "trade", "deals"], str] = {}
    currency: Currency | None = None


class PairsInput(Part):
    """Covariates of pairs; `absent` is the value of pairs that the file does not list."""

    file: str
    columns: Mapping[Literal["origin", "destination", "period"], str] = {}
    absent: float | None = None


class CategoriesInput(Part):
    """One row a product category: its name, whether it is a priority of the programme (1 or 0), and other traits."""

    file: str
    columns: Mapping[Literal["category", "name", "priority"], str] = {}


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
    """A transaction log: Parquet or CSV files, or a table of a database."""

    files: Annotated[Texts, AfterValidator(_addresses)]
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
