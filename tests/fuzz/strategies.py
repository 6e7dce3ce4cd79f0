"""Inputs that are nearly right: what is good, what is good but for an edit, and what is made up."""

import json
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import quote_plus

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import strategies as st

from fuzz.wire import MARK
from support.client_keys import ClientKey

_TEXT = st.text(max_size=12)
made_up = st.one_of(_TEXT.map(lambda text: f"{text}{MARK}"), st.sampled_from(["", "\x00", "%", "\ud7ff", "a" * 5000]))


@st.composite
def edited(draw: st.DrawFn, text: str) -> str:
    """Cut something out of it and put something in."""
    begin = draw(st.integers(0, len(text)))
    end = draw(st.integers(begin, min(len(text), begin + 3)))
    return text[:begin] + draw(st.one_of(_TEXT, made_up)) + text[end:]


def nearly(*good: str) -> st.SearchStrategy[str]:
    """Give one of these, one of these edited, or what is made up."""
    return st.one_of(st.sampled_from(good), st.sampled_from(good).flatmap(edited), made_up)


@st.composite
def forms(draw: st.DrawFn, good: dict[str, tuple[str, ...]], *, keep: dict[str, str] | None = None) -> bytes:
    """Give a form of these names, among others, spelt and escaped in many ways; what is kept is always there."""
    pairs = list((keep or {}).items())
    for name in draw(st.lists(st.sampled_from([*good, MARK]), max_size=8)):
        spelt = draw(st.sampled_from([name, name, name, name.upper(), f"{name} ", f" {name}"]))
        pairs.append((spelt, draw(nearly(*good.get(name, ("",))))))
    parts = [f"{quote_plus(name)}={quote_plus(value)}".encode() for name, value in draw(st.permutations(pairs))]
    if draw(st.integers(0, 5)) == 0:
        parts.append(draw(st.one_of(st.binary(max_size=20), st.sampled_from([b"%", b"%ZZ=1", b"%ff=%ff", b"=", b"a"]))))
    return b"&".join(parts)


def json_values(*names: str, good: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """Give any JSON value; its objects often have these members, its leaves are often these values."""
    numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False))
    leaves = st.one_of(st.none(), st.booleans(), numbers, made_up, *([st.sampled_from(good)] if good else []))
    keys = st.one_of(st.sampled_from([*names, MARK]), made_up)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=5)),
        max_leaves=8,
    )


def json_texts(values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Give them as text, now and then edited, as JSON5, or as bytes that are no text."""
    written = values.map(json.dumps)
    json5 = values.map(
        lambda value: "/* a */" + json.dumps(value, ensure_ascii=False).replace("]", ",]").replace('"', "'")
    )
    deep = st.integers(1, 3000).map(lambda depth: "[" * depth)
    texts = st.one_of(written, written, json5, written.flatmap(edited), deep)
    encoded = texts.map(lambda text: text.encode("utf-8", "surrogatepass"))
    return st.one_of(encoded, encoded, encoded, st.binary(max_size=40))


@st.composite
def changed(draw: st.DrawFn, members: dict[str, Any], *more: str) -> dict[str, Any]:
    """Give these members, some of them of another kind or gone."""
    result = dict(members)
    for name in draw(st.lists(st.sampled_from([*members, *more]), max_size=3)):
        value = draw(st.one_of(st.just(...), json_values(*members, good=tuple(map(str, members.values())))))
        if value is ...:
            result.pop(name, None)
        else:
            result[name] = value
    return result


@st.composite
def tokens(draw: st.DrawFn, key: ClientKey, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Give a JWT that is truly signed over whatever it says, or an edited one."""
    parts = [
        draw(
            st.one_of(
                changed(members, "crit", "b64", "alg", "nbf").map(json.dumps).map(str.encode), st.binary(max_size=20)
            )
        )
        for members in (header, claims)
    ]
    text = sign(key, *parts)
    return draw(st.one_of(st.just(text), st.just(text), edited(text), st.just(f"{text}.{MARK}")))


def sign(key: ClientKey, header: bytes, payload: bytes) -> str:
    """Sign bytes with ES256 by hand: libraries refuse to sign what is no JSON."""
    signed = b".".join(map(_encode, (header, payload)))
    private = key.key.get_op_key("sign")
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(private.sign(signed, ec.ECDSA(hashes.SHA256())))
    return b".".join((signed, _encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")))).decode()


def _encode(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def header_values(texts: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """Give them as a header can carry them: without the characters that would end it."""
    return texts.map(lambda text: text.encode("utf-8").translate(None, b"\r\n\x00"))
