"""In the last quarter of its secret's life every answer with a token says so in a header, with the date."""

from email.utils import parsedate_to_datetime

import pytest

from credentials.conftest import HOUR, Client
from rowgate.oauth.model import NEVER
from rowgate.service.admin.policies import PolicyChange
from support.homes import administer
from support.servers import ask_until, wait_until

HEADER = "client-secret-expires"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TYPE = "urn:ietf:params:oauth:token-type:access_token"


def list_requests(client: Client) -> list[dict[str, str]]:
    """Give a request of each grant that a secret serves for."""
    tokens = client.ask_token(client.first).json()
    return [
        {"grant_type": "client_credentials"},
        {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
        {"grant_type": EXCHANGE, "subject_token": tokens["access_token"], "subject_token_type": ACCESS_TYPE},
    ]


@pytest.mark.parametrize("rotates", [False, True], ids=["kept", "rotated"])
def test_the_header_begins_with_the_last_quarter(client: Client, rotates: bool) -> None:  # noqa: FBT001
    """Not a second before; on client credentials, refresh and exchange alike."""
    with administer(client.server.settings) as desks:
        desks.policies.set("report", PolicyChange(token_exchange=True, rotate_refresh_tokens=rotates))
    ends_at = client.made.secret.expires_at
    last_quarter = ends_at - (ends_at - client.made.secret.created_at) // 4
    wait_until(lambda: client.post("/api/v1/token", client.first, list_requests(client)[2]).status_code == 200)
    for at, is_there in ((last_quarter - 1, False), (last_quarter, True), (ends_at - 1, True)):
        client.server.clock.freeze(at)
        for form in list_requests(client):
            answer = client.post("/api/v1/token", client.first, form)
            assert (answer.status_code, HEADER in answer.headers) == (200, is_there), (form["grant_type"], answer.text)
            assert answer.json()["client_secret_expires_at"] == ends_at
            if is_there:
                assert parsedate_to_datetime(answer.headers[HEADER]).timestamp() == ends_at


def test_a_secret_without_an_end_has_no_header_and_a_refusal_none_either(client: Client) -> None:
    with administer(client.server.settings) as desks:
        endless = desks.applications.add_secret("report", secret_name="endless", expires_at=NEVER).client_secret
    ask_until(lambda: client.ask_token(endless).status_code == 200)
    client.server.clock.freeze(client.made.secret.expires_at - HOUR)
    assert HEADER not in client.ask_token(endless).headers
    refused = client.post("/api/v1/token", client.first, {"grant_type": "nonsense"})
    assert (refused.status_code, HEADER in refused.headers) == (400, False)
