"""The questions of introspection and revocation are read as strictly as token requests, and nothing is guessed."""

from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oauth.laws import law
from oauth.makers import make_record
from rowgate.oauth.client_auth import refuse_credential_in_query
from rowgate.oauth.errors import InvalidRequest, UnsupportedTokenType
from rowgate.oauth.form import parse_token_parameters
from rowgate.oauth.revocation import (
    TOKEN_PARAMETER,
    TokenQuestion,
    find_forget_at,
    parse_token_question,
    refuse_other_type,
    require_token,
)

FORM = b"application/x-www-form-urlencoded"
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)
SPELLINGS = {"token": ("token", "Token", "TOKEN"), "token_type_hint": ("token_type_hint", "Token_Type_Hint")}


@law
@given(TEXTS, TEXTS, TEXTS)
def test_what_was_written_is_read(token: str, hint: str, secret: str) -> None:
    """The client's credentials and its question come from one body."""
    body = urlencode({"token": token, "client_secret": secret, "token_type_hint": hint}).encode()
    parameters, question = parse_token_question(FORM + b";charset=UTF-8", body)
    assert question == TokenQuestion(token or None, hint or None)
    assert parameters == parse_token_parameters(FORM, body)
    assert parameters.client_secret == (secret or None)
    assert repr(question) == repr(TokenQuestion())


@law
@given(st.binary(max_size=60))
@example(b"token=%ZZ")
@example(b"token=\xff")
@example(b"token=%ff")
@example(b"\xc3%A9=1&token=a")
@example(b"token=a%00")
@example(b"&".join([b"a=b"] * 100))
def test_any_bytes_are_read_or_refused_as_at_the_token_endpoint(body: bytes) -> None:
    """What the token endpoint cannot read is not read here either, and what can be is read as any form is."""
    if reason := _find_refusal(body):
        with pytest.raises(InvalidRequest) as refused:
            parse_token_question(FORM, body)
        assert refused.value.reason == reason
        return
    raw = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1")  # another reader of forms
    pairs = [(name.encode("latin-1").decode().lower(), value.encode("latin-1").decode()) for name, value in raw]
    expected = {name: [value for found, value in pairs if found == name] for name in ("token", "token_type_hint")}
    if any(len(values) > 1 for values in expected.values()):
        with pytest.raises(InvalidRequest):
            parse_token_question(FORM, body)
        return
    _, question = parse_token_question(FORM, body)
    assert question == TokenQuestion(*((values or [""])[0] or None for values in expected.values()))


def _find_refusal(body: bytes) -> str:
    """Give why the token endpoint would refuse a body, or nothing."""
    try:
        parse_token_parameters(FORM, body)
    except InvalidRequest as refusal:
        return refusal.reason
    return ""


@pytest.mark.parametrize("name", ["token", "token_type_hint"])
def test_a_parameter_stands_once_in_whatever_spelling(name: str) -> None:
    for first in SPELLINGS[name]:
        for second in SPELLINGS[name]:
            with pytest.raises(InvalidRequest) as refused:
                parse_token_question(FORM, f"{first}=a&x=y&{second}=".encode())
            assert refused.value.reason == "duplicate_parameter"


@pytest.mark.parametrize("content_type", [None, b"", b"application/json", b"multipart/form-data", b"text/plain"])
def test_only_a_form_is_read(content_type: bytes | None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_token_question(content_type, b"token=a")
    assert refused.value.reason == "media_type"


def test_protocol_88_the_token_is_required() -> None:
    assert require_token(TokenQuestion("a")) == "a"
    with pytest.raises(InvalidRequest):
        require_token(TokenQuestion(None, "access_token"))


@pytest.mark.parametrize("name", ["token", "TOKEN", "to%6ben", "client_secret", "client_assertion", "access_token"])
def test_a_credential_in_the_url_is_refused(name: str) -> None:
    refuse_credential_in_query(f"tokens=1&x={quote_plus(name)}".encode(), further=TOKEN_PARAMETER)
    with pytest.raises(InvalidRequest) as refused:
        refuse_credential_in_query(f"a=b&{name}=rgcs_k1x2_abc".encode(), further=TOKEN_PARAMETER)
    assert (refused.value.reason, refused.value.key_id) == ("secret_in_url", "k1x2")


@law
@given(
    st.text(max_size=20), st.none() | st.text(max_size=20) | st.sampled_from(["access_token", "refresh_token", "foo"])
)
def test_protocol_87_only_what_exists_elsewhere_is_an_unsupported_type(token: str, hint: str | None) -> None:
    """A hint that is wrong or unknown changes nothing; a client secret is never passed over in silence."""
    if not token.startswith("rgcs_") and hint not in ("pct", "id_token"):
        refuse_other_type(TokenQuestion(token, hint))
    with pytest.raises(UnsupportedTokenType) as refused:
        refuse_other_type(TokenQuestion(f"rgcs_k1_{token}", hint))
    assert refused.value.key_id == "k1"
    for other in ("pct", "id_token"):
        with pytest.raises(UnsupportedTokenType):
            refuse_other_type(TokenQuestion(token, other))


@law
@given(st.integers(0, 10**9), st.integers(1, 10**7), st.integers(0, 10**9))
def test_a_revocation_outlives_what_it_kills(expires_at: int, longest: int, moment: int) -> None:
    """At no moment is it forgotten while the token, or an access token that it got while it lived, is good."""
    record = make_record(expires_at=expires_at)
    assert expires_at < find_forget_at(record, longest_access_seconds=longest, takes_family=False)
    forget_at = find_forget_at(record, longest_access_seconds=longest, takes_family=True)
    if moment < expires_at:  # an access token that it gets at that moment
        assert moment + longest < forget_at
