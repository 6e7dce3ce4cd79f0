"""Judges an answer: what the case says, and what every answer must have."""

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from protocol.case import STD, Case

# RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E
_DESCRIPTION = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]+")
_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_AUTH_PARAM = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_CHALLENGE = re.compile(r'(Basic|Bearer) [a-z_]+="(?:[^"\\]|\\.)*"(, [a-z_-]+="(?:[^"\\]|\\.)*")*')


def judge(case: Case, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Hold an answer against its case."""
    assert status == case.status, body
    assert headers["x-request-id"]
    for name, value in case.answer.items():
        assert headers.get(name) == value, name
    if case.method == "HEAD" or status == 204:
        assert body == b""
    elif status >= 400:
        judge_error(headers, body, status=status, code=case.error)
    elif case.path.partition("?")[0].endswith("token"):
        judge_tokens(headers, body)
    if case.members:
        document = json.loads(body)
        for name, value in case.members.items():
            assert document.get(name) == value, name


def judge_error(headers: Mapping[str, str], body: bytes, *, status: int, code: str) -> None:
    """Hold an error against what all errors have (RFC 6749 §5.2, RFC 9110 §15.5.2)."""
    assert {name: headers.get(name) for name in STD} == STD
    assert headers["x-content-type-options"] == "nosniff"
    assert parsedate_to_datetime(headers["date"]).tzinfo is not None  # RFC 9110 §6.6.1: MUST, with a clock
    document = json.loads(body)
    assert document["request_id"] == headers["x-request-id"]
    assert document["error"] == code
    assert _DESCRIPTION.fullmatch(document["error_description"])
    if status == 401:
        parse_challenge(headers["www-authenticate"])
    if status == 405:
        assert headers["allow"]


def judge_tokens(headers: Mapping[str, str], body: bytes) -> None:
    """Hold a success against RFC 6749 §5.1."""
    assert {name: headers.get(name) for name in STD} == STD
    document: dict[str, Any] = json.loads(body)
    assert document["token_type"] == "bearer"
    assert type(document["expires_in"]) is int
    assert _B64TOKEN.fullmatch(document["access_token"])
    assert document["scope"]
    assert document["client_secret_expires_at"] > 0


def parse_challenge(value: str) -> dict[str, str]:
    """Give a challenge's parameters; each stands there once (RFC 6750 §3)."""
    assert _CHALLENGE.fullmatch(value), value
    found = _AUTH_PARAM.findall(value)
    assert len(dict(found)) == len(found), "a parameter is repeated"
    return {name: re.sub(r"\\(.)", r"\1", text) for name, text in found}
