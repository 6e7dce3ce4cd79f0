"""What answers hold, beyond one request: likeness, tokens, descriptions, HEAD, documents."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from protocol.case import BASIC, CC, CREDENTIALS, ROWS, TOKEN, Case, numbered
from protocol.judge import judge_error, parse_challenge
from protocol.world import World
from rowgate.config import ConfigError, load_settings
from rowgate.oauth import client_auth
from rowgate.oauth.errors import InsufficientScope
from rowgate.web.problems import Edge, describe_problem
from support.homes import make_home
from support.servers import run_server

_VARYING = ("x-request-id", "date")
_STRANGERS = ("<unknown_id>:<wrong>", "<id>:<wrong>", "<expired_id>:<wrong>", "<disabled_id>:<wrong>")


def _without_request_id(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    request_id = answer.headers["x-request-id"].encode()
    headers = [(name, value) for name, value in answer.headers.multi_items() if name not in _VARYING]
    lengths = [(n, "" if n == "content-length" else v) for n, v in headers]  # request ids grow
    return answer.status_code, answer.content.replace(request_id, b""), lengths


@numbered("P31", "RFC 6749 §5.2")
def test_unknown_client_and_wrong_secret_answer_alike(world: World) -> None:
    answers = [_without_request_id(world.post_token(basic=stranger)) for stranger in _STRANGERS]
    assert answers == answers[:1] * len(answers)


@numbered("P31", "RFC 6749 §5.2")
def test_in_the_body_too(world: World) -> None:
    pairs = [stranger.split(":") for stranger in _STRANGERS]
    forms = [f"{CC}&client_id={name}&client_secret={secret}" for name, secret in pairs]
    answers = [_without_request_id(world.post_token(form, "")) for form in forms]
    assert answers == answers[:1] * len(answers)


@numbered("P31", "RFC 6749 §5.2")
def test_unknown_client_and_wrong_secret_cost_one_digest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    digest, calls = client_auth.digest_client_secret, []

    def counting(key: bytes, client_id: str, client_secret: str) -> bytes:
        calls.append(client_id)
        return digest(key, client_id, client_secret)

    monkeypatch.setattr(client_auth, "digest_client_secret", counting)
    for basic in (*_STRANGERS, BASIC):
        calls.clear()
        world.post_token(basic=basic)
        assert len(calls) == 1, basic


@numbered("P25", "RFC 6749 §2.3.1")
def test_exposed_secret_is_named_by_its_handle(world: World) -> None:
    answer = world.send(Case("", "", "", 0, path=f"{TOKEN}?client_secret=<secret>", form=CC))
    event = world.find_event(answer)
    assert event["reason"] == "secret_in_url"
    assert event["key_id"] == world.values["secret"].split("_")[1]


@numbered("P67", "RFC 6749 §5.2")
@pytest.mark.parametrize("field", ["grant_type", "scope", "client_id", "client_secret", "refresh_token", "x"])
def test_nothing_that_was_sent_comes_back(world: World, field: str) -> None:
    mark = 'xqzzy"\\\n\u00e9'
    answer = world.client.post(
        TOKEN, data={"grant_type": "refresh_token", "client_id": world.values["id"], field: mark}
    )
    judge_error(answer.headers, answer.content, status=answer.status_code, code=answer.json()["error"])
    assert "xqzzy" not in answer.text + str(answer.headers)


@numbered("P68", "RFC 6749 §10.10, RFC 6750 §2.1")
def test_tokens_are_long_and_never_alike(world: World) -> None:
    issued = [world.get_tokens() for _ in range(20)]
    tokens = {tokens[kind] for tokens in issued for kind in ("access_token", "refresh_token")}
    assert len(tokens) == 40
    assert all(re.fullmatch(r"rg[ar]t_[A-Za-z0-9_-]{80,}", token) for token in tokens)


@numbered("O-19", "origin")
def test_tokens_tell_nothing_of_the_client(world: World) -> None:
    tokens = world.get_tokens()
    for value in (world.values["id"], "read", "main"):
        assert value not in tokens["access_token"] + tokens["refresh_token"]


@numbered("P69", "RFC 6749 §5.1")
def test_answer_tells_when_the_secret_ends(world: World) -> None:
    members = {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert set(world.get_tokens()) == members | {"client_secret_expires_at"}


@numbered("O-8", "origin")
def test_answer_has_the_origins_members(world: World) -> None:
    tokens = world.get_tokens()
    assert {"access_token", "token_type", "expires_in", "refresh_token", "scope"} <= set(tokens)
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 3600)


@numbered("O-12", "origin")
def test_refresh_token_comes_with_client_credentials_unless_switched_off(world: World) -> None:
    assert "refresh_token" in world.get_tokens()
    assert "refresh_token" not in world.get_tokens(basic="<plain_id>:<plain_secret>")


@numbered("O-16", "origin")
def test_refresh_token_stays_good_after_use(world: World) -> None:
    for _ in range(3):
        world.get_tokens("grant_type=refresh_token&refresh_token=<refresh>")


@numbered("P77", "RFC 6749 §6")
def test_refresh_token_keeps_its_scope_after_a_narrower_refresh(world: World) -> None:
    form = "grant_type=refresh_token&refresh_token=<refresh>"
    assert world.get_tokens(f"{form}&scope=run")["scope"] == "run"
    assert world.get_tokens(form)["scope"] == "read run"


@numbered("P108", "RFC 9110 §9.3.2")
@pytest.mark.parametrize("path", [ROWS, f"{ROWS}?format=ndjson", "/api/v1/data/Nowhere/rows", f"{ROWS}?x=1"])
def test_head_has_the_headers_of_get(world: World, path: str) -> None:
    headers = {"Authorization": f"Bearer {world.values['access']}"}
    get, head = world.client.get(path, headers=headers), world.client.head(path, headers=headers)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert _fixed(head.headers) == _fixed(get.headers)


def _fixed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _VARYING}


@numbered("P110", "RFC 6750 §3")
def test_quotes_in_a_challenge_are_escaped() -> None:
    issuer = 'https://a.test/"\\x'
    for forbidden_as_403 in (False, True):
        refusal = InsufficientScope('not "this" \\ one', reason="not_granted")
        headers = describe_problem(refusal, "1", Edge(issuer, forbidden_as_403)).headers
        challenge = parse_challenge(dict(headers)[b"www-authenticate"].decode())
        assert challenge["error_description"] == 'not "this" \\ one'
        assert challenge["resource_metadata"] == 'https://a.test/.well-known/oauth-protected-resource/"\\x'


@numbered("P8", "RFC 6749 §3.2")
def test_plain_http_beyond_the_machine_must_be_asked_for(world: World) -> None:
    home = world.server.settings.home
    with pytest.raises(ConfigError, match="tls-cert"):
        load_settings(home, {}, {"host": "0.0.0.0"})
    for more in ({"insecure_http": True}, {"trusted_proxies": ("10.0.0.1",)}, {"tls_cert": "a", "tls_key": "b"}):
        load_settings(home, {}, {"host": "0.0.0.0", **more})


@numbered("P8", "RFC 6749 §3.2")
def test_forwarded_headers_of_strangers_are_not_believed(world: World) -> None:
    headers = (("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9"))
    answer = world.send(Case("", "", "", 0, form=CC, headers=headers))
    assert world.find_event(answer)["source"] == "127.0.0.1"


@numbered("P112", "RFC 8414 §2")
def test_authorization_server_document(world: World) -> None:
    document = _get_document(world, "oauth-authorization-server")
    assert document["issuer"] == world.server.url
    assert document["token_endpoint"] == world.server.url + TOKEN
    assert document["grant_types_supported"] == ["client_credentials", "refresh_token"]
    for endpoint in ("token", "introspection", "revocation"):
        methods = document[f"{endpoint}_endpoint_auth_methods_supported"]
        assert methods == ["client_secret_basic", "client_secret_post", "private_key_jwt"]
        algorithms = document[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        assert isinstance(algorithms, list)
        assert "none" not in algorithms
        assert {"EdDSA", "ES256", "RS256"} <= set(algorithms)
    proof_algorithms = document["dpop_signing_alg_values_supported"]
    assert isinstance(proof_algorithms, list)
    assert {"EdDSA", "ES256"} <= set(proof_algorithms)
    assert world.client.post(document["token_endpoint"], data=_good(world)).status_code == 200


_ENDPOINTS = ("token", "introspection", "revocation")
_ALWAYS = {"issuer", "jwks_uri", "response_types_supported", "grant_types_supported", "scopes_supported"}
_ALWAYS |= {"authorization_details_types_supported", "dpop_signing_alg_values_supported"}
_ALWAYS |= {f"{name}_endpoint" for name in (*_ENDPOINTS, "rowgate_secret", "rowgate_enrolment")}
_ALWAYS |= {f"{name}_endpoint_auth_methods_supported" for name in _ENDPOINTS}
_ALWAYS |= {f"{name}_endpoint_auth_signing_alg_values_supported" for name in _ENDPOINTS}


@numbered("P112", "RFC 8414 §2, RFC 9728 §2")
def test_metadata_of_a_plain_server_name_nothing_that_is_off(world: World) -> None:
    """No registration, no certificates, no signed answers, no jobs, no exchange: each is named where it is on."""
    bound = "tls_client_certificate_bound_access_tokens"
    document = _get_document(world, "oauth-authorization-server")
    assert set(document) == {*_ALWAYS, bound}
    assert document[bound] is False
    assert document["grant_types_supported"] == ["client_credentials", "refresh_token"]
    assert document["scopes_supported"] == ["read", "introspect", "metrics"]
    assert _get_document(world, "oauth-protected-resource")["scopes_supported"] == ["read", "metrics"]
    assert _get_document(world, "oauth-protected-resource")[bound] is False


@numbered("P111", "RFC 8414 §3.1, §3.3, RFC 9728 §3.1")
def test_documents_of_an_address_with_a_path_are_found_before_it(sample_database: Path, tmp_path: Path) -> None:
    """And where a proxy takes the path away; nothing else is answered under it."""
    issuer = "https://data.example.com/hr/v1"
    with (
        run_server(make_home(tmp_path / "home", sample_database, public_url=issuer + "/")) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        for name, member in (("oauth-authorization-server", "issuer"), ("oauth-protected-resource", "resource")):
            for suffix in ("/hr/v1", ""):
                assert client.get(f"/.well-known/{name}{suffix}").json()[member] == issuer
            assert client.get(f"/.well-known/{name}/hr").status_code == 404
            assert client.get(f"/hr/v1/.well-known/{name}").status_code == 404
        challenge = parse_challenge(client.get(ROWS).headers["www-authenticate"])
    expected = "https://data.example.com/.well-known/oauth-protected-resource/hr/v1"
    assert challenge["resource_metadata"] == expected


@numbered("P113", "RFC 8414 §2")
def test_response_types_are_there_and_empty(world: World) -> None:
    assert _get_document(world, "oauth-authorization-server")["response_types_supported"] == []


@numbered("P114", "RFC 9728 §3")
def test_protected_resource_document(world: World) -> None:
    document = _get_document(world, "oauth-protected-resource")
    assert document["resource"] == world.server.url
    assert document["authorization_servers"] == [world.server.url]
    assert document["bearer_methods_supported"] == ["header"]
    challenge = parse_challenge(world.client.get(ROWS).headers["www-authenticate"])
    assert world.client.get(challenge["resource_metadata"]).json() == document


def _good(world: World) -> dict[str, str]:
    return dict(pair.split("=") for pair in world.fill(f"{CC}&{CREDENTIALS}").split("&"))


def _get_document(world: World, name: str) -> dict[str, object] | dict[str, str]:
    path = f"/.well-known/{name}"
    answer = world.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert world.client.get(path, headers={"Host": "evil.test"}).content == answer.content
    head = world.client.head(path)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(answer.content)))
    refused = world.client.post(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    return dict(json.loads(answer.content))


@numbered("P121", "ours")
def test_fault_is_told_by_nothing_but_its_request(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has the reason under the request id; the client learns that it was not its own doing."""

    def fail(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("the reason, with a path /home/x and SELECT 1")

    token = world.post_token().json()["access_token"]
    detail = {"type": "rowgate_object", "object": "SA_ServiceAccounts", "columns": ["Owner"]}
    narrowed = f"{CC}&{urlencode({'authorization_details': json.dumps([detail])})}"  # its catalog is read in a thread
    parts: tuple[tuple[str, Callable[[], httpx.Response]], ...] = (
        ("rowgate.service.mint.TokenMint.make", world.post_token),
        ("rowgate.service.mint.TokenMint.seal", world.post_token),
        ("rowgate.engines.sqlite.SqliteSource.find_object", lambda: world.post_token(narrowed)),
        ("rowgate.service.narrowing.narrow_details", lambda: world.post_token(narrowed)),
        ("rowgate.service.mint.TokenMint.open_access", lambda: get_rows(world, token)),
        ("rowgate.service.planning.plan_rows", lambda: get_rows(world, token)),
    )
    for broken, ask in parts:
        with monkeypatch.context() as patch:
            patch.setattr(broken, fail)
            answer = ask()
        assert answer.status_code == 500
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json() == {
            "error": "server_error",
            "error_description": "The server failed; the request id leads to the reason.",
            "request_id": answer.headers["x-request-id"],
        }
        assert ask().status_code == 200


def get_rows(world: World, token: str) -> httpx.Response:
    return world.client.get(ROWS, headers={"Authorization": f"Bearer {token}"})
