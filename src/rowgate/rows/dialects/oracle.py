"""How Oracle writes it. Held against its documentation only: no server was at hand.

The session compares in binary (NLS_COMP, NLS_SORT), as is Oracle's default. An empty text is NULL there.
"""

from dataclasses import dataclass

from rowgate.rows.dialects.model import Dialect
from rowgate.rows.dialects.standard import StandardDialect
from rowgate.rows.holds import Holds
from rowgate.rows.model import Column


@dataclass(frozen=True, slots=True)
class OracleDialect(StandardDialect):
    """See `Dialect`."""

    null_is_least: bool | None = False
    finds_part_first: bool = False
    places: str = ":{}"
    finds_by: str = "INSTR({text}, {part})"
    text_type: str = "VARCHAR2(4000)"

    def cast(self, place: str, column: Column) -> str:
        """See `Dialect`."""
        match column.holds:
            case Holds.DATE | Holds.MOMENT:  # its DATE has a time too
                return f"TO_TIMESTAMP(REPLACE({place}, 'T', ' '), 'YYYY-MM-DD HH24:MI:SS.FF')"
            case Holds.INSTANT:
                return f"TO_TIMESTAMP_TZ(REPLACE({place}, 'T', ' '), 'YYYY-MM-DD HH24:MI:SS.FFTZH:TZM')"
            case _:
                return place

    def name_derived(self, width: int) -> str:  # noqa: ARG002
        """See `Dialect`. It names what was computed by itself, and has no AS here."""
        return "counted"

    def put_nulls(self, expression: str, directed: str, *, first: bool) -> str:
        """See `Dialect`."""
        return Dialect.put_nulls(self, expression, directed, first=first)

    def take_first(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"SUBSTR({expression}, 1, {length})"

    def take_last(self, expression: str, length: int) -> str:
        """See `Dialect`."""
        return f"SUBSTR({expression}, -{length}, {length})"

    @property
    def true(self) -> str:
        """See `StandardDialect`."""
        return "1"

    @property
    def double(self) -> str:
        """See `StandardDialect`."""
        return "BINARY_DOUBLE"


ORACLE = OracleDialect()
