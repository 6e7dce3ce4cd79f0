"""Jobs of platforms: tokens of GitHub Actions, Kubernetes and SPIFFE, as client assertion and as grant."""

import json
import uuid
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from protocol.case import FORM, TOKEN, numbered
from protocol.world import GRANTED, World, open_world
from rowgate.oauth.workload_rules import ClaimRule
from rowgate.service.admin.desk import AdminError
from support.client_keys import ASSERTION_TYPE, ClientKey, encode_base64url, sign_by_hand
from support.homes import add_application, administer
from support.other_host import OtherHost, Said, run_other_host
from support.servers import within_a_second

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "https://rowgate.test"
GITHUB, KUBERNETES, SPIRE = ClientKey("RS256", "gh"), ClientKey("RS256", "k8s"), ClientKey("ES256", "spire")
GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
ISSUERS: list[dict[str, Any]] = [
    {"name": "github", "audience": AUDIENCE, "issuer": GITHUB_ISSUER, "jwks_file": "gh.json", "single_use": True},
    {"name": "cluster", "audience": AUDIENCE, "issuer": "https://kubernetes.default.svc"},  # its keys: see `world`
    {"name": "mesh", "audience": AUDIENCE, "spiffe_trust_domain": "acme.example", "jwks_file": "spire.json"},
]
KEYS = {"github": GITHUB, "cluster": KUBERNETES, "mesh": SPIRE}
CLAIMS: dict[str, dict[str, Any]] = {
    "github": {
        "iss": GITHUB_ISSUER,
        "sub": "repo:acme/tool:ref:refs/heads/main",
        "aud": AUDIENCE,
        "repository": "acme/tool",
        "ref": "refs/heads/main",
        "repository_id": "7",
    },
    "cluster": {
        "iss": "https://kubernetes.default.svc",
        "sub": "system:serviceaccount:data:loader",
        "aud": [AUDIENCE],
        "kubernetes.io": {"namespace": "data", "serviceaccount": {"name": "loader", "uid": "u"}},
    },
    "mesh": {"sub": "spiffe://acme.example/loader", "aud": [AUDIENCE], "iat": ...},
}
RULES = {
    "github": [ClaimRule(("repository",), ("acme/tool",)), ClaimRule(("ref",), ("refs/heads/main",))],
    "cluster": [ClaimRule(("kubernetes.io", "serviceaccount", "name"), ("loader",))],
    "mesh": [ClaimRule(("sub",), ("spiffe://acme.example/loader",))],
}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherHost]:
    with run_other_host(tmp_path_factory.mktemp("other")) as running:
        running.say = lambda _asked: Said(body=KUBERNETES.jwks.encode())
        yield running


@pytest.fixture(scope="module")
def world(sample_database: Path, tmp_path_factory: pytest.TempPathFactory, other: OtherHost) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    spire = {"keys": [{**SPIRE.public, "use": "jwt-svid"}]}
    for name, text in (("gh.json", GITHUB.jwks), ("spire.json", json.dumps(spire))):
        (folder / name).write_text(text, "utf-8")
    issuers = []
    for table in ISSUERS:
        where = {"jwks_file": str(folder / table["jwks_file"])} if "jwks_file" in table else {}
        issuers.append({**table, **(where or {"jwks_uri": f"{other.url}/keys"})})
    with open_world(folder, sample_database, trusted_issuers=issuers, **other.settings) as opened:
        _register(opened, "jobs")
        yield opened


def _register(world: World, name: str, issuers: tuple[str, ...] = tuple(RULES)) -> str:
    made = add_application(world.server.settings, name, (GRANTED,), refresh_tokens=False)
    with administer(world.server.settings) as desks:
        for issuer in issuers:
            desks.workloads.add(name, issuer, RULES[issuer])
    client_id = made.application.client_id
    if issuers:
        within_a_second(lambda: _ask(world, issuers[0], client_id=client_id).status_code == 200)
    return client_id


def _make(world: World, issuer: str, *, key: ClientKey | None = None, header: Any = None, **changed: Any) -> str:
    now = int(world.server.clock())
    claims = {"iat": now, "nbf": now, "exp": now + 300, "jti": uuid.uuid4().hex} | CLAIMS[issuer] | changed
    claims = {name: value for name, value in claims.items() if value is not ...}
    return (key or KEYS[issuer]).sign(claims, **(header or {}))


def _send(world: World, token: str, *, as_grant: bool = False, **more: str) -> httpx.Response:
    if as_grant:
        form = {"grant_type": GRANT, "assertion": token}
    else:
        form = {"grant_type": "client_credentials", "client_assertion": token, "client_assertion_type": ASSERTION_TYPE}
    answer = world.client.post(TOKEN, data={**form, **more}, headers={"content-type": FORM})
    world.answers.append(answer)
    return answer


