"""Sealing: what is sealed opens as itself, and nothing else opens (R17, O-19)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.laws import law
from oauth.makers import make_record
from rowgate.oauth.authorization_details import MAX_CARRIED_BYTES
from rowgate.oauth.token_exchange import MAX_ACTORS, MAX_EXCHANGES
from rowgate.oauth.tokens import ACCESS, MAX_TOKEN_LENGTH, REFRESH, Kind, TokenRecord, TokenSealer, UnreadableToken

_KINDS = st.sampled_from([ACCESS, REFRESH])
_KEYS = st.binary(min_size=32, max_size=32)
_IDS = st.binary(min_size=16, max_size=16)
_TIMES = st.integers(0, 2**40)
_SIGNS = st.characters(min_codepoint=33, max_codepoint=126)
_RECORDS = st.builds(
    TokenRecord,
    application_number=st.integers(1, 2**31),
    epoch=st.integers(0, 2**20),
    secret_number=st.integers(1, 2**31),
    issued_at=_TIMES,
    expires_at=_TIMES,
    family=_IDS,
    scope=st.text(_SIGNS, min_size=1, max_size=60),
    audience=st.lists(st.text(_SIGNS, min_size=1, max_size=100), max_size=2).map(tuple),
    key_thumbprint=st.text(_SIGNS, max_size=43),
    certificate_thumbprint=st.text(_SIGNS, max_size=43),
    details=st.sampled_from([0, 1, MAX_CARRIED_BYTES]).map(bytes),
    actors=st.lists(st.text(_SIGNS, min_size=1, max_size=20), max_size=MAX_ACTORS).map(tuple),
    made_of=st.lists(_IDS, max_size=MAX_EXCHANGES).map(tuple),
)


def _other(kind: Kind) -> Kind:
    return REFRESH if kind == ACCESS else ACCESS


@law
@given(_KEYS, _KINDS, _IDS, _RECORDS)
def test_sealing_and_opening_is_a_round_trip(key: bytes, kind: Kind, token_id: bytes, record: TokenRecord) -> None:
    sealer = TokenSealer({1: key})
    token = sealer.seal(kind, token_id, record)
    assert sealer.open(kind, token) == (token_id, record)
    assert len(token) <= MAX_TOKEN_LENGTH
    assert token.startswith(kind)


@law
@given(_KEYS, _KINDS, _IDS, _RECORDS, st.data())
def test_any_flipped_bit_is_refused(
    key: bytes, kind: Kind, token_id: bytes, record: TokenRecord, data: st.DataObject
) -> None:
    sealer = TokenSealer({1: key})
    token = sealer.seal(kind, token_id, record)
    text = token[len(kind) :]
    raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    altered = kind + base64.urlsafe_b64encode(raw).decode().rstrip("=")
    with pytest.raises(UnreadableToken):
        sealer.open(kind, altered)


@law
@given(_KEYS, _KINDS, _IDS, _RECORDS, st.data())
def test_any_other_spelling_is_refused(
    key: bytes, kind: Kind, token_id: bytes, record: TokenRecord, data: st.DataObject
) -> None:
    """One token has one spelling: else a revocation by text, or a search of a log, could be got round."""
    sealer = TokenSealer({1: key})
    token = sealer.seal(kind, token_id, record)
    place = data.draw(st.integers(0, len(token) - 1))
    sign = data.draw(st.sampled_from("ABab01-_+/= \n\u00e9"))
    cut, put = token[:place] + token[place + 1 :], token[:place] + sign + token[place:]
    changed = token[:place] + sign + token[place + 1 :]
    for altered in {cut, put, changed, token + "=", token + "\n"} - {token}:
        with pytest.raises(UnreadableToken):
            sealer.open(kind, altered)


@law
@given(_KEYS, _KINDS, _IDS, _RECORDS)
def test_one_kind_never_opens_as_the_other(key: bytes, kind: Kind, token_id: bytes, record: TokenRecord) -> None:
    sealer = TokenSealer({1: key})
    token = sealer.seal(kind, token_id, record)
    for altered in (token, _other(kind) + token[len(kind) :]):
        with pytest.raises(UnreadableToken):
            sealer.open(_other(kind), altered)


@law
@given(_KEYS, _KEYS, _KINDS, _IDS)
def test_another_key_opens_nothing(key: bytes, other: bytes, kind: Kind, token_id: bytes) -> None:
    token = TokenSealer({1: key}).seal(kind, token_id, make_record())
    for keys in ({2: key}, {1: other}):
        if keys == {1: key}:
            continue
        with pytest.raises(UnreadableToken):
            TokenSealer(keys).open(kind, token)


@law
@given(_KEYS, _KEYS, _KINDS, _IDS)
def test_newest_key_seals_and_kept_keys_open(old: bytes, new: bytes, kind: Kind, token_id: bytes) -> None:
    by_old = TokenSealer({1: old}).seal(kind, token_id, make_record())
    both = TokenSealer({1: old, 2: new})
    assert both.open(kind, by_old) == (token_id, make_record())
    by_both = both.seal(kind, token_id, make_record())
    assert TokenSealer({2: new}).open(kind, by_both) == (token_id, make_record())


@law
@given(_KEYS, _KINDS, st.one_of(st.text(max_size=200), st.binary(max_size=120).map(lambda raw: raw.decode("latin-1"))))
def test_anything_else_is_unreadable(key: bytes, kind: Kind, text: str) -> None:
    for presented in (text, kind + text, kind + "AQAB" + text):
        with pytest.raises(UnreadableToken):
            TokenSealer({1: key}).open(kind, presented)
