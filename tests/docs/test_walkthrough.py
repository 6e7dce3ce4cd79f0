"""The README and the tutorial are walked as a reader would: their lines, in their order, against a real server."""

import ast
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from support.homes import add_application, administer
from support.servers import RunningServer, ask_until, fetch_token, serve_process, wait_until

CHECKOUT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SERVE = "rowgate serve\n"
_KEEP_VARIABLES = "declare -p URL ID SECRET TOKEN >variables 2>/dev/null || true"  # exported or not, as they are
# `explain` answers no with exit code 1, and the doctor minds who has the default port on this machine:
# neither ends a terminal.
_MAY_SAY_NO = re.compile(r"^(rowgate (?:explain [\w ]+?|doctor))( *)(#.*)?$", re.MULTILINE)


class Reader:
    """Somebody who pastes one block after the other into a shell."""

    def __init__(self, folder: Path) -> None:
        """Begin in an empty folder with the virtual environment's commands on the path."""
        self._folder = folder
        self._variables = ""
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("ROWGATE_")}
        self.environment["PATH"] = f"{Path(sys.executable).parent}:{self.environment['PATH']}"

    def paste(self, block: str) -> str:
        """Run a block; give what it wrote. Variables stay, as in a shell."""
        script = f"set -eu\n{self._variables}\n{block}\n{_KEEP_VARIABLES}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        self._variables = (self._folder / "variables").read_text("utf-8")
        return done.stdout


def find_blocks(page: str, first: str, last: str) -> list[tuple[str, str]]:
    """Give language and text of the blocks from one heading up to another."""
    text = (CHECKOUT / page).read_text("utf-8")
    begin, end = text.index(f"\n{first}\n"), text.index(f"\n{last}\n")
    return _FENCE.findall(text[begin:end])


def fill_in(block: str, url: str, credentials: tuple[str, str]) -> str:
    """Do what the text tells the reader to: put in the address and what `rowgate app add` printed."""
    block = _MAY_SAY_NO.sub(r"\1 || true", block.replace("http://127.0.0.1:8082", url))
    block = re.sub(r"\bID=….*$", f"ID={credentials[0]}", block, flags=re.MULTILINE)
    return re.sub(r"\bSECRET=….*$", f"SECRET={credentials[1]}", block, flags=re.MULTILINE)


def walk(reader: Reader, folder: Path, blocks: list[tuple[str, str]]) -> str:
    """Paste every block, the server running from where the text starts it; give all that was written."""
    shell = [block for language, block in blocks if language == "sh" and "make setup" not in block]
    place = next(index for index, block in enumerate(shell) if _SERVE in block)
    said = "".join(reader.paste(block.replace(_SERVE, "")) for block in shell[: place + 1])
    credentials = tuple(re.search(rf"^{name} +(\S+)", said, re.MULTILINE)[1] for name in ("client_id", "client_secret"))  # type: ignore[index]
    with serve_process(folder / ".rowgate") as server:
        for language, block in blocks:
            if language == "sh" and block in shell[place + 1 :]:
                said += reader.paste(fill_in(block, server.url, (credentials[0], credentials[1])))
            elif language == "python":
                program = folder / "program.py"
                program.write_text(fill_in(block, server.url, (credentials[0], credentials[1])), "utf-8")
                said += reader.paste("python program.py")
        assert server.stop() == 0
    return said


@pytest.mark.slow
def test_readme_leads_to_rows_in_five_minutes(tmp_path: Path) -> None:
    """Sample, home, application, server; rows by curl and by Python; the record and the reason."""
    blocks = find_blocks("README.md", "## Five minutes to rows", "## Where to go on")
    said = walk(Reader(tmp_path), tmp_path, blocks)
    for told in ('"DisplayName":"Zoë Åkesson"', "Finance Amara Castellanos", "rows_ended", "report may NOT read"):
        assert told in said


@pytest.mark.slow
def test_tutorial_leads_where_it_says(tmp_path: Path) -> None:
    """Rows, groups, runs, a mistake, a refusal and its reason."""
    blocks = find_blocks("docs/tutorial/first-rows.md", "## Set up", "## Where to go on")
    said = walk(Reader(tmp_path), tmp_path, blocks)
    for told in (
        '"token_type":"bearer"',
        '"groupItems":[',
        '"JobRunTimeKey":"2018-11-12T13:15:31"',
        '"JobRunTimeKey":"2018-11-05T13:15:30"',
        '"field":"columns[0]"',
        "401 Unauthorized",
        'error="insufficient_scope"',
        "blocked: under review",
        "rows_refused",
    ):
        assert told in said


