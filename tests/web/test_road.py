"""The whole road over real HTTP: token, rows, refusal, record."""

import httpx

from support.homes import add_application, administer
from support.servers import RunningServer, ask_until, fetch_token, wait_until


def test_application_gets_token_reads_rows_and_is_refused(server: RunningServer) -> None:
    """What the product is for, once, from end to end."""
    made = add_application(server.settings, "road", ("SA_ADInventory_UsersView", "SA_ServiceAccounts"))
    tokens = ask_until(lambda: _try_token(server, made.application.client_id, made.client_secret))
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    data = f"{server.url}/api/v1/data"
    rows = httpx.get(
        f"{data}/SA_ADInventory_UsersView/rows?filter=DisplayName:equals:zo%C3%AB%20%C3%85kesson", headers=bearer
    )
    assert [row["DisplayName"] for row in rows.json()] == ["Zoë Åkesson"]
    assert httpx.get(f"{data}/SA_ServiceAccounts/rows", headers=bearer).status_code == 200
    with administer(server.settings) as desks:
        desks.objects.block("SA_ServiceAccounts", reason="tests")
    refused = wait_until(lambda: _is_refused(httpx.get(f"{data}/SA_ServiceAccounts/rows", headers=bearer)))
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    kinds = [event["kind"] for event in server.events(application="road")]
    assert {"token_issued", "rows_opened", "rows_ended", "rows_refused", "administrative_change"} <= set(kinds)


def _try_token(server: RunningServer, client_id: str, client_secret: str) -> dict[str, str] | None:
    try:
        return fetch_token(server.url, client_id, client_secret)
    except AssertionError:
        return None  # the server has not yet heard of the application


def _is_refused(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 401 else None
