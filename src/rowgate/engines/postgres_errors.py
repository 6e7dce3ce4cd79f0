"""What PostgreSQL's errors mean to a reader."""

from rowgate.rows.errors import EngineFailure, EngineUnavailable, InvalidParameter, RowsError, StatementTimeout

UNREADABLE = "The database cannot be read at the moment."
_WAITS_TO_PASS = ("08", "28", "53", "57P0", "58")  # connection, authorization, resources, operator, system
_TAKEN = frozenset({"55P03", "40001", "40P01", "3D000"})  # locked, recovery conflict, deadlock; no such database
_UNWRITABLE = frozenset({"22P05", "22021"})  # a character that the database's encoding does not have
_TOO_LARGE = "22003"
_CANCELLED = "57014"  # by a statement_timeout of the account's; who cancels knows it without being told


def translate_error(code: str, detail: str) -> RowsError:
    """Give the refusal that stands for an error of PostgreSQL's.

    Args:
        code: Its SQLSTATE.
        detail: Its own words, which stay private.

    Source: PostgreSQL documentation, appendix A, "PostgreSQL Error Codes"
    """
    if code.startswith(_WAITS_TO_PASS) or code in _TAKEN:
        return EngineUnavailable(UNREADABLE, detail=detail)
    if code == _CANCELLED:
        return StatementTimeout("The statement took longer than the server allows.", detail=detail)
    if code == _TOO_LARGE:
        return InvalidParameter(
            "A sum is beyond 64 bits.", field="aggregates", expected="avg, or filters that leave fewer rows"
        )
    if code in _UNWRITABLE:
        return InvalidParameter(
            "The database's encoding has no such character.",
            field="filters",
            expected="text of the database's encoding",
        )
    return EngineFailure("The database could not answer.", detail=detail)