@pytest.fixture(scope="module")
def credentials(server: RunningServer) -> dict[str, str]:
    """The environment of the clients' snippets."""
    made = add_application(server.settings, "clients", ("*",))
    ask_until(lambda: _try_token(server, made.application.client_id, made.client_secret))
    return {"URL": server.url, "ID": made.application.client_id, "SECRET": made.client_secret}


def run_snippet(credentials: dict[str, str], folder: Path, wanted: str, page: str = "docs/how-to/clients.md") -> str:
    """Run the one Python block of the page that has this in it, and give what it prints."""
    text = (CHECKOUT / page).read_text("utf-8")
    found = [block for language, block in _FENCE.findall(text) if language == "python" and wanted in block]
    assert len(found) == 1
    program = folder / "program.py"
    program.write_text(found[0], "utf-8")
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=folder,
        env={**os.environ, **credentials},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _try_token(server: RunningServer, client_id: str, client_secret: str) -> object:
    try:
        return fetch_token(server.url, client_id, client_secret)
    except AssertionError:
        return None  # the server has not yet heard of the application


@pytest.mark.parametrize("library", ["requests_oauthlib", "authlib"])
def test_snippets_of_oauth_libraries_run(credentials: dict[str, str], tmp_path: Path, library: str) -> None:
    """The blocks for OAuth libraries print three rows."""
    assert len(ast.literal_eval(run_snippet(credentials, tmp_path, f"from {library}"))) == 3


def test_snippet_of_pyarrow_reads_every_batch(
    credentials: dict[str, str], tmp_path: Path, server: RunningServer
) -> None:
    """It counts the rows of all runs."""
    count, _, names = run_snippet(credentials, tmp_path, "import pyarrow").partition(" ")
    (expected,) = count_rows(server, "SA_Jobs_DiskUsage")
    assert (int(count), ast.literal_eval(names)[0]) == (expected, "JobRunTimeKey")


def count_rows(server: RunningServer, table: str) -> tuple[int]:
    """Ask the database itself."""
    with closing(sqlite3.connect(server.settings.database.removeprefix("sqlite:///"))) as database:
        counted: tuple[int] = database.execute(f"SELECT count(*) FROM {table}").fetchone()
    return counted


def test_lines_of_curl_make_a_csv_file(credentials: dict[str, str], tmp_path: Path) -> None:
    """The header and the first row are shown."""
    reader = Reader(tmp_path)
    reader.environment |= credentials
    ((_, block),) = find_blocks("docs/how-to/clients.md", "## A file, by curl", "## requests-oauthlib")
    said = reader.paste(block)
    assert said.startswith('"UserId",')
    assert len(said.splitlines()) == 2


def test_snippets_of_pages_read_them(credentials: dict[str, str], tmp_path: Path, server: RunningServer) -> None:
    """All rows by the links; the second page by the header."""
    page = "docs/how-to/read-page-by-page.md"
    (expected,) = count_rows(server, "SA_SharePoint_Permissions")
    assert run_snippet(credentials, tmp_path, "answer.links", page) == f"{expected} rows\n"
    reader = Reader(tmp_path)
    token = fetch_token(server.url, credentials["ID"], credentials["SECRET"])["access_token"]
    reader.environment |= credentials | {"TOKEN": token}
    _, (_, block) = find_blocks(page, "## Follow the links", "## What a cursor promises")
    reader.paste(block)
    assert [row["PermissionId"] for row in json.loads((tmp_path / "page.json").read_text("utf-8"))] == list(
        range(101, 201)
    )


def test_lines_of_curl_prove_a_download(credentials: dict[str, str], tmp_path: Path, server: RunningServer) -> None:
    """The file is what the trailer fields say, and what is on record."""
    page = "docs/how-to/download-and-prove.md"
    token = fetch_token(server.url, credentials["ID"], credentials["SECRET"])["access_token"]
    reader = Reader(tmp_path)
    reader.environment |= credentials | {"TOKEN": token, "ROWGATE_HOME": str(server.settings.home)}
    fetch, check, fetch_compressed = (
        block for _, block in find_blocks(page, "## By curl", "## Into pandas, PyArrow and DuckDB")
    )
    (count,) = count_rows(server, "SA_Activity_Events")
    assert f"rowgate-rows: {count}" in reader.paste(fetch)
    assert reader.paste(check) == "events.json: OK\n"
    assert reader.paste(fetch_compressed) == "events.json: OK\n"
    told = run_snippet({**credentials, "TOKEN": token}, tmp_path, "from pyarrow import parquet", page)
    assert int(told.split()[0]) == count
    (search,) = (b for _, b in _FENCE.findall((CHECKOUT / page).read_text("utf-8")) if "rowgate audit search" in b)
    *_, event = map(json.loads, wait_until(lambda: reader.paste(f"{search.strip()} || true")).splitlines())
    assert (event["outcome"], event["rows"]) == ("complete", count)


