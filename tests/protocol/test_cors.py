"""Pages of another origin (P5, P6): only those on the list may read, errors too."""

import pytest

from protocol.case import CC, GOOD, ROWS, TOKEN, Case, numbered
from protocol.world import World

ALLOWED = "https://app.test"
SETTINGS = {"cors_origins": (ALLOWED,)}
_PREFLIGHT = ("Access-Control-Request-Method", "POST")

_VARY = {"rows": ["Accept", "Accept-Encoding", "Authorization", "Origin"]}
_ANSWERS = (
    Case("", "token", "", 200, form=GOOD),
    Case("", "bad-request", "", 400, form="grant_type=x&grant_type=x"),
    Case("", "not-authenticated", "", 401, form=CC),
    Case("", "not-found", "", 404, path="/nowhere"),
    Case("", "wrong-method", "", 405, method="GET"),
    Case("", "too-large", "", 413, form="a" * 70_000),
    Case("", "rows-without-token", "", 401, method="GET", path=ROWS),
    Case("", "rows", "", 200, method="GET", path=ROWS, headers=(("Authorization", "Bearer <access>"),)),
)


def _send(world: World, case: Case, origin: str) -> dict[str, str]:
    headers = (*case.headers, ("Origin", origin))
    sent = Case("", "", "", 0, method=case.method, path=case.path, form=case.form, headers=headers)
    answer = world.send(sent)
    assert answer.status_code == case.status
    assert "access-control-allow-credentials" not in answer.headers
    return dict(answer.headers)


@numbered("P6", "Fetch")
@pytest.mark.parametrize("case", _ANSWERS, ids=lambda case: case.name)
def test_listed_origin_may_read_every_answer(world: World, case: Case) -> None:
    headers = _send(world, case, ALLOWED)
    assert headers["access-control-allow-origin"] == ALLOWED
    assert sorted(headers["vary"].split(", ")) == _VARY.get(case.name, ["Origin"])
    exposed = headers["access-control-expose-headers"].split(", ")
    # a page that proves a key needs the nonce (RFC 9449 §8), and is to see that its secret ends
    assert {"WWW-Authenticate", "DPoP-Nonce", "Client-Secret-Expires"} <= set(exposed)


@numbered("P6", "Fetch")
@pytest.mark.parametrize("case", _ANSWERS, ids=lambda case: case.name)
@pytest.mark.parametrize("origin", ["https://evil.test", "null", "https://app.test.evil.test", "HTTPS://APP.TEST"])
def test_other_origin_may_read_none(world: World, case: Case, origin: str) -> None:
    headers = _send(world, case, origin)
    assert "access-control-allow-origin" not in headers
    assert sorted(headers["vary"].split(", ")) == _VARY.get(case.name, ["Origin"])


@numbered("P5", "Fetch")
@pytest.mark.parametrize(("path", "allow"), [(TOKEN, "POST, OPTIONS"), (ROWS, "GET, HEAD, POST, OPTIONS")])
def test_preflight_of_listed_origin(world: World, path: str, allow: str) -> None:
    answer = world.send(Case("", "", "", 0, method="OPTIONS", path=path, headers=(("Origin", ALLOWED), _PREFLIGHT)))
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == ALLOWED
    assert answer.headers["access-control-allow-methods"] == answer.headers["allow"] == allow
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    assert {"Authorization", "Content-Type", "DPoP", "Idempotency-Key"} <= set(allowed)
    assert answer.headers["vary"] == "Origin"


@numbered("P5", "Fetch")
def test_preflight_of_other_origin(world: World) -> None:
    headers = (("Origin", "https://evil.test"), _PREFLIGHT)
    answer = world.send(Case("", "", "", 0, method="OPTIONS", headers=headers))
    assert answer.status_code == 204
    assert not [name for name in answer.headers if name.startswith("access-control-")]
