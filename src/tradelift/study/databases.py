"""Addresses of database tables, as a study gives them in the place of a log's files."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

SCHEMES = ("duckdb", "postgresql", "postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """
    A table of a database.

    Parameters
    ----------
    kind
        "duckdb" or "postgresql".
    table
        Schema and name; the schema is empty where the address gives none.
    name
        The address without a password, for messages.
    url
        What PostgreSQL's library takes.
    file
        Of DuckDB.
    has_password
        Whether the address holds one.
    """

    kind: Literal["duckdb", "postgresql"]
    table: tuple[str, str]
    name: str
    url: str = field(default="", repr=False)
    file: Path | None = None
    has_password: bool = False


def is_database(address: str) -> bool:
    """Whether this is the address of a database, not of a file."""
    scheme, found, _ = address.partition("://")
    return bool(found) and scheme.lower() in SCHEMES


def read_address(address: str) -> Database:
    """
    Read duckdb://orders.duckdb?table=log or postgresql://user@host:5432/shop?table=public.orders.

    Raises
    ------
    ValueError
        If there is no table in it, or it cannot be read; the message holds no password.
    """
    try:
        parts = urlsplit(address)
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        msg = "the address of the database cannot be read; write % as %25, and other signs of a password likewise"
        raise ValueError(msg) from None
    duck = parts.scheme.lower() == "duckdb"
    example = "duckdb://orders.duckdb?table=log" if duck else "postgresql://user@host/shop?table=public.orders"
    schema, _, table = given.pop("table", "").rpartition(".")
    if not table or "." in schema:
        msg = f"the address of the database names no table; write it as {example}"
        raise ValueError(msg)
    ending = "?" + urlencode({"table": f"{schema}.{table}" if schema else table}, safe=".")
    if duck:
        file = unquote(address[len("duckdb://") :].partition("?")[0])
        if not file:
            msg = f"the address of the database names no file; write it as {example}"
            raise ValueError(msg)
        return Database(kind="duckdb", table=(schema, table), name=f"duckdb://{file}{ending}", file=Path(file))
    place = f"[{host}]" if ":" in host else host
    name = f"postgresql://{place}{'' if port is None else f':{port}'}{parts.path}{ending}"
    return Database(
        kind="postgresql",
        table=(schema, table),
        name=name,
        url=urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(given), "")),
        has_password=parts.password is not None or "password" in given,
    )
