"""The formats, chosen by parameter or Accept; HEAD; results at the edges of a block."""

import csv
import io
import json
from collections.abc import Callable

import httpx
import pyarrow as pa
import pytest

from rows.cases import USERS
from rows.harness import Members, Reader, refusal, success
from rows.tables import STORED

JSON, NDJSON = "application/json", "application/x-ndjson"
CSV, ARROW = "text/csv; charset=utf-8; header=present", "application/vnd.apache.arrow.stream"

READERS: dict[str, Callable[[httpx.Response], list[Members]]] = {
    JSON: success,
    NDJSON: lambda answer: [json.loads(line) for line in answer.text.splitlines()],
    CSV: lambda answer: list(csv.DictReader(io.StringIO(answer.text, newline=""))),
    ARROW: lambda answer: pa.ipc.open_stream(answer.content).read_all().to_pylist(),
}


def as_read(form: str, rows: list[Members]) -> list[Members]:
    """Give rows as a reader of that format has them: of CSV it has texts."""
    if form != CSV:
        return rows
    return [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]


CHOICES = {
    "default": ("", None, JSON),
    "format-json": ("json", None, JSON),
    "format-ndjson": ("ndjson", None, NDJSON),
    "format-any-case": ("NDJSON", None, NDJSON),
    "format-wins-over-accept": ("json", NDJSON, JSON),
    "format-empty-is-none": ("", NDJSON, NDJSON),
    "accept-ndjson": ("", NDJSON, NDJSON),
    "accept-jsonl": ("", "application/jsonl", NDJSON),
    "accept-anything": ("", "*/*", JSON),
    "accept-application": ("", "application/*", JSON),
    "accept-browser": ("", "text/html,application/xml;q=0.9,*/*;q=0.8", JSON),
    "accept-weights": ("", f"{JSON};q=0.5, {NDJSON};q=0.9", NDJSON),
    "accept-first-of-equals": ("", f"{NDJSON}, {JSON}", NDJSON),
    "accept-parameters": ("", f"{JSON}; charset=utf-8", JSON),
    "accept-any-case": ("", "Application/X-NDJSON", NDJSON),
    "format-csv": ("csv", None, CSV),
    "accept-csv": ("", "text/csv", CSV),
    "accept-text": ("", "text/*, application/json;q=0.9", CSV),
    "format-arrow": ("arrow", "text/csv", ARROW),
    "accept-arrow": ("", ARROW, ARROW),
    "accept-not-with-weight-0": ("", f"{JSON};q=0, {NDJSON};q=0.1", NDJSON),
}


@pytest.mark.parametrize(("form", "accept", "expected"), CHOICES.values(), ids=CHOICES.keys())
def test_format_is_chosen(sample: Reader, form: str, accept: str | None, expected: str) -> None:
    headers = {} if accept is None else {"accept": accept}
    asked = sample.get(USERS, f"limit=2&format={form}", **headers)
    posted = sample.post(USERS, {"limit": 2, "format": form}, **headers)
    assert asked.headers["content-type"] == posted.headers["content-type"] == expected
    assert asked.content == posted.content
    assert READERS[expected](asked) == as_read(expected, sample.sql(f"SELECT * FROM {USERS} LIMIT 2"))


@pytest.mark.parametrize("accept", ["image/png", "text/html", f"{JSON};q=0", f"{JSON};q=nonsense", "application/json2"])
def test_accepting_nothing_that_there_is_gets_406(sample: Reader, accept: str) -> None:
    answer = sample.get(USERS, accept=accept)
    assert answer.status_code == 406
    assert NDJSON in answer.json()["expected"]


@pytest.mark.parametrize("form", ["xml", 5, ["json"], {"json": 1}, True])
def test_unknown_format_is_refused(sample: Reader, form: object) -> None:
    field, expected = refusal(sample.post(USERS, {"format": form}))
    assert field == "format"
    assert "ndjson" in expected


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2000, 2001, 3999, 4000])
def test_result_at_the_edge_of_a_block_is_whole(odd: Reader, count: int) -> None:
    expected = [{"n": n} for n in range(count)]
    answer = odd.get("numbers", f"limit={count}&orderby=n")
    assert success(answer) == expected
    assert answer.text == json.dumps(expected, separators=(",", ":"))
    lines = odd.get("numbers", f"limit={count}&orderby=n&format=ndjson").text
    assert lines == "".join(f'{{"n":{n}}}\n' for n in range(count))


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2500])
@pytest.mark.parametrize("form", [CSV, ARROW])
def test_table_of_several_blocks_is_whole(odd: Reader, form: str, count: int) -> None:
    answer = odd.get("numbers", f"limit={count}&orderby=n", accept=form)
    assert READERS[form](answer) == as_read(form, [{"n": n} for n in range(count)])


def test_groups_in_a_table_are_flat(sample: Reader) -> None:
    """Only JSON can nest (O-33)."""
    nested = success(sample.get(USERS, "groupby=Department&columns=UserId,Mail&orderby=UserId"))
    flat = [{"Department": group["Department"], **item} for group in nested for item in group["groupItems"]]
    for form in (CSV, ARROW):
        answer = sample.get(USERS, "groupby=Department&columns=UserId,Mail&orderby=UserId", accept=form)
        assert READERS[form](answer) == as_read(form, flat)


def test_value_that_arrow_cannot_hold_is_told_by_its_column(odd: Reader) -> None:
    place = [stored[:2] for stored in STORED].index(("INTEGER", "'a dozen'"))
    answer = odd.get(f"type_{place}", "format=arrow")
    assert refusal(answer)[0] == "format"
    assert "column value" in answer.json()["error_description"]


def test_head_is_get_without_the_body(sample: Reader, odd: Reader) -> None:
    """PROTOCOL 108."""
    for reader, name, query in (
        (sample, USERS, "limit=2"),
        (sample, USERS, "limit=0"),
        (odd, "numbers", "format=ndjson"),
    ):
        got = reader.get(name, query)
        head = reader.client.head(got.request.url)
        assert head.status_code == got.status_code == 200
        assert head.content == b""
        volatile = {"date", "x-request-id", "transfer-encoding"}
        told = {key: value for key, value in head.headers.items() if key not in volatile}
        assert told == {key: value for key, value in got.headers.items() if key not in volatile}


def test_head_of_a_refusal_has_its_status(sample: Reader) -> None:
    assert sample.client.head(f"/api/v1/data/{USERS}/rows?columns=nope").status_code == 400
    assert sample.client.head("/api/v1/data/nope/rows").status_code == 404


def test_answers_are_not_for_caches(sample: Reader) -> None:
    """PROTOCOL 109."""
    headers = sample.get(USERS).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_other_methods_are_told_which_ones_work(sample: Reader) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        answer = sample.client.request(method, f"/api/v1/data/{USERS}/rows")
        assert answer.status_code == 405
        assert "POST" in answer.headers["allow"]


def test_post_with_a_query_or_an_encoded_body_is_refused(sample: Reader) -> None:
    path = f"/api/v1/data/{USERS}/rows"
    assert refusal(sample.client.post(f"{path}?limit=1", content=b"{}"))[0] == "query"
    assert sample.client.post(path, content=b"{}", headers={"content-encoding": "gzip"}).status_code == 415
