"""Client metadata: what is taken, what is refused, and that nothing a client says of itself ever widens."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.laws import law
from oauth.makers import make_application
from oauth.test_lineage import make_secret
from rowgate.oauth.client_assertion import PRIVATE_KEY_JWT
from rowgate.oauth.client_metadata import (
    METHODS,
    SECRET_METHODS,
    RequestedMetadata,
    parse_client_metadata,
    parse_client_update,
)
from rowgate.oauth.errors import InvalidClientMetadata, InvalidRedirectUri, InvalidRequest, OAuthError
from rowgate.oauth.model import NEVER, ClientPolicy
from rowgate.oauth.registration import check_update, decide_new_secret, decide_policy, decide_scope, describe_client
from rowgate.oauth.registration_tokens import (
    digest_initial_access_token,
    digest_registration_access_token,
    find_initial_handle,
    is_registration_access_token,
    render_initial_access_token,
    render_registration_access_token,
)
from support.client_keys import ClientKey

KEY = bytes(range(32))
CLIENT_KEY = ClientKey()
JWKS = json.loads(CLIENT_KEY.jwks)
JSON = b"application/json"
SCOPES = ("read", "introspect", "run")
NOW = 1_000_000

scopes = st.lists(st.sampled_from(SCOPES), min_size=1, max_size=3, unique=True).map(tuple)
requests = st.builds(
    RequestedMetadata,
    client_name=st.just("c"),
    refresh_tokens=st.booleans(),
    authentication_method=st.sampled_from(METHODS),
    jwks=st.just(CLIENT_KEY.jwks),
    scope=st.none() | scopes.map(" ".join),
)


def parse(**members: Any) -> RequestedMetadata:
    return parse_client_metadata(JSON, json.dumps(members).encode())


def test_nothing_said_is_the_plainest_client() -> None:
    """RFC 7591 §2: the defaults, with the one grant type that is here for the one that is not."""
    assert parse() == RequestedMetadata("", False, "client_secret_basic", "", None)  # noqa: FBT003 - by its place


def test_null_and_absent_are_the_same() -> None:
    """RFC 7592 §2.2: null means the member is not there."""
    names = ("client_name", "grant_types", "token_endpoint_auth_method", "jwks", "jwks_uri", "scope", "redirect_uris")
    assert parse(**dict.fromkeys(names)) == parse()


def test_what_this_server_knows_nothing_of_is_ignored() -> None:
    """RFC 7591 §2: the server MUST ignore metadata that it does not understand."""
    unknown = {"logo_uri": "https://a.example/x.png", "software_statement": "a.b.c", "contacts": [1], "x": {"y": None}}
    assert parse(**unknown, redirect_uris=[], response_types=[]) == parse()


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"response_types": ["code"]}, "response_types"),
        ({"jwks_uri": "https://a.example/jwks"}, "jwks_uri"),
        ({"token_endpoint_auth_method": "none"}, "unknown_method"),
        ({"token_endpoint_auth_method": "tls_client_auth"}, "unknown_method"),
        ({"token_endpoint_auth_method": 1}, "not_a_string"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "no_jwks"),
        ({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}}, "jwks_no_key"),
        ({"jwks": {"keys": [CLIENT_KEY.private]}}, "jwks_private_key"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}}, "jwks_symmetric_key"),
        ({"jwks": "text"}, "jwks_malformed"),
        ({"jwks": "\ud800"}, "jwks_malformed"),
        ({"grant_types": "client_credentials"}, "malformed_grant_types"),
        ({"grant_types": [1]}, "malformed_grant_types"),
        ({"grant_types": []}, "unknown_grant_types"),
        ({"grant_types": ["refresh_token"]}, "unknown_grant_types"),
        ({"grant_types": ["client_credentials", "authorization_code"]}, "unknown_grant_types"),
        ({"client_name": "a\nb"}, "unfit_client_name"),
        ({"client_name": "\u202egnp"}, "unfit_client_name"),
        ({"client_name": "\ud800"}, "unfit_client_name"),
        ({"client_name": "x" * 101}, "unfit_client_name"),
        ({"scope": ["read"]}, "not_a_string"),
    ],
)
def test_what_cannot_be_registered_is_refused(members: dict[str, Any], reason: str) -> None:
    """RFC 7591 §3.2.2 invalid_client_metadata."""
    with pytest.raises(InvalidClientMetadata) as refused:
        parse(**members)
    assert refused.value.reason == reason


@pytest.mark.parametrize("uris", [["https://a.example/cb"], "https://a.example/cb", [1], {"a": 1}])
def test_a_redirect_uri_is_refused_by_its_own_code(uris: Any) -> None:
    """RFC 7591 §3.2.2 invalid_redirect_uri."""
    with pytest.raises(InvalidRedirectUri):
        parse(redirect_uris=uris)


@given(body=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
@law
def test_no_body_is_more_than_refused(body: bytes) -> None:
    for parser in (parse_client_metadata, parse_client_update):
        try:
            parser(JSON, body)
        except (InvalidRequest, InvalidClientMetadata, InvalidRedirectUri):
            continue


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["read", *METHODS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["keys", "kty", "a"]), inner),
    max_leaves=6,
)
MEMBERS = (
    "client_id",
    "client_name",
    "client_secret",
    "grant_types",
    "jwks",
    "jwks_uri",
    "redirect_uris",
    "response_types",
    "scope",
    "token_endpoint_auth_method",
)


@given(members=st.dictionaries(st.sampled_from(MEMBERS), json_like))
@law
def test_any_metadata_is_taken_or_refused_and_what_is_taken_can_be_registered(members: dict[str, Any]) -> None:
    try:
        requested = parse(**members)
        scope = decide_scope(requested, SCOPES)
    except OAuthError:
        return
    assert set(scope) <= set(SCOPES)
    policy = decide_policy(requested, ClientPolicy())
    described = describe_client(make_application(scope=scope, policy=policy))
    assert json.loads(msgspec.json.encode(described))["response_types"] == []


@pytest.mark.parametrize(
    "name",
    ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"],
)
def test_an_update_does_not_say_what_is_the_servers(name: str) -> None:
    """RFC 7592 §2.2: these MUST NOT be included."""
    with pytest.raises(InvalidClientMetadata) as refused:
        parse_client_update(JSON, json.dumps({"client_id": "c", name: 0}).encode())
    assert refused.value.reason == "server_member"


def test_an_update_names_its_client() -> None:
    """RFC 7592 §2.2: client_id is required."""
    with pytest.raises(InvalidClientMetadata) as refused:
        parse_client_update(JSON, b"{}")
    assert refused.value.reason == "no_client_id"
    assert "hush" not in repr(parse_client_update(JSON, b'{"client_id": "c", "client_secret": "hush"}'))


@given(requested=requests, allowed=scopes)
@law
def test_no_more_scope_is_registered_than_is_allowed(requested: RequestedMetadata, allowed: tuple[str, ...]) -> None:
    asked = set((requested.scope or " ".join(allowed)).split(" "))
    if asked <= set(allowed):
        assert set(decide_scope(requested, allowed)) == asked
    else:
        with pytest.raises(InvalidClientMetadata):
            decide_scope(requested, allowed)


@given(
    requested=requests,
    scope=scopes,
    refresh=st.booleans(),
    methods=st.lists(st.sampled_from((*METHODS, "tls_client_auth")), min_size=1, unique=True).map(tuple),
)
@law
def test_an_update_never_widens(
    *, requested: RequestedMetadata, scope: tuple[str, ...], refresh: bool, methods: tuple[str, ...]
) -> None:
    before = make_application(
        scope=scope, refresh_tokens=refresh, policy=ClientPolicy(authentication_methods=methods, tokens_per_minute=7)
    )
    widens = (
        (requested.refresh_tokens and not refresh)
        or not set((requested.scope or scope[0]).split(" ")) <= set(scope)
        or (requested.authentication_method not in methods and not set(methods) <= SECRET_METHODS)
    )
    if widens:
        with pytest.raises(InvalidClientMetadata):
            check_update(before, requested)
        return
    assert set(check_update(before, requested)) <= set(scope)
    after = decide_policy(requested, before.policy)
    assert after.authentication_methods == (requested.authentication_method,)
    rest = {"authentication_methods": (), "jwks": "", "jwks_uri": ""}
    assert msgspec.structs.replace(after, **rest) == msgspec.structs.replace(before.policy, **rest)


@given(
    age=st.integers(0, 200_000),
    life=st.integers(0, 200_000),
    revoked=st.booleans(),
    renews=st.booleans(),
    line=st.sampled_from([0, 50_000, 300_000]),
    method=st.sampled_from(METHODS),
)
@law
def test_an_update_gives_a_secret_only_where_a_renewal_could_soon(
    *, age: int, life: int, revoked: bool, renews: bool, line: int, method: str
) -> None:
    """The registration access token is no way around an administrator's decision."""
    expires_at = NOW - age + life if life else NEVER
    newest = make_secret(2, created_at=NOW - age, expires_at=expires_at, revoked=revoked)
    policy = ClientPolicy(renew_secrets=renews, lineage_seconds=line)
    application = make_application(secrets=(make_secret(1, revoked=True), newest), policy=policy)
    ends_soon = life != 0 and (expires_at - NOW) * 4 <= life
    expected = method != PRIVATE_KEY_JWT and renews and not revoked and ends_soon and not (line and age >= line)
    decided = decide_new_secret(application, method, NOW)
    assert (decided is not None) == expected
    if decided is not None:
        assert decided[0] > NOW
        assert decided[1] == NOW - age
        assert not line or decided[0] <= decided[1] + line


def test_a_client_that_had_no_secret_gets_one() -> None:
    assert decide_new_secret(make_application(), "client_secret_post", NOW) == (NOW + 259_200, NOW)


@given(one=st.binary(min_size=32, max_size=32), other=st.binary(min_size=32, max_size=32))
@law
def test_a_registration_access_token_is_good_for_its_client_alone(one: bytes, other: bytes) -> None:
    token = render_registration_access_token(one)
    kept = digest_registration_access_token(KEY, "a", token).hex()
    assert is_registration_access_token(KEY, "a", token, kept)
    assert not is_registration_access_token(KEY, "b", token, kept)
    assert not is_registration_access_token(KEY[::-1], "a", token, kept)
    assert is_registration_access_token(KEY, "a", render_registration_access_token(other), kept) == (one == other)


def test_the_two_tokens_are_not_each_other() -> None:
    token = render_initial_access_token("k1x2y3z4", bytes(32))
    assert find_initial_handle(token) == "k1x2y3z4"
    assert find_initial_handle(token + "A") == find_initial_handle("") == ""
    assert digest_initial_access_token(KEY, token) != digest_registration_access_token(KEY, "", token)
