"""What SQL Server's types are here: of a parameter, of the variable that stands for it, of a column of a result.

Held against its documentation only: no server was at hand.
"""

from dataclasses import dataclass

from rowgate.rows.holds import Holds
from rowgate.rows.model import Column, Family
from rowgate.rows.procedures import ParameterType

_KINDS = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), ParameterType.INTEGER),
    **dict.fromkeys(("decimal", "numeric", "money", "smallmoney", "float", "real"), ParameterType.NUMBER),
    **dict.fromkeys(("datetime", "smalldatetime", "datetime2", "datetimeoffset"), ParameterType.MOMENT),
    **dict.fromkeys(("binary", "varbinary", "image", "timestamp"), ParameterType.BINARY),
    "bit": ParameterType.BOOLEAN,
    "date": ParameterType.DATE,
    "json": ParameterType.JSON,
}
_HOLDS = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), (Family.NUMBER, Holds.INTEGER)),
    **dict.fromkeys(("decimal", "numeric", "money", "smallmoney"), (Family.NUMBER, Holds.DECIMAL)),
    **dict.fromkeys(("datetime", "smalldatetime", "datetime2"), (Family.MOMENT, Holds.MOMENT)),
    **dict.fromkeys(("binary", "varbinary", "image", "timestamp"), (Family.BINARY, Holds.BINARY)),
    **dict.fromkeys(("char", "varchar", "text", "nchar", "nvarchar", "ntext"), (Family.TEXT, Holds.TEXT)),
    "float": (Family.NUMBER, Holds.REAL),
    "real": (Family.NUMBER, Holds.SINGLE),
    "bit": (Family.BOOLEAN, Holds.BOOLEAN),
    "date": (Family.MOMENT, Holds.DATE),
    "time": (Family.MOMENT, Holds.TIME),
    "datetimeoffset": (Family.MOMENT, Holds.INSTANT),
    "uniqueidentifier": (Family.TEXT, Holds.UUID),
    "sql_variant": (Family.ANY, Holds.ANYTHING),
}
_REALS = (Holds.REAL, Holds.SINGLE, Holds.DECIMAL)
_UNICODE = ("nchar", "nvarchar")
_BYTES = ("char", "varchar")
_ENDLESS = ("text", "ntext", "image")  # their variables have no length of their own
_SCALED = ("time", "datetime2", "datetimeoffset")
_EXACT = ("decimal", "numeric")
_AS_THEY_ARE = ("xml", "uniqueidentifier", "money", "smallmoney", "float", "real", "bit", "date", "datetime")


@dataclass(frozen=True, slots=True)
class SqlType:
    """The type of a parameter, or of a column of a table type."""

    base: str  # the system's own name for it; empty: it has none, as types made in .NET have
    most_bytes: int  # -1: as many as there are
    digits: int
    scale: int

    @property
    def kind(self) -> ParameterType:
        """What a request gives for it."""
        return _KINDS.get(self.base, ParameterType.TEXT)

    @property
    def variable(self) -> str:
        """The type of the variable that holds a value: never too short for it, where SQL Server would cut it."""
        if self.base in _EXACT:
            return f"{self.base}({self.digits}, {self.scale})"
        if self.base in _SCALED:
            return f"{self.base}({self.scale})"
        if self.kind is ParameterType.BINARY:
            return "varbinary(max)"
        is_itself = self.base in (*_AS_THEY_ARE, "smalldatetime", "sql_variant") or self.kind is ParameterType.INTEGER
        return self.base if is_itself else "nvarchar(max)"

    def write_value(self, value: str) -> str:
        """Give an expression as a value of the variable's type, whatever the session's language makes of dates."""
        if self.kind is ParameterType.MOMENT:
            value = f"CAST({value} AS datetimeoffset(7))"
        elif self.base == "sql_variant":
            return f"CAST({value} AS nvarchar(4000))"  # it takes none of any length
        return f"CAST({value} AS {self.variable})"

    def write_item(self, text: str) -> str:
        """Give a text out of a JSON array as a value of a column. The column itself refuses what is too long for it."""
        if self.base in (*_EXACT, "money", "smallmoney"):  # these are not read from 1e-7
            return f"COALESCE(TRY_CAST({text} AS {self.variable}), CAST(CAST({text} AS float) AS {self.variable}))"
        return self.write_value(text)

    def write_excess(self, variable: str) -> str:
        """Give a condition that a value is too long for the parameter, which would cut it; empty: it never is."""
        if self.most_bytes < 0 or self.base in _ENDLESS:
            return ""
        if self.base in _BYTES:
            variable = f"CAST({variable} AS varchar(max))"
        elif self.base not in _UNICODE and self.kind is not ParameterType.BINARY:
            return ""
        return f"DATALENGTH({variable}) > {self.most_bytes}"


def describe_column(name: str, declared: str | None, *, may_be_null: bool) -> Column:
    """Give a column by what the server says of it before a call; `declared` is None for types made in .NET."""
    told = declared or "binary"
    base = told.partition("(")[0].strip().lower()
    family, holds = _HOLDS.get(base, (Family.TEXT, Holds.OTHER))
    return Column(name, told, family, holds in _REALS, not may_be_null, holds)
