"""SQL Server as a served database with stored procedures."""

from rowgate.engines.generic import GenericSource
from rowgate.engines.held import HeldResult
from rowgate.engines.mssql_calls import CalledRows, find_number, translate_call_error
from rowgate.ports.calls import HeldCall
from rowgate.rows.errors import RowsError
from rowgate.rows.procedures import Call


class MssqlSource(GenericSource):
    """See `ports.CallSource`."""

    def open_call(self, call: Call, *, statement_seconds: float) -> HeldCall:
        """See `ports.CallSource`."""
        rows = CalledRows(self, self.borrow(), call)
        rows.seconds_left = statement_seconds
        return HeldResult(call, rows)

    def translate_call(self, error: Exception) -> RowsError:
        """See `GenericSource`."""
        return translate_call_error(self.translate(error), find_number(error))
