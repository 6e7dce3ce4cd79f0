"""An administrator sees when each secret was last used: by what it got, and by nothing that it was refused."""

import json
from typing import Any

import pytest

from cli.transcript import run
from credentials.conftest import HOUR, Client
from support.homes import administer


def list_uses(client: Client) -> dict[str, Any]:
    """Give the last use of each secret by its key id, as the command has it."""
    home = str(client.server.settings.home)
    listed = json.loads(run(["secret", "list", "report", "--home", home, "--json"]).stdout)
    return {secret["key_id"]: secret["last_used_at"] for secret in listed}


def use(client: Client, way: str) -> int:
    """Use the first secret in one way, some time later; give when."""
    client.server.clock.advance(HOUR)
    if way == "renewal":
        client.renew(client.first)
        return int(client.server.clock())
    token = client.fetch_token(client.first)
    if way != "token":
        client.server.clock.advance(60)
        assert client.post(f"/api/v1/{way}", client.first, {"token": token}).status_code == 200
    return int(client.server.clock())


@pytest.mark.parametrize("way", ["token", "introspect", "revoke", "renewal"])
def test_the_last_use_of_a_secret_is_told(client: Client, way: str) -> None:
    key_id = client.made.secret.key_id
    assert list_uses(client) == {key_id: None}
    for _ in range(2):
        at = use(client, way)
        assert list_uses(client)[key_id] == at


def test_a_refusal_is_no_use_and_each_secret_has_its_own(client: Client) -> None:
    with administer(client.server.settings, client.server.clock) as desks:
        desks.applications.add_secret("report", secret_name="other", expires_at=None)
    at = use(client, "token")
    client.server.clock.advance(60)
    assert client.post("/api/v1/token", client.first, {"grant_type": "nonsense"}).status_code == 400
    assert sorted(list_uses(client).values(), key=str) == [at, None]
