"""What a served database is asked for so that procedures can be declared on it; see `engines/declared.py`."""

from collections.abc import Sequence
from typing import Protocol

from rowgate.ports.rows import RowSource
from rowgate.rows.model import Column
from rowgate.rows.procedures import ParameterType, TableColumn


class QuerySource(RowSource, Protocol):
    """A served database whose queries can be described before they run."""

    def describe_query(self, text: str, places: int) -> Sequence[Column]:
        """Give the columns of a query's result, without running it.

        Args:
            text: One statement, each value of it a `?`.
            places: How many values it has.

        Raises:
            EngineUnavailable: The database is busy or cannot be read.
            EngineFailure: It is no query, or the engine will not have it; its words say why.
        """

    def write_table(self, columns: Sequence[TableColumn]) -> tuple[str, str]:
        """Give what stands before and after a value so that it is a table: the JSON text of its rows, each a list."""

    def write_value(self, kind: ParameterType) -> tuple[str, str]:
        """Give what stands before and after a value of that type, where the engine must be told which it is."""

    def write_text(self, text: str) -> str:
        """Give a part of a declared query as the engine's driver takes it.

        Raises:
            ProcedureFault: The engine may read it otherwise than it was cut.
        """
