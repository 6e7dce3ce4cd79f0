"""Client credentials: whatever comes, credentials or a refusal; and the work of a refusal (RFC 6749 §2.3.1)."""

import base64
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.laws import law
from oauth.makers import make_application
from rowgate.oauth.client_auth import (
    CLIENT_SECRET_BASIC,
    ClientSecret,
    PresentedCredentials,
    digest_client_secret,
    find_key_id,
    parse_client_authentication,
    verify_client,
)
from rowgate.oauth.errors import InvalidClient, InvalidRequest
from rowgate.oauth.form import TokenParameters
from rowgate.oauth.model import Secret

_VISIBLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40)
_OURS = st.text("ABCabc019-_", min_size=1, max_size=60)
_HEADERS = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=60).map(lambda raw: b"Basic " + raw),
    st.binary(max_size=60).map(lambda raw: b"basic " + base64.b64encode(raw)),
    st.text(max_size=20).map(lambda text: b"BASIC " + base64.b64encode(text.encode("utf-8", "surrogatepass"))),
)
_OPTIONAL = st.one_of(st.none(), st.text(min_size=1, max_size=10))
_PARAMETERS = st.builds(
    TokenParameters, client_id=_OPTIONAL, client_secret=_OPTIONAL, client_assertion=_OPTIONAL, scope=_OPTIONAL
)
_KEY = b"k" * 32


def _basic(client_id: str, client_secret: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode())


@law
@given(st.lists(_HEADERS, max_size=2), _PARAMETERS)
def test_nothing_but_credentials_or_a_refusal(headers: list[bytes], parameters: TokenParameters) -> None:
    try:
        presented = parse_client_authentication(headers, parameters)
    except (InvalidClient, InvalidRequest):
        return
    for text in (presented.client_id, presented.client_secret.value):
        assert text
        assert all("\x20" <= sign <= "\x7e" for sign in text)


@law
@given(_VISIBLE, _VISIBLE)
def test_encoded_basic_is_a_round_trip(client_id: str, client_secret: str) -> None:
    """RFC 6749 §2.3.1 with Appendix B."""
    header = _basic(quote_plus(client_id), quote_plus(client_secret))
    presented = parse_client_authentication([header], TokenParameters())
    assert (presented.client_id, presented.client_secret.value) == (client_id, client_secret)
    assert presented.method == CLIENT_SECRET_BASIC


@law
@given(_OURS, _OURS)
def test_credentials_of_our_make_are_alike_raw_and_encoded(client_id: str, client_secret: str) -> None:
    raw = parse_client_authentication([_basic(client_id, client_secret)], TokenParameters())
    assert (raw.client_id, raw.client_secret.value) == (client_id, client_secret)
    assert quote_plus(client_secret) == client_secret


@law
@given(_OURS, st.text("abc:", min_size=1, max_size=10))
def test_first_colon_divides(client_id: str, client_secret: str) -> None:
    """RFC 7617 §2."""
    presented = parse_client_authentication([_basic(client_id, client_secret)], TokenParameters())
    assert (presented.client_id, presented.client_secret.value) == (client_id, client_secret)


@law
@given(st.text(max_size=60))
def test_key_id_is_a_handle_or_nothing(presented: str) -> None:
    for text in (presented, "rgcs_" + presented):
        key_id = find_key_id(text)
        assert key_id == "" or (len(key_id) <= 16 and text.startswith(f"rgcs_{key_id}_"))


@law
@given(_OURS)
def test_secret_does_not_show_itself(text: str) -> None:
    secret = ClientSecret(f"rgcs_abcd1234_{text}!")
    presented = PresentedCredentials("client", secret, CLIENT_SECRET_BASIC)
    for shown in (repr(secret), repr(presented), f"{secret!r}", f"{presented}"):
        assert f"{text}!" not in shown


def _make_secret(value: str, *, number: int = 1, expires_at: int = 0, revoked: bool = False) -> Secret:
    digest = digest_client_secret(_KEY, "client", value)
    return Secret(number, "key", "", digest, 0, expires_at, revoked, kills_tokens=False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"secrets": (_make_secret("right", expires_at=10),)}, "expired_secret"),
        ({"secrets": (_make_secret("right", revoked=True),)}, "revoked_secret"),
        ({"secrets": (_make_secret("right"),), "enabled": False}, "disabled_application"),
        ({"secrets": (_make_secret("left"),)}, "wrong_secret"),
        ({"secrets": ()}, "wrong_secret"),
    ],
)
def test_reason_is_told_only_to_who_proved_the_secret(change: dict[str, object], reason: str) -> None:
    application = make_application(**change)
    presented = PresentedCredentials("client", ClientSecret("right"), CLIENT_SECRET_BASIC)
    with pytest.raises(InvalidClient) as refusal:
        verify_client(application, presented, key=_KEY, now=10)
    assert refusal.value.reason == reason
    assert (refusal.value.description == "Client authentication failed.") == (reason == "wrong_secret")


@law
@given(_VISIBLE, _VISIBLE)
def test_only_the_whole_secret_counts(right: str, presented: str) -> None:
    """Exact bytes: no trimming, no letter case, no length limit short of the parser's (R8)."""
    application = make_application(secrets=(_make_secret("other", number=2), _make_secret(right)))
    claims = PresentedCredentials("client", ClientSecret(presented), CLIENT_SECRET_BASIC)
    if presented == right:
        assert verify_client(application, claims, key=_KEY, now=0).number == 1
    elif presented != "other":
        with pytest.raises(InvalidClient):
            verify_client(application, claims, key=_KEY, now=0)
