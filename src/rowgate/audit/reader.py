"""Reads segments back: the newest events, those that match, and whether the chain holds."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode
_CHAIN_BYTES = len(b',"chain":"') + 64 + len(b'"}')


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; an empty member does not narrow."""

    kind: str = ""
    application: str = ""  # name or client id; by client id also as the subject or an actor of an exchange
    object: str = ""
    handle: str = ""  # a token id, family, key id or request id; finds a revocation too
    since: float = 0.0
    until: float = float("inf")


def list_segments(directory: Path) -> list[Path]:
    """Give the segments, oldest first."""
    return sorted(directory.glob("*.jsonl"))


def find_events(
    directory: Path, search: Search, *, on_damage: Callable[[Path, int], None] = lambda _path, _line: None
) -> Iterator[dict[str, Any]]:
    """Give the matching events, segment by segment, oldest first within each; a torn last line is left out.

    Lines that do not hold the text looked for are passed over without being decoded.

    Args:
        directory: Where the segments are.
        search: What to look for.
        on_damage: Is given the segment and number (from 1) of a line that is no event any more.
    """
    # as they stand in the lines: JSON escapes quotes and control characters
    wanted = (search.kind, search.application, search.object, search.handle)
    needles = [msgspec.json.encode(text)[1:-1] for text in wanted if text]
    for path in list_segments(directory):
        try:
            if path.stat().st_mtime < search.since:
                continue  # nothing in it is as young
            segment = path.open("rb")
        except FileNotFoundError:
            continue  # a segment that never held an event was taken away again
        with segment:
            for number, line in enumerate(segment, 1):
                if line.endswith(b"\n") and all(needle in line for needle in needles):
                    event = _decode_event(line)
                    if event is None:
                        on_damage(path, number)
                    elif _matches(event, search):
                        yield event


_USES = ("token_issued", "token_introspected", "token_revoked", "secret_renewed")  # what a good secret leaves behind


def find_last_use(directory: Path, client_id: str, key_id: str, *, since: float) -> float:
    """Give when a secret was used last, in seconds since 1970; 0 when the record knows of no use.

    Args:
        directory: Where the segments are.
        client_id: Whose secret it is.
        key_id: Its handle.
        since: When it was made; older segments are left alone.
    """
    found = find_events(directory, Search(application=client_id, handle=key_id, since=since))
    return max(
        (float(event["at"]) for event in found if event["kind"] in _USES and event["key_id"] == key_id), default=0.0
    )


def _decode_event(line: bytes) -> dict[str, Any] | None:
    try:
        event = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    is_event = isinstance(event, dict) and isinstance(event.get("at"), (int, float)) and "kind" in event
    return event if is_event else None


def _matches(event: dict[str, Any], search: Search) -> bool:
    details = event.get("details", {})
    members = ("token_id", "subject_token_id", "family", "key_id", "request_id")
    handles = ("", *(event.get(name) for name in members))
    applications = (event.get("application"), event.get("client_id"), event.get("subject_client_id"))
    return (
        search.since <= event["at"] < search.until
        and search.kind in ("", event["kind"])
        and search.application in ("", *applications, event.get("target"), *event.get("actors", ()))
        and search.object in ("", event.get("object"), event.get("target"))
        and search.handle in (*handles, event.get("target"), details.get("key_id"))
    )


def find_break(path: Path) -> int | None:
    """Give the number of the first line (from 1) that does not continue the chain, or None when all do."""
    chain = hashlib.sha256(path.name.encode()).digest()
    with path.open("rb") as segment:
        for number, line in enumerate(segment, 1):
            if not line.endswith(b"\n"):
                return None  # torn and never acknowledged
            body = line[: -_CHAIN_BYTES - 1]
            chain = hashlib.sha256(chain + body).digest()
            if line != b'%b,"chain":"%b"}\n' % (body, chain.hex().encode()):
                return number
    return None
