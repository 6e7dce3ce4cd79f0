"""Workload identity: the platform's word, for us, now, and only what the rules say exactly."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.jose_makers import NOW, make_jwks, make_key, make_keys, sign, write
from oauth.laws import law
from rowgate.oauth.errors import InvalidClient, InvalidGrant
from rowgate.oauth.workload import (
    Refusal,
    TrustedIssuer,
    VerifiedWorkload,
    WorkloadRule,
    find_trusted_issuer,
    match_workload,
    verify_workload_assertion,
)
from rowgate.oauth.workload_rules import ClaimRule

_KEY = make_key("RS256")
_JWKS = make_jwks(_KEY)
_OURS = "https://host.example"
_GITHUB = TrustedIssuer(
    "github", _OURS, issuer="https://token.actions.githubusercontent.com", jwks=_JWKS, single_use=True
)
_KUBERNETES = TrustedIssuer("k8s", _OURS, issuer="https://kubernetes.default.svc", jwks_uri="https://k/openid/v1/jwks")
_SPIFFE = TrustedIssuer("spire", _OURS, spiffe_trust_domain="acme.example", jwks=_JWKS)
_ISSUERS = (_GITHUB, _KUBERNETES, _SPIFFE)
_SHAPES: dict[str, dict[str, Any]] = {
    "github": {
        "iss": _GITHUB.issuer,
        "sub": "repo:acme/tool:ref:refs/heads/main",
        "aud": _OURS,
        "repository": "acme/tool",
        "iat": NOW,
        "nbf": NOW - 600,
        "exp": NOW + 300,
        "jti": "j",
        "run_id": "7",
    },
    "k8s": {
        "iss": _KUBERNETES.issuer,
        "sub": "system:serviceaccount:data:loader",
        "aud": ["https://kubernetes.default.svc", _OURS],
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 3600,
        "kubernetes.io": {"namespace": "data", "serviceaccount": {"name": "loader", "uid": "u"}},
    },
    "spire": {"sub": "spiffe://acme.example/loader", "aud": [_OURS], "exp": NOW + 300},
}
_NAMES = {issuer.name: issuer for issuer in _ISSUERS}


def _verify(name: str, claims: Any, *, refusal: Refusal = InvalidClient) -> VerifiedWorkload:
    return verify_workload_assertion(sign(_KEY, claims), _NAMES[name], make_keys(_KEY), now=NOW, refusal=refusal)


def _refused(name: str, **change: Any) -> str:
    claims = {member: value for member, value in (_SHAPES[name] | change).items() if value is not ...}
    with pytest.raises(InvalidClient) as caught:
        _verify(name, claims)
    return caught.value.reason.removeprefix("workload_")


@pytest.mark.parametrize("name", _SHAPES)
def test_token_of_a_platform_is_believed(name: str) -> None:
    claims = _SHAPES[name]
    assert find_trusted_issuer(_ISSUERS, claims.get("iss", ""), claims["sub"]) == _NAMES[name]
    verified = _verify(name, claims)
    assert (verified.issuer_name, verified.subject, verified.claims) == (name, claims["sub"], claims)
    assert verified.jti == claims.get("jti")


@pytest.mark.parametrize("name", _SHAPES)
def test_audience_expiry_and_subject_are_required(name: str) -> None:
    for audience in (_OURS + "/", _OURS[:-1], [_OURS + "/"], [], "https://kubernetes.default.svc"):
        assert _refused(name, aud=audience) == "audience"
    for claim in ("aud", "exp", "sub"):
        assert _refused(name, **{claim: ...}) == "claims"
    assert _refused(name, exp=NOW) == "expired"
    assert _refused(name, exp=NOW + 86_400) == "lives_too_long"
    assert _refused(name, nbf=NOW + 61) == "not_yet"
    assert _refused(name, iat=NOW - 3601) == "too_old"


def test_issuer_is_compared_whole_and_iat_and_jti_are_asked_for() -> None:
    for issuer in (
        "https://token.actions.githubusercontent.com/",
        "https://token.actions.githubusercontent.com.evil",
        ...,
        "",
    ):
        assert _refused("github", iss=issuer) == "issuer"
    assert _refused("github", iat=...) == "no_iat"
    assert _refused("github", jti=...) == "jti"
    assert _refused("k8s", jti="") == "jti"


@pytest.mark.parametrize(
    "subject",
    [
        "spiffe://acme.example.evil/loader",
        "spiffe://evil/acme.example/loader",
        "spiffe://acme.example",
        "spiffe://acme.example/",
        "spiffe://acme.example/../x",
        "SPIFFE://acme.example/loader",
        "spiffe://acme.example/a b",
        "spiffe://u@acme.example/x",
        "spiffe://acme.example:1/x",
        "spiffe://acme.example//x",
        "spiffe://acme.example/x\n",
        "loader",
        "spiffe://acme.example/" + "x" * 2048,
    ],
)
def test_spiffe_id_is_of_the_trust_domain(subject: str) -> None:
    assert _refused("spire", sub=subject) == "trust_domain"


def test_forged_or_differently_signed_is_refused() -> None:
    claims = _SHAPES["github"]
    keys = make_keys(_KEY, make_key("EdDSA"))
    for token in (
        sign(make_key("EdDSA"), claims),  # a key of the issuer, an algorithm that is not on its list
        sign(make_key("ES256"), claims),
        sign(_KEY, claims, "at+jwt"),
        write({"alg": "none"}, claims),
        write({"alg": "RS256", "kid": _KEY.kid}, claims),
        sign(_KEY, claims) + "A",
    ):
        with pytest.raises(InvalidClient):
            verify_workload_assertion(token, _GITHUB, keys, now=NOW, refusal=InvalidClient)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@law
@given(st.sampled_from(["sub", "aud", "exp", "iss", "iat", "nbf", "jti", "x"]), _JSON)
def test_any_claim_is_believed_or_refused(name: str, value: Any) -> None:
    claims = _SHAPES["spire"] | {name: value}
    token = sign(make_key("ES256"), json.dumps(claims).encode())
    try:
        verify_workload_assertion(token, _SPIFFE, make_keys(make_key("ES256")), now=NOW, refusal=InvalidGrant)
    except InvalidGrant:
        assert name != "x"


@law
@given(st.binary(max_size=80))
def test_anything_else_is_refused(payload: bytes) -> None:
    token = sign(make_key("ES256"), payload or b"{")
    for text in (token, payload.decode("latin-1")):
        with pytest.raises(InvalidGrant):
            verify_workload_assertion(text, _SPIFFE, make_keys(make_key("ES256")), now=NOW, refusal=InvalidGrant)


def _rule(client_id: str, *claims: tuple[tuple[str, ...], tuple[str, ...]], issuer: str = "github") -> WorkloadRule:
    return WorkloadRule(client_id, issuer, tuple(ClaimRule(path, values) for path, values in claims))


def _match(name: str, *rules: WorkloadRule, client_id: str | None = None) -> str:
    return match_workload(_verify(name, _SHAPES[name]), rules, client_id=client_id, refusal=InvalidClient).client_id


def test_rule_matches_texts_exactly_and_all_of_them() -> None:
    repository = (("repository",), ("acme/other", "acme/tool"))
    branch = (("sub",), ("repo:acme/tool:ref:refs/heads/main",))
    assert _match("github", _rule("a", repository, branch)) == "a"
    nested = (("kubernetes.io", "serviceaccount", "name"), ("loader",))
    assert _match("k8s", _rule("b", nested, issuer="k8s")) == "b"
    for claim in (
        (("repository",), ("acme/too", "acme/tool2", "ACME/tool", "acme/*", ".*", "")),
        (("repository", "x"), ("acme/tool",)),
        (("nothing",), ("acme/tool",)),
    ):
        with pytest.raises(InvalidClient):
            _match("github", _rule("a", branch, claim))
    with pytest.raises(InvalidClient):
        _match("k8s", _rule("b", nested))  # another issuer's rule


@law
@given(st.text(max_size=6), st.text(max_size=6), _JSON)
def test_claim_matches_itself_and_nothing_else(text: str, other: str, value: Any) -> None:
    rule = _rule("a", (("x",), (text,)))

    def matches(found: Any) -> bool:
        workload = VerifiedWorkload("github", "s", {"x": found}, None, 0)
        try:
            match_workload(workload, [rule], client_id=None, refusal=InvalidGrant)
        except InvalidGrant:
            return False
        return True

    assert matches(text)
    assert matches(other) == (other == text)
    assert matches(value) == (value == text)


def test_several_applications_need_a_name() -> None:
    claim = (("repository",), ("acme/tool",))
    rules = (_rule("a", claim), _rule("b", claim), _rule("b", claim))
    with pytest.raises(InvalidClient):
        _match("github", *rules)
    assert _match("github", *rules, client_id="b") == "b"
    with pytest.raises(InvalidClient):
        _match("github", *rules, client_id="c")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"issuer": ""},
        {"issuer": "i", "jwks": None},
        {"issuer": "i", "jwks_uri": "https://k"},
        {"issuer": "i", "algorithms": frozenset()},
        {"issuer": "i", "algorithms": frozenset({"HS256"})},
        {"issuer": "i", "algorithms": frozenset({"none"})},
        {"issuer": "i", "audience": ""},
        {"issuer": "i", "max_age_seconds": 0},
        {"spiffe_trust_domain": "a/b"},
    ],
)
def test_issuer_that_trusts_too_much_cannot_be_made(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        TrustedIssuer(**{"name": "n", "audience": _OURS, "jwks": _JWKS, **settings})


def test_rule_that_lets_everybody_or_nobody_in_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="claim"):
        WorkloadRule("a", "github", ())
    for path, values in (((), ("x",)), (("x",), ()), (("x",) * 9, ("x",))):
        with pytest.raises(ValueError, match="path"):
            ClaimRule(path, values)
