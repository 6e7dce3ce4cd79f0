"""The origin's promises on rows, over real HTTP, against plain SQL on the same file."""

import pytest

from rows.cases import DISKS, FILTERS, RIGHTS, RUNS, SHAPES, USERS, Case, one
from rows.harness import Reader, refusal, success, to_query, unordered


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in FILTERS + SHAPES + RUNS])
def test_get_and_post_give_what_the_sql_gives(sample: Reader, case: Case) -> None:
    expected = sample.sql(case.sql)
    posted = sample.rows(case.object, case.body)
    asked = success(sample.get(case.object, to_query(case.body)))
    if "ORDER BY" in case.sql:
        assert posted == expected
        assert asked == expected
    else:
        assert unordered(posted) == unordered(expected)
        assert unordered(asked) == unordered(expected)


SHORT_FILTERS = {
    "O-21-equals": ("filter=UserId:equals:5", "UserId = 5"),
    "O-21-repeated": ("filter=UserId:greater:5&filter=UserId:less:8", "UserId IN (6, 7)"),
    "O-21-colon-in-value": ("filter=Mail:contains:x:y", "0"),
    "O-21-no-value": ("filter=ManagerName:is_null", "ManagerName IS NULL"),
    "O-21-empty-value": ("filter=Mail:contains:", "Mail IS NOT NULL"),
    "O-21-comma-is-one-value": ("filter=Department:equals:Legal,Finance", "0"),
    "O-21-between": ("filter=UserId:between:6,7", "UserId IN (6, 7)"),
    "O-21-encoded": ("filter=DisplayName:equals:zo%C3%AB+%C3%85kesson", "UserId = 1"),
    "O-21-beside-filters": (
        'filter=UserId:less:3&filters=[{"column":"Enabled","function":"equals","value":1}]',
        "UserId = 2",
    ),
    "O-6-any-case": ("FILTER=userid:EQUALS:5", "UserId = 5"),
    "O-21-json-list": (
        'columns=["UserId"]&filter=UserId:equals:5&orderby=[{"column":"UserId","direction":"desc"}]',
        "UserId = 5",
    ),
    "O-21-json5-filters": ("filters=[{column:'UserId',function:'equals',value:5,},]", "UserId = 5"),
    "limit-with-leading-zeros": ("limit=0000000000000000000000001&orderby=UserId", "UserId = 1"),
}


@pytest.mark.parametrize(("query", "where"), SHORT_FILTERS.values(), ids=SHORT_FILTERS.keys())
def test_query_parameters_have_short_forms(sample: Reader, query: str, where: str) -> None:
    found = [row["UserId"] for row in success(sample.get(USERS, query))]
    assert sorted(found) == [
        row["UserId"] for row in sample.sql(f"SELECT UserId FROM {USERS} WHERE {where} ORDER BY 1")
    ]


# In the manner of the origin's pages: bare keys, trailing commas, single quotes, comments.
JSON5_BODIES = {
    "bare-keys": b'{ columns: ["hostName", "url"], limit: 3 }',
    "trailing-commas": b'{"columns": ["hostName", "url",], "limit": 3,}',
    "both-over-lines": b'{\r\n  columns : [\r\n    "hostName",\r\n    "url",\r\n  ],\r\n  limit: 3,\r\n}\r\n',
    "single-quotes-and-comment": b"{columns: ['hostName', 'url'], /* few */ limit: 3} // end",
    "byte-order-mark": b'\xef\xbb\xbf{"columns": ["hostName", "url"], "limit": 3}',
    "O-45-parameter-case": b'{Columns: ["HOSTNAME", "URL"], LIMIT: 3}',
}


@pytest.mark.parametrize("body", JSON5_BODIES.values(), ids=JSON5_BODIES.keys())
def test_origins_samples_run_as_printed(sample: Reader, body: bytes) -> None:
    assert sample.rows(RIGHTS, body) == sample.sql(f"SELECT hostName, url FROM {RIGHTS} LIMIT 3")


def test_origins_sample_with_filters_and_groupby_runs_as_printed(sample: Reader) -> None:
    """The origin's longest sample: filters with an array, columns, a groupby (O-27, O-29, O-33, O-45)."""
    body = b"""{
      jobRuntimeKey: "",
      filters: [
        { column: "HostName", function: "equals", value: ["sharepoint01.example.com", "teams.example.com",], },
        { column: "rights", function: "not_equals", value: "read", },
      ],
      columns: [ "url", "trusteeName", "rights", ],
      groupby: [ "hostName", ],
    }"""
    groups = sample.rows(RIGHTS, body.replace(b'      jobRuntimeKey: "",\n', b""))
    assert groups == sample.rows(RIGHTS, body), "an empty jobRuntimeKey is as none"
    assert [group["hostName"] for group in groups] == ["sharepoint01.example.com", "teams.example.com"]
    where = "rights <> 'Read' AND hostName = ?"
    for group in groups:
        expected = sample.sql(f"SELECT url, trusteeName, rights FROM {RIGHTS} WHERE {where}", group["hostName"])
        assert group["groupItems"] == expected


def test_key_on_object_without_runs_is_refused_and_says_why(sample: Reader) -> None:
    """O-25."""
    for answer in (
        sample.get(USERS, "jobRuntimeKey=all"),
        sample.post(USERS, {"jobRuntimeKey": "2018-11-05T13:15:30"}),
    ):
        assert refusal(answer)[0] == "jobRuntimeKey"
        assert "run" in answer.json()["error_description"]


def test_every_json_type_of_a_run_key_is_compared_as_text(sample: Reader) -> None:
    assert sample.rows(DISKS, {"jobRuntimeKey": 2018}) == []


def test_a_filter_for_one_real_carrier_counts_as_in_the_data(flights: Reader) -> None:
    """The real data set: 342 flights of Hawaiian Airlines, all to HNL."""
    rows = flights.rows("flights", {**one("carrier", "equals", "ha"), "columns": ["dest", "year"]})
    assert rows == [{"dest": "HNL", "year": 2013}] * 342


def test_whole_answer_of_336776_real_flights_is_whole(flights: Reader) -> None:
    """O-37 beyond one block: every row, once, in order."""
    body = {"columns": ["flight", "tailnum", "dep_delay"], "orderby": ["time_hour", "flight", "carrier", "origin"]}
    order = "time_hour, flight, carrier, origin"
    assert flights.rows("flights", body) == flights.sql(
        f"SELECT flight, tailnum, dep_delay FROM flights ORDER BY {order}"
    )
