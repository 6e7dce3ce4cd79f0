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

# A reader of a database in WAL mode makes two files beside it while nobody writes to it.
_NO_FILES_OF_WAL = frozenset({apsw.SQLITE_READONLY_DIRECTORY, apsw.SQLITE_READONLY_CANTINIT})
_HOW_TO_READ_WAL = (
    "it is in WAL mode, and while nobody writes to it a reader makes files beside it: "
    "let this user write to its folder, or have its owner say PRAGMA journal_mode = DELETE"
)


def translate_error(error: Exception) -> RowsError:
    """Give the refusal that stands for an error of SQLite's."""
    if isinstance(error, _WAITS_TO_PASS) or _lacks_files_of_wal(error):
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
    advice = _HOW_TO_READ_WAL if _lacks_files_of_wal(error) else _ADVICE.get(type(error))
    return f"{said}: {advice}" if advice else said


def _lacks_files_of_wal(error: Exception) -> bool:
    extended_code = getattr(error, "extendedresult", 0)  # apsw sets it, and does not say so
    return isinstance(error, apsw.ReadOnlyError) and extended_code in _NO_FILES_OF_WAL
