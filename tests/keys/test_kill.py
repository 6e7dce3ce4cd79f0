"""Power cuts around rotation: kill -9 of a server that is under load, and of the command that rotates."""

import sqlite3
import subprocess
from contextlib import closing, suppress

import httpx
import pytest

from keys.conftest import GRANTED, ask_for_jwt, read_sealing_number, wait_for_kids
from rowgate import wiring
from rowgate.audit.reader import Search, find_break, find_events, list_segments
from rowgate.config import CONFIG_NAME, Settings, dump
from rowgate.oauth.tokens import ACCESS
from rowgate.records import KeyMaterial
from rowgate.service.key_plan import FOLLOW_SECONDS
from support.clock import MovableClock
from support.homes import add_application, administer
from support.servers import ROWGATE, fetch_token, serve_process, wait_until


def load_keys(settings: Settings) -> KeyMaterial:
    with closing(wiring.open_reader(settings)) as reader:
        return reader.load_keys()


def check_home(settings: Settings) -> None:
    """Every key opens, and each that was made after the home is on record."""
    keys = load_keys(settings)
    assert all(find_break(path) is None for path in list_segments(settings.audit_path))
    events = find_events(settings.audit_path, Search(kind="administrative_change"))
    added = {event["target"] for event in events if event["action"] == "key.add"}
    named = {key.kid for key in keys.signing} | {str(number) for number in keys.sealing if number != min(keys.sealing)}
    assert named <= added


@pytest.mark.slow
def test_tokens_outlive_a_server_that_is_killed_while_keys_rotate(settings: Settings) -> None:
    """Each time a token is got, sealing and signing keys change, and the server is killed before or after it knows."""
    (settings.home / CONFIG_NAME).write_text(dump(settings))
    signed, sealed = ask_for_jwt(settings, "EdDSA"), add_application(settings, "sealed", (GRANTED,))
    # In the past, so that each new key seals as soon as the worker has heard of it: there is only one.
    clock = MovableClock()
    clock.advance(-10 * FOLLOW_SECONDS)
    with closing(sqlite3.connect(settings.state_path)) as state, state:
        state.execute("UPDATE keys SET created_at = created_at - ?", (20 * FOLLOW_SECONDS,))
    issued: list[str] = []
    for round_ in range(3):
        with serve_process(settings.home) as server:
            wait_for_kids(server.url, max(1, len(load_keys(settings).signing)))
            for made in (signed, sealed):
                got = fetch_token(server.url, made.application.client_id, made.client_secret)
                issued.append(got["access_token"])
            for token in issued:
                bearer = {"Authorization": f"Bearer {token}"}
                rows = httpx.get(f"{server.url}/api/v1/data/{GRANTED}/rows?limit=1", headers=bearer)
                assert rows.status_code == 200, (round_, rows.text)
            with administer(settings, clock) as desks:
                desks.keys.rotate_sealing()
            clock.advance(2 * FOLLOW_SECONDS)
            with administer(settings) as desks:
                desks.keys.rotate_signing(at_once=True)
            if round_:  # the first time it is killed before it has heard of it
                wait_for_kids(server.url, len(load_keys(settings).signing))
            server.kill()
        check_home(settings)
    assert len(load_keys(settings).sealing) == 4
    numbers = {read_sealing_number(token) for token in issued if token.startswith(ACCESS)}
    assert len(numbers) == 3


@pytest.mark.parametrize(
    "flags", [(), ("--sealing",), ("--algorithm", "RS256", "--now")], ids=["all", "sealing", "rsa"]
)
@pytest.mark.slow
def test_a_rotation_that_is_killed_is_whole_or_not_there(settings: Settings, flags: tuple[str, ...]) -> None:
    """Killed at any moment: no key without its record, none that does not open, and the next one works."""
    (settings.home / CONFIG_NAME).write_text(dump(settings))
    record = settings.audit_path
    before = sum(path.stat().st_size for path in list_segments(record))
    command = [*ROWGATE, "key", "rotate", "--home", str(settings.home), *flags]
    for kill_at_once in (False, True):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        if not kill_at_once:
            # the record is written first, so this is in the middle of the transaction, or just after it
            wait_until(
                lambda size=before, process=process: (  # type: ignore[misc]
                    process.poll() is not None or sum(path.stat().st_size for path in list_segments(record)) > size
                ),
                seconds=20,
            )
        process.kill()
        process.wait(10)
        check_home(settings)
    with suppress(subprocess.CalledProcessError):  # refused when one is on its way
        subprocess.run(command, check=True, stderr=subprocess.PIPE, timeout=30)
    check_home(settings)
    keys = load_keys(settings)
    assert len(keys.sealing) + len(keys.signing) >= 2
