"""The bearer header: whatever comes, a token or a refusal (RFC 6750 §2.1)."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oauth.laws import law
from oauth.makers import make_application, make_record
from rowgate.oauth.authorization_details import GrantedDetail, render_details
from rowgate.oauth.bearer import decide_bearer, parse_presented_token
from rowgate.oauth.errors import InvalidGrant, InvalidRequest, InvalidToken, MissingToken
from rowgate.oauth.grants import decide_refresh
from rowgate.oauth.model import Application, Secret

_TOKENS = st.from_regex(re.compile(r"[A-Za-z0-9\-._~+/]+=*", re.ASCII), fullmatch=True)
_SCHEMES = st.sampled_from(["Bearer", "bearer", "BEARER", "bEaReR"])
_HEADERS = st.one_of(
    st.binary(max_size=40),
    st.tuples(_SCHEMES, st.binary(max_size=30)).map(lambda pair: pair[0].encode() + b" " + pair[1]),
)


_RESOURCE = "https://a.example"


@law
@given(st.lists(_HEADERS, max_size=3))
def test_nothing_but_a_token_or_a_refusal(headers: list[bytes]) -> None:
    try:
        token = parse_presented_token(headers).token
    except MissingToken:
        assert len(headers) < 2
    except InvalidRequest:
        assert len(headers) > 1
    except InvalidToken:
        assert len(headers) == 1
    else:
        assert re.fullmatch(r"[A-Za-z0-9\-._~+/]+=*", token)


@law
@given(_TOKENS, _SCHEMES, st.integers(1, 5), st.integers(0, 3))
def test_header_is_a_round_trip(token: str, scheme: str, spaces: int, trailing: int) -> None:
    header = scheme + " " * spaces + token + " " * trailing
    assert parse_presented_token([header.encode()]).token == token


# none: it is forgotten; false: it is revoked and its tokens are kept; true: they are revoked with it
_SECRETS = st.sampled_from([None, False, True])


def _make_issuer(*, epoch: int, enabled: bool, kills_tokens: bool | None) -> Application:
    """Give an application whose secret 1 issued the token."""
    secret = Secret(1, "key", "name", b"", 0, 0, revoked=True, kills_tokens=bool(kills_tokens))
    return make_application(epoch=epoch, enabled=enabled, secrets=() if kills_tokens is None else (secret,))


@law
@given(st.integers(0, 2000), st.integers(0, 3), st.integers(0, 3), st.booleans(), st.none() | st.booleans(), _SECRETS)
@example(999, 0, 0, False, True, None)  # noqa: FBT003
def test_access_is_given_only_while_everything_holds(  # noqa: PLR0917 - one per strategy
    now: int,
    record_epoch: int,
    epoch: int,
    revoked: bool,  # noqa: FBT001
    enabled: bool | None,  # noqa: FBT001 - None: the application is gone
    kills_tokens: bool | None,  # noqa: FBT001
) -> None:
    record = make_record(epoch=record_epoch, scope="read run")
    application = None if enabled is None else _make_issuer(epoch=epoch, enabled=enabled, kills_tokens=kills_tokens)
    if now < 1000 and record_epoch == epoch and enabled and not revoked and not kills_tokens:
        access = decide_bearer(b"i" * 16, record, application, resource=_RESOURCE, revoked=revoked, now=now)
        assert access.scope == {"read"}  # what the application may have today
        assert application is not None
        assert access.client_id == application.client_id
    else:
        with pytest.raises(InvalidToken):
            decide_bearer(b"i" * 16, record, application, resource=_RESOURCE, revoked=revoked, now=now)


@law
@given(st.integers(998, 1001), st.integers(0, 1), st.booleans(), _SECRETS)
def test_a_refresh_token_holds_as_long_as_an_access_token_would(
    now: int,
    record_epoch: int,
    revoked: bool,  # noqa: FBT001
    kills_tokens: bool | None,  # noqa: FBT001
) -> None:
    record = make_record(epoch=record_epoch)
    application = _make_issuer(epoch=0, enabled=True, kills_tokens=kills_tokens)
    try:
        decide_bearer(b"i" * 16, record, application, resource=_RESOURCE, revoked=revoked, now=now)
        reason = ""
    except InvalidToken as refusal:
        reason = refusal.reason
    try:
        assert decide_refresh(record, application, None, revoked=revoked, now=now) == ("read",)
        reason_of_refresh = ""
    except InvalidGrant as refusal:
        reason_of_refresh = refusal.reason
    assert reason_of_refresh == reason


def test_a_presented_token_is_not_shown() -> None:
    presented = parse_presented_token([b"Bearer rgat_abcdefgh"])
    assert "abcdefgh" not in f"{presented} {presented!r}"


@pytest.mark.parametrize("details", [b"[]", b"null", b"{}", b"[{}]", b"x", b'[{"type":"other","objects":["T"]}]'])
def test_details_that_cannot_be_read_are_no_broad_token(details: bytes) -> None:
    """Empty would mean: not narrowed."""
    with pytest.raises(InvalidToken) as refused:
        decide_bearer(
            b"i" * 16, make_record(details=details), make_application(), resource=_RESOURCE, revoked=False, now=0
        )
    assert refused.value.reason == "token_details"


def test_details_for_another_resource_allow_nothing_here() -> None:
    details = render_details((GrantedDetail(("T",), None, ("read",), ("https://elsewhere.example",)),))
    record = make_record(details=details)
    access = decide_bearer(b"i" * 16, record, make_application(), resource=_RESOURCE, revoked=False, now=0)
    assert access.allowed == {}
