"""Token exchange: narrower, shorter, and only for who may (RFC 8693)."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.laws import law
from oauth.makers import make_application, make_record
from rowgate.oauth.errors import InvalidRequest, InvalidScope, InvalidTarget, OAuthError
from rowgate.oauth.form import FORM, parse_token_parameters
from rowgate.oauth.jwt_access_token import find_actor
from rowgate.oauth.token_exchange import (
    ACCESS_TOKEN_TYPE,
    MAX_ACTORS,
    MAX_EXCHANGES,
    ExchangedToken,
    SubjectToken,
    TokenExchangeRequest,
    decide_token_exchange,
    parse_token_exchange,
)

_KNOWN = ("https://a.example/", "https://b.example/")
_PAIRS = [("subject_token", "rgat_x"), ("subject_token_type", ACCESS_TOKEN_TYPE)]
_SUBJECT = SubjectToken(
    token_id=b"s" * 16,
    application_number=1,
    scope=("read", "run"),
    audience=(),
    expires_at=1000,
    alive=True,
)
_REQUEST = TokenExchangeRequest("rgat_x", None, ())
_CLIENT = make_application(scope=("read", "run", "more"))
_OTHER = replace(_CLIENT, number=2, client_id="other")


def _parse(pairs: list[tuple[str, str]]) -> TokenExchangeRequest:
    return parse_token_exchange(parse_token_parameters(FORM.encode(), urlencode(pairs).encode()))


def _decide(
    request: TokenExchangeRequest = _REQUEST,
    subject: SubjectToken | None = _SUBJECT,
    client: Any = _CLIENT,
    **others: Any,
) -> ExchangedToken:
    chosen: dict[str, Any] = {
        "known_resources": _KNOWN,
        "lifetime_seconds": 300,
        "now": 500.0,
        **others,
    }
    return decide_token_exchange(request, subject, client, **chosen)


def test_the_least_request_is_read_and_hides_its_token() -> None:
    request = _parse([*_PAIRS, ("scope", ""), ("x", "y"), ("x", "z")])
    assert request == _REQUEST
    assert "rgat_x" not in repr(request)


def test_23_resource_and_audience_may_be_repeated() -> None:
    more = [("resource", "r1"), ("audience", "a"), ("Resource", "r2"), ("audience", "")]
    assert _parse([*_PAIRS, *more]).resources == ("r1", "r2", "a")


@pytest.mark.parametrize(
    "pairs",
    [
        _PAIRS[:1],
        _PAIRS[1:],
        [("subject_token", ""), _PAIRS[1]],
        [*_PAIRS, _PAIRS[0]],
        [*_PAIRS, ("SUBJECT_TOKEN", "rgat_x")],
        [*_PAIRS, ("scope", "read"), ("scope", "read")],
        [_PAIRS[0], ("subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token")],
        [_PAIRS[0], ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt")],
        [*_PAIRS, ("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token")],
        [*_PAIRS, ("actor_token", "rgat_y")],
        [*_PAIRS, ("actor_token_type", ACCESS_TOKEN_TYPE)],
    ],
)
def test_other_requests_are_invalid(pairs: list[tuple[str, str]]) -> None:
    """RFC 8693 §2.1, §2.2.2."""
    with pytest.raises(InvalidRequest):
        _parse(pairs)


@law
@given(
    st.lists(st.tuples(st.sampled_from([name for name, _ in _PAIRS] + ["scope", "resource", "x"]), st.text(max_size=5)))
)
def test_whatever_comes_a_request_or_a_refusal(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidRequest):
        _parse([pair for pair in pairs if pair[1] != ACCESS_TOKEN_TYPE])


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (None, "bad_subject_token"),
        (replace(_SUBJECT, alive=False), "bad_subject_token"),
        (replace(_SUBJECT, expires_at=500), "bad_subject_token"),
        (replace(_SUBJECT, application_number=2), "another_applications_token"),
        (replace(_SUBJECT, confirmation="key"), "other_key"),
    ],
)
def test_a_subject_token_that_is_not_good_is_an_invalid_request(subject: SubjectToken | None, reason: str) -> None:
    """RFC 8693 §2.2.2; why it is not good is not told."""
    with pytest.raises(InvalidRequest) as refused:
        _decide(subject=subject)
    assert (refused.value.reason, refused.value.description) == (reason, "The subject token is not valid.")


def test_another_applications_token_needs_a_rule_and_names_the_actor() -> None:
    with pytest.raises(InvalidRequest):
        _decide(client=_OTHER)
    exchanged = _decide(client=_OTHER, may_exchange={1})
    assert exchanged.actors == ("other",)
    again = _decide(
        subject=replace(_SUBJECT, actors=exchanged.actors), client=replace(_OTHER, client_id="third"), may_exchange={1}
    )
    actor = find_actor(make_record(actors=again.actors))
    assert msgspec.json.encode(actor) == b'{"sub":"third","act":{"sub":"other"}}'
    with pytest.raises(InvalidRequest):
        _decide(subject=replace(_SUBJECT, actors=("a",) * MAX_ACTORS), client=_OTHER, may_exchange={1})
    assert _decide().actors == ()


def test_a_token_knows_what_it_was_made_of_and_there_is_a_bound() -> None:
    subject = _SUBJECT
    for number in range(1, MAX_EXCHANGES + 1):
        made_of = _decide(subject=subject).made_of
        assert made_of == (subject.token_id, *subject.made_of)
        subject = replace(subject, token_id=bytes([number]) * 16, made_of=made_of)
    with pytest.raises(InvalidRequest) as refused:
        _decide(subject=subject)
    assert refused.value.reason == "too_many_exchanges"


def test_a_bound_token_stays_bound() -> None:
    bound = replace(_SUBJECT, confirmation="key")
    for proved in ("", "another"):
        with pytest.raises(InvalidRequest):
            _decide(subject=bound, proved_confirmation=proved)
    assert _decide(subject=bound, proved_confirmation="key").confirmation == "key"
    assert _decide(proved_confirmation="new").confirmation == "new"


def test_more_than_the_subject_has_is_refused() -> None:
    with pytest.raises(InvalidScope):
        _decide(replace(_REQUEST, scope="more"))
    with pytest.raises(InvalidScope):
        _decide(client=replace(_CLIENT, scope=("more",)))
    with pytest.raises(InvalidTarget):
        _decide(replace(_REQUEST, resources=("https://c.example/",)))
    with pytest.raises(InvalidTarget):
        _decide(replace(_REQUEST, resources=(_KNOWN[1],)), replace(_SUBJECT, audience=(_KNOWN[0],)))


_SCOPES = st.lists(st.sampled_from(["read", "run", "more"]), unique=True, min_size=1).map(tuple)
_AUDIENCES = st.lists(st.sampled_from(_KNOWN), unique=True).map(tuple)


@law
@given(
    st.builds(
        replace,
        st.just(_SUBJECT),
        scope=_SCOPES,
        audience=_AUDIENCES,
        expires_at=st.integers(1, 2000),
        application_number=st.integers(1, 2),
        confirmation=st.sampled_from(["", "key"]),
    ),
    st.none() | _SCOPES.map(" ".join),
    _AUDIENCES,
    _SCOPES,
    st.tuples(st.floats(0, 2000), st.integers(1, 10_000)),
)
def test_an_exchange_never_widens_and_never_outlives(
    subject: SubjectToken, scope: str | None, resources: Any, allowed: Any, times: tuple[float, int]
) -> None:
    now, lifetime = times
    try:
        exchanged = _decide(
            replace(_REQUEST, scope=scope, resources=resources),
            subject,
            replace(_CLIENT, scope=allowed),
            lifetime_seconds=lifetime,
            now=now,
            proved_confirmation="key",
        )
    except OAuthError:
        return
    assert subject.application_number == _CLIENT.number
    assert set(exchanged.scope) <= set(subject.scope) & set(allowed)
    assert exchanged.scope
    assert set(exchanged.audience or _KNOWN) <= set(subject.audience or _KNOWN)
    assert exchanged.expires_at <= min(subject.expires_at, now + lifetime)
    assert subject.confirmation in {"", exchanged.confirmation}
    assert exchanged.issued_token_type == ACCESS_TOKEN_TYPE
