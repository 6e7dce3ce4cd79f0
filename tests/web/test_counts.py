"""What /metrics tells of requests and reads."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from rowgate.service.admin.applications import NewCredentials
from rowgate.service.tally import MEASURES
from rowgate.web.health import HealthEndpoint
from support.homes import add_application
from support.servers import RunningServer, ask_until, fetch_token, wait_until

ERRORS = "rowgate_errors_answered_total"
OBJECT = "SA_ADInventory_UsersView"


@pytest.fixture(scope="module")
def watcher(server: RunningServer) -> NewCredentials:
    return add_application(server.settings, "prometheus", (), scope="metrics")


@pytest.fixture(scope="module")
def reader(server: RunningServer, watcher: NewCredentials) -> NewCredentials:
    made = add_application(server.settings, "reader", (OBJECT,))
    for one in (watcher, made):
        ask_until(lambda one=one: ask_token(server, one, "client_credentials").is_success)  # type: ignore[misc]
    return made


def ask_token(server: RunningServer, made: NewCredentials, grant_type: str) -> httpx.Response:
    credentials = (made.application.client_id, made.client_secret)
    return httpx.post(f"{server.url}/token", data={"grant_type": grant_type}, auth=credentials)


class Scraper:
    """Tells what has been counted since the last look."""

    def __init__(self, server: RunningServer, watcher: NewCredentials) -> None:
        made = fetch_token(server.url, watcher.application.client_id, watcher.client_secret)
        self._address = f"{server.url}/metrics"
        self._headers = {"Authorization": f"Bearer {made['access_token']}"}
        self._before = self.look()

    def look(self) -> dict[tuple[str, ...], float]:
        found: dict[tuple[str, ...], float] = {}
        for family in text_string_to_metric_families(httpx.get(self._address, headers=self._headers).text):
            for sample in family.samples:
                found[sample.name, *(f"{name}={word}" for name, word in sorted(sample.labels.items()))] = sample.value
        return found

    def list_new(self) -> dict[tuple[str, ...], float]:
        now = self.look()
        return {words: number - self._before.get(words, 0) for words, number in now.items()}


@pytest.fixture
def scraper(server: RunningServer, watcher: NewCredentials, reader: NewCredentials) -> Scraper:  # noqa: ARG001
    return Scraper(server, watcher)


def test_tokens_and_refusals_are_counted(server: RunningServer, reader: NewCredentials, scraper: Scraper) -> None:
    for _ in range(3):
        assert ask_token(server, reader, "client_credentials").is_success
    assert ask_token(server, reader, "password").status_code == 400
    assert httpx.get(f"{server.url}/api/v1/data/{OBJECT}/rows").status_code == 401
    new = scraper.list_new()
    assert new["rowgate_tokens_issued_total", "grant_type=client_credentials"] == 3
    assert new["rowgate_requests_refused_total", "endpoint=token", "error=unsupported_grant_type"] == 1
    assert new["rowgate_requests_refused_total", "endpoint=data", "error=missing_token"] == 1
    assert new[("rowgate_token_request_seconds_count",)] == 4
    assert new["rowgate_token_request_seconds_bucket", "le=+Inf"] == 4
    assert new[("rowgate_token_request_seconds_sum",)] > 0
    assert new[("rowgate_audit_flush_seconds_count",)] >= 2
    assert new[("rowgate_audit_flushes_failed_total",)] == 0


def test_reads_are_counted_with_their_rows_and_bytes(
    server: RunningServer, reader: NewCredentials, scraper: Scraper
) -> None:
    token = fetch_token(server.url, reader.application.client_id, reader.client_secret)["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
    address = f"{server.url}/api/v1/data/{OBJECT}/rows"
    answer = httpx.get(address, params={"limit": 12, "format": "csv"}, headers=headers)
    assert httpx.head(address, headers=headers).status_code == 200
    assert httpx.get(address, params={"columns": "no such column"}, headers=headers).status_code == 400
    new: dict[Any, float] = wait_until(lambda: has_ended(scraper.list_new()))
    assert new["rowgate_reads_total", "format=csv", "outcome=complete", "reason="] == 1
    assert new["rowgate_rows_served_total", "format=csv"] == 12
    assert new["rowgate_bytes_served_total", "format=csv"] == len(answer.content)
    assert new["rowgate_rows_served_total", "format=json"] == 0
    assert new["rowgate_requests_refused_total", "endpoint=data", "error=invalid_parameter"] == 1
    assert new["rowgate_read_seconds_count", "outcome=complete"] == 2
    assert new[("rowgate_reads_in_progress",)] == new[("rowgate_reads_waiting",)] == 0
    assert new["rowgate_database_connections_in_use", "database="] == 0


def has_ended(new: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float] | None:
    return new if new.get(("rowgate_reads_total", "format=json", "outcome=complete", "reason=head")) else None


def test_what_only_says_wait_is_counted_each_time(server: RunningServer, scraper: Scraper) -> None:
    """The record tells of the first alone."""
    unknown = {"grant_type": "client_credentials", "client_id": "nobody", "client_secret": "x"}
    wait_until(lambda: httpx.post(f"{server.url}/token", data=unknown).status_code == 429)
    for _ in range(4):
        httpx.post(f"{server.url}/token", data=unknown)
    assert scraper.list_new()["rowgate_requests_refused_total", "endpoint=token", "error=slow_down"] >= 3


def test_errors_that_no_event_tells_of_are_counted(
    server: RunningServer, scraper: Scraper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is counted once, whichever part of the server answers it: an endpoint, one without a task, the protocol."""
    url, rows = server.url, f"{server.url}/api/v1/data/{OBJECT}/rows"
    assert httpx.get(f"{url}/nothing").status_code == 404
    assert httpx.put(rows).status_code == 405
    assert httpx.get(f"{url}/token").status_code == 405
    assert httpx.post(f"{url}/token", data={"grant_type": "x" * 200_000}).status_code == 413
    assert httpx.post(f"{url}/token", data={"grant_type": "password"}).status_code == 401
    assert httpx.get(f"{url}/healthz", headers={"X": "x" * 200_000}).status_code == 431
    assert httpx.get(f"{url}/healthz", headers={"Expect": "a miracle"}).status_code == 417
    assert httpx.get(rows).status_code == 401

    async def fail(_endpoint: HealthEndpoint) -> Mapping[str, bool]:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(HealthEndpoint, "_look", fail)
    assert httpx.get(f"{url}/healthz").status_code == 500
    told = {words[1:]: number for words, number in scraper.list_new().items() if words[0] == ERRORS and number}
    assert told == {
        ("error=not_found", "status=404"): 1,
        ("error=invalid_request", "status=405"): 2,
        ("error=invalid_request", "status=413"): 1,
        ("error=invalid_client", "status=401"): 1,
        ("error=invalid_request", "status=431"): 1,
        ("error=invalid_request", "status=417"): 1,
        ("error=missing_token", "status=401"): 1,
        ("error=server_error", "status=500"): 1,
    }


def test_every_measure_is_told_and_no_label_is_a_clients(scraper: Scraper) -> None:
    told = scraper.look()
    names = {words[0].removesuffix("_total").removesuffix("_count") for words in told}
    assert {measure.name for measure in MEASURES} <= names
    for words in told:
        if words[0] != "rowgate_secret_end_timestamp_seconds":
            assert not any(label.startswith(("client_id=", "application=", "object=")) for label in words)
