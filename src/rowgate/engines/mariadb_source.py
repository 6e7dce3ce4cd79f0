"""MariaDB and MySQL as a served database with stored procedures, on which others can be declared."""

from collections.abc import Sequence

from rowgate.engines.generic import ASK_SECONDS, GenericRows, GenericSource
from rowgate.engines.held import HeldResult
from rowgate.engines.mariadb import MariadbManner
from rowgate.engines.mariadb_calls import CalledRows, QueriedRows, ResultRows, translate_call_error
from rowgate.ports.calls import HeldCall
from rowgate.rows.dialects.mysql import MARIADB
from rowgate.rows.errors import RowsError
from rowgate.rows.model import Column, Statement, Value
from rowgate.rows.procedures import Call, ParameterType, TableColumn
from rowgate.rows.statement_text import ProcedureFault, list_tokens

_TYPES = {
    ParameterType.TEXT: "LONGTEXT",
    ParameterType.INTEGER: "BIGINT",
    ParameterType.NUMBER: "DOUBLE",
    ParameterType.BOOLEAN: "BOOLEAN",
    ParameterType.DATE: "DATE",
    ParameterType.MOMENT: "DATETIME(6)",
    ParameterType.JSON: "LONGTEXT",
}


class MariadbSource(GenericSource):
    """See `ports.QuerySource`, `ports.CallSource`."""

    manner: MariadbManner

    def describe_query(self, text: str, places: int) -> Sequence[Column]:
        """See `ports.QuerySource`. A query of which no row is wanted is only looked at."""
        nulls: tuple[Value, ...] = (None,) * places
        statement = Statement(f"SELECT * FROM (\n{text}\n) AS rowgate_described LIMIT 0", nulls)  # noqa: S608 - an administrator's query
        rows = ResultRows(self, self.borrow(), statement)
        rows.seconds_left = ASK_SECONDS
        try:
            rows.read_block()
        finally:
            rows.close()
        return rows.columns

    def write_table(self, columns: Sequence[TableColumn]) -> tuple[str, str]:
        """See `ports.QuerySource`."""
        members = ", ".join(
            f"{MARIADB.quote(column.name)} {_TYPES[column.type]} PATH '$[{place}]'"
            for place, column in enumerate(columns)
        )
        return "(SELECT * FROM JSON_TABLE(", f", '$[*]' COLUMNS ({members})) AS rowgate_given)"

    def write_value(self, kind: ParameterType) -> tuple[str, str]:  # noqa: ARG002 - the port's shape
        """See `ports.QuerySource`."""
        return "", ""

    def write_text(self, text: str) -> str:
        """See `ports.QuerySource`. The driver takes a lone percent sign for a place."""
        for token in list_tokens(text, 1):
            if token.kind == "quoted" and "\\" in token.text:
                raise ProcedureFault(r"\ within quotes has a meaning of its own here: write '' for ', CHAR(92) for \ ")
            if token.text == "#":
                raise ProcedureFault("# begins a comment here: write -- and a blank")
        return text.replace("%", "%%")

    def open_rows(self, statement: Statement, *, statement_seconds: float) -> GenericRows:
        """See `ports.RowSource`."""
        if not statement.is_call:
            return super().open_rows(statement, statement_seconds=statement_seconds)
        rows = QueriedRows(self, self.borrow(), statement)
        rows.seconds_left = statement_seconds
        return rows

    def open_call(self, call: Call, *, statement_seconds: float) -> HeldCall:
        """See `ports.CallSource`."""
        rows = CalledRows(self, self.borrow(), call, self.dialect)
        rows.seconds_left = statement_seconds
        return HeldResult(call, rows)

    def translate_call(self, error: Exception) -> RowsError:
        """See `GenericSource`."""
        return translate_call_error(self.translate(error), self.unwrap(error))
