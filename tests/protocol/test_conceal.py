"""With `conceal_objects` nobody learns which objects there are (P104)."""

import json

import pytest

from protocol.case import ROWS, numbered
from protocol.world import BLOCKED, NOT_GRANTED, World

SETTINGS = {"conceal_objects": True}
_HIDDEN = ("Nowhere", NOT_GRANTED, BLOCKED)


@numbered("P104", "RFC 9110 §15.5.5")
@pytest.mark.parametrize("query", ["", "?columns=Nothing", "?jobRuntimeKey=1", "?limit=0"])
def test_unknown_blocked_and_not_granted_answer_alike(world: World, query: str) -> None:
    answers = []
    for name in _HIDDEN:
        answer = world.get_rows(world.values["access"], f"/api/v1/data/{name}/rows{query}")
        document = json.loads(answer.content)
        assert document.pop("request_id") == answer.headers["x-request-id"]
        names = [header for header in answer.headers if header != "date"]
        answers.append((answer.status_code, document, names, len(answer.content) - len(answer.headers["x-request-id"])))
    assert answers[0][0] == 404
    assert answers == answers[:1] * len(answers)


@numbered("P104", "RFC 9110 §15.5.5")
def test_record_still_tells_them_apart(world: World) -> None:
    """The administrator must see what was tried; the client need not."""
    asked = [world.get_rows(world.values["access"], f"/api/v1/data/{name}/rows") for name in _HIDDEN]
    assert [world.find_event(answer)["object"] for answer in asked] == list(_HIDDEN)


@numbered("P104", "RFC 9110 §15.5.5")
def test_granted_object_is_read_as_ever(world: World) -> None:
    assert world.get_rows(world.values["access"], ROWS).status_code == 200
