"""The pages on comparing, previewing and describing, walked as a reader would: their lines, in their order."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.served_report import serve_report
from docs.test_walkthrough import CHECKOUT, Reader
from support.servers import fetch_token, wait_until

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def reader(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Somebody with a shell, a token, and the commands of the home."""
    folder = tmp_path_factory.mktemp("describing")
    with serve_report(sample_database, folder) as (somebody, server):
        known = somebody.environment
        known["TOKEN"] = fetch_token(server.url, known["ID"], known["SECRET"])["access_token"]
        yield somebody


def list_shell_blocks(page: str) -> list[str]:
    """Give the blocks that a reader pastes."""
    text = (CHECKOUT / page).read_text("utf-8")
    return [block for language, block in _FENCE.findall(text) if language == "sh"]


def test_page_on_comparing_does_what_it_says(reader: Reader) -> None:
    name_key, list_runs, compare = list_shell_blocks("docs/how-to/compare-two-runs.md")
    reader.paste(name_key)
    describe = 'curl -fsS -H "Authorization: Bearer $TOKEN" "$URL/api/v1/data/SA_Jobs_DiskUsage"'
    wait_until(lambda: "Volume" in (json.loads(reader.paste(describe))["key"] or ()))  # the server follows
    assert [run["JobRunTimeKey"] for run in json.loads(reader.paste(list_runs))] == [
        "2018-11-12T13:15:31",
        "2018-11-05T13:15:30",
    ]
    changes = json.loads(reader.paste(compare))
    assert len(changes) == 3
    for change in changes:
        assert list(change) == ["change", "HostName", "Volume", "FreeBytes", "FileSystem", "old"]
    assert any(change["old"] for change in changes)


def test_page_on_previewing_does_what_it_says(reader: Reader) -> None:
    page = "docs/how-to/preview-a-read.md"
    preview, search = list_shell_blocks(page)
    told = json.loads(reader.paste(preview))
    text = (CHECKOUT / page).read_text("utf-8")
    assert [told] == [json.loads(block) for language, block in _FENCE.findall(text) if language == "json"]
    assert "SA_Activity_Events" in reader.paste(search)


def test_page_on_openapi_does_what_it_says(reader: Reader) -> None:
    page = "docs/how-to/openapi.md"
    (fetch,) = list_shell_blocks(page)
    reader.paste(fetch)
    text = (CHECKOUT / page).read_text("utf-8")
    (program,) = [block for language, block in _FENCE.findall(text) if language == "python"]
    reader.paste(f"cat >program.py <<'END'\n{program}END\npython program.py >said")
    said = reader.paste("cat said").splitlines()
    assert "SA_Jobs_DiskUsage 1" in said
    assert len(said) == 9
