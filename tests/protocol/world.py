"""A running server with everybody the cases speak of."""

import base64
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from protocol.case import BASIC, CC, FORM, ROWS, TOKEN, Case
from rowgate import wiring
from rowgate.config import Settings
from rowgate.service.admin.token_opener import HomeTokenOpener
from support.homes import add_application, administer, make_home
from support.servers import RunningServer, fetch_token, run_server, wait_until

GRANTED = "SA_ServiceAccounts"
BLOCKED = "SA_ADInventory_ComputersView"
NOT_GRANTED = "SA_Jobs_DiskUsage"
_PLACEHOLDER = re.compile(r"<([a-z0-9_]+)>")
_BASE64 = re.compile(r"b64\[(.*?)\]", re.DOTALL)
_HOUR = 3600
_DAY = 24 * _HOUR


@dataclass
class World:
    """The server and the values that the cases' placeholders stand for."""

    server: RunningServer
    values: dict[str, str]
    client: httpx.Client
    answers: list[httpx.Response] = field(default_factory=list)

    def fill(self, text: str) -> str:
        """Put the values in."""
        filled = _PLACEHOLDER.sub(lambda match: self.values.get(match[1], match[0]), text)
        return _BASE64.sub(lambda match: base64.b64encode(match[1].encode("latin-1")).decode(), filled)

    def send(self, case: Case) -> httpx.Response:
        """Send a case's request."""
        body, media = case.body, case.media
        if case.form is not None:
            body, media = case.form, FORM
        headers = [(name, self.fill(value)) for name, value in case.headers]
        if media is not None:
            headers.append(("Content-Type", media))
        if case.basic:
            headers.append(("Authorization", self.fill(f"Basic b64[{case.basic}]")))
        content = self.fill(body).encode() if isinstance(body, str) else body
        answer = self.client.request(case.method, self.fill(case.path), headers=headers, content=content)
        self.answers.append(answer)
        return answer

    def post_token(self, form: str = CC, basic: str = BASIC) -> httpx.Response:
        """Ask for a token."""
        return self.send(Case("", "", "", 0, form=form, basic=basic))

    def get_tokens(self, form: str = CC, basic: str = BASIC) -> dict[str, Any]:
        """Get tokens; the answer must be a success."""
        answer = self.post_token(form, basic)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def get_rows(self, access_token: str, path: str = ROWS, **more: Any) -> httpx.Response:
        """Ask for rows."""
        return self.client.get(path, headers={"Authorization": f"Bearer {access_token}"}, **more)

    def find_event(self, answer: httpx.Response) -> dict[str, Any]:
        """Give what stands on record for an answer."""
        request_id = answer.headers["x-request-id"]
        found = [event for event in self.server.events() if event.get("request_id") == request_id]
        assert found, "the request is not on record"
        return found[-1]


@contextmanager
def open_world(directory: Path, database: Path, **settings: Any) -> Iterator[World]:
    """Make a home, register everybody, serve it and get the tokens of the cases."""
    made = make_home(directory / "home", database, **settings)
    values = _register(made)
    with run_server(made) as server, httpx.Client(base_url=server.url, timeout=10) as client:
        world = World(server, values, client)
        _get_tokens(world)
        yield world


def _register(settings: Settings) -> dict[str, str]:
    values = {"unknown_id": "0123456789abcdefghjk", "wrong": "rgcs_00000000_" + "A" * 43}
    long_ago = time.time() - 100 * _HOUR
    applications: dict[str, dict[str, Any]] = {
        "": {"scope": "read run", "objects": (GRANTED, BLOCKED, "SA_ADInventory_UsersView")},
        "other_": {},
        "plain_": {"refresh_tokens": False},
        "disabled_": {},
        "expired_": {"clock": lambda: long_ago},
    }
    for name, options in applications.items():
        new = add_application(settings, name or "main", **{"objects": (GRANTED,), **options})
        values[f"{name}id"], values[f"{name}secret"] = new.application.client_id, new.client_secret
    values["encoded_id"] = _escape(values["id"])
    values["encoded_secret"] = _escape(values["secret"])
    with administer(settings) as desks:
        desks.applications.set_enabled("disabled_", enabled=False)
        desks.objects.block(BLOCKED, reason="tests")
        desks.objects.add_alias(GRANTED, "accounts")
    return values


def _escape(text: str) -> str:
    return "".join(f"%{ord(sign):02X}" for sign in text)


def _get_tokens(world: World) -> None:
    values, url = world.values, world.server.url
    values["url"] = url

    def get(prefix: str, *, whose: str = "", **more: str) -> None:
        tokens = fetch_token(url, values[f"{whose}id"], values[f"{whose}secret"], **more)
        values[f"{prefix}access"] = tokens["access_token"]
        values[f"{prefix}refresh"] = tokens.get("refresh_token", "")

    get("")
    get("run_", scope="run")
    get("other_", whose="other_")
    get("revoked_")
    revoke(world.server.settings, values["revoked_refresh"])
    world.server.clock.advance(-8 * _DAY)
    get("old_")
    world.server.clock.reset()
    bearer = {"Authorization": f"Bearer {values['revoked_access']}"}
    wait_until(lambda: httpx.get(url + ROWS, headers=bearer).status_code == 401)


def revoke(settings: Settings, token: str) -> None:
    """Kill a token, as the command does."""
    store = wiring.open_store(settings)
    opener = HomeTokenOpener(store.load_keys())
    store.close()
    with administer(settings) as desks:
        desks.tokens.revoke(token, opener)


def list_issued(world: World) -> set[str]:
    """Give every secret and token that the world knows of."""
    issued = {
        value
        for name, value in world.values.items()
        if value and not name.endswith("id") and name not in ("wrong", "url")
    }
    for answer in world.answers:
        if answer.request.url.path.endswith(TOKEN) and answer.status_code == 200:
            tokens = answer.json()
            issued |= {tokens["access_token"], tokens.get("refresh_token", tokens["access_token"])}
    return issued
