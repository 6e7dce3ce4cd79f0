"""Several worker processes: one policy, and a worker that dies is replaced."""

import http.client
import re
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from processes.conftest import Home
from rowgate import wiring
from rowgate.service.admin.policies import PolicyChange
from rowgate.service.admin.token_opener import HomeTokenOpener
from support.homes import add_application, administer
from support.servers import ServerProcess, fetch_token, serve_process, wait_until, within_a_second

pytestmark = pytest.mark.slow


def ask_workers(server: ServerProcess, token: str, *, connections: int = 16) -> dict[str, set[int]]:
    """Read with fresh connections, all open at once; give the statuses by worker (the request id's first part)."""
    opened = [http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10) for _ in range(connections)]
    found: dict[str, set[int]] = {}
    for connection in opened:
        connection.connect()
    for connection in opened:
        connection.request("GET", "/api/v1/data/small/rows", headers={"Authorization": f"Bearer {token}"})
    for connection in opened:
        answer = connection.getresponse()
        answer.read()
        found.setdefault(answer.headers["x-request-id"].split("-")[0], set()).add(answer.status)
        connection.close()
    return found


def reaches_all_workers(server: ServerProcess, token: str, change: Callable[[], object], status: int) -> None:
    """Make a change; within a second every worker answers so, and none goes back on it."""
    change()
    within_a_second(lambda: all_say(server, token, status))
    for _ in range(3):
        answers = ask_workers(server, token)
        assert set().union(*answers.values()) == {status}


def all_say(server: ServerProcess, token: str, status: int) -> bool:
    """Tell whether both workers answer so; where one took all connections, both are asked again."""
    answers = wait_until(lambda: found if len(found := ask_workers(server, token)) == 2 else None)
    return all(found == {status} for found in answers.values())


def test_a_quota_holds_for_all_workers_together(home: Home) -> None:
    """And for one client that is always answered by the same: nothing is divided."""
    with administer(home.settings) as desks:
        desks.policies.set("app", PolicyChange(tokens_per_minute=6))
    with serve_process(home.path, "--workers", "2") as server:
        wait_until(lambda: len(ask_workers(server, "none")) == 2)
        began = time.monotonic()
        answers = [httpx.post(f"{server.url}/api/v1/token", data=home.form) for _ in range(40)]
        run_in = (time.monotonic() - began) / 10
        by_worker: dict[str, int] = {}
        for answer in answers:
            worker = answer.headers["x-request-id"].split("-")[0]
            by_worker[worker] = by_worker.get(worker, 0) + 1
        assert len(by_worker) == 2
        statuses = [answer.status_code for answer in answers]
        assert 6 <= statuses.count(200) <= 6 + run_in + 1
        assert set(statuses) == {200, 429}


def test_a_change_reaches_every_worker_within_a_second(home: Home) -> None:
    with serve_process(home.path, "--workers", "2") as server, administer(home.settings) as desks:
        wait_until(lambda: len(ask_workers(server, "none")) == 2)
        token, other = (
            fetch_token(server.url, home.made.application.client_id, home.made.client_secret)["access_token"]
            for _ in range(2)
        )
        reaches_all_workers(server, token, lambda: desks.objects.block("small", reason="tests"), 401)
        reaches_all_workers(server, token, lambda: desks.objects.unblock("small"), 200)
        reaches_all_workers(server, token, lambda: desks.applications.ungrant("app", ["small"]), 401)
        reaches_all_workers(server, token, lambda: desks.grants.grant("app", ["small"]), 200)
        reaches_all_workers(server, token, lambda: desks.applications.set_enabled("app", enabled=False), 401)
        reaches_all_workers(server, token, lambda: desks.applications.set_enabled("app", enabled=True), 200)
        store = wiring.open_store(home.settings)
        opener = HomeTokenOpener(store.load_keys())
        store.close()
        reaches_all_workers(server, token, lambda: desks.tokens.revoke(token, opener), 401)
        assert set().union(*ask_workers(server, other).values()) == {200}
        reaches_all_workers(server, other, lambda: desks.applications.remove("app"), 401)
        assert server.stop() == 0
    actions = [event["action"] for event in home.list_events(kind="server")]
    assert sorted(actions) == ["started", "started", "stopped", "stopped"]


def test_a_worker_that_is_killed_is_replaced_and_no_answer_is_lost(home: Home) -> None:
    with serve_process(home.path, "--workers", "2") as server:
        # of one look both: all of another's connections may well be taken by the same worker
        before = wait_until(lambda: found if len(found := set(ask_workers(server, "none"))) == 2 else None)
        killed = list_workers(server)[0]
        killed.kill()
        wait_until(lambda: len(set(ask_workers(server, "none", connections=64)) - before) == 1, seconds=30)
        assert httpx.post(f"{server.url}/token", data=home.form).status_code == 200
        assert f"worker {killed.pid} has ended (exit code -9), another takes its place" in server.log.read_text()
        assert server.stop() == 0


def test_counters_hold_for_all_workers_and_do_not_fall_with_one_that_is_killed(home: Home) -> None:
    watcher = add_application(home.settings, "prometheus", (), scope="metrics")
    asked = 0
    with serve_process(home.path, "--workers", "2") as server:

        def ask(connections: int) -> set[str]:
            nonlocal asked
            asked += connections
            return set(ask_workers(server, "none", connections=connections))

        def count() -> int:
            said = httpx.get(f"{server.url}/metrics", headers=headers).text
            counted = re.findall(r'^rowgate_requests_refused_total{.*"invalid_token"} (.+)$', said, re.MULTILINE)
            return int(sum(map(float, counted)))

        wait_until(lambda: len(ask(16)) == 2)
        made = fetch_token(server.url, watcher.application.client_id, watcher.client_secret)
        headers = {"Authorization": f"Bearer {made['access_token']}"}
        wait_until(lambda: count() == asked)
        killed = list_workers(server)[0]
        killed.kill()
        killed.wait(10)
        assert count() == asked
        before = asked
        wait_until(lambda: len(ask(64)) == 2, seconds=30)
        wait_until(lambda: count() == asked)
        assert asked > before
        (folder,) = home.path.glob("counts-*")
        assert len(list(folder.iterdir())) == 2
        assert server.stop() == 0
    assert list(home.path.glob("counts-*")) == []


def test_workers_end_when_their_supervisor_is_killed(home: Home) -> None:
    """Nobody would stop them, and the next `rowgate serve` would find the port taken."""
    with serve_process(home.path, "--workers", "2") as server:
        wait_until(lambda: len(set(ask_workers(server, "none"))) == 2)
        workers = list_workers(server)
        server.process.kill()
        _, left = psutil.wait_procs(workers, timeout=10)
        assert left == []


def list_workers(server: ServerProcess) -> list[psutil.Process]:
    """Give the two workers, not the tracker that multiprocessing starts beside them."""
    found = psutil.Process(server.process.pid).children()
    workers = [child for child in found if "spawn_main" in " ".join(child.cmdline())]
    assert len(workers) == 2
    return workers
