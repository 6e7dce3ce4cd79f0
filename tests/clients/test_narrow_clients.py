"""Authlib asks for narrower tokens and exchanges them, with nothing of ours in between."""

import json

import pytest
from authlib.integrations.httpx_client import OAuth2Client

from clients.test_keyed_clients import VIEW, wait_for
from rowgate.oauth.token_exchange import ACCESS_TOKEN_TYPE, TOKEN_EXCHANGE
from rowgate.service.admin.policies import PolicyChange
from support.homes import add_application
from support.servers import RunningServer

_OTHER = "SA_ServiceAccounts"


def _detail(name: str, *columns: str) -> dict[str, object]:
    return {"type": "rowgate_object", "object": name, **({"columns": columns} if columns else {})}


@pytest.mark.parametrize("token_format", ["sealed", "jwt"])
def test_authlib_hands_a_narrower_token_on(server: RunningServer, token_format: str) -> None:
    policy = PolicyChange(token_exchange=True, access_token_format=token_format)  # type: ignore[arg-type]
    made = add_application(server.settings, f"authlib-narrow-{token_format}", (VIEW, _OTHER), policy=policy)
    client_id = made.application.client_id
    wait_for(server, client_id)
    token_url = f"{server.url}/api/v1/token"
    both = json.dumps([_detail(VIEW), _detail(_OTHER)])
    with OAuth2Client(client_id, made.client_secret) as client:
        subject = client.fetch_token(token_url, grant_type="client_credentials", authorization_details=both)
        assert [one["objects"] for one in subject["authorization_details"]] == [[VIEW], [_OTHER]]
        narrow = client.fetch_token(
            token_url,
            grant_type=TOKEN_EXCHANGE,
            subject_token=subject["access_token"],
            subject_token_type=ACCESS_TOKEN_TYPE,
            resource=server.url,
            authorization_details=json.dumps([_detail(VIEW, "DisplayName")]),
        )
        assert narrow["issued_token_type"] == ACCESS_TOKEN_TYPE
        rows = client.get(f"{server.url}/api/v1/data/{VIEW}/rows", params={"limit": "2"})
        assert [set(row) for row in rows.json()] == [{"DisplayName"}] * 2
        assert client.get(f"{server.url}/api/v1/data/{_OTHER}/rows").status_code == 401
