"""Authorization details: tokens for chosen objects and columns only (RFC 9396). Narrowing never widens.

One type, `rowgate_object`:

    {"type": "rowgate_object", "object": "orders", "columns": ["id", "total"], "actions": ["read"]}

`objects` (a list) may stand for `object`. `columns` absent means every column that is granted, `actions` absent means
`["read"]`, `locations` absent means every resource. Several details add up. Text is parsed to `RequestedDetail`
(names as the client wrote them) and narrowed to `GrantedDetail` (names as the catalog spells them): only the latter
is carried in a token, as the same JSON text that responses echo, and from there on names are compared exactly.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from rowgate.oauth.errors import InvalidAuthorizationDetails

DETAIL_TYPE: Literal["rowgate_object"] = "rowgate_object"
Action = Literal["read", "run"]
READ: Action = "read"
RUN: Action = "run"
_Name = TypeVar("_Name", bound=str)

MAX_TEXT_BYTES = 16_384  # 16 KiB
MAX_DETAILS = 20
MAX_NAMES = 200  # of objects, and of columns, in one detail
MAX_NAME_LENGTH = 200
MAX_CARRIED_BYTES = 2048  # 2 KiB of JSON: what of a token's length they may take

_WIDER = "The authorization details ask for more than is granted."


class RequestedDetail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One detail as the client wrote it; well formed, nothing of it decided."""

    type: Literal["rowgate_object"]  # DETAIL_TYPE; a member and no tag, for a tag may be left out
    object: str | None = None
    objects: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    actions: tuple[Action, ...] = (READ,)
    locations: tuple[str, ...] = ()

    def list_objects(self) -> tuple[str, ...]:
        """Give the names of its objects, from whichever member has them."""
        return self.objects if self.objects is not None else (self.object or "",)


class GrantedDetail(msgspec.Struct, frozen=True):
    """One detail that is granted. Every tuple is sorted and without repeats."""

    objects: tuple[str, ...]  # canonical names, at least one
    columns: tuple[str, ...] | None  # canonical names; None: every column that is granted
    actions: tuple[Action, ...]
    locations: tuple[str, ...] = ()  # resources; empty: every one


GrantedDetails = tuple[GrantedDetail, ...]  # empty: the token is not narrowed


class _CarriedDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """One detail in JSON, in tokens and in answers. Members may be added with defaults: tokens outlive a release."""

    type: Literal["rowgate_object"]
    objects: tuple[str, ...]
    actions: tuple[Action, ...]
    columns: tuple[str, ...] | None = None
    locations: tuple[str, ...] = ()


_decode_details = msgspec.json.Decoder(tuple[RequestedDetail, ...]).decode
_decode_carried = msgspec.json.Decoder(tuple[_CarriedDetail, ...]).decode
_encode_carried = msgspec.json.Encoder().encode


def parse_authorization_details(text: str) -> tuple[RequestedDetail, ...]:
    """Give the details that a request's `authorization_details` hold, at least one.

    >>> parse_authorization_details('[{"type":"rowgate_object","object":"orders"}]')[0].list_objects()
    ('orders',)
    >>> parse_authorization_details('[{"type":"payment_initiation"}]')
    Traceback (most recent call last):
    rowgate.oauth.errors.InvalidAuthorizationDetails: The authorization details are malformed.

    Raises:
        InvalidAuthorizationDetails: No JSON, another type, unknown or repeated members, wrong values, too large.

    Source: RFC 9396 §2, §5; PROTOCOL 63
    """
    try:
        raw = text.encode("utf-8")
        if len(raw) > MAX_TEXT_BYTES:
            raise InvalidAuthorizationDetails("The authorization details are too large.", reason="large_details")
        json.loads(raw, object_pairs_hook=_refuse_repeats)
        details = _decode_details(raw)
    except (ValueError, RecursionError):  # what msgspec raises is a ValueError
        raise InvalidAuthorizationDetails(
            "The authorization details are malformed.", reason="malformed_details"
        ) from None
    if not 0 < len(details) <= MAX_DETAILS:
        raise InvalidAuthorizationDetails(
            "There are no authorization details, or too many.", reason="number_of_details"
        )
    for detail in details:
        _check(detail)
    return details


