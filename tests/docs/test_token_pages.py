"""The pages on revocation, enrolment and renewal are walked as a reader would; those on keys: tests/clients."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from docs.test_walkthrough import CHECKOUT, Reader
from support.homes import add_application
from support.servers import RunningServer, fetch_token, wait_until

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read_blocks(name: str, language: str) -> list[str]:
    """Give the page's blocks of one language, in their order."""
    page = (CHECKOUT / "docs/how-to" / f"{name}.md").read_text("utf-8")
    return [block for found, block in _FENCE.findall(page) if found == language]


@pytest.fixture
def reader(server: RunningServer, tmp_path: Path) -> Reader:
    """An administrator and developer in one, with a server and nothing else."""
    reader = Reader(tmp_path)
    reader.environment |= {"URL": server.url, "ROWGATE_HOME": str(server.settings.home)}
    return reader


@pytest.fixture
def report(server: RunningServer, reader: Reader, request: pytest.FixtureRequest) -> str:
    """The application `report` of the pages, which they say is there already; its name in this test."""
    name = str(request.node.originalname).removeprefix("test_")
    made = add_application(server.settings, name, ("*",))
    reader.environment |= {"ID": made.application.client_id, "SECRET": made.client_secret}
    wait_until(lambda: reader.paste('curl -fsS -u "$ID:$SECRET" -d grant_type=client_credentials $URL/token || true'))
    return name


@pytest.fixture
def run(reader: Reader, tmp_path: Path) -> Callable[[str], str]:
    """Keep a program in a file, run it, and give what it prints."""

    def keep_and_run(program: str) -> str:
        (tmp_path / "program.py").write_text(program, "utf-8")
        return reader.paste("python -W ignore program.py")

    return keep_and_run


@pytest.mark.slow
def test_page_on_revocation(server: RunningServer, reader: Reader, report: str) -> None:
    assert report
    revoke, ask, make, search = read_blocks("revoke-and-introspect", "sh")
    token = fetch_token(server.url, reader.environment["ID"], reader.environment["SECRET"])["access_token"]
    reader.environment["TOKEN"] = token
    described = json.loads(reader.paste(ask))
    (shown,) = read_blocks("revoke-and-introspect", "json")
    assert set(described) == set(json.loads(shown))
    assert reader.paste(revoke) == ""
    assert json.loads(reader.paste(ask)) == {"active": False}
    assert "client_secret" in reader.paste(make)
    assert "token_revoked" in reader.paste(search)


@pytest.mark.slow
def test_pages_on_enrolment_and_renewal(
    server: RunningServer, reader: Reader, report: str, run: Callable[[str], str], tmp_path: Path
) -> None:
    """A code gives a secret, which is kept and renewed; another one takes a key."""
    redeem, register = read_blocks("enrol-a-client", "python")
    (renew,) = read_blocks("renew-secrets", "python")
    for program in (redeem, register):
        reader.environment["CODE"] = json.loads(reader.paste(f"rowgate enrol {report} --json"))["code"]
        said = run(program)
    assert said == f"{reader.environment['ID']}\n"
    kept = tmp_path / "client-secret.json"
    first = json.loads(kept.read_text("utf-8"))["client_secret"]
    run(renew)
    second = json.loads(kept.read_text("utf-8"))["client_secret"]
    assert first != second
    assert fetch_token(server.url, reader.environment["ID"], second)["access_token"]
    assert (tmp_path / "client-key.pem").stat().st_mode & 0o077 == 0
