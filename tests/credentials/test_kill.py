"""R14, R15: power cuts right after an answer about secrets, and several workers."""

import httpx
import pytest

from processes.conftest import Home, home  # noqa: F401 - a fixture
from support.servers import fetch_token, serve_process, wait_until


def _renew(url: str, of: Home, secret: str) -> httpx.Response:
    auth = (of.made.application.client_id, secret)
    return httpx.post(f"{url}/api/v1/secret", auth=auth, timeout=30)


def _status(url: str, of: Home, secret: str) -> int:
    form = {**of.form, "client_secret": secret}
    return httpx.post(f"{url}/api/v1/token", data=form, timeout=30).status_code


@pytest.mark.slow
def test_an_acknowledged_renewal_and_its_use_survive_power_cuts(home: Home) -> None:  # noqa: F811
    """Renew, kill; use, kill; then the copy is known for one. The frozen line stays frozen after one more."""
    client_id, first = home.made.application.client_id, home.made.client_secret
    with serve_process(home.path) as server:
        second = _renew(server.url, home, first).json()["client_secret"]
        server.kill()
    with serve_process(home.path) as server:
        assert _renew(server.url, home, first).json()["client_secret"] == second
        token = fetch_token(server.url, client_id, second)["access_token"]
        server.kill()
    with serve_process(home.path) as server:
        assert _renew(server.url, home, first).status_code == 401
        server.kill()
    with serve_process(home.path) as server:
        assert [_status(server.url, home, secret) for secret in (first, second)] == [401, 401]
        bearer = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{server.url}/api/v1/data/small/rows", headers=bearer).status_code == 401
    assert len(home.list_events(kind="lineage_frozen")) == 1


@pytest.mark.slow
def test_workers_agree_on_one_successor(home: Home) -> None:  # noqa: F811
    """New connections reach either worker; what one gave the other gives again, and either sees the theft."""
    first = home.made.client_secret
    with serve_process(home.path, "--workers", "2") as server:
        seen = {_renew(server.url, home, first).json()["client_secret"] for _ in range(12)}
        assert len(seen) == 1
        (second,) = seen
        fetch_token(server.url, home.made.application.client_id, second)
        assert _renew(server.url, home, first).status_code == 401
        wait_until(lambda: [_status(server.url, home, second) for _ in range(6)] == [401] * 6, seconds=5)
