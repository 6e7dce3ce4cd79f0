"""Authorization details: parsed strictly, granted exactly, never widened (RFC 9396; PROTOCOL 63)."""

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.laws import law
from rowgate.oauth.authorization_details import (
    MAX_CARRIED_BYTES,
    MAX_DETAILS,
    MAX_NAME_LENGTH,
    MAX_NAMES,
    MAX_TEXT_BYTES,
    Action,
    GrantedDetail,
    GrantedDetails,
    find_allowed_columns,
    grant_details,
    index_allowed,
    keep_granted_details,
    narrow_details,
    parse_authorization_details,
    read_details,
    render_details,
)
from rowgate.oauth.errors import InvalidAuthorizationDetails

_NAMES = {"orders": "Orders", "o": "Orders", "Orders": "Orders", "people": "People", "People": "People"}
_COLUMNS = ("a", "b", "c")
_OBJECTS = ("Orders", "People")
_ACTIONS: tuple[Action, ...] = ("read", "run")
_PLACES = ("https://one.example", "https://two.example")


def _detail(**members: Any) -> str:
    return json.dumps([{"type": "rowgate_object", **members}])


def _grant(text: str) -> GrantedDetails:
    return grant_details(parse_authorization_details(text), resolve_object=_NAMES.get, locations=_PLACES)


def _subsets(values: tuple[Any, ...], least: int = 1) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(values), unique=True, min_size=least).map(lambda some: tuple(sorted(some)))


_GRANTED = st.lists(
    st.builds(
        GrantedDetail,
        objects=_subsets(_OBJECTS),
        columns=st.none() | _subsets(_COLUMNS),
        actions=_subsets(_ACTIONS),
        locations=_subsets(_PLACES, 0),
    ),
    max_size=3,
).map(tuple)


def _allows(details: GrantedDetails, name: str, column: str, action: Action, place: str) -> bool:
    """Say it again from the meaning alone: details add up, and none at all means no narrowing."""
    return not details or any(
        name in one.objects
        and action in one.actions
        and (one.columns is None or column in one.columns)
        and (not one.locations or place in one.locations)
        for one in details
    )


# A column and a place outside every list: what "all columns" and "everywhere" reach and no list does.
_QUESTIONS = list(product((*_OBJECTS, "Other"), (*_COLUMNS, "z"), _ACTIONS, (*_PLACES, "https://three.example")))


@law
@given(_GRANTED, _GRANTED)
def test_63_narrowing_never_widens(requested: GrantedDetails, original: GrantedDetails) -> None:
    try:
        narrowed = narrow_details(requested, original)
    except InvalidAuthorizationDetails:
        return
    for question in _QUESTIONS:
        assert _allows(original, *question) or not _allows(narrowed, *question)


@law
@given(_GRANTED)
def test_63_the_same_and_each_part_of_it_is_no_widening(original: GrantedDetails) -> None:
    assert narrow_details(original, original) == original
    assert narrow_details((), original) == original
    for one in original:
        assert narrow_details((one,), original) == (one,)


@law
@given(_GRANTED, st.sampled_from(_ACTIONS), st.sampled_from([*_PLACES, "https://three.example"]))
def test_the_plain_answer_is_the_meaning(details: GrantedDetails, action: Action, place: str) -> None:
    allowed = index_allowed(details, action=action, location=place)
    for name, column in product((*_OBJECTS, "Other"), (*_COLUMNS, "z")):
        columns = find_allowed_columns(allowed, name)
        assert (columns is None or column in columns) == _allows(details, name, column, action, place)


@law
@given(_GRANTED)
def test_details_are_carried_whole_and_echoed_as_themselves(details: GrantedDetails) -> None:
    if not details:
        with pytest.raises(ValueError, match="no details"):  # it would read as: not narrowed
            read_details(render_details(details))
        return
    assert read_details(render_details(details)) == details
    sendable = tuple(one for one in details if one.columns is None or "run" not in one.actions)
    if sendable:
        again = grant_details(
            parse_authorization_details(render_details(sendable).decode()), resolve_object=_NAMES.get, locations=_PLACES
        )
        assert again == tuple(dict.fromkeys(sendable))


@law
@given(_GRANTED.filter(bool), st.sets(st.sampled_from(_OBJECTS)))
def test_78_what_is_withdrawn_is_gone_and_nothing_else(details: GrantedDetails, granted: set[str]) -> None:
    kept = keep_granted_details(details, granted.__contains__)
    for question in _QUESTIONS:
        assert bool(kept and _allows(kept, *question)) == (question[0] in granted and _allows(details, *question))


