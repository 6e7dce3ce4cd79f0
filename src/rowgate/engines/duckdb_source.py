"""DuckDB as a served database on which procedures can be declared: queries are described, tables passed as JSON."""

import time
from collections.abc import Callable, Sequence

import duckdb

from rowgate.engines.call_errors import refuse_values
from rowgate.engines.duckdb import DuckdbManner
from rowgate.engines.duckdb_arrays import DuckdbArrays
from rowgate.engines.duckdb_catalog import describe_column
from rowgate.engines.file_versions import FileVersions
from rowgate.engines.generic import GenericSource
from rowgate.ports.rows import ArrayBlocks
from rowgate.rows.dialects.duckdb import DUCKDB
from rowgate.rows.encode_lines import has_arrays
from rowgate.rows.errors import EngineUnavailable, RowsError
from rowgate.rows.model import Column, Format, ObjectDescription, Plan
from rowgate.rows.procedures import ParameterType, TableColumn
from rowgate.rows.sql_arrays import render_arrays

_TYPES = {
    ParameterType.TEXT: "VARCHAR",
    ParameterType.INTEGER: "BIGINT",
    ParameterType.NUMBER: "DOUBLE",
    ParameterType.BOOLEAN: "BOOLEAN",
    ParameterType.DATE: "DATE",
    ParameterType.MOMENT: "TIMESTAMP",
    ParameterType.JSON: "JSON",
}


# a text that is no date, a number too large, JSON that is none, what error() says
_OF_THE_VALUES = (
    *(duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException),
    duckdb.TypeMismatchException,
)


_NEGATIVE_LIMIT = "LIMIT/OFFSET cannot be negative"  # told as what else is wrong with the statement itself

_CAST = (ParameterType.INTEGER, ParameterType.BOOLEAN)


class DuckdbSource(GenericSource):
    """See `ports.QuerySource`."""

    manner: DuckdbManner

    def __init__(
        self, manner: DuckdbManner, *, max_connections: int = 32, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """See `GenericSource`."""
        super().__init__(manner, max_connections=max_connections, clock=clock)
        self._versions = FileVersions(clock)

    def find_version(self, described: ObjectDescription) -> bytes | None:
        """See `ports.RowSource`. Of a folder's files; a database's views may call what they like."""
        file = self.manner.find_file(described.path[-1])
        return None if file is None else self._versions.find(file)

    def list_table_faults(self) -> Sequence[tuple[str, str]]:
        """Give the Iceberg tables that cannot be read, and why.

        Raises:
            EngineUnavailable: The folder cannot be asked.
        """
        self.list_objects()  # which opens it
        return self.manner.list_faults()

    def open_lines(self, plan: Plan, form: Format, *, statement_seconds: float) -> ArrayBlocks | None:
        """See `ports.RowSource`."""
        statement = render_arrays(plan, form) if has_arrays() else None
        if statement is None:
            return None
        arrays = DuckdbArrays(self, self.borrow(), statement)
        arrays.seconds_left = statement_seconds
        return arrays

    def describe_query(self, text: str, places: int) -> Sequence[Column]:
        """See `ports.QuerySource`."""
        described = self.ask(f"DESCRIBE {text}", *[None] * places)
        return [describe_column(str(row[0]), str(row[1]), never_null=False) for row in described]

    def write_table(self, columns: Sequence[TableColumn]) -> tuple[str, str]:
        """See `ports.QuerySource`."""
        members = ", ".join(
            f"CAST(json_extract_string(item, '$[{place}]') AS {_TYPES[column.type]}) AS {DUCKDB.quote(column.name)}"
            for place, column in enumerate(columns)
        )
        before = f"(SELECT {members} FROM (SELECT unnest(CAST(CAST("  # noqa: S608 - quoted names
        return before, " AS JSON) AS JSON[])) AS item))"

    def write_value(self, kind: ParameterType) -> tuple[str, str]:
        """See `ports.QuerySource`. Where nothing else says so, the engine takes a value of no known type for text.

        A number stays as it came, which may be a whole one of more digits than a floating-point number has.
        """
        return ("CAST(", f" AS {_TYPES[kind]})") if kind in _CAST else ("", "")

    def write_text(self, text: str) -> str:
        """See `ports.QuerySource`."""
        return text

    def translate_call(self, error: Exception) -> RowsError:
        """See `GenericSource`."""
        translated = self.translate(error)
        raised = self.unwrap(error)
        is_of_values = isinstance(raised, _OF_THE_VALUES) or _NEGATIVE_LIMIT in str(raised)
        if not is_of_values or isinstance(translated, EngineUnavailable):
            return translated
        return refuse_values(translated.detail)
