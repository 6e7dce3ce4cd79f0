"""What the client prefers: which format, which content coding (RFC 9110 §12)."""

import re
from functools import lru_cache

from rowgate.rows.coding import AcceptedCoding, Coding
from rowgate.rows.encode import COMPRESSED, CONTENT_TYPES
from rowgate.rows.errors import NotAcceptable
from rowgate.rows.model import Format

_MEDIA_TYPES = {
    "*/*": Format.JSON,
    "application/*": Format.JSON,
    "application/json": Format.JSON,
    "application/x-ndjson": Format.NDJSON,
    "application/ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
    "text/csv": Format.CSV,
    "text/*": Format.CSV,
    "application/vnd.apache.arrow.stream": Format.ARROW,
    "application/vnd.apache.parquet": Format.PARQUET,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": Format.XLSX,
}
_KEPT_BYTES = 200  # of a header; what a longer one means is not remembered
_CODED = (Coding.ZSTD, Coding.GZIP)
_CODING_ALIASES = {"x-gzip": "gzip"}  # RFC 9110 §8.4.1.3
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")  # RFC 9110 §12.4.2


def choose_format(asked: Format | None, accept: bytes | None) -> Format:
    """Give the format: the parameter's, else the first that the client accepts, else JSON.

    Raises:
        NotAcceptable: The client accepts nothing that there is.

    Source: RFC 9110 §12.5.1; weights decide the order, media type parameters are ignored
    """
    if asked is not None:
        return asked
    if not accept:
        return Format.JSON
    ranked = [
        (-weight, place, _MEDIA_TYPES[media_type])
        for place, (media_type, weight) in enumerate(_parse_weighted(accept))
        if media_type in _MEDIA_TYPES and weight > 0
    ]
    if not ranked:
        offered = ", ".join(CONTENT_TYPES.values())
        raise NotAcceptable("None of the accepted media types is offered.", field="Accept", expected=offered)
    return min(ranked)[2]


def choose_coding(accept_encoding: bytes | None, form: Format = Format.JSON) -> AcceptedCoding:
    """Give the coding that the client prefers; the answer goes without where it says nothing.

    >>> choose_coding(b"gzip, deflate, br")
    AcceptedCoding(best=<Coding.GZIP: 'gzip'>, may_be_plain=True)

    Raises:
        NotAcceptable: The client accepts no coding that there is, and not the absence of one either.

    Source: RFC 9110 §12.5.3
    """
    header = accept_encoding or b""
    return _choose_coding(header, form) if len(header) <= _KEPT_BYTES else _choose_coding.__wrapped__(header, form)


@lru_cache(maxsize=256)  # clients say the same with every request
def _choose_coding(header: bytes, form: Format) -> AcceptedCoding:
    weights = dict(_parse_weighted(header))
    for alias, name in _CODING_ALIASES.items():
        weights.setdefault(name, weights.get(alias, weights.get("*", 0.0)))
    others = weights.get("*", 0.0)
    plain = weights.get(Coding.IDENTITY)
    # "*" speaks of the absence of a coding only when it forbids
    may_be_plain = plain != 0 if plain is not None else "*" not in weights or others > 0
    best = max(_CODED, key=lambda coding: weights.get(coding, others))  # the first of equals
    weight = weights.get(best, others)
    if weight > 0 and weight >= (plain or 0.0) and not (may_be_plain and form in COMPRESSED):
        return AcceptedCoding(best, may_be_plain)
    if not may_be_plain:
        raise NotAcceptable(
            "None of the accepted content codings is offered.", field="Accept-Encoding", expected=", ".join(Coding)
        )
    return AcceptedCoding(Coding.IDENTITY)


def _parse_weighted(header: bytes) -> list[tuple[str, float]]:
    """Give the items of a list with their weights; an item whose weight cannot be read weighs nothing."""
    items = []
    for item in header.decode("latin-1").lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                weight = float(parameter[2:]) if _WEIGHT.fullmatch(parameter[2:]) else 0.0
        if name:
            items.append((name, weight))
    return items
