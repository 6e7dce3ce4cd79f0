"""Bad input over HTTP: a 400 that names the field and what was expected, and nothing worse (R25, R26)."""

import time
from typing import Any
from urllib.parse import quote

import pytest

from rows.cases import USERS, one
from rows.harness import Members, Reader, refusal, success, to_query

WRONG: dict[str, tuple[Any, str]] = {
    "not-json": (b"nonsense", "body"),
    "half": (b'{"limit": 1', "body"),
    "two": (b"{} {}", "body"),
    "a-list": (b"[]", "body"),
    "a-text": (b'"x"', "body"),
    "null": (b"null", "body"),
    "a-number": (b"5", "body"),
    "not-utf-8": (b'{"columns": ["\xff"]}', "body"),
    "utf-16": ('{"limit": 1}'.encode("utf-16"), "body"),
    "lone-surrogate-bytes": (b'{"columns": ["\xed\xa0\x80"]}', "body"),
    "lone-surrogate-escape": (b'{"columns": ["\\ud800"]}', "body"),
    "lone-surrogate-name": (b'{"\\ud800": 1}', "body"),
    "form-body": (b"limit=1", "body"),
    "infinity": (b'{"filters": [{column: "UserId", function: "equals", value: Infinity}]}', "filters[0].value"),
    "nan": (b'{"filters": [{column: "UserId", function: "equals", value: NaN}]}', "filters[0].value"),
    "number-beyond-double": (b'{"filters": [{"column": "UserId", "function": "equals", "value": 1e999}]}', "body"),
    "unknown-parameter": ({"filter": []}, "filter"),
    "unknown-parameter-long": ({"x" * 5000: 1}, "x" * 64),
    "parameter-twice": ({"limit": 1, "LIMIT": 2}, "limit"),
    "member-twice": (b'{"limit": 1, "limit": 2}', "limit"),
    "member-twice-of-40,000": (b"{%b}" % b",".join([b'"%d":0' % n for n in (*range(40_000), 39_999)]), "39999"),
    "member-twice-in-filter": (
        b'{"filters": [{"column": "UserId", "function": "is_null", "column": "Mail"}], "limit": 1}',
        "column",
    ),
    "member-twice-spelled-otherwise": (b'{"filters": [{"column": "UserId", "c\\u006flumn": "Mail"}]}', "column"),
    "member-twice-deep": (b'{"limit": {"a": [[{"b": 1}, {"b": {"c": 1, "c": 1}}]]}}', "c"),
    "member-twice-json5": (b"{limit: 1, 'limit': 2,}", "limit"),
    "member-twice-json5-spelled-otherwise": (b"{filters: [{column: 'UserId', c\\u006flumn: 'Mail'}]}", "column"),
    "filters-object": ({"filters": {"column": "UserId"}}, "filters"),
    "filters-text": ({"filters": "UserId"}, "filters"),
    "filters-101": ({"filters": one("UserId", "is_null")["filters"] * 101}, "filters"),
    "filters-10000": ({"filters": one("UserId", "is_null")["filters"] * 10_000}, "filters"),
    "filter-not-object": ({"filters": ["UserId"]}, "filters[0]"),
    "filter-null": ({"filters": [None]}, "filters[0]"),
    "filter-second": ({"filters": [*one("UserId", "is_null")["filters"], 5]}, "filters[1]"),
    "filter-unknown-member": ({"filters": [{"col": "UserId", "function": "is_null"}]}, "filters[0].col"),
    "filter-member-twice": ({"filters": [{"column": "UserId", "Column": "Mail", "function": "is_null"}]}, "filters[0]"),
    "filter-without-column": ({"filters": [{"function": "is_null"}]}, "filters[0].column"),
    "filter-empty-column": (one("", "is_null"), "filters[0].column"),
    "filter-column-number": ({"filters": [{"column": 5, "function": "is_null"}]}, "filters[0].column"),
    "filter-unknown-column": (one("nope", "is_null"), "filters[0].column"),
    "filter-column-with-space": (one("UserId ", "is_null"), "filters[0].column"),
    "filter-column-with-newline": (one("UserId\n", "is_null"), "filters[0].column"),
    "filter-column-with-nul": (one("UserId\0", "is_null"), "filters[0].column"),
    "filter-column-1-mb": (one("x" * 1_000_000, "is_null"), "filters[0].column"),
    "filter-without-function": ({"filters": [{"column": "UserId"}]}, "filters[0].function"),
    "filter-unknown-function": (one("UserId", "like", "x"), "filters[0].function"),
    "filter-function-number": (one("UserId", 5, "x"), "filters[0].function"),  # type: ignore[arg-type]
    "filter-without-value": (one("UserId", "equals"), "filters[0].value"),
    "filter-null-value": (one("UserId", "equals", None), "filters[0].value"),
    "filter-object-value": (one("UserId", "equals", {"a": 1}), "filters[0].value"),
    "filter-null-in-list": (one("UserId", "equals", [1, None]), "filters[0].value[1]"),
    "filter-list-in-list": (one("UserId", "equals", [[1]]), "filters[0].value[0]"),
    "filter-1001-values": (one("UserId", "equals", [1] * 1001), "filters[0].value"),
    "filter-is_null-with-value": (one("UserId", "is_null", 5), "filters[0].value"),
    "between-one": (one("UserId", "between", [1]), "filters[0].value"),
    "between-three": (one("UserId", "between", [1, 2, 3]), "filters[0].value"),
    "between-scalar": (one("UserId", "between", 1), "filters[0].value"),
    "number-is-text": (one("UserId", "equals", "five"), "filters[0].value"),
    "number-is-empty": (one("UserId", "equals", ""), "filters[0].value"),
    "number-is-nan": (one("UserId", "less", "nan"), "filters[0].value"),
    "number-with-underscore": (one("UserId", "equals", "1_0"), "filters[0].value"),
    "number-beyond-64-bits": (one("UserId", "equals", 2**63), "filters[0].value"),
    "number-beyond-64-bits-text": (one("UserId", "equals", str(-(2**63) - 1)), "filters[0].value"),
    "number-of-5000-digits": (one("UserId", "equals", "9" * 5000), "filters[0].value"),
    "number-second-in-list": (one("UserId", "equals", [1, "x"]), "filters[0].value[1]"),
    "boolean-is-text": (one("Enabled", "equals", "perhaps"), "filters[0].value"),
    "text-is-boolean": (one("Mail", "equals", value=True), "filters[0].value"),
    "columns-number": ({"columns": 5}, "columns"),
    "columns-empty": ({"columns": []}, "columns"),
    "columns-of-number": ({"columns": ["Mail", 5]}, "columns[1]"),
    "columns-of-null": ({"columns": [None]}, "columns[0]"),
    "columns-empty-name": ({"columns": [""]}, "columns[0]"),
    "columns-unknown": ({"columns": ["Mail", "nope"]}, "columns[1]"),
    "columns-star": ({"columns": ["*"]}, "columns[0]"),
    "columns-expression": ({"columns": ["count(*)"]}, "columns[0]"),
    "columns-2001": ({"columns": ["Mail"] * 2001}, "columns"),
    "groupby-object": ({"groupby": {"a": 1}}, "groupby"),
    "groupby-unknown": ({"groupby": ["nope"]}, "groupby[0]"),
    "orderby-unknown": ({"orderby": ["Mail", "nope desc"]}, "orderby[1]"),
    "orderby-direction": ({"orderby": [{"column": "Mail", "direction": "down"}]}, "orderby[0].direction"),
    "orderby-text-direction": ({"orderby": ["Mail down"]}, "orderby[0]"),
    "orderby-only-direction": ({"orderby": ["desc"]}, "orderby[0]"),
    "orderby-member": ({"orderby": [{"col": "Mail"}]}, "orderby[0]"),
    "orderby-number": ({"orderby": [1]}, "orderby[0]"),
    "orderby-empty": ({"orderby": [""]}, "orderby[0]"),
    "limit-negative": ({"limit": -1}, "limit"),
    "limit-text": ({"limit": "x"}, "limit"),
    "limit-real": ({"limit": 1.0}, "limit"),
    "limit-boolean": ({"limit": True}, "limit"),
    "limit-beyond-64-bits": ({"limit": 2**63}, "limit"),
    "offset-negative": ({"offset": -1}, "offset"),
    "offset-list": ({"offset": [1]}, "offset"),
    "key-object": ({"jobRuntimeKey": {"a": 1}}, "jobRuntimeKey"),
    "key-list": ({"jobRuntimeKey": ["2018"]}, "jobRuntimeKey"),
}


