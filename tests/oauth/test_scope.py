"""Scope: narrowing never widens, along any chain of refreshes (RFC 6749 §3.3, §6)."""

from hypothesis import given
from hypothesis import strategies as st

from oauth.laws import law
from oauth.makers import make_application, make_record
from rowgate.oauth.errors import InvalidScope
from rowgate.oauth.grants import decide_refresh
from rowgate.oauth.scope import narrow_scope, parse_scope, render_scope

_NAMES = st.sampled_from(["read", "run", "list", "a:b", "x", "readx", "rea"])
_SCOPES = st.lists(_NAMES, min_size=1, max_size=5, unique=True).map(tuple)
_REQUESTS = st.one_of(
    st.none(), st.text(max_size=30), st.lists(_NAMES, max_size=6).map(" ".join), st.text(' readun\t"\\', max_size=12)
)


@law
@given(_REQUESTS, _SCOPES)
def test_narrowing_never_widens(requested: str | None, allowed: tuple[str, ...]) -> None:
    try:
        granted = narrow_scope(requested, allowed)
    except InvalidScope:
        return
    assert granted
    assert set(granted) <= set(allowed)
    assert requested is None or set(granted) == set(requested.split(" "))


@law
@given(_SCOPES, st.lists(st.tuples(_REQUESTS, _SCOPES), max_size=4))
def test_no_chain_of_refreshes_widens(issued: tuple[str, ...], steps: list[tuple[str | None, tuple[str, ...]]]) -> None:
    """Each refresh gets at most what the refresh token was issued for and what is allowed that day."""
    record = make_record(scope=render_scope(issued))
    for requested, allowed_today in steps:
        application = make_application(scope=allowed_today)
        try:
            granted = decide_refresh(record, application, requested, revoked=False, now=0)
        except InvalidScope:
            continue
        assert granted
        assert set(granted) <= set(issued) & set(allowed_today)


@law
@given(st.text(max_size=40))
def test_parsing_gives_what_was_written_or_refuses(text: str) -> None:
    try:
        names = parse_scope(text)
    except InvalidScope:
        return
    assert set(names) == set(text.split(" "))
    assert len(set(names)) == len(names)
    assert all("\x21" <= sign <= "\x7e" and sign not in '"\\' for name in names for sign in name)


@law
@given(_SCOPES)
def test_rendering_and_parsing_is_a_round_trip(names: tuple[str, ...]) -> None:
    assert parse_scope(render_scope(names)) == names
