"""Which column a name of a request means: the one of exactly this name, else the only one but for case, else none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowgate.rows.columns import find_column, require_column
from rowgate.rows.errors import InvalidParameter
from rowgate.rows.fold import fold
from rowgate.rows.model import Column, Family, ObjectDescription
from rowgate.rows.plan import find_run_key

names = st.text("aAéÉ", min_size=1, max_size=2)


def describe(found: list[str]) -> ObjectDescription:
    return ObjectDescription("o", "table", tuple(Column(name, "", Family.ANY, may_be_real=False) for name in found))


@given(st.lists(names, unique=True, min_size=1), names)
def test_name_means_one_column_and_never_one_of_several(there: list[str], asked: str) -> None:
    described = describe(there)
    alike = [name for name in there if fold(name) == fold(asked)]
    meant = asked if asked in alike else alike[0] if len(alike) == 1 else None
    found = find_column(described, asked)
    assert (None if found is None else found.name) == meant
    assert find_run_key(described, asked) == found  # an administrator's name of the run key is such a name too
    if meant is None:
        with pytest.raises(InvalidParameter) as refused:
            require_column(described, asked, "columns[0]")
        assert ("case" in refused.value.description) == bool(alike)
        assert refused.value.field == "columns[0]"


@pytest.mark.parametrize("count", [1, 59, 60, 61])
def test_refusal_tells_the_names_that_there_are_and_says_when_some_are_left_out(count: int) -> None:
    there = [f"c{number}" for number in range(count)]
    with pytest.raises(InvalidParameter) as refused:
        require_column(describe(there), "x", "columns[0]")
    assert refused.value.expected == "one of " + ", ".join(there[:60]) + (", …" if count > 60 else "")
