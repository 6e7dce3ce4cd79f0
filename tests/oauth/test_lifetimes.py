"""The server's maxima: nothing lives longer than they say, whenever it was made, and nothing lives longer by them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.laws import law
from oauth.makers import make_application, make_record
from rowgate.oauth.bearer import decide_bearer
from rowgate.oauth.errors import InvalidGrant, InvalidToken
from rowgate.oauth.grants import decide_refresh
from rowgate.oauth.lifetimes import find_end, sooner
from rowgate.oauth.lineage import find_secret_end
from rowgate.oauth.model import NEVER, ClientPolicy

_SECONDS = st.integers(1, 10_000)
_MOST = st.integers(0, 10_000)
_MOMENTS = st.integers(1, 20_000)


def is_later(end: int, other: int) -> bool:
    """Tell whether an end is later than another, where NEVER is later than any."""
    return other != NEVER and (end == NEVER or end > other)


@law
@given(made_at=_MOMENTS, seconds=_MOST, most=_MOST)
def test_an_end_is_never_later_than_it_was_made_to_be_or_the_maximum(made_at: int, seconds: int, most: int) -> None:
    made_to_end = made_at + seconds if seconds else NEVER
    end = find_end(made_to_end, made_at, most)
    assert not is_later(end, made_to_end)
    assert not most or not is_later(end, made_at + most)
    assert end in (made_to_end, made_at + most)


@law
@given(first=_MOST, second=_MOST)
def test_the_sooner_of_two_is_one_of_them_whichever_comes_first(first: int, second: int) -> None:
    assert sooner(first, second) == sooner(second, first)
    assert sooner(first, second) in (first, second)
    assert not is_later(sooner(first, second), first)


@law
@given(lived=_MOMENTS, seconds=_SECONDS, most=_MOST)
def test_a_token_is_good_until_the_sooner_of_its_end_and_the_maximum(lived: int, seconds: int, most: int) -> None:
    """At a resource and for a refresh alike; the instant itself is past."""
    record, application = make_record(expires_at=seconds), make_application()
    is_good = lived < (min(seconds, most) if most else seconds)
    told = {"revoked": False, "now": float(lived), "most_seconds": most}
    if is_good:
        access = decide_bearer(b"i" * 16, record, application, resource="https://h", **told)  # type: ignore[arg-type]
        assert access.expires_at == (min(seconds, most) if most else seconds)
        assert decide_refresh(record, application, None, **told) == ("read",)  # type: ignore[arg-type]
        return
    with pytest.raises(InvalidToken):
        decide_bearer(b"i" * 16, record, application, resource="https://h", **told)  # type: ignore[arg-type]
    with pytest.raises(InvalidGrant):
        decide_refresh(record, application, None, **told)  # type: ignore[arg-type]


@law
@given(began_at=_MOMENTS, age=_MOST, seconds=_MOST, line=_MOST, most=_MOST)
def test_a_secret_made_without_an_administrator_keeps_every_limit(
    began_at: int, age: int, seconds: int, line: int, most: int
) -> None:
    now = began_at + age
    policy = ClientPolicy(renewed_secret_seconds=seconds, lineage_seconds=line)
    end = find_secret_end(policy, began_at, now, most_seconds=most)
    limits = [now + seconds if seconds else NEVER, began_at + line if line else NEVER, now + most if most else NEVER]
    assert not any(is_later(end, limit) for limit in limits)
    assert end in limits
