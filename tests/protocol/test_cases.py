"""Every case that is one request, over real HTTP against one server."""

import pytest

from protocol.bearer_cases import BEARER_CASES
from protocol.case import Case, RawCase, list_params
from protocol.client_cases import CLIENT_CASES
from protocol.form_cases import FORM_CASES
from protocol.grant_cases import GRANT_CASES, ORIGIN_CASES, REFRESH_CASES
from protocol.judge import judge, judge_error, judge_tokens, parse_challenge
from protocol.narrow_cases import NARROW_CASES
from protocol.transport_cases import METHOD_CASES, PRECEDENCE_CASES, RAW_CASES
from protocol.wire import finish_request, talk
from protocol.world import World

CASES: tuple[Case, ...] = (
    PRECEDENCE_CASES
    + METHOD_CASES
    + FORM_CASES
    + CLIENT_CASES
    + GRANT_CASES
    + REFRESH_CASES
    + ORIGIN_CASES
    + BEARER_CASES
    + NARROW_CASES
)


@pytest.mark.parametrize("case", list_params(CASES))
def test_case(world: World, case: Case) -> None:
    answer = world.send(case)
    judge(case, answer.status_code, answer.headers, answer.content)
    if case.path.startswith("/api/v1/data/") and answer.status_code in (400, 401) and case.method == "GET":
        _judge_bearer_challenge(answer.headers.get("www-authenticate"), case)
    if case.reason:
        assert world.find_event(answer)["reason"] == case.reason


def _judge_bearer_challenge(value: str | None, case: Case) -> None:
    """Hold a challenge against RFC 6750 §3: the error's code unless nothing was presented."""
    if case.status == 400:
        assert value is None
        return
    assert value is not None
    assert value.startswith("Bearer ")
    challenge = parse_challenge(value)
    assert challenge["realm"] == "rowgate"
    assert challenge["resource_metadata"].endswith("/.well-known/oauth-protected-resource")
    assert challenge.get("error", "missing_token") == case.error
    assert challenge.get("scope") == ("read" if case.error == "insufficient_scope" else None)


@pytest.mark.parametrize("case", list_params(RAW_CASES))
def test_raw_case(world: World, case: RawCase) -> None:
    data = b"".join(finish_request(world.fill(request)) for request in case.send)
    answers, is_closed = talk(world.server.port, data, answers=len(case.statuses), half_close=case.half_close)
    assert tuple(answer.status for answer in answers) == case.statuses
    assert is_closed == case.is_closed
    for answer in answers:
        if answer.status >= 400:
            judge_error(answer.headers, answer.body, status=answer.status, code=case.error or _code(answer.status))
        elif answer.status == 200:
            judge_tokens(answer.headers, answer.body)
    for name, value in case.answer.items():
        assert answers[-1].headers.get(name) == value


def _code(status: int) -> str:
    return "invalid_client" if status == 401 else "invalid_request"
