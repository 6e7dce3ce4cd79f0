"""The refusals and failures of the data side.

RowsError
├── InvalidParameter     400 invalid_parameter: names the field and what was expected (O-36)
├── UnknownObject        404 unknown_object (O-36)
├── NotAcceptable        406 not_acceptable
├── PreconditionFailed   412 precondition_failed: not the answer that the client has seen
├── EngineUnavailable    503 temporarily_unavailable: the database is busy or gone
│   └── ObjectUnreadable the same, of one object: somebody has to mend it
├── StatementTimeout     503 statement_timeout: the statement used up its seconds
├── StatementCancelled   nobody is left to be told
├── BudgetExceeded       429 budget_exceeded: says what would fit, and when there is more (RFC 6585 §4)
├── UnusablePolicy       401 insufficient_scope: the service says it as an OAuthError
├── EngineFailure        500 server_error: the engine's own words stay private
└── NotReadOnly          start-up only: the account may write
"""

from typing import ClassVar


class RowsError(Exception):
    """A request for rows that does not get them.

    Attributes:
        code: Stable, public.
        description: Public text.
        field: Where in the request, empty when it is not about one place.
        expected: What would have been right.
        detail: Private text for the log.
    """

    code: ClassVar[str]
    status: ClassVar[int]

    def __init__(self, description: str, *, field: str = "", expected: str = "", detail: str = "") -> None:
        super().__init__(description)
        self.description = description
        self.field = field
        self.expected = expected
        self.detail = detail


class InvalidParameter(RowsError):
    """A parameter is wrong; nothing was read."""

    code = "invalid_parameter"
    status = 400


class UnknownObject(RowsError):
    """There is no such table, view, procedure or alias."""

    code = "unknown_object"
    status = 404


class NotAcceptable(RowsError):
    """None of the formats that the client accepts exists."""

    code = "not_acceptable"
    status = 406


class PreconditionFailed(RowsError):
    """The answer is not what the client has made it depend on; nothing is sent (RFC 9110 §13.1.1)."""

    code = "precondition_failed"
    status = 412

    def __init__(self) -> None:
        super().__init__(
            "The answer is not the one that was asked for.", field="If-Match", expected="the answer's ETag as it is now"
        )


class EngineUnavailable(RowsError):
    """The database is busy, locked or cannot be opened; later it may work."""

    code = "temporarily_unavailable"
    status = 503


class ObjectUnreadable(EngineUnavailable):
    """The object is there and cannot be read as it is; whoever runs the server has to mend it."""


class StatementTimeout(RowsError):
    """The statement used up its seconds in the engine."""

    code = "statement_timeout"
    status = 503


class StatementCancelled(RowsError):
    """The reader went away."""

    code = "cancelled"
    status = 503


class BudgetExceeded(RowsError):
    """The application has a budget, and this does not fit into what is left of it.

    Attributes:
        limit: Of the budget, which `field` names.
        used: Of it.
        left: Of it, what would fit.
        retry_after_seconds: Until there may be more.
    """

    code = "budget_exceeded"
    status = 429

    def __init__(self, name: str, *, limit: int, used: int, retry_after_seconds: int) -> None:
        self.limit, self.used, self.left = limit, used, max(0, limit - used)
        self.retry_after_seconds = retry_after_seconds
        super().__init__(
            f"The application's budget does not allow it: {name} is {limit}, {used} are used, {self.left} are left.",
            field=name,
            expected=f"at most {self.left}" if self.left else "nothing, until there is more",
        )


class UnusablePolicy(RowsError):
    """What a grant says does not fit its object any more; the service makes it `InsufficientScope`."""

    code = "insufficient_scope"
    status = 401


class EngineFailure(RowsError):
    """The engine refused the statement or failed in it."""

    code = "server_error"
    status = 500


class NotReadOnly(RowsError):
    """The served database would let us write."""

    code = "not_read_only"
    status = 500