def _refuse_repeats(members: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in members}) != len(members):
        raise ValueError("a member is repeated")


def _check(detail: RequestedDetail) -> None:
    if (detail.object is None) == (detail.objects is None):
        raise InvalidAuthorizationDetails("A detail must have either object or objects.", reason="object_or_objects")
    if RUN in detail.actions and detail.columns is not None:
        raise InvalidAuthorizationDetails("Columns cannot be chosen of what is run.", reason="columns_of_run")
    lists = (detail.list_objects(), detail.actions, *([] if detail.columns is None else [detail.columns]))
    for names in (*lists, detail.locations):
        if len(names) > MAX_NAMES or not all(0 < len(name) <= MAX_NAME_LENGTH for name in names):
            raise InvalidAuthorizationDetails(
                "A list in the authorization details is too long, or a name in it.", reason="long_list"
            )
    if not all(lists):
        raise InvalidAuthorizationDetails("A list in the authorization details is empty.", reason="empty_list")


def grant_details(
    requested: tuple[RequestedDetail, ...],
    *,
    resolve_object: Callable[[str], str | None],
    resolve_column: Callable[[str, str], str | None] | None = None,
    locations: Collection[str] = (),
    actions: Collection[Action] = (READ, RUN),
) -> GrantedDetails:
    """Give the details in canonical form, when all that they name is granted.

    Args:
        requested: What `parse_authorization_details` gave.
        resolve_object: Gives the canonical name for a name or alias of an object that the application is granted,
            and None for every other, whether it exists or not.
        resolve_column: Gives the canonical name for a column (canonical object, name), None when there is none.
            Without it columns are carried as written.
        locations: The resources of this server, exactly as it publishes them.
        actions: What can be done with an object at all.

    Raises:
        InvalidAuthorizationDetails: Something that is not granted, or more than a token can carry.

    Source: RFC 9396 §5, §6
    """
    granted = []
    for detail in requested:
        objects = [resolve_object(name) for name in detail.list_objects()]
        known = [name for name in objects if name is not None]
        if len(known) < len(objects):
            raise InvalidAuthorizationDetails(_WIDER, reason="object_not_granted")
        if not set(detail.actions) <= set(actions):
            raise InvalidAuthorizationDetails(_WIDER, reason="action_not_granted")
        if not set(detail.locations) <= set(locations):
            raise InvalidAuthorizationDetails(_WIDER, reason="unknown_location")
        columns = None if detail.columns is None else _resolve_columns(detail.columns, known, resolve_column)
        granted.append(GrantedDetail(_sort(known), columns, _sort(detail.actions), _sort(detail.locations)))
    return _bound(tuple(dict.fromkeys(granted)))


def _resolve_columns(
    names: tuple[str, ...], objects: list[str], resolve: Callable[[str, str], str | None] | None
) -> tuple[str, ...]:
    if resolve is None:
        return _sort(names)
    found = [[resolve(one, name) for one in objects] for name in names]
    if any(column is None for columns in found for column in columns):
        raise InvalidAuthorizationDetails(_WIDER, reason="column_not_granted")
    if any(len(set(columns)) != 1 for columns in found):
        raise InvalidAuthorizationDetails(
            _WIDER, reason="column_spelled_differently"
        )  # two objects: ask for them one by one
    return _sort(column for columns in found for column in columns if column is not None)


def _sort(names: Iterable[_Name]) -> tuple[_Name, ...]:
    return tuple(sorted(set(names)))


def _bound(details: GrantedDetails) -> GrantedDetails:
    if len(render_details(details)) > MAX_CARRIED_BYTES:
        raise InvalidAuthorizationDetails(
            "The authorization details are more than a token can carry.", reason="more_than_a_token_carries"
        )
    return details