@pytest.mark.parametrize(("body", "field"), WRONG.values(), ids=WRONG.keys())
def test_wrong_body_is_400_and_names_the_field(sample: Reader, body: Any, field: str) -> None:
    assert refusal(sample.post(USERS, body))[0] == field


WRONG_QUERIES = {
    "unknown-parameter": ("nope=1", "nope"),
    "parameter-twice": ("limit=1&Limit=1", "limit"),
    "limit-sign": ("limit=%2B1", "limit"),
    "limit-other-digits": ("limit=%D9%A3", "limit"),
    "limit-empty": ("limit=", "limit"),
    "limit-100-digits": ("limit=" + "9" * 100, "limit"),
    "not-utf-8": ("columns=%FF", "query"),
    "lone-surrogate": ("columns=%ED%A0%80", "query"),
    "member-twice": ('filters=[{"column":"UserId","column":"Mail","function":"is_null"}]', "column"),
    "300-parameters": ("&".join(["filter=UserId:is_null"] * 300), "query"),
    "101-filters": ("&".join(["filter=UserId:is_null"] * 101), "filters"),
    "filter-without-function": ("filter=UserId", "filter[0]"),
    "filter-unknown-function": ("filter=UserId:is", "filters[0].function"),
    "filters-not-json": ("filters=nonsense", "filters"),
    "filters-not-list": ("filters={}", "filters"),
    "columns-half-json": ("columns=%5B%22a%22", "columns"),
    "columns-empty": ("columns=", "columns"),
}


