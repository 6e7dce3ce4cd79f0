"""The form parser: whatever comes, parameters or InvalidRequest (RFC 6749 §3.2, Appendix B)."""

import contextlib
import json
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.laws import law
from rowgate.oauth.errors import InvalidRequest
from rowgate.oauth.form import (
    FORM,
    JSON,
    ExtensionParameters,
    TokenParameters,
    find_credential_in_query,
    parse_token_parameters,
)

_REPEATED = ("resource", "audience")
_EXTENSION = tuple(name for name in ExtensionParameters.__struct_fields__ if name not in _REPEATED)
_NAMES = (*(name for name in TokenParameters.__struct_fields__ if name != "extension"), *_EXTENSION)
_TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=40)
_PARAMETERS = st.dictionaries(st.sampled_from(_NAMES), _TEXTS, max_size=len(_NAMES))
_TYPES = st.one_of(
    st.none(), st.sampled_from([FORM.encode(), JSON.encode(), b"", b"text/plain", b";"]), st.binary(max_size=20)
)
_PIECES = st.lists(
    st.one_of(
        st.binary(max_size=6),
        st.sampled_from([b"%", b"%4", b"%41", b"&", b"=", b"+", b"{", b"}", b'"', b"\\ud800", b":", b"[", b"\x00"]),
        st.sampled_from([f"{name}=".encode() for name in _NAMES]),
        st.sampled_from([f'"{name}":'.encode() for name in _NAMES]),
    ),
    max_size=20,
).map(b"".join)


def _members(parameters: TokenParameters) -> dict[str, str]:
    found = {name: getattr(parameters.extension if name in _EXTENSION else parameters, name) for name in _NAMES}
    return {name: value for name, value in found.items() if value is not None}


@law
@given(st.lists(st.tuples(st.sampled_from([*_REPEATED, "Resource", "AUDIENCE"]), _TEXTS | st.just(""))), st.booleans())
def test_23_what_may_be_repeated_is_kept_in_its_order(pairs: list[tuple[str, str]], as_json: bool) -> None:  # noqa: FBT001
    body = urlencode(pairs)
    if as_json:
        body = "{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs) + "}"
    parsed = parse_token_parameters((JSON if as_json else FORM).encode(), body.encode())
    for name in _REPEATED:
        assert getattr(parsed.extension, name) == tuple(
            value for other, value in pairs if other.lower() == name and value
        )


@law
@given(_TYPES, st.one_of(_PIECES, _PIECES.map(lambda body: b"{" + body)))
def test_nothing_but_parameters_or_a_refusal(content_type: bytes | None, body: bytes) -> None:
    try:
        parameters = parse_token_parameters(content_type, body)
    except InvalidRequest:
        return
    for value in _members(parameters).values():
        assert value
        assert "\x00" not in value
        msgspec.json.encode(value)  # what is put on record must be writable


@law
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(st.one_of(st.sampled_from(_NAMES), st.text(max_size=6)), inner, max_size=4),
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_refused(value: object) -> None:
    with contextlib.suppress(InvalidRequest):
        parse_token_parameters(JSON.encode(), json.dumps(value).encode())


@law
@given(_PARAMETERS, st.sampled_from([None, FORM.encode(), JSON.encode()]))
def test_form_is_a_round_trip(parameters: dict[str, str], content_type: bytes | None) -> None:
    parsed = parse_token_parameters(content_type, urlencode(parameters).encode())
    assert _members(parsed) == parameters


@law
@given(_PARAMETERS, st.booleans(), st.sampled_from([None, JSON.encode()]))
def test_json_is_a_round_trip(parameters: dict[str, str], ascii_only: bool, content_type: bytes | None) -> None:  # noqa: FBT001
    body = json.dumps(parameters, ensure_ascii=ascii_only).encode()
    assert _members(parse_token_parameters(content_type, body)) == parameters


@law
@given(_PARAMETERS, st.sampled_from(_NAMES), _TEXTS)
def test_a_parameter_twice_is_refused(parameters: dict[str, str], name: str, value: str) -> None:
    pairs = [*parameters.items(), (name, value), (name.upper(), value)]
    with pytest.raises(InvalidRequest) as refusal:
        parse_token_parameters(FORM.encode(), urlencode(pairs).encode())
    assert refusal.value.reason == "duplicate_parameter"


@law
@given(st.one_of(st.binary(max_size=60), _PIECES))
def test_looking_through_a_query_never_fails(query: bytes) -> None:
    find_credential_in_query(query)


@law
@given(_PARAMETERS, st.sampled_from(["client_secret", "refresh_token", "access_token", "subject_token"]))
def test_a_credential_in_a_query_is_found(parameters: dict[str, str], name: str) -> None:
    pairs = [(f"x{key}", value) for key, value in parameters.items()]
    assert find_credential_in_query(urlencode(pairs).encode()) is None
    assert find_credential_in_query(urlencode([*pairs, (name.title(), "x")]).encode()) == name