def narrow_details(requested: GrantedDetails, original: GrantedDetails) -> GrantedDetails:
    """Give the details of a token that is made from another: what was asked, else the same.

    Args:
        requested: What `grant_details` gave; empty when nothing was asked.
        original: The details of the refresh or subject token; empty when it is not narrowed.

    Raises:
        InvalidAuthorizationDetails: Something asked for that the original does not hold.

    Source: RFC 9396 §6.1, §7; RFC 6749 §6
    """
    if not requested:
        return original
    if original and not all(_is_held(detail, original) for detail in requested):
        raise InvalidAuthorizationDetails(_WIDER, reason="wider_than_original")
    return requested


def _is_held(detail: GrantedDetail, original: GrantedDetails) -> bool:
    """Tell whether the original holds every object with every action and column, at every location asked for.

    For each location apart, since details add up: one may hold at one location, another at the next.
    """
    held_everywhere = tuple(other for other in original if not other.locations)
    for location in detail.locations or (None,):
        held = held_everywhere if location is None else tuple(o for o in original if _is_at(o, location))
        for action in detail.actions:
            for name in detail.objects:
                columns = _collect_columns(held, name, action)
                if columns is not None and (not columns or not set(detail.columns or ("",)) <= columns):
                    return False
    return True


def _is_at(detail: GrantedDetail, location: str) -> bool:
    return not detail.locations or location in detail.locations


def _collect_columns(details: Iterable[GrantedDetail], name: str, action: Action) -> frozenset[str] | None:
    """Give the columns of an object in all details together: None for every one, empty when it is in none."""
    found: set[str] = set()
    for detail in details:
        if name in detail.objects and action in detail.actions:
            if detail.columns is None:
                return None
            found.update(detail.columns)
    return frozenset(found)


def index_allowed(
    details: GrantedDetails, *, action: Action, location: str
) -> Mapping[str, frozenset[str] | None] | None:
    """Give what a token's details allow, in plain types that an Access can carry to the rows.

    Args:
        details: What the token carries.
        action: What is to be done.
        location: The resource that the request came to.

    Returns:
        The columns by canonical object name, None standing for every granted column; an object that is not in it is
        not allowed. None in place of it all: the token is not narrowed.
    """
    if not details:
        return None
    here = [detail for detail in details if _is_at(detail, location) and action in detail.actions]
    return {name: _collect_columns(here, name, action) for detail in here for name in detail.objects}


def find_allowed_columns(
    allowed: Mapping[str, frozenset[str] | None] | None, object_name: str
) -> frozenset[str] | None:
    """Give the columns of an object that a token allows: None for all that are granted, empty for no access at all.

    Args:
        allowed: What `index_allowed` gave.
        object_name: The canonical name.
    """
    return None if allowed is None else allowed.get(object_name, frozenset())


def keep_granted_details(details: GrantedDetails, is_granted: Callable[[str], bool]) -> GrantedDetails:
    """Give what is left of details when some objects are granted no more.

    Nothing left is an empty tuple, and there it does mean nothing: a token must not be made of it.

    Args:
        details: What a token carries, at least one.
        is_granted: Tells of a canonical object name whether it is granted now.
    """
    kept = []
    for detail in details:
        objects = tuple(name for name in detail.objects if is_granted(name))
        if objects:
            kept.append(msgspec.structs.replace(detail, objects=objects))
    return tuple(kept)


def render_details(details: GrantedDetails) -> bytes:
    """Give the details as the JSON array that a token carries and that answers echo.

    Source: RFC 9396 §7, §9.1, §9.2
    """
    return _encode_carried(
        [
            _CarriedDetail(DETAIL_TYPE, detail.objects, detail.actions, detail.columns, detail.locations)
            for detail in details
        ]
    )


def read_details(carried: bytes) -> GrantedDetails:
    """Give the details that `render_details` wrote into a token; at least one.

    Raises:
        ValueError: It did not write this.
    """
    details = tuple(
        GrantedDetail(detail.objects, detail.columns, detail.actions, detail.locations)
        for detail in _decode_carried(carried)
    )
    if not details:
        raise ValueError("there are no details")  # which would mean: the token is not narrowed
    return details
