"""What the administrator forbids, caps and sees."""

import pytest

from credentials.conftest import HOUR, SECRET, Client, set_policy
from rowgate.service.admin.desk import AdminError


def test_renewal_can_be_forbidden_and_allowed_again(client: Client) -> None:
    set_policy(client, renew_secrets=False)
    refused = client.post(SECRET, client.first)
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")
    assert client.find_reason(refused) == "renewal_forbidden"
    assert client.ask_token(client.first).status_code == 200
    set_policy(client, renew_secrets=True)
    client.renew(client.first)


def test_a_line_ends_at_its_greatest_age(client: Client) -> None:
    """No secret of it lives past that, and at that age none is given."""
    set_policy(client, lineage_seconds=100 * HOUR)
    ends_at = client.made.secret.created_at + 100 * HOUR
    client.server.clock.advance(71 * HOUR)
    second = client.renew(client.first)
    assert second["client_secret_expires_at"] == ends_at
    client.server.clock.advance(29 * HOUR - 60)
    third = client.renew(second["client_secret"])
    assert (third["client_secret_expires_at"], third["previous_client_secret_expires_at"]) == (ends_at, ends_at)
    client.server.clock.advance(60)
    assert client.post(SECRET, third["client_secret"]).status_code == 401


def test_a_line_that_was_too_old_when_the_cap_came_is_refused(client: Client) -> None:
    client.server.clock.advance(10 * HOUR)
    set_policy(client, lineage_seconds=2 * HOUR)
    refused = client.post(SECRET, client.first)
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")
    assert client.find_reason(refused) == "lineage_too_old"


def test_lifetime_and_overlap_are_as_set(client: Client) -> None:
    set_policy(client, renewed_secret_seconds=0, secret_overlap_seconds=0)
    now = int(client.server.clock())
    renewed = client.renew(client.first)
    assert (renewed["client_secret_expires_at"], renewed["previous_client_secret_expires_at"]) == (0, now)
    client.fetch_token(renewed["client_secret"])
    assert client.ask_token(client.first).status_code == 401


def test_a_change_is_on_record_once(client: Client) -> None:
    for _ in range(2):
        set_policy(client, secret_overlap_seconds=60)
    (event,) = [e for e in client.server.events(kind="administrative_change") if e["action"] == "secret.policy"]
    assert event["details"] == {"secret_overlap_seconds": 60}


@pytest.mark.parametrize(
    "wanted", [{"secret_overlap_seconds": 8 * 24 * HOUR}, {"secret_overlap_seconds": HOUR, "lineage_seconds": 60}]
)
def test_lengths_that_make_no_sense_are_refused(client: Client, wanted: dict[str, int]) -> None:
    with pytest.raises(AdminError):
        set_policy(client, **wanted)