def _ask(world: World, issuer: str, *, as_grant: bool = False, client_id: str = "", **changed: Any) -> httpx.Response:
    more = {"client_id": client_id} if client_id else {}
    return _send(world, _make(world, issuer, **changed), as_grant=as_grant, **more)


def _reason(world: World, answer: httpx.Response) -> str:
    return str(world.find_event(answer).get("reason"))  # none on record of a success


@pytest.fixture
def _patient(world: World) -> Iterator[None]:
    """Forget the failures of this address: a good answer does."""
    yield
    for issuer in RULES:
        for as_grant in (False, True):
            world.server.clock.advance(3600)
            assert _ask(world, issuer, as_grant=as_grant).status_code == 200


@numbered("P28", "RFC 7523 §2.1, §2.2; SPIFFE JWT-SVID §3")
@pytest.mark.parametrize("as_grant", [False, True])
@pytest.mark.parametrize("issuer", RULES)
def test_job_gets_rows(world: World, issuer: str, as_grant: bool) -> None:  # noqa: FBT001 - a parameter
    answer = _ask(world, issuer, as_grant=as_grant)
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    assert "refresh_token" not in tokens
    assert world.get_rows(tokens["access_token"], f"/api/v1/data/{GRANTED}/rows").status_code == 200
    event = world.find_event(answer)
    assert (event["application"], event["workload"]) == ("jobs", f"{issuer}: {CLAIMS[issuer]['sub']}")
    assert event["grant_type"] == (GRANT if as_grant else "client_credentials")


@numbered("P49", "RFC 7523 §3, RFC 8725 §3")
@pytest.mark.usefixtures("_patient")
@pytest.mark.parametrize("as_grant", [False, True])
@pytest.mark.parametrize(
    ("issuer", "changed", "reason"),
    [
        ("github", {"aud": "https://elsewhere.test"}, "workload_audience"),
        ("github", {"aud": ["a", "b"]}, "workload_audience"),
        ("github", {"exp": 1}, "workload_expired"),
        ("github", {"exp": ...}, "workload_claims"),
        ("github", {"exp": 9_999_999_999}, "workload_lives_too_long"),
        ("github", {"nbf": 9_999_999_999}, "workload_not_yet"),
        ("github", {"iat": ...}, "workload_no_iat"),
        ("github", {"jti": ...}, "workload_jti"),
        ("github", {"repository": "acme/tool-of-somebody-else"}, "workload_no_rule"),
        ("github", {"repository": ["acme/tool"]}, "workload_no_rule"),
        ("github", {"ref": "refs/pull/1/merge"}, "workload_no_rule"),
        ("github", {"key": ClientKey("RS256", "gh")}, "workload_forged_signature"),
        ("github", {"key": KUBERNETES}, "workload_unknown_key"),
        ("github", {"key": ClientKey("ES256", "gh")}, "workload_wrong_algorithm"),
        ("github", {"header": {"typ": "at+jwt"}}, "workload_wrong_type"),
        ("cluster", {"kubernetes.io": {"serviceaccount": {"name": "other"}}}, "workload_no_rule"),
        ("cluster", {"kubernetes.io": "loader"}, "workload_no_rule"),
        ("mesh", {"sub": "spiffe://acme.example/loader/more"}, "workload_no_rule"),
        ("mesh", {"sub": "spiffe://acme.example/../loader"}, None),
        ("mesh", {"sub": "spiffe://evil.example/loader"}, None),
        ("github", {"iss": GITHUB_ISSUER + "/"}, None),
        ("github", {"iss": "https://TOKEN.actions.githubusercontent.com"}, None),
    ],
)
def test_anything_wrong_is_refused(
    world: World,
    issuer: str,
    changed: dict[str, Any],
    reason: str | None,
    as_grant: bool,  # noqa: FBT001
) -> None:
    answer = _ask(world, issuer, as_grant=as_grant, **changed)
    expected = (400, "invalid_grant") if as_grant else (401, "invalid_client")
    assert (answer.status_code, answer.json()["error"]) == expected
    # None: of no issuer that is believed; as an assertion it is then one of an unknown client
    assert _reason(world, answer) == (reason or ("workload_unknown_issuer" if as_grant else "unknown_client"))


@numbered("P49", "RFC 8725 §3.10")
@pytest.mark.usefixtures("_patient")
@pytest.mark.parametrize("header", [{"jku": "https://evil.example/keys"}, {"jwk": GITHUB.public}, {"x5c": ["a"]}])
def test_token_that_brings_its_key_is_not_even_read(world: World, header: dict[str, Any]) -> None:
    answer = _ask(world, "github", header=header)
    assert (answer.status_code, _reason(world, answer)) == (401, "assertion_forbidden_header")
    answer = _ask(world, "github", header=header, as_grant=True)
    assert (answer.status_code, _reason(world, answer)) == (400, "workload_unknown_issuer")


