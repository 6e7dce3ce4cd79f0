"""Whatever comes, the parsers give a request or say `InvalidParameter`, with words that can be sent and recorded."""

import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rowgate.rows.errors import InvalidParameter
from rowgate.rows.model import Function, RowsRequest
from rowgate.rows.request import PARAMETERS, parse_rows_body, parse_rows_query
from support.laws import choose_examples

texts = st.text(alphabet=st.characters(), max_size=8)  # surrogates and NUL among them
names = st.sampled_from(
    [*PARAMETERS, "Filters", "column", "function", "value", "direction", *Function, "all", "UserId desc"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | names | texts
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names | texts, inner, max_size=4),
    max_leaves=12,
)
filters = st.fixed_dictionaries(
    {}, optional={"column": scalars, "function": st.sampled_from(Function) | scalars, "value": values}
)
bodies = st.dictionaries(
    st.sampled_from(PARAMETERS) | texts, st.lists(filters | values, max_size=3) | values, max_size=4
)


def _check(parse: Any, given_bytes: bytes) -> None:
    try:
        assert isinstance(parse(given_bytes), RowsRequest)
    except InvalidParameter as refusal:
        _check_refusal(refusal)


def _check_refusal(refusal: InvalidParameter) -> None:
    told = refusal.description + refusal.field + refusal.expected
    told.encode()  # can be sent and put on record
    assert refusal.field
    assert refusal.expected
    assert len(told) < 600


@settings(max_examples=choose_examples(150), deadline=None)
@given(bodies | values)
def test_any_json_is_a_request_or_a_refusal(body: Any) -> None:
    _check(parse_rows_body, json.dumps(body).encode())
    _check(parse_rows_body, json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@settings(max_examples=choose_examples(150), deadline=None)
@given(st.binary(max_size=60) | st.text("{}[]:,\"'\\/*ux0d8 \n+-.eE\u2028", max_size=40).map(str.encode))
@example(b"{\\ud800: 1}")
@example(b'{"a\\\xe2\x80\xa8b": 1}')
@example(b"{limit: +1}")
@example(b"{limit: .5e-0}")
@example(b"{__proto__: 1}")
def test_any_bytes_are_a_request_or_a_refusal(body: bytes) -> None:
    _check(parse_rows_body, body)
    _check(parse_rows_query, body)


@settings(max_examples=choose_examples(150), deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*PARAMETERS, "filter", "FILTER"]) | texts,
            values.map(json.dumps)
            | texts
            | st.sampled_from(["a:b:c", "a:equals:1,2", "a:between:1,2", "a,b", "a desc"]),
        ),
        max_size=4,
    )
)
def test_any_query_is_a_request_or_a_refusal(pairs: list[tuple[str, str]]) -> None:
    _check(parse_rows_query, urlencode(pairs, errors="surrogatepass").encode())


def test_empty_body_and_query_ask_for_everything() -> None:
    for nothing in (b"", b"  \r\n", b"{}", b"{ }"):
        assert parse_rows_body(nothing) == RowsRequest()
    assert parse_rows_query(b"") == RowsRequest()
