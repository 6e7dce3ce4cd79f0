"""DuckDB as a served database on which procedures can be declared: queries are described, tables passed as JSON."""

from collections.abc import Sequence

from rowgate.engines.duckdb_catalog import describe_column
from rowgate.engines.generic import GenericSource
from rowgate.rows.dialects.duckdb import DUCKDB
from rowgate.rows.model import Column
from rowgate.rows.procedures import ParameterType, TableColumn

_TYPES = {
    ParameterType.TEXT: "VARCHAR",
    ParameterType.INTEGER: "BIGINT",
    ParameterType.NUMBER: "DOUBLE",
    ParameterType.BOOLEAN: "BOOLEAN",
    ParameterType.DATE: "DATE",
    ParameterType.MOMENT: "TIMESTAMP",
    ParameterType.JSON: "JSON",
}


class DuckdbSource(GenericSource):
    """See `ports.QuerySource`."""

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
