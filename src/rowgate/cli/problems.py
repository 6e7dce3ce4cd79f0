"""The one map from errors to a line on standard error."""

from rowgate.config import ConfigError
from rowgate.oauth.errors import OAuthError
from rowgate.ports import AuditUnavailable, StoreError
from rowgate.rows.errors import RowsError
from rowgate.service.admin.desk import AdminError


def explain_problem(error: Exception) -> str | None:
    """Give the line that tells what is wrong and what to do, or None for an error of our own making."""
    match error:
        case ConfigError() | StoreError() | AdminError():
            return str(error)
        case AuditUnavailable():
            return "the audit record cannot be written, so nothing was changed: make room on the home's disk"
        case RowsError():
            return f"{error.description} ({error.detail})" if error.detail else error.description
        case OAuthError():
            return error.description
        case OSError():
            return f"{error.filename}: {error.strerror}" if error.filename else str(error)
        case _:
            return None
