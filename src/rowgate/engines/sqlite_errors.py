"""What SQLite's errors stand for. Its own words go into the private detail."""

import apsw

from rowgate.engines.call_errors import refuse_values
from rowgate.rows.errors import EngineFailure, EngineUnavailable, InvalidParameter, RowsError

_WAITS_TO_PASS = (
    *(apsw.BusyError, apsw.LockedError, apsw.CantOpenError, apsw.IOError, apsw.FullError),
    *(apsw.NotADBError, apsw.CorruptError),  # as while another file is being copied over this one
)
_OF_A_VALUE = (apsw.MismatchError, apsw.TooBigError)  # a LIMIT that is no number, a text that becomes too long
_TOLD_OF_A_VALUE = frozenset({"malformed JSON", "integer overflow"})

_ADVICE: dict[type[Exception], str] = {  # for whoever can see the detail: an administrator
    apsw.NotADBError: "name an SQLite file; a DuckDB file, or a folder of Parquet and CSV files, is duckdb:///PATH",
    apsw.CorruptError: "restore it from a backup",
}


def translate_error(error: Exception) -> RowsError:
    """Give the refusal that stands for an error of SQLite's."""
    if isinstance(error, _WAITS_TO_PASS):
        return EngineUnavailable("The database cannot be read at the moment.", detail=_tell(error))
    if str(error) == "integer overflow":  # what sum() says
        return InvalidParameter(
            "A sum is beyond 64 bits.", field="aggregates", expected="avg, or filters that leave fewer rows"
        )
    return EngineFailure("The database could not answer.", detail=_tell(error))


def translate_call_error(error: Exception) -> RowsError:
    """Give the refusal that stands for an error in what a procedure gives: of what it was given, where it can be."""
    if isinstance(error, _OF_A_VALUE) or str(error) in _TOLD_OF_A_VALUE:
        return refuse_values()
    return translate_error(error)


def _tell(error: Exception) -> str:
    said = f"{type(error).__name__.removesuffix('Error')}: {error}"
    advice = _ADVICE.get(type(error))
    return f"{said}: {advice}" if advice else said
