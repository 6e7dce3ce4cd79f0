"""A server whose setting takes assertions that are made out to the token endpoint (P50)."""

import pytest

from protocol.case import numbered
from protocol.keyed import Keyed, register_with_key
from protocol.world import World
from support.client_keys import ClientKey

SETTINGS = {"token_endpoint_as_audience": True}


@pytest.fixture(scope="module")
def keyed(world: World) -> Keyed:
    return register_with_key(world, "old", ClientKey())


@numbered("P50", "RFC 7523 §3")
@pytest.mark.parametrize(
    ("path", "status"),
    [("", 200), ("/api/v1/token", 200), ("/token", 200), ("/oauth/token", 200), ("/introspect", 401), ("/", 401)],
)
def test_token_endpoint_as_audience(keyed: Keyed, world: World, path: str, status: int) -> None:
    assert keyed.ask(aud=world.server.url + path).status_code == status
    assert keyed.ask(aud=[world.server.url + path]).status_code == 401
