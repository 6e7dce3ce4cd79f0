"""/metrics: what Prometheus gets, and who may have it."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from rowgate.config import Settings
from support.clock import MovableClock
from support.homes import add_application, administer, make_home
from support.servers import RunningServer, fetch_token, run_server, wait_until

HOUR = 3600


@pytest.fixture
def settings(tmp_path: Path, sample_database: Path) -> Settings:
    return make_home(tmp_path / "home", sample_database)


def scrape(server: RunningServer, token: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.headers["cache-control"] == "no-store"
    found: dict[Any, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def within(hours: int) -> tuple[str, tuple[tuple[str, str], ...]]:
    return "rowgate_secrets_expiring", (("within_hours", str(hours)),)


def test_secrets_that_end_are_counted_as_the_clock_goes_on(settings: Settings) -> None:
    clock = MovableClock()
    clock.freeze(int(clock()))
    watcher = add_application(settings, "prometheus", (), scope="metrics", clock=clock, secret_expires_at=0)
    made = add_application(settings, 'a "name"', clock=clock)
    add_application(settings, "no end", clock=clock, secret_expires_at=0)
    ends_at = made.secret.expires_at
    with run_server(settings, clock) as server:

        def look() -> dict[Any, float]:
            token = fetch_token(server.url, watcher.application.client_id, watcher.client_secret)["access_token"]
            return scrape(server, token)

        for left, expected in ((25 * HOUR, (0, 0, 0)), (24 * HOUR, (1, 0, 0)), (HOUR, (1, 1, 1)), (0, (0, 0, 0))):
            clock.freeze(ends_at - left)
            found = look()
            assert tuple(found[within(hours)] for hours in (24, 6, 1)) == expected
            assert found["rowgate_secrets_expired", ()] == (left == 0)
        assert found["rowgate_applications", ()] == 3
        labels = (("application", 'a "name"'), ("client_id", made.application.client_id))
        assert found["rowgate_secret_end_timestamp_seconds", labels] == ends_at
        assert [name for name, _ in found].count("rowgate_secret_end_timestamp_seconds") == 1
        with administer(settings) as desks:
            desks.applications.set_enabled('a "name"', enabled=False)
        wait_until(lambda: look()["rowgate_secrets_expired", ()] == 0)


def test_only_the_scope_opens_it(settings: Settings) -> None:
    reader = add_application(settings, "reader")
    with run_server(settings) as server:
        token = fetch_token(server.url, reader.application.client_id, reader.client_secret)["access_token"]
        for headers, error in (
            ({}, None),
            ({"Authorization": "Bearer nonsense"}, "invalid_token"),
            ({"Authorization": f"Bearer {token}"}, "insufficient_scope"),
        ):
            answer = httpx.get(f"{server.url}/metrics", headers=headers)
            assert answer.status_code == 401
            assert (f'error="{error}"' in answer.headers["www-authenticate"]) is (error is not None)
            assert "rowgate_" not in answer.text
        assert httpx.post(f"{server.url}/metrics").status_code == 405
        assert httpx.get(f"{server.url}/metrics", params={"access_token": token}).status_code == 400
        wait_until(lambda: len(server.events(kind="token_refused")) == 4)
        last = server.events(kind="token_refused")[-2]
        assert (last["reason"], last["endpoint"]) == ("scope_lacks_metrics", "metrics")
        assert last["client_id"] == reader.application.client_id
