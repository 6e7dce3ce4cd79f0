"""Tokens for chosen objects and columns, from the request to the rows (RFC 9396; PROTOCOL 63, 77, 78, 103)."""

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from narrow.conftest import ACCOUNTS, DISKS, SIGNED, USERS, Client, Members, Register, detail, echoed, success
from rowgate.rows.model import Format
from rowgate.service.admin.policies import PolicyChange
from rows.harness import unordered
from support.homes import add_application, administer, make_home
from support.servers import RunningServer, run_server, wait_until

_COLUMNS = ("AccountId", "Owner")


def _claims(token: str) -> Members:
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


@pytest.mark.number("P63", "RFC 9396 §5, §7")
def test_63_object_outside_the_token_is_refused_as_one_not_granted(client: Client) -> None:
    token = client.get(detail(ACCOUNTS))["access_token"]
    assert len(client.read(token).json()) == 24
    refused = client.read(token, USERS)
    client.judge_refused(refused, "insufficient_scope", "outside_token", status=401)
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


@pytest.mark.number("P63", "RFC 9396 §5, §7")
def test_63_several_details_add_up(client: Client) -> None:
    token = client.get(detail(ACCOUNTS, "Owner"), detail(ACCOUNTS, "AccountId"), detail(USERS))["access_token"]
    assert set(client.read(token).json()[0]) == {"AccountId", "Owner"}
    assert len(client.read(token, USERS).json()[0]) > 5
    assert client.read(token, DISKS).status_code == 401


@pytest.mark.number("P63", "RFC 9396 §5, §7")
def test_63_columns_outside_the_token_do_not_exist(client: Client) -> None:
    token = client.get(detail(ACCOUNTS, *_COLUMNS))["access_token"]
    plain = client.get()["access_token"]
    rows = client.read(token).json()
    assert [set(row) for row in rows] == [set(_COLUMNS)] * 24
    assert rows == [{name: row[name] for name in _COLUMNS} for row in client.read(plain).json()]


@pytest.mark.number("P63", "RFC 9396 §5, §7")
@pytest.mark.parametrize("form", Format)
def test_63_no_format_shows_another_column(client: Client, form: Format) -> None:
    narrow, plain = (client.get(*details)["access_token"] for details in ((detail(ACCOUNTS, *_COLUMNS),), ()))
    shown, everything = (client.read(token, ACCOUNTS, {"format": form.value}) for token in (narrow, plain))
    narrowed, whole = _unpack(shown.content, form), _unpack(everything.content, form)
    assert b"AccountId" in narrowed
    assert b"LastPasswordChange" not in narrowed
    assert b"LastPasswordChange" in whole


def _unpack(document: bytes, form: Format) -> bytes:
    """Give the parts of a workbook, which are compressed; other documents as they are."""
    if form is not Format.XLSX:
        return document
    with zipfile.ZipFile(io.BytesIO(document)) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


@pytest.mark.number("P63", "RFC 9396 §5, §7")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"columns": ["AccountId", "Department"]}, "columns[1]"),
        ({"columns": ["DEPARTMENT"]}, "columns[0]"),
        ({"orderby": ["Department"]}, "orderby[0]"),
        ({"orderby": [{"column": "Department", "direction": "desc"}]}, "orderby[0]"),
        ({"groupby": ["Department"]}, "groupby[0]"),
        ({"filters": [{"column": "Department", "function": "equals", "value": "IT"}]}, "filters[0].column"),
        ({"filters": [{"column": "department", "function": "is_null"}], "columns": ["Owner"]}, "filters[0].column"),
    ],
)
def test_63_column_outside_the_token_is_refused_by_name(client: Client, body: Any, field: str) -> None:
    """Neither read nor used: a filter or an order would tell its values. Nor are the others' names told."""
    token = client.get(detail(ACCOUNTS, *_COLUMNS))["access_token"]
    refused = client.read(token, ACCOUNTS, body)
    assert refused.status_code == 400, refused.text
    told = refused.json()
    assert (told["error"], told["field"], told["expected"].partition(";")[0]) == (
        "invalid_parameter",
        field,
        "one of AccountId, Owner",
    )
    assert client.read(client.get()["access_token"], ACCOUNTS, body).status_code == 200


