"""Resource indicators: exactly ours, or invalid_target (RFC 8707 §2; PROTOCOL 23, 62)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.laws import law
from rowgate.oauth.errors import InvalidTarget
from rowgate.oauth.resource import MAX_RESOURCES, narrow_audience, parse_resources

_KNOWN = ("https://rowgate.example/", "https://rowgate.example/api", "urn:rowgate:rows")


def test_23_several_resources_are_taken_once_each() -> None:
    assert parse_resources([_KNOWN[1], _KNOWN[0], _KNOWN[1]], _KNOWN) == (_KNOWN[1], _KNOWN[0])
    assert parse_resources([], _KNOWN) == ()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("/api", "resource_not_absolute"),
        ("", "resource_not_absolute"),
        ("https:", "resource_not_absolute"),
        ("https://rowgate.example/ x", "resource_not_absolute"),
        ("https://rowgate.example/api\n", "resource_not_absolute"),
        (_KNOWN[0] + "#x", "resource_with_fragment"),
        (_KNOWN[0] + "#", "resource_with_fragment"),
        ("https://rowgate.example", "unknown_resource"),
        ("HTTPS://rowgate.example/", "unknown_resource"),
        ("https://rowgate.example/api/", "unknown_resource"),
    ],
)
def test_62_anything_else_is_an_invalid_target(value: str, reason: str) -> None:
    for values in ([value], [_KNOWN[0], value]):
        with pytest.raises(InvalidTarget) as refused:
            parse_resources(values, _KNOWN)
        assert refused.value.reason == reason


def test_62_there_is_a_bound() -> None:
    with pytest.raises(InvalidTarget):
        parse_resources([_KNOWN[0]] * (MAX_RESOURCES + 1), _KNOWN)


@law
@given(st.lists(st.one_of(st.sampled_from(_KNOWN), st.text(max_size=20)), max_size=5))
def test_only_known_resources_come_out(values: list[str]) -> None:
    try:
        audience = parse_resources(values, _KNOWN)
    except InvalidTarget:
        assert not set(values) <= set(_KNOWN)
        return
    assert set(audience) == set(values) <= set(_KNOWN)


_AUDIENCES = st.lists(st.sampled_from(_KNOWN), unique=True).map(tuple)


@law
@given(_AUDIENCES, _AUDIENCES)
def test_an_audience_is_never_widened(requested: tuple[str, ...], original: tuple[str, ...]) -> None:
    """Empty means everywhere, so it is the widest."""
    try:
        narrowed = narrow_audience(requested, original)
    except InvalidTarget:
        assert original
        assert not set(requested) <= set(original)
        return
    assert set(narrowed or _KNOWN) <= set(original or _KNOWN)
    assert not original or narrowed
