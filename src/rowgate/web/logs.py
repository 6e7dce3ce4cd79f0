"""Log lines: one JSON object each, or plain text for a console. Everything goes to standard error."""

import logging
import sys
from datetime import UTC, datetime

import msgspec

from rowgate.printable import escape_unprintable

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_NO_REQUEST = "Invalid HTTP request received."  # uvicorn's words


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if request_id := getattr(record, "request_id", ""):
            line["request_id"] = request_id
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class ConsoleFormatter(logging.Formatter):
    """Time, level, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line, and the trace below it."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%SZ")
        request_id = getattr(record, "request_id", "")
        # A database's own words may have a client's value in them: it must not look like another line of the log.
        message = escape_unprintable(record.getMessage(), keep="\n").replace("\n", "\n  ")
        line = f"{at} {record.levelname.lower():7} {message}" + (f" [{request_id}]" if request_id else "")
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up_logs(log_format: str, level: str) -> None:
    """Send every log line to standard error in that format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else ConsoleFormatter())
    logging.basicConfig(level=_LEVELS[level], handlers=[handler], force=True)
    # What uvicorn says of its own start and stop is said by this service in its own words.
    logging.getLogger("uvicorn").setLevel(max(_LEVELS[level], logging.WARNING))
    # Nor, below debug, what is no request: anybody can cause as many of these lines as they like.
    logging.getLogger("uvicorn.error").addFilter(lambda found: level == "debug" or found.msg != _NO_REQUEST)