@law
@given(st.binary(max_size=30) | st.sampled_from([b"[]", b"{}", b"[{}]", b'[{"type":"rowgate_object"}]', b"\xff"]))
def test_what_was_not_written_here_is_not_read(carried: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its words are nobody's
        read_details(carried)


def test_63_names_become_canonical() -> None:
    assert _grant(_detail(objects=["o", "people", "orders"], columns=["b", "a", "b"], locations=[_PLACES[0]])) == (
        GrantedDetail(("Orders", "People"), ("a", "b"), ("read",), (_PLACES[0],)),
    )
    assert json.loads(render_details(_grant(_detail(object="o")))) == [
        {"type": "rowgate_object", "objects": ["Orders"], "actions": ["read"]}
    ]


def test_63_columns_become_canonical_where_the_catalog_is_asked() -> None:
    columns = {("Orders", "ID"): "Id", ("Orders", "id"): "Id", ("People", "id"): "id"}

    def resolve(name: str, column: str) -> str | None:
        return columns.get((name, column))

    def grant(**members: Any) -> GrantedDetails:
        requested = parse_authorization_details(_detail(**members))
        return grant_details(requested, resolve_object=_NAMES.get, resolve_column=resolve)

    assert grant(object="o", columns=["ID", "id"])[0].columns == ("Id",)
    for members in ({"object": "o", "columns": ["x"]}, {"objects": ["o", "people"], "columns": ["id"]}):
        with pytest.raises(InvalidAuthorizationDetails):
            grant(**members)


@law
@given(
    _subsets(("orders", "people")),
    _subsets(("a", "b")),
    st.fixed_dictionaries(
        {(name, column): st.sampled_from([column, column.upper(), None]) for name in _OBJECTS for column in "ab"}
    ),
)
def test_63_columns_are_granted_that_all_objects_spell_alike(
    objects: tuple[str, ...], columns: tuple[str, ...], catalog: dict[tuple[str, str], str | None]
) -> None:
    """One list stands for all the objects: what one lacks or spells otherwise could be another column there."""
    requested = parse_authorization_details(_detail(objects=objects, columns=columns))
    spelled = [{catalog[_NAMES[name], column] for name in objects} for column in columns]
    try:
        (granted,) = grant_details(
            requested, resolve_object=_NAMES.get, resolve_column=lambda name, column: catalog[name, column]
        )
    except InvalidAuthorizationDetails:
        assert any(None in found or len(found) > 1 for found in spelled)
    else:
        assert [{column} for column in granted.columns or ()] == sorted(spelled, key=list)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "{}",
        "[]",
        "[1]",
        "[{}]",
        '{"type":"rowgate_object","object":"orders"}',
        '[{"object":"orders"}]',
        '[{"type":"payment_initiation","object":"orders"}]',
        '[{"type":"rowgate_object","object":"orders","object":"people"}]',
        '[{"type":"rowgate_object","object":"orders"}] x',
        "[" * 8000,
        "[" * 8000 + "]" * 8000,
        '[{"type":"rowgate_object","object":"\\ud800"}]',
        '[{"type":"rowgate_object","object":"\ud800"}]',
        _detail(),
        _detail(object=None, objects=None),
        _detail(object="orders", objects=["orders"]),
        _detail(object=""),
        _detail(object=["orders"]),
        _detail(objects=[]),
        _detail(objects=[""]),
        _detail(object="orders", columns=[]),
        _detail(object="orders", columns=[1]),
        _detail(object="orders", columns="a"),
        _detail(object="orders", actions=[]),
        _detail(object="orders", actions=["write"]),
        _detail(object="orders", actions=["read", "run"], columns=["a"]),
        _detail(object="orders", privileges=["a"]),
        _detail(object="a" * (MAX_NAME_LENGTH + 1)),
        _detail(objects=["orders"] * (MAX_NAMES + 1)),
        _detail(object="orders", columns=["a"] * (MAX_NAMES + 1)),
        json.dumps([{"type": "rowgate_object", "object": "orders"}] * (MAX_DETAILS + 1)),
        _detail(object="orders") + " " * MAX_TEXT_BYTES,
    ],
)
def test_63_what_is_not_well_formed_is_refused(text: str) -> None:
    with pytest.raises(InvalidAuthorizationDetails) as refused:
        parse_authorization_details(text)
    assert refused.value.code == "invalid_authorization_details"


_SMALL = _detail(object="orders")


@pytest.mark.parametrize(
    "text",
    [
        _detail(object="a" * MAX_NAME_LENGTH),
        _detail(objects=["orders"] * MAX_NAMES),
        _detail(object="orders", columns=["a"] * MAX_NAMES),
        json.dumps([{"type": "rowgate_object", "object": "orders"}] * MAX_DETAILS),
        _detail(object="orders", actions=["read", "run"]),
        _SMALL + " " * (MAX_TEXT_BYTES - len(_SMALL)),
    ],
)
def test_63_what_is_well_formed_is_taken_as_large_as_it_may_be(text: str) -> None:
    assert parse_authorization_details(text)


@pytest.mark.parametrize(
    "members",
    [
        {"object": "secrets"},
        {"objects": ["orders", "ORDERS"]},
        {"object": "orders", "locations": ["https://x.example"]},
    ],
)
def test_63_what_is_not_granted_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(InvalidAuthorizationDetails):
        _grant(_detail(**members))


def test_63_a_token_carries_only_so_much() -> None:
    wide = [f"{number:03}{'c' * 100}" for number in range(MAX_CARRIED_BYTES // 110)]
    taken = len(render_details(_grant(_detail(object="orders", columns=wide))))
    wide[0] += "c" * (MAX_CARRIED_BYTES - taken)
    assert len(render_details(_grant(_detail(object="orders", columns=wide)))) == MAX_CARRIED_BYTES
    wide[0] += "c"
    with pytest.raises(InvalidAuthorizationDetails) as refused:
        _grant(_detail(object="orders", columns=wide))
    assert refused.value.reason == "more_than_a_token_carries"


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["rowgate_object", "orders", "read"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "object", "objects", "columns", "actions", "locations", "x"]), inner)
    ),
    max_leaves=12,
)


@law
@given(st.one_of(st.text(max_size=60), _JSON.map(json.dumps), _JSON.map(lambda value: json.dumps([value]))))
def test_whatever_comes_details_or_a_refusal(text: str) -> None:
    try:
        details = parse_authorization_details(text)
    except InvalidAuthorizationDetails:
        return
    assert details
    assert all(all(one.list_objects()) and one.actions for one in details)
