"""With `forbidden_as_403` a token that lacks the ability gets RFC 6750's 403 (P103, O-17)."""

import pytest

from protocol.case import ROWS, numbered
from protocol.judge import judge_error, parse_challenge
from protocol.world import BLOCKED, NOT_GRANTED, World

SETTINGS = {"forbidden_as_403": True}


@numbered("P103", "RFC 6750 §3.1")
@pytest.mark.parametrize("name", [NOT_GRANTED, BLOCKED])
def test_insufficient_scope_is_403(world: World, name: str) -> None:
    answer = world.get_rows(world.values["access"], f"/api/v1/data/{name}/rows")
    assert answer.status_code == 403
    judge_error(answer.headers, answer.content, status=403, code="insufficient_scope")
    challenge = parse_challenge(answer.headers["www-authenticate"])
    assert (challenge["error"], challenge["scope"]) == ("insufficient_scope", "read")


@numbered("O-17", "origin")
def test_scope_without_read_is_403(world: World) -> None:
    assert world.get_rows(world.values["run_access"]).status_code == 403


@numbered("O-17", "origin")
def test_others_keep_their_status(world: World) -> None:
    assert world.client.get(ROWS).status_code == 401
    assert world.get_rows("abc").status_code == 401
    assert world.get_rows(world.values["access"], "/api/v1/data/Nowhere/rows").status_code == 404
    assert world.get_rows(world.values["access"]).status_code == 200