@pytest.mark.number("P63", "RFC 9396 §5, §7")
def test_63_run_key_outside_the_token_cannot_choose_runs(client: Client) -> None:
    token = client.get(detail(DISKS, "HostName", "TotalBytes"))["access_token"]
    plain = client.get()["access_token"]
    latest = client.read(plain, DISKS, {"columns": ["HostName", "TotalBytes"]}).json()
    everything = client.read(plain, DISKS, {"columns": ["HostName", "TotalBytes"], "jobRuntimeKey": "all"}).json()
    assert unordered(client.read(token, DISKS).json()) == unordered(latest), "in an order that tells of no run"
    assert len(latest) < len(everything)
    for key in ("all", "2018-11-05T13:15:30"):
        assert client.read(token, DISKS, {"jobRuntimeKey": key}).json()["field"] == "jobRuntimeKey"
    with_key = client.get(detail(DISKS, "HostName", "TotalBytes", "JobRunTimeKey"))["access_token"]
    assert len(client.read(with_key, DISKS, {"jobRuntimeKey": "all"}).json()) == len(everything)


@pytest.mark.number("P63", "RFC 9396 §5, §7")
def test_63_details_are_echoed_carried_and_on_record(client: Client) -> None:
    answer = client.ask(detail(ACCOUNTS, "owner", "ACCOUNTID"), resource=client.server.url)
    tokens, expected = success(answer), [echoed(ACCOUNTS, *_COLUMNS)]
    assert tokens["authorization_details"] == expected
    told = client.introspect(tokens["access_token"])
    assert (told["authorization_details"], told["aud"]) == (expected, client.server.url)
    assert client.introspect(tokens["refresh_token"])["authorization_details"] == expected
    event = client.find_event(answer)
    assert (event["authorization_details"], event["audience"]) == (expected, [client.server.url])


def test_70_signed_token_says_what_it_is_for(register: Register) -> None:
    """RFC 9396 §9.1, RFC 9068 §3."""
    client = register(policy=SIGNED)
    claims = _claims(client.get(detail(ACCOUNTS, "Owner"), resource=client.server.url)["access_token"])
    assert (claims["aud"], claims["authorization_details"]) == (client.server.url, [echoed(ACCOUNTS, "Owner")])
    assert "authorization_details" not in _claims(client.get()["access_token"])


@pytest.mark.number("P77", "RFC 6749 §6")
def test_77_refresh_keeps_or_narrows_and_the_refresh_token_keeps_it_all(client: Client) -> None:
    tokens = client.get(detail(ACCOUNTS), detail(USERS))
    held = [echoed(ACCOUNTS), echoed(USERS)]
    refresh_token = tokens["refresh_token"]
    assert success(client.refresh(refresh_token))["authorization_details"] == held
    narrower = success(client.refresh(refresh_token, detail(ACCOUNTS, "Owner")))
    assert narrower["authorization_details"] == [echoed(ACCOUNTS, "Owner")]
    assert set(client.read(narrower["access_token"]).json()[0]) == {"Owner"}
    assert client.read(narrower["access_token"], USERS).status_code == 401
    assert success(client.refresh(refresh_token))["authorization_details"] == held
    refused = client.refresh(refresh_token, detail(DISKS))
    client.judge_refused(refused, "invalid_authorization_details", "wider_than_original")


@pytest.mark.number("P77", "RFC 6749 §6")
def test_77_columns_are_not_widened_by_a_refresh(client: Client) -> None:
    refresh_token = client.get(detail(ACCOUNTS, "Owner"))["refresh_token"]
    for wider in (detail(ACCOUNTS), detail(ACCOUNTS, "Owner", "AccountId"), detail(ACCOUNTS, "AccountId")):
        refused = client.refresh(refresh_token, wider)
        client.judge_refused(refused, "invalid_authorization_details", "wider_than_original")


@pytest.mark.number("P77", "RFC 6749 §6")
def test_77_refresh_token_that_is_not_narrowed_gives_narrower_tokens(client: Client) -> None:
    refresh_token = client.get()["refresh_token"]
    assert success(client.refresh(refresh_token, detail(USERS)))["authorization_details"] == [echoed(USERS)]
    assert "authorization_details" not in success(client.refresh(refresh_token))


def test_79_successor_of_a_rotated_refresh_token_keeps_its_details(register: Register) -> None:
    client = register(policy=PolicyChange(rotate_refresh_tokens=True))
    tokens = client.get(detail(ACCOUNTS), detail(USERS), resource=client.server.url)
    narrower = success(client.refresh(tokens["refresh_token"], detail(ACCOUNTS, "Owner")))
    again = success(client.refresh(narrower["refresh_token"]))
    assert again["authorization_details"] == [echoed(ACCOUNTS), echoed(USERS)]
    assert client.introspect(again["access_token"])["aud"] == client.server.url