@pytest.mark.parametrize(("query", "field"), WRONG_QUERIES.values(), ids=WRONG_QUERIES.keys())
def test_wrong_query_is_400_and_names_the_field(sample: Reader, query: str, field: str) -> None:
    assert refusal(sample.get(USERS, query))[0] == field


def test_an_unknown_parameter_is_answered_with_those_of_its_method(sample: Reader) -> None:
    """A query has `filter`, and a body has not."""
    for method, answer in (("get", sample.get(USERS, "nope=1")), ("post", sample.post(USERS, {"nope": 1}))):
        told = refusal(answer)[1].removeprefix("one of ").split(", ")
        assert "filters" in told
        assert ("filter" in told) is (method == "get")


@pytest.mark.parametrize("order", ["UserId:desc", "-UserId", "UserId descending"])
def test_an_order_that_is_spelled_otherwise_is_answered_with_how_it_is_spelled(sample: Reader, order: str) -> None:
    field, expected = refusal(sample.get(USERS, f"orderby={order}"))
    assert field == "orderby[0]"
    assert expected.endswith("; behind it asc or desc, then nulls first or nulls last")


def _bomb(count: int, values: Any) -> Members:
    return {"filters": one("DisplayName", "contains", values)["filters"] * count}


# What is allowed but large: an answer, or a 400, soon; never a failure.
LARGE: dict[str, Any] = {
    "value-1-mb": one("DisplayName", "contains", "x" * 1_000_000),
    "value-1-mb-non-ascii": one("DisplayName", "contains", "é" * 500_000),
    "value-nul": one("DisplayName", "equals", "a\0b"),
    "1000-alternatives": _bomb(1, [f"x{n}" for n in range(1000)]),
    "1000-non-ascii-alternatives": _bomb(1, [f"é{n}" for n in range(1000)]),
    "10-times-1000-alternatives": _bomb(10, [f"é{n}" for n in range(1000)]),
    "100-times-1000-alternatives": _bomb(100, ["x"] * 1000),
    "100-times-1000-values": {"filters": one("UserId", "equals", [1] * 1000)["filters"] * 100},
    "2000-columns-2000-groups": {"columns": ["Mail"] * 2000, "groupby": ["UserId"] * 2000},
    "2000-orders": {"orderby": ["Mail"] * 2000, "groupby": ["UserId"]},
    "order-of-spaces": {"orderby": ["a" + " " * 900_000 + "b"]},
    "order-of-blank-lines": {"orderby": ["desc" + "\n" * 200_000 + "desc" + "\t" * 200_000]},
    "nested-json": b"[" * 500_000 + b"]" * 500_000,
    "nested-json-in-parameter": b'{"filters": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested-objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested-json5": b"{a:" * 10_000 + b"1," + b"}" * 10_000,
    "json5-commas": b"{filters: [" + b"{}," * 20_000 + b"]}",
    "json5-comments": b"{" + b"/* x */" * 9000 + b"}",
    "json5-open-comment": b"{/*" + b"*" * 60_000,
    "json5-long-number": b"{limit: " + b"9" * 60_000 + b",}",
    "json5-long-exponent": b"{limit: 1e" + b"9" * 60_000 + b",}",
    "json5-long-hex": b"{limit: 0x" + b"f" * 60_000 + b",}",
    "json5-escapes": b'{columns: ["' + b"\\x41" * 15_000 + b'",]}',
    "json5-too-large": b"{limit: 1, //" + b"x" * 70_000 + b"\n}",
    "json-long-number": b'{"limit": ' + b"9" * 900_000 + b"}",
    "json-long-fraction": b'{"limit": 0.' + b"9" * 900_000 + b"}",
    "many-members": b"{" + b",".join(b'"m%d":1' % n for n in range(80_000)) + b"}",
}


