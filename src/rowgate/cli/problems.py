"""The one map from errors to a line on standard error."""

from rowgate.config import ConfigError
from rowgate.oauth.errors import OAuthError
from rowgate.ports import AuditUnavailable, StoreError
from rowgate.rows.errors import EngineUnavailable, ObjectUnreadable, RowsError
from rowgate.service.admin.desk import AdminError

_MAX_LINE = 2000  # characters


def explain_problem(error: Exception) -> str | None:  # noqa: PLR0911 - one per kind
    """Give the line that tells what is wrong and what to do, or None for an error of our own making."""
    match error:
        case ConfigError() | StoreError() | AdminError():
            return str(error)
        case AuditUnavailable():
            why = f" ({error.__cause__.strerror})" if isinstance(error.__cause__, OSError) else ""
            return (
                f"the audit record cannot be written{why}, so nothing was changed: the home's folder audit must be "
                "this user's, on a disk with room"
            )
        case EngineUnavailable(detail=detail) if detail and not isinstance(error, ObjectUnreadable):
            return f"{error.description.rstrip('.')} ({detail}): check its address, and that it is up"
        case RowsError():
            return f"{error.description} ({error.detail})" if error.detail else error.description
        case OAuthError():
            return error.description
        case PermissionError():
            return f"{error.filename}: {error.strerror}; check its owner and mode, or run as its owner"
        case OSError():
            return f"{error.filename}: {error.strerror}" if error.filename else str(error)
        case _:
            return None


def render_line(text: str) -> str:
    r"""Give a message as one line of bounded length, in which nothing can move a terminal's cursor.

    >>> render_line("there is no application a\n\x1b[2Jb")
    'there is no application a\\n\\x1b[2Jb'
    """
    if len(text) > _MAX_LINE:
        text = f"{text[: _MAX_LINE // 2]} ... {text[-_MAX_LINE // 2 :]}"
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
