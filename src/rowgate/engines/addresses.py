"""Which engine serves an address; its driver is loaded only then, and named in one line where it is missing."""

import re
from collections.abc import Callable
from pathlib import Path

from rowgate.ports.rows import RowSource


class UnservedAddress(Exception):
    """The address is not one that can be served; the text says why, without its secrets."""


def open_generic(
    address: str, *, password: str | None, max_connections: int, accept_unproven: bool = False
) -> RowSource:
    """Give the source of an address that the generic fetcher serves.

    Args:
        address: As the settings have it, without a password.
        password: What goes with it, if anything.
        max_connections: That may be open at once.
        accept_unproven: Whether an account counts as read-only of which nobody can tell.

    Raises:
        UnservedAddress: No engine of that name, or its driver is not installed.
    """
    scheme, _, rest = address.partition("://")
    name = scheme.partition("+")[0].lower()
    if name not in _OPENERS:
        return _open_other(address, password, max_connections, accept_unproven=accept_unproven)
    try:
        return _OPENERS[name](address, rest, password, max_connections)
    except ImportError as error:
        extra = _EXTRAS[name]
        raise UnservedAddress(f"the driver for {name} is missing: pip install 'rowgate[{extra}]'") from error


def _open_mariadb(address: str, rest: str, password: str | None, max_connections: int) -> RowSource:
    from rowgate.engines.mariadb import MariadbManner  # noqa: PLC0415 - SQLAlchemy and a driver, where they are used
    from rowgate.engines.mariadb_source import MariadbSource  # noqa: PLC0415

    if ":" in rest.partition("@")[0] and "@" in rest:
        raise UnservedAddress("a password stands in the address; put it in the password_file of a [[databases]] table")
    if not re.search(r"/[^/?]+", rest):
        raise UnservedAddress("name the database in the address: mariadb://USER@HOST/DATABASE")
    return MariadbSource(MariadbManner(address, password=password), max_connections=max_connections)


def _open_duckdb(_address: str, rest: str, _password: str | None, max_connections: int) -> RowSource:
    from rowgate.engines.duckdb import DuckdbManner  # noqa: PLC0415 - as above
    from rowgate.engines.duckdb_source import DuckdbSource  # noqa: PLC0415

    if not rest.startswith("/"):
        raise UnservedAddress("write a file or a folder: duckdb:///PATH")
    return DuckdbSource(DuckdbManner(Path(rest[1:]).absolute()), max_connections=max_connections)


def _open_other(address: str, password: str | None, max_connections: int, *, accept_unproven: bool) -> RowSource:
    import sqlalchemy  # noqa: PLC0415 - as above
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError  # noqa: PLC0415

    scheme = address.partition("://")[0]
    name = scheme.partition("+")[0].lower()
    extra = _EXTRAS.get(name)
    try:
        url = sqlalchemy.make_url(address)
        if url.password is not None:
            raise UnservedAddress("a password stands in the address; put it in the password_file of its table")
        url = url.set(drivername=_DRIVERS.get(scheme.lower(), scheme.lower()), password=password)
        url.get_dialect().import_dbapi()
    except NoSuchModuleError as error:
        advice = f"pip install 'rowgate[{extra}]'" if extra else "install its SQLAlchemy dialect"
        raise UnservedAddress(f"this release serves {_tell_served()}; for {scheme}:// {advice}") from error
    except ArgumentError:
        raise UnservedAddress("the address is none that SQLAlchemy can read") from None  # its words hold the address
    except ImportError as error:
        advice = f"pip install 'rowgate[{extra}]'" if extra else f"install {error.name}"
        raise UnservedAddress(f"the driver for {scheme} is missing: {advice}") from error
    from rowgate.engines.generic import GenericSource  # noqa: PLC0415 - as above
    from rowgate.engines.known import open_manner  # noqa: PLC0415

    if name == "trino" and not re.fullmatch("[^/]+/[^/]+", url.database or ""):
        raise UnservedAddress("name the catalog and the schema in the address: trino://USER@HOST/CATALOG/SCHEMA")
    manner = open_manner(url, accept_unproven=accept_unproven)
    if name == "mssql":
        from rowgate.engines.mssql_source import MssqlSource  # noqa: PLC0415 - as above

        return MssqlSource(manner, max_connections=max_connections)
    return GenericSource(manner, max_connections=max_connections)


def _tell_served() -> str:
    extras = {"postgresql": "postgres"} | {name: _EXTRAS[name] for name in sorted(_EXTRAS) if name not in _ALIASES}
    return "sqlite:///PATH, " + ", ".join(f"{name} (rowgate[{extra}])" for name, extra in extras.items())


_OPENERS: dict[str, Callable[[str, str, str | None, int], RowSource]] = {
    "mariadb": _open_mariadb,
    "mysql": _open_mariadb,
    "duckdb": _open_duckdb,
}
_DRIVERS = {"mssql": "mssql+pymssql", "oracle": "oracle+oracledb", "clickhouse": "clickhousedb"}
_ALIASES = ("clickhousedb",)
_EXTRAS = {
    "mariadb": "mysql",
    "mysql": "mysql",
    "duckdb": "duckdb",
    "mssql": "mssql",
    "oracle": "oracle",
    "trino": "trino",
    "clickhouse": "clickhouse",
    "clickhousedb": "clickhouse",
}
