"""What tells rows apart for a reader. Pages stand in its order, so nothing of it may be out of sight."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from rowgate.rows.masks import Mask
from rowgate.rows.model import Column, Family, ObjectDescription
from rowgate.rows.plan import find_row_key
from rowgate.rows.policy import RowsPolicy, apply_policy

NAMES = "abc"
ROW_ID = "rowid"  # is none of the object's columns, and holds nothing that could be hidden


def make_column(name: str) -> Column:
    return Column(name, "INTEGER", Family.NUMBER, may_be_real=False)


def lists_of(names: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), unique=True, max_size=2)


@given(
    lists_of(NAMES) | st.just([ROW_ID]),
    lists_of([*NAMES, "gone"]),
    st.none() | st.frozensets(st.sampled_from(NAMES), min_size=1),
    st.frozensets(st.sampled_from(NAMES)),
)
def test_key_is_wholly_in_sight_or_none(
    own: list[str], named: list[str], shown: frozenset[str] | None, masked: frozenset[str]
) -> None:
    """The key that an administrator named comes first, then the database's own; never a part of one."""
    described = ObjectDescription("o", "table", tuple(map(make_column, NAMES)), tuple(map(make_column, own)))
    policy = RowsPolicy(columns=shown, masks=tuple((name, Mask.HASH) for name in masked))
    bare = (frozenset(NAMES) if shown is None else shown) - masked
    expected = named if named and bare.issuperset(named) else own if (bare | {ROW_ID}).issuperset(own) else []
    assert [column.name for column in find_row_key(apply_policy(described, policy), named)] == expected