@pytest.mark.number("P78", "ours")
def test_78_what_is_withdrawn_is_gone_from_the_refreshed_token(register: Register) -> None:
    client = register((ACCOUNTS, USERS))
    both, one = client.get(detail(ACCOUNTS), detail(USERS)), client.get(detail(USERS))
    with administer(client.server.settings) as desks:
        desks.applications.ungrant(client.name, [USERS])
    wait_until(lambda: client.read(both["access_token"], USERS).status_code == 401)
    refused = client.read(both["access_token"], USERS)
    assert client.find_event(refused)["reason"] == "not_granted"
    assert success(client.refresh(both["refresh_token"]))["authorization_details"] == [echoed(ACCOUNTS)]
    assert client.introspect(both["access_token"])["authorization_details"] == [echoed(ACCOUNTS)]
    client.judge_refused(client.refresh(one["refresh_token"]), "invalid_authorization_details", "details_withdrawn")
    assert client.introspect(one["access_token"])["authorization_details"] == []
    with administer(client.server.settings) as desks:
        desks.grants.grant(client.name, [USERS])
    wait_until(lambda: client.read(one["access_token"], USERS).status_code == 200)
    assert success(client.refresh(one["refresh_token"]))["authorization_details"] == [echoed(USERS)]


def test_119_refused_details_take_nothing_from_the_quota(register: Register) -> None:
    """PROTOCOL 5.0: the quota comes after them."""
    client = register(policy=PolicyChange(tokens_per_minute=2))
    client.server.clock.freeze()
    for _ in range(3):
        assert client.ask(detail("Nowhere")).status_code == 400
        assert client.ask(detail(ACCOUNTS, "Nowhere")).status_code == 400
    assert [client.ask(detail(ACCOUNTS, "Owner")).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.number("P67", "RFC 6749 §5.2")
def test_67_nothing_that_was_sent_comes_back(client: Client) -> None:
    mark = 'xqzzy"\\\n\u00e9'
    asked: tuple[Members, ...] = (
        {"resource": mark},
        {"authorization_details": mark},
        {"authorization_details": json.dumps([detail(mark)])},
        {"authorization_details": json.dumps([detail(ACCOUNTS, mark)])},
        {"authorization_details": json.dumps([detail(ACCOUNTS, locations=[mark])])},
    )
    for form in asked:
        refused = client.ask(**form)
        assert refused.status_code == 400
        assert "xqzzy" not in refused.text + str(refused.headers)


def test_120_catalog_that_cannot_be_read_is_no_refusal_of_the_client(sample_database: Path, tmp_path: Path) -> None:
    database = tmp_path / "served.sqlite"
    database.write_bytes(sample_database.read_bytes())
    settings = make_home(tmp_path / "home", database)
    made = add_application(settings, "report", (ACCOUNTS,))
    with run_server(settings) as server, httpx.Client(base_url=server.url) as http:
        client = Client(server, http, made)
        database.rename(tmp_path / "away.sqlite")
        refused = client.ask(detail(ACCOUNTS, "Owner"))
        client.judge_refused(refused, "temporarily_unavailable", "catalog_not_read", status=503)
        assert refused.headers["retry-after"]
        assert client.get(detail(ACCOUNTS))["authorization_details"] == [echoed(ACCOUNTS)]
        (tmp_path / "away.sqlite").rename(database)
        assert client.get(detail(ACCOUNTS, "Owner"))["authorization_details"] == [echoed(ACCOUNTS, "Owner")]


def test_104_object_outside_the_token_is_concealed_like_any_other(sample_database: Path, tmp_path: Path) -> None:
    settings = make_home(tmp_path / "home", sample_database, conceal_objects=True)
    made = add_application(settings, "report", (ACCOUNTS, USERS))
    with run_server(settings) as server, httpx.Client(base_url=server.url) as http:
        client = Client(server, http, made)
        token = client.get(detail(ACCOUNTS))["access_token"]
        outside, nowhere = client.read(token, USERS), client.read(token, "Nowhere")
        assert (outside.status_code, nowhere.status_code) == (404, 404)
        ids = outside.headers["x-request-id"], nowhere.headers["x-request-id"]
        assert outside.text.replace(ids[0], "") == nowhere.text.replace(ids[1], "")


def test_112_114_both_documents_name_the_type_of_details(server: RunningServer) -> None:
    """RFC 9396 §10, RFC 9728 §2."""
    for name in ("oauth-authorization-server", "oauth-protected-resource"):
        document = httpx.get(f"{server.url}/.well-known/{name}").json()
        assert document["authorization_details_types_supported"] == ["rowgate_object"]
