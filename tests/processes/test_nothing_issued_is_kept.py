"""Everything that the server ever hands out, searched for in every file of the home and in its log (R10, R31)."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from rowgate.oauth.registration_tokens import INITIAL_PREFIX
from rowgate.service.admin.policies import PolicyChange
from support.client_keys import ClientKey
from support.homes import add_application, administer, make_home
from support.servers import ServerProcess, serve_process

VIEW = "SA_ADInventory_UsersView"


@pytest.fixture(scope="module")
def issued(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A home that a server has worked in, and what it gave, by what it is."""
    settings = make_home(tmp_path_factory.mktemp("issued") / "home", sample_database)
    (settings.home / "rowgate.toml").write_text(
        f'database = "sqlite:///{sample_database}"\nclient_registration = true\nlog_level = "debug"\n', "utf-8"
    )
    sealed = add_application(settings, "sealed", policy=PolicyChange(token_exchange=True))
    signed = add_application(settings, "signed", policy=PolicyChange(access_token_format="jwt"))
    rotating = add_application(settings, "rotating", policy=PolicyChange(rotate_refresh_tokens=True))
    given = {"secret": sealed.client_secret, "another secret": signed.client_secret, "third": rotating.client_secret}
    with administer(settings) as desks:
        given["code"] = desks.secrets.enrol("sealed", lifetime_seconds=3600).code
        given["initial"] = desks.registrations.add_token(
            (VIEW,), scope="read", lifetime_seconds=3600
        ).initial_access_token
    with serve_process(settings.home) as server:
        for name, made in (("sealed", sealed), ("signed", signed), ("rotating", rotating)):
            _use(server, (made.application.client_id, made.client_secret), given, name)
        enrolled = httpx.post(f"{server.url}/api/v1/enrol", json={"code": given["code"]}).json()
        given["enrolled"] = enrolled["client_secret"]
        registered = httpx.post(
            f"{server.url}/api/v1/register",
            json={"client_name": "itself", "grant_types": ["client_credentials"]},
            headers={"Authorization": f"Bearer {given['initial']}"},
        ).json()
        given |= {"registered": registered["client_secret"], "registration": registered["registration_access_token"]}
        server.stop()
    return settings.home, given


def _use(server: ServerProcess, basic: tuple[str, str], given: dict[str, str], name: str) -> None:
    def ask(path: str, **form: str) -> Any:
        answer = httpx.post(server.url + path, data=form, auth=basic)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else None

    tokens = ask("/token", grant_type="client_credentials")
    again = ask("/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    key = ClientKey()
    proof = key.prove("POST", f"{server.url}/token", time.time())
    form = {"grant_type": "client_credentials"}
    bound = httpx.post(f"{server.url}/token", data=form, auth=basic, headers={"DPoP": proof}).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert httpx.get(f"{server.url}/api/v1/data/{VIEW}/rows?limit=1", headers=bearer).status_code == 200
    ask("/introspect", token=tokens["access_token"])
    given |= {f"{name} renewed": ask("/api/v1/secret")["client_secret"], f"{name} proof": proof}
    given |= {f"{name} access": tokens["access_token"], f"{name} refresh": tokens["refresh_token"]}
    given |= {f"{name} again": again["access_token"], f"{name} bound": bound["access_token"]}
    given[f"{name} successor"] = again.get("refresh_token", tokens["refresh_token"])
    ask("/revoke", token=tokens["refresh_token"])
    wrong = {"Authorization": f"Bearer {tokens['access_token'][:-1]}"}
    assert httpx.get(f"{server.url}/api/v1/data/{VIEW}/rows", headers=wrong).status_code == 401


def test_no_issued_value_stands_in_the_home_or_a_log(issued: tuple[Path, dict[str, str]]) -> None:
    home, given = issued
    assert len(given) > 20
    assert given["initial"].startswith(INITIAL_PREFIX)
    # a prefix and a key id are on record on purpose: what is looked for is the end, which nobody can guess
    wanted = {name: value[-40:].encode() for name, value in given.items()}
    places = [path for path in (*home.rglob("*"), *home.parent.glob("*.log")) if path.is_file()]
    assert len(places) >= 4
    found = {(name, path.name) for path in places for name, value in wanted.items() if value in path.read_bytes()}
    assert found == set()


def test_handles_are_what_is_on_record(issued: tuple[Path, dict[str, str]]) -> None:
    """The search above is worth something only where it looks: the key id of a secret is found there."""
    home, given = issued
    content = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert given["secret"].split("_")[1].encode() in content
