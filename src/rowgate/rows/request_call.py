"""Reads the body of a call: the parameters of the procedure, and how its result is wanted. Well-formedness only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.model import Format, RowsRequest
from rowgate.rows.request import PARAMETERS, build_request, read_members
from rowgate.rows.request_values import wrong

# a result has no key that tells its rows apart, and is of one run; what a procedure runs is its own
OF_ROWS_ALONE = ("cursor", "jobRuntimeKey", "compare")
CALL_PARAMETERS = ("parameters", *(name for name in PARAMETERS if name not in OF_ROWS_ALONE))


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A request to call a procedure, well-formed but not yet held against it."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    result: RowsRequest = field(default_factory=RowsRequest)

    @property
    def format(self) -> Format | None:
        """How the result is to be written, where the request says so."""
        return self.result.format

    @property
    def dry_run(self) -> bool:
        """What would be called is asked for, not its result."""
        return self.result.dry_run


def parse_call_body(body: bytes) -> CallRequest:
    """Give the request in a POST body: JSON or JSON5, as for rows; an empty body gives no parameters.

    >>> parse_call_body(b'{parameters: {department: "Legal"}, limit: 3}').parameters
    {'department': 'Legal'}

    Raises:
        InvalidParameter: It names the field and what was expected.
    """
    members = read_members(body, CALL_PARAMETERS)
    parameters = members.pop("parameters", None)
    if parameters is None:
        parameters = {}
    if not isinstance(parameters, dict):
        raise wrong("parameters", "an object of values by name")
    if "" in parameters:
        raise InvalidParameter("A parameter has no name.", field="parameters", expected="an object of values by name")
    return CallRequest(parameters, build_request(members))
