"""The runs of an object: listed newest first, by the decision and on the record that rows are read by."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from rows.harness import Reader, narrow, open_reader, refusal, register
from support.homes import administer
from support.servers import wait_until

RUNS = ("2026-01-01T06:00:00", "2026-02-01T06:00:00", "2026-03-01T06:00:00")


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("runs")
    path = folder / "jobs.sqlite"
    with closing(sqlite3.connect(path)) as writer, writer:
        writer.execute("CREATE TABLE hosts (JobRuntimeKey TEXT, Host TEXT)")
        for place, run in enumerate(RUNS):
            writer.executemany("INSERT INTO hosts VALUES (?, ?)", [(run, f"h{n}") for n in range(place + 1)])
        writer.execute("INSERT INTO hosts VALUES (NULL, 'of no run')")
        writer.execute("CREATE TABLE plain (a INTEGER)")
        writer.execute("CREATE TABLE scans (Rows INTEGER, a INTEGER)")
        writer.execute("INSERT INTO scans VALUES (1, 1), (2, 1), (2, 2)")
        writer.execute("CREATE TABLE blocked (JobRuntimeKey TEXT)")
    with open_reader(path, folder / "home", aliases={"the hosts": "hosts"}) as reader:
        with administer(reader.server.settings) as desks:
            desks.objects.set_run_key("scans", "Rows")
            desks.objects.block("blocked", reason="")
        wait_until(lambda: reader.client.get("/api/v1/data/blocked").status_code == 401)
        wait_until(lambda: reader.client.get("/api/v1/data/scans").json()["run_key"] == "Rows")
        yield reader


def list_runs(reader: Reader, name: str, query: str = "", **headers: str) -> httpx.Response:
    return reader.client.get(f"/api/v1/data/{name}/runs{query}", headers=headers)


def test_the_newest_comes_first_with_its_rows(jobs: Reader) -> None:
    expected = [{"JobRuntimeKey": run, "rows": place + 1} for place, run in enumerate(RUNS)][::-1]
    assert list_runs(jobs, "hosts").json() == expected
    assert list_runs(jobs, "the%20hosts").json() == expected
    for run in expected:
        assert len(jobs.rows("hosts", {"jobRuntimeKey": run["JobRuntimeKey"]})) == run["rows"]


def test_its_description_says_where_the_runs_are(jobs: Reader) -> None:
    told = jobs.client.get("/api/v1/data/hosts").json()
    assert told["runs"] == jobs.server.settings.issuer + "/api/v1/data/hosts/runs"
    assert jobs.client.get("/api/v1/data/plain").json()["runs"] is None


def test_pages_counts_and_formats_are_those_of_rows(jobs: Reader) -> None:
    answer = list_runs(jobs, "hosts", "?limit=1&offset=1&count=exact")
    assert [run["JobRuntimeKey"] for run in answer.json()] == [RUNS[1]]
    assert answer.headers["rowgate-count"] == "3"
    csv = list_runs(jobs, "hosts", "?limit=1", accept="text/csv")
    assert csv.text == f'"JobRuntimeKey","rows"\r\n"{RUNS[2]}",3\r\n'
    head = jobs.client.head("/api/v1/data/hosts/runs")
    assert (head.status_code, head.content) == (200, b"")


def test_a_run_key_of_another_name_and_type(jobs: Reader) -> None:
    """The number of rows gives way to a run key that is called the same."""
    assert list_runs(jobs, "scans").json() == [{"Rows": 2, "count": 2}, {"Rows": 1, "count": 1}]


@pytest.mark.parametrize(
    ("query", "field"), [("?columns=Host", "columns"), ("?filter=Host:equals:h1", "filter"), ("?limit=-1", "limit")]
)
def test_other_parameters_are_refused(jobs: Reader, query: str, field: str) -> None:
    assert refusal(list_runs(jobs, "hosts", query))[0] == field


def test_an_object_without_runs_says_why(jobs: Reader) -> None:
    answer = list_runs(jobs, "plain")
    assert refusal(answer)[0] == "runs"
    assert "run-key column" in answer.json()["error_description"]


def test_refusals_are_those_of_rows(jobs: Reader) -> None:
    for name, status in (("blocked", 401), ("nothing", 404)):
        answer, rows = list_runs(jobs, name), jobs.get(name)
        assert (answer.status_code, answer.json()["error"]) == (status, rows.json()["error"])
    assert jobs.client.post("/api/v1/data/hosts/runs").status_code == 405
    assert jobs.client.options("/api/v1/data/hosts/runs").headers["allow"] == "GET, HEAD, OPTIONS"
    assert httpx.get(f"{jobs.server.url}/api/v1/data/hosts/runs").status_code == 401


def test_a_token_that_may_not_know_the_run_key_learns_no_runs(jobs: Reader) -> None:
    token = narrow(jobs.server, register(jobs.server, "narrow", ("hosts",)), "hosts", "Host")
    answer = list_runs(jobs, "hosts", authorization=token)
    assert refusal(answer)[0] == "runs"
    assert "JobRuntimeKey" not in answer.text


def test_the_list_is_on_record_like_a_read(jobs: Reader) -> None:
    request_id = list_runs(jobs, "hosts").headers["x-request-id"]
    (opened,) = [e for e in jobs.server.events(kind="rows_opened") if e["request_id"] == request_id]
    ended = wait_until(lambda: [e for e in jobs.server.events(kind="rows_ended") if e["request_id"] == request_id])
    assert (opened["object"], opened["group_by"], opened["aggregates"]) == ("hosts", ["JobRuntimeKey"], ["count"])
    assert (ended[0]["rows"], ended[0]["outcome"]) == (3, "complete")
