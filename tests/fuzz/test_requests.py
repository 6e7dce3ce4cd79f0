"""Every parser that a client reaches: no input is answered by a fault, and none comes back.

Each test goes past the checks before its parser, and shows with a good input that it does.
"""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.strategies import changed, forms, header_values, json_texts, json_values, nearly, sign, tokens
from fuzz.wire import FORM, MARK, VIEW, Answer, Headers, World, judge
from rowgate.oauth.token_exchange import ACCESS_TOKEN_TYPE, TOKEN_EXCHANGE
from support.client_keys import ASSERTION_TYPE
from support.homes import administer

_IS_LONG = settings.get_current_profile_name() == "fuzz"
_SHARE = settings() if _IS_LONG else settings(max_examples=25, derandomize=True, database=None)
fuzzed = settings(
    _SHARE,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
_JSON = (b"content-type", b"application/json")
_FORM: Headers = [(b"content-type", FORM)]
_ROWS = f"/api/v1/data/{VIEW}/rows".encode()
_GRANTS = ("client_credentials", "refresh_token", TOKEN_EXCHANGE)
WAIT_SECONDS = 61  # longer than any wait after a failure


def _go_on(world: World) -> None:
    """Let failures before not slow this one down; otherwise nothing would be read after a few."""
    world.server.clock.advance(WAIT_SECONDS)


def _basic(world: World) -> tuple[bytes, bytes]:
    return b"authorization", b"Basic " + b64encode(f"{world.client_id}:{world.client_secret}".encode())


@fuzzed
@given(data=st.data())
def test_token_forms(world: World, data: st.DataObject) -> None:
    good = {
        "grant_type": _GRANTS,
        "scope": ("read", "read read", "introspect"),
        "client_id": (world.client_id,),
        "client_secret": (world.client_secret,),
        "refresh_token": (world.refresh_token, world.access_token),
        "resource": (world.server.url, "urn:a", "https://a/#b"),
        "audience": (world.server.url,),
        "subject_token": (world.access_token, world.refresh_token),
        "subject_token_type": (ACCESS_TOKEN_TYPE,),
        "requested_token_type": (ACCESS_TOKEN_TYPE,),
        "client_assertion": ("a.b.c",),
        "client_assertion_type": (ASSERTION_TYPE,),
        "authorization_details": ("[]", "{}"),
    }
    _go_on(world)
    kind = data.draw(st.sampled_from([FORM, FORM, b"application/json", b"text/plain", b"multipart/form-data", b""]))
    body = data.draw(forms(good))
    world.send(b"POST", b"/token", [(b"content-type", kind)], body)
    path = data.draw(st.sampled_from([b"/token", b"/oauth/token", b"/api/v1/token?a=b"]))
    grant = data.draw(st.sampled_from(_GRANTS))
    body = data.draw(forms(good, keep={"grant_type": grant}))
    world.send(b"POST", path, [*_FORM, _basic(world)], body)


@fuzzed
@given(data=st.data())
def test_token_bodies_of_json(world: World, data: st.DataObject) -> None:
    members = {"grant_type": "client_credentials", "scope": "read", **world.credentials}
    _go_on(world)
    body = data.draw(json_texts(st.one_of(changed(members), json_values(*members))))
    world.send(b"POST", b"/token", [(b"content-type", b"application/json")], body)


@fuzzed
@given(data=st.data())
def test_basic_credentials(world: World, data: st.DataObject) -> None:
    pair = data.draw(nearly(f"{world.client_id}:{world.client_secret}", f"{world.client_id}:", ":"))
    encoded = b64encode(pair.encode("utf-8", "surrogatepass")).decode()
    scheme = data.draw(st.sampled_from(["Basic", "basic", "BASIC ", "Bearer", "DPoP", ""]))
    value = data.draw(header_values(nearly(f"{scheme} {encoded}")))
    _go_on(world)
    path = data.draw(st.sampled_from([b"/token", b"/introspect", b"/revoke", b"/api/v1/secret"]))
    headers = [*_FORM, *([(b"authorization", value)] * data.draw(st.sampled_from([1, 1, 2])))]
    world.send(b"POST", path, headers, b"grant_type=client_credentials")


@fuzzed
@given(data=st.data())
def test_client_assertions(world: World, data: st.DataObject) -> None:
    claims = world.key.claim(world.signing_id, world.server.url, world.server.clock() + WAIT_SECONDS)
    header = {"alg": "ES256", "kid": world.key.key_id, "typ": "JWT"}
    assertion = data.draw(tokens(world.key, header, claims))
    _go_on(world)
    path = data.draw(st.sampled_from(["/token", "/introspect", "/revoke"]))
    form = {"grant_type": "client_credentials", "token": world.access_token, "client_assertion_type": ASSERTION_TYPE}
    world.post_form(path, {**form, "client_assertion": assertion})


@fuzzed
@given(data=st.data())
def test_proofs(world: World, data: st.DataObject) -> None:
    jwk: Any = data.draw(st.one_of(changed(world.key.public, "d", "n", "e", "k"), json_values("kty", "crv", "x", "y")))
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": data.draw(st.sampled_from([world.key.public, jwk]))}
    _go_on(world)
    claims = {
        "jti": data.draw(st.uuids()).hex,
        "htm": "POST",
        "htu": f"{world.server.url}/token",
        "iat": int(world.server.clock()),
    }
    proof = data.draw(header_values(tokens(world.key, header, claims)))
    form = urlencode({"grant_type": "client_credentials", **world.credentials}).encode()
    world.send(b"POST", b"/token", [*_FORM, (b"dpop", proof)], form)
    bound = f"DPoP {data.draw(nearly(world.access_token))}".encode("utf-8", "surrogatepass")
    bound = bound.translate(None, b"\r\n\x00")
    world.send(b"GET", _ROWS + b"?limit=1", [(b"authorization", bound), (b"dpop", proof)])


@fuzzed
@given(data=st.data())
def test_authorization_details(world: World, data: st.DataObject) -> None:
    detail = {"type": "rowgate_object", "object": VIEW, "columns": ["DisplayName"], "actions": ["read"]}
    names = ("type", "object", "objects", "columns", "actions", "locations", "identifier")
    one = st.one_of(changed(detail, *names), json_values(*names, good=("rowgate_object", VIEW, "DisplayName")))
    text = data.draw(json_texts(st.one_of(st.lists(one, max_size=4), one)))
    form = urlencode({"grant_type": "client_credentials", **world.credentials}).encode()
    world.send(b"POST", b"/token", _FORM, form + b"&authorization_details=" + quote(text).encode())


@fuzzed
@given(data=st.data())
def test_rows_bodies(world: World, data: st.DataObject) -> None:
    columns = ["DisplayName", "Enabled", "LastLogon"]
    good = ("DisplayName", "equals", "between", "in", "count", "max", "asc", "desc")
    asked = {
        "filters": [{"column": "DisplayName", "function": "equals", "value": "a"}],
        "columns": columns,
        "groupby": [],
        "orderby": [{"column": "DisplayName", "direction": "asc"}],
        "limit": 1,
        "offset": 0,
        "jobRuntimeKey": "1",
    }
    names = (*asked, "column", "function", "value", "direction", "alias")
    body = data.draw(json_texts(st.one_of(changed(asked, *names), json_values(*names, good=good))))
    kind = data.draw(st.sampled_from([b"application/json", b"application/json5", b"text/plain"]))
    world.send(b"POST", _ROWS, [(b"authorization", _bearer(world)), (b"content-type", kind)], body)


@fuzzed
@given(data=st.data())
def test_targets_and_queries(world: World, data: st.DataObject) -> None:
    good = {
        "filter": ("DisplayName:equals:a", "Enabled:between:1,2", "a:b:c"),
        "filters": ('[{"column":"DisplayName","function":"equals","value":"a"}]',),
        "columns": ("DisplayName,Enabled",),
        "orderby": ("DisplayName", "DisplayName:desc"),
        "groupby": ("DisplayName",),
        "limit": ("1", "0", "-1", "9" * 30),
        "offset": ("0", "9" * 30),
        "format": ("json", "csv", "ndjson", "arrow"),
        "jobRuntimeKey": ("1",),
    }
    query = data.draw(forms(good, keep={"Limit": "2"})).translate(None, b"\r\n\x00 #\x7f")
    accept = data.draw(header_values(nearly("text/csv", "application/json;q=0.5, */*;q=0")))
    headers = [(b"authorization", _bearer(world)), (b"accept", accept)]
    world.send(b"GET", _ROWS + b"?" + query, headers)
    name = data.draw(nearly(VIEW, "/api/v1/token", "../token", ".well-known/jwks.json")).encode(
        "utf-8", "surrogatepass"
    )
    escaped = quote(name, safe=data.draw(st.sampled_from(["", "/", "%", "/.%"]))).encode()
    for target in (b"/api/v1/data/%b/rows?%b" % (escaped, query), b"/" + escaped):
        world.send(data.draw(st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS"])), target, headers)


@fuzzed
@given(data=st.data())
def test_bearer_tokens(world: World, data: st.DataObject) -> None:
    scheme = data.draw(st.sampled_from(["Bearer", "bearer  ", "DPoP", "Basic", ""]))
    value = data.draw(header_values(nearly(f"{scheme} {world.access_token}", f"{scheme} {world.refresh_token}")))
    answer = world.send(b"GET", _ROWS + b"?limit=1", [(b"authorization", value)])
    assert answer.status in (200, 400, 401)


@fuzzed
@given(data=st.data())
def test_bodies_of_introspection_and_revocation(world: World, data: st.DataObject) -> None:
    bound = sign(world.key, b'{"alg":"ES256","typ":"at+jwt"}', b'{"iss":"a"}')
    good = {
        "token": ("rgat_" + "A" * 60, "rgrt_" + "A" * 60, "rgcs_a_b", bound, "a.b.c", ".."),
        "token_type_hint": ("access_token", "refresh_token"),
        "client_id": (world.client_id,),
    }
    body = data.draw(forms(good))
    path = data.draw(st.sampled_from([b"/introspect", b"/revoke"]))
    accept = data.draw(header_values(nearly("application/token-introspection+jwt", "application/json")))
    world.send(b"POST", path, [*_FORM, _basic(world), (b"accept", accept)], body)


@fuzzed
@given(data=st.data())
def test_bodies_of_enrolment(world: World, data: st.DataObject) -> None:
    keys = json.dumps({"keys": [world.key.public]})
    good = {"code": ("rgen_" + "A" * 43, "a"), "enrolment_code": ("rgen_a",), "jwks": (keys,), "client_id": ("a",)}
    _go_on(world)
    world.send(b"POST", b"/api/v1/enrol", _FORM, data.draw(forms(good)))
    jwks = json_values("keys", "kty", "crv", "x", "y", "d", "kid", "use", "alg")
    body = data.draw(json_texts(st.one_of(changed({"code": "a", "jwks": {"keys": [world.key.public]}}), jwks)))
    world.send(b"POST", b"/api/v1/enrol", [(b"content-type", b"application/json")], body)


@fuzzed
@given(data=st.data())
def test_bodies_of_renewal_by_strangers(world: World, data: st.DataObject) -> None:
    """By a stranger, so that nothing is renewed: the renewals themselves stand in tests/credentials."""
    good = {"client_id": (world.signing_id, "a"), "client_secret": ("a",), "jwks": ("{}",), "secret": ("a",)}
    _go_on(world)
    answer = world.send(b"POST", b"/api/v1/secret", _FORM, data.draw(forms(good)))
    assert answer.status in (400, 401, 415, 429)


@pytest.fixture(scope="module")
def registration(world: World) -> tuple[bytes, str]:
    """A client that has registered itself: the target of its registration, and its registration access token."""
    with administer(world.server.settings, world.server.clock) as desks:
        made = desks.registrations.add_token((), scope="read", lifetime_seconds=60)
    headers: Headers = [(b"authorization", f"Bearer {made.initial_access_token}".encode()), _JSON]
    answer = world.send(b"POST", b"/register", headers, b'{"client_name": "fuzzed"}')
    assert answer.status == 201, answer
    told = answer.members
    for token in (made.initial_access_token, told["client_secret"], told["registration_access_token"]):
        world.keep(token)
    return f"/api/v1/register?client_id={told['client_id']}".encode(), told["registration_access_token"]


@fuzzed
@given(data=st.data())
def test_client_metadata(world: World, registration: tuple[bytes, str], data: st.DataObject) -> None:
    """An update for another client: everything is read, and nothing may be answered but no."""
    members = {
        "client_id": "another",
        "client_secret": "rgcs_k1x2y3z4_A",
        "client_name": "a name",
        "grant_types": ["client_credentials", "refresh_token"],
        "response_types": [],
        "redirect_uris": [],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [world.key.public]},
        "scope": "read",
    }
    target, token = registration
    _go_on(world)
    body = data.draw(json_texts(st.one_of(changed(members), json_values(*members))))
    headers: Headers = [(b"authorization", f"Bearer {token}".encode()), _JSON]
    assert world.send(b"PUT", target, headers, body).status == 400
    presented = data.draw(header_values(nearly(f"Bearer {token}", "Bearer rgit_k1x2y3z4_" + "A" * 43)))
    method = data.draw(st.sampled_from([b"POST", b"PUT"]))
    world.send(method, target, [(b"authorization", presented), _JSON], body)


def test_what_is_edited_was_good(world: World) -> None:
    """Otherwise the tests above would go no further than authentication."""
    _go_on(world)
    now = world.server.clock()
    assert world.ask_token().status == 200
    assert world.post_form("/token", {"grant_type": "client_credentials", **world.assert_client()}).status == 200
    proof = world.key.prove("POST", f"{world.server.url}/token", now).encode()
    form = urlencode({"grant_type": "client_credentials", **world.credentials}).encode()
    assert world.send(b"POST", b"/token", [*_FORM, (b"dpop", proof)], form).members["token_type"] == "DPoP"
    details = json.dumps([{"type": "rowgate_object", "object": VIEW, "columns": ["DisplayName"], "actions": ["read"]}])
    assert world.ask_token(authorization_details=details).status == 200
    assert world.send(b"GET", _ROWS + b"?limit=1", [(b"authorization", _bearer(world))]).status == 200


def _bearer(world: World) -> bytes:
    return f"Bearer {world.fresh_token}".encode()


@pytest.mark.parametrize("place", ["head", "body"])
def test_judge_sees_what_comes_back(place: str) -> None:
    """The judge itself can fail."""
    answer = Answer(400, MARK if place == "head" else "", json.dumps({"error": MARK}).encode())
    with pytest.raises(AssertionError):
        judge(answer)
