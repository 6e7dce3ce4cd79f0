"""PostgreSQL is stopped and started under two replicas: what needs no write goes on, the rest is told to come again."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from replicas.conftest import OBJECT, TOKEN, Replicas
from rowgate.service.admin.policies import PolicyChange
from support.client_keys import ClientKey
from support.homes import add_without_secret, administer
from support.postgres import PostgresServer, run_postgres
from support.replicas import PUBLIC_URL, make_replicas
from support.servers import ROWGATE, serve_process, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own() -> Iterator[PostgresServer]:
    """A server that these tests may stop."""
    with run_postgres() as running:
        yield running


@pytest.fixture(scope="module")
def replicas(
    sample_database: Path, tmp_path_factory: pytest.TempPathFactory, own: PostgresServer
) -> Iterator[Replicas]:
    database = own.create_state_database()
    one, two = make_replicas(tmp_path_factory.mktemp("outage"), sample_database, own, database)
    with serve_process(one.home) as first, serve_process(two.home) as second:
        yield Replicas(one, (first, second), ClientKey())


def is_ready(url: str) -> bool:
    return httpx.get(f"{url}/readyz", timeout=30).status_code == 200


def test_tokens_and_rows_go_on_and_what_is_written_is_refused_until_it_is_back(
    replicas: Replicas, own: PostgresServer
) -> None:
    basic, key = replicas.add("plain"), ClientKey()
    keyed = add_without_secret(
        replicas.settings, "keyed", (OBJECT,), jwks=key.jwks, authentication_methods=("private_key_jwt",)
    )
    rotating = replicas.add("rotating")
    with administer(replicas.settings) as desks:
        desks.policies.set("rotating", PolicyChange(rotate_refresh_tokens=True))
        code = desks.secrets.enrol("plain", lifetime_seconds=3600).code

    def assert_anew(url: str) -> httpx.Response:
        form = {"grant_type": "client_credentials", **key.assert_client(keyed, PUBLIC_URL, time.time())}
        return httpx.post(url + TOKEN, data=form, timeout=30)

    renewing = replicas.add("renewing")
    answer = httpx.post(f"{replicas.urls[0]}/api/v1/secret", auth=renewing, timeout=30).json()
    unused = (renewing[0], answer["client_secret"])
    replicas.catch_up()
    issued = replicas.ask(replicas.urls[0], basic).json()
    token, refresh = issued["access_token"], {"grant_type": "refresh_token", "refresh_token": issued["refresh_token"]}
    rotated = replicas.ask(replicas.urls[0], rotating).json()["refresh_token"]

    own.stop()
    try:
        replicas.wait_for(lambda url: not is_ready(url))
        for url in replicas.urls:
            assert httpx.get(f"{url}/healthz").status_code == 200
            fresh = replicas.ask(url, basic)
            assert fresh.status_code == 200
            assert httpx.post(url + TOKEN, auth=basic, data=refresh, timeout=30).status_code == 200
            assert [replicas.read(url, given) for given in (token, fresh.json()["access_token"])] == [200, 200]
            introspected = httpx.post(f"{url}/api/v1/introspect", auth=basic, data={"token": token}, timeout=30)
            assert introspected.json()["active"]
            proof = {"DPoP": key.prove("POST", PUBLIC_URL + TOKEN, time.time())}
            for refused in (
                assert_anew(url),
                replicas.ask(url, unused),
                httpx.post(url + TOKEN, auth=rotating, data={**refresh, "refresh_token": rotated}, timeout=30),
                httpx.post(
                    url + TOKEN, auth=basic, data={"grant_type": "client_credentials"}, headers=proof, timeout=30
                ),
                httpx.post(f"{url}/api/v1/secret", auth=basic, timeout=30),
                httpx.post(f"{url}/api/v1/enrol", json={"code": code}, timeout=30),
                httpx.post(f"{url}/api/v1/revoke", auth=basic, data={"token": token}, timeout=30),
            ):
                assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable"), refused.text
                assert int(refused.headers["retry-after"]) > 0
    finally:
        own.start()

    replicas.wait_for(is_ready)
    # nothing of what was refused counts as used, and the pools have mended by themselves
    replicas.wait_for(lambda url: assert_anew(url).status_code == 200)
    assert httpx.post(f"{replicas.urls[1]}/api/v1/enrol", json={"code": code}, timeout=30).status_code == 200
    assert replicas.ask(replicas.urls[1], unused).status_code == 200
    assert httpx.post(f"{replicas.urls[0]}/api/v1/revoke", auth=basic, data={"token": token}, timeout=30).is_success
    replicas.wait_for(lambda url: replicas.read(url, token) == 401, seconds=1.0)


def test_a_change_made_while_a_replica_could_not_see_reaches_it(replicas: Replicas, own: PostgresServer) -> None:
    basic = replicas.add("seen")
    token = replicas.ask(replicas.urls[0], basic).json()["access_token"]
    own.stop()
    replicas.wait_for(lambda url: not is_ready(url))
    own.start()
    with administer(replicas.settings) as desks:
        desks.applications.set_enabled("seen", enabled=False)
    replicas.wait_for(lambda url: replicas.read(url, token) == 401)


def test_a_start_without_the_state_ends_with_one_line(replicas: Replicas, own: PostgresServer) -> None:
    own.stop()
    try:
        for command in (["serve", "--port", "0"], ["app", "list"]):
            done = subprocess.run(
                [*ROWGATE, *command, "--home", str(replicas.settings.home)],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert done.returncode == 1
            (line,) = done.stderr.splitlines()
            assert "the state at" in line
            assert "cannot be reached" in line
            assert done.stdout == ""
    finally:
        own.start()
    replicas.wait_for(is_ready)


def test_the_log_tells_once_that_the_state_is_away_and_once_that_it_is_back(
    replicas: Replicas, own: PostgresServer
) -> None:
    told = ("serving as of before", "can be read again")
    before = [replicas.servers[0].log.read_text().count(line) for line in told]
    own.stop()
    wait_until(lambda: not is_ready(replicas.urls[0]))
    time_to_look_again = time.monotonic() + 1.0
    wait_until(lambda: time.monotonic() > time_to_look_again)
    own.start()
    replicas.wait_for(is_ready)
    assert [replicas.servers[0].log.read_text().count(line) for line in told] == [count + 1 for count in before]


def test_a_state_that_hangs_without_a_word_is_noticed_too(replicas: Replicas, own: PostgresServer) -> None:
    """Tokens are issued meanwhile, and the workers go on by themselves when it answers again."""
    basic = replicas.add("hanging")
    assert own.process is not None
    server = psutil.Process(own.process.pid)
    stopped = [server, *server.children(recursive=True)]
    for process in stopped:
        process.suspend()
    try:
        assert [replicas.ask(url, basic).status_code for url in replicas.urls] == [200, 200]
        replicas.wait_for(lambda url: not is_ready(url), seconds=10)
        assert [replicas.ask(url, basic).status_code for url in replicas.urls] == [200, 200]
    finally:
        for process in stopped:
            process.resume()
    replicas.wait_for(is_ready, seconds=20)