@numbered("P49", "RFC 8725 §3.1, §3.2")
@pytest.mark.usefixtures("_patient")
@pytest.mark.parametrize("as_grant", [False, True])
def test_no_signature_and_a_public_key_as_secret(world: World, as_grant: bool) -> None:  # noqa: FBT001
    _, payload, _ = _make(world, "github").split(".")
    claims = json.loads(urlsafe_b64decode(payload + "=="))
    public = GITHUB.key.as_pem(private=False)
    for header, secret in (({"alg": "none"}, b""), ({"alg": "HS256", "kid": "gh"}, public)):
        token = sign_by_hand(header, claims, secret)
        answer = _send(world, token if secret else token + encode_base64url(b"x"), as_grant=as_grant)
        assert answer.status_code == (400 if as_grant else 401), answer.text
        assert _reason(world, answer) in ("workload_wrong_algorithm", "workload_unknown_key")


@numbered("P49", "RFC 7523 §3 (7)")
@pytest.mark.usefixtures("_patient")
def test_single_use_is_once_whichever_way(world: World) -> None:
    token = _make(world, "github")
    assert _send(world, token).status_code == 200
    for as_grant in (False, True):
        answer = _send(world, token, as_grant=as_grant)
        assert (answer.status_code, _reason(world, answer)) == (400 if as_grant else 401, "assertion_replayed")
    again = _make(world, "cluster")
    assert [_send(world, again).status_code for _ in range(2)] == [200, 200]  # a projected token is read many times


@numbered("P40", "RFC 7521 §4.1, §4.2")
@pytest.mark.usefixtures("_patient")
def test_several_applications_need_a_name(world: World) -> None:
    second = _register(world, "second", ("mesh",))
    answer = _ask(world, "mesh")
    assert _reason(world, answer) == "workload_several_applications"
    answer = _ask(world, "mesh", client_id=second, as_grant=True)
    assert world.find_event(answer)["application"] == "second"
    answer = _ask(world, "github", client_id=second)
    assert _reason(world, answer) == "workload_no_rule"
    with administer(world.server.settings) as desks:
        desks.workloads.remove("second", 1)
    within_a_second(lambda: _ask(world, "mesh").status_code == 200)


@numbered("P72", "RFC 7521 §4.1")
@pytest.mark.usefixtures("_patient")
def test_proof_beside_the_grant_must_be_good_and_of_the_same_client(world: World) -> None:
    token = _make(world, "mesh")
    wrong = {"client_id": world.values["id"], "client_secret": world.values["wrong"]}
    assert _send(world, token, as_grant=True, **wrong).json()["error"] == "invalid_client"
    right = {"client_id": world.values["id"], "client_secret": world.values["secret"]}
    answer = _send(world, token, as_grant=True, **right)
    assert (answer.json()["error"], _reason(world, answer)) == ("invalid_grant", "workload_no_rule")


@numbered("P46", "RFC 6749 §5.2")
def test_disabled_application_and_removed_rule_are_out_within_a_second(world: World) -> None:
    client_id = _register(world, "leaves", ("cluster",))
    with administer(world.server.settings) as desks:
        desks.applications.set_enabled("leaves", enabled=False)
    within_a_second(lambda: _ask(world, "cluster", client_id=client_id).status_code == 401)
    assert _reason(world, _ask(world, "cluster", client_id=client_id)) == "workload_disabled"
    with administer(world.server.settings) as desks:
        desks.applications.set_enabled("leaves", enabled=True)
        desks.workloads.remove("leaves", 1)
    within_a_second(lambda: _reason(world, _ask(world, "cluster", client_id=client_id)) == "workload_no_rule")


@numbered("P25", "RFC 6749 §2.3.1")
def test_assertion_in_the_url_is_refused(world: World) -> None:
    answer = world.client.post(f"{TOKEN}?assertion=x", data={"grant_type": GRANT})
    assert (answer.status_code, _reason(world, answer)) == (400, "secret_in_url")


@numbered("P73", "RFC 7521 §4.1")
def test_grant_without_its_assertion(world: World) -> None:
    answer = world.client.post(TOKEN, data={"grant_type": GRANT})
    assert (answer.status_code, _reason(world, answer)) == (400, "no_assertion")


@numbered("P112", "RFC 8414 §2")
def test_metadata_names_the_grant(world: World) -> None:
    document = world.client.get("/.well-known/oauth-authorization-server").json()
    assert GRANT in document["grant_types_supported"]


def test_rule_for_nobody_and_without_claims_is_refused(world: World) -> None:
    claims = RULES["mesh"]
    for issuer, rules in (("unknown", claims), ("mesh", []), ("mesh", claims * 2)):
        with administer(world.server.settings) as desks, pytest.raises(AdminError):
            desks.workloads.add("jobs", issuer, rules)