@pytest.mark.parametrize("body", LARGE.values(), ids=LARGE.keys())
def test_large_body_is_answered_soon(sample: Reader, body: Any) -> None:
    begun = time.process_time()  # the server is in this process
    answer = sample.post(USERS, body)
    assert answer.status_code in (200, 400), answer.text[:500]
    assert time.process_time() - begun < 2
    if answer.status_code == 400:
        assert refusal(answer)
        assert len(answer.content) < 3000


def test_body_over_the_limit_is_413(sample: Reader) -> None:
    assert sample.post(USERS, b" " * 1_048_577).status_code == 413


NAMES = {
    "unknown": "nope",
    "other-case": USERS.upper(),
    "newline": USERS + "\n",
    "space": USERS + " ",
    "nul": USERS + "\0",
    "schema": f"main.{USERS}",
    "quoted": f'"{USERS}"',
    "brackets": f"[{USERS}]",
    "semicolon": f"{USERS};",
    "encoded-twice": quote(USERS.replace("V", "%56")),
    "sqlite_schema": "sqlite_schema",
    "sqlite_master": "sqlite_master",
    "sqlite_stat1": "sqlite_stat1",
    "pragma": "pragma_table_list",
    "dots": "..",
    "1000-long": "x" * 1000,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_unknown_object_is_404_however_it_is_spelled(sample: Reader, name: str) -> None:
    """O-36, R23."""
    answer = sample.get(name)
    assert answer.status_code == 404
    assert answer.json()["error"] in ("unknown_object", "not_found")


def test_other_spelling_of_a_parameter_in_get_and_post_says_the_same(sample: Reader) -> None:
    body = {"columns": ["nope"]}
    assert refusal(sample.get(USERS, to_query(body))) == refusal(sample.post(USERS, body))


def test_refusal_tells_which_columns_there_are_and_no_sql(sample: Reader) -> None:
    answer = sample.post(USERS, {"columns": ["nope"]})
    assert "SamAccountName" in refusal(answer)[1]
    assert "SELECT" not in answer.text
    assert success(sample.get(USERS, "limit=1"))