def test_lines_of_curl_find_what_may_be_read(
    credentials: dict[str, str], tmp_path: Path, server: RunningServer
) -> None:
    """The list names the object that is described then."""
    reader = Reader(tmp_path)
    token = fetch_token(server.url, credentials["ID"], credentials["SECRET"])["access_token"]
    reader.environment |= credentials | {"TOKEN": token, "ROWGATE_HOME": str(server.settings.home)}
    text = (CHECKOUT / "docs/how-to/find-what-you-may-read.md").read_text("utf-8")
    ask, describe, say = (block for _, block in _FENCE.findall(text))
    assert "SA_Jobs_DiskUsage" in [item["name"] for item in json.loads(reader.paste(ask))]
    assert json.loads(reader.paste(describe))["run_key"] == "JobRunTimeKey"
    reader.paste(say)
    wait_until(lambda: json.loads(reader.paste(describe))["title"] == "Free space by volume")


def test_lines_of_curl_get_a_lost_answer_again(tmp_path: Path, server: RunningServer) -> None:
    """Two lines, one secret."""
    add_application(server.settings, "twice", ("SA_Activity_Events",))
    reader = Reader(tmp_path)
    reader.environment["ROWGATE_HOME"] = str(server.settings.home)
    reader.environment["CODE"] = json.loads(reader.paste("rowgate enrol twice --json"))["code"]
    ((_, block),) = find_blocks("docs/how-to/enrol-a-client.md", "## When the answer is lost", "## When it is refused")
    said = reader.paste(fill_in(block, server.url, ("", "")))
    first, second = (json.loads(part) for part in said.replace("}{", "}\n{").splitlines())
    assert first["client_secret"] == second["client_secret"]


def test_lines_of_curl_enrol_a_client_and_renew_its_secret(tmp_path: Path, server: RunningServer) -> None:
    """The code gives a secret, which gives the next one."""
    add_application(server.settings, "enrolled", ("SA_Activity_Events",))
    reader = Reader(tmp_path)
    reader.environment |= {"ROWGATE_HOME": str(server.settings.home), "URL": server.url}
    code = json.loads(reader.paste("rowgate enrol enrolled --json"))["code"]
    reader.environment["CODE"] = code
    ((_, redeem),) = find_blocks("docs/how-to/enrol-a-client.md", "## Redeem it for a secret", "With Python:")
    redeemed = json.loads(reader.paste(fill_in(redeem, server.url, ("", ""))))
    reader.paste(f"ID={redeemed['client_id']}\nSECRET={redeemed['client_secret']}")
    ((_, renew),) = find_blocks(
        "docs/how-to/renew-secrets.md",
        "## Ask for the next secret",
        "With Python; it keeps the new secret in a file before it uses it:",
    )
    renewed = json.loads(reader.paste(fill_in(renew, server.url, ("", ""))))
    assert renewed["client_secret"] != redeemed["client_secret"]
    assert fetch_token(server.url, redeemed["client_id"], renewed["client_secret"])["access_token"]


@pytest.mark.slow
def test_lines_of_curl_declare_and_call_a_procedure(tmp_path: Path, server: RunningServer) -> None:
    """The file is served, granted and named; the second call gives groups of the three hosts."""
    made = add_application(server.settings, "report", ("SA_ServiceAccounts",))
    credentials = (made.application.client_id, made.client_secret)
    token = ask_until(lambda: _try_token(server, *credentials))
    reader = Reader(tmp_path)
    reader.environment |= {"URL": server.url, "TOKEN": token["access_token"], "ROWGATE_HOME": str(server.settings.home)}
    page = (CHECKOUT / "docs/how-to/call-a-procedure.md").read_text("utf-8")
    declare, grant, call, call_for, describe = (b for language, b in _FENCE.findall(page) if language == "sh")
    assert "department  text" in reader.paste(declare)
    assert "report may read department-computers." in reader.paste(grant)
    address = f"{server.url}/api/v1/data/ComputersOf"
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    wait_until(lambda: httpx.get(address, headers=headers).is_success)
    assert len(json.loads(reader.paste(call))) > 3
    groups = json.loads(reader.paste(call_for))
    assert [group["OperatingSystem"] for group in groups] == ["Windows 7", "macOS 10.14"]
    assert [one["name"] for one in json.loads(reader.paste(describe))["parameters"]] == ["department", "since", "hosts"]
    with administer(server.settings) as desks:
        desks.objects.remove_alias("ComputersOf", "department-computers")
    (server.settings.procedures_path / "ComputersOf.sql").unlink()
