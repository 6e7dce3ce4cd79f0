"""A disk that is really full: no token without its record, and recovery without help."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.homes import add_application, make_home
from support.servers import RunningServer, run_server, wait_until


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", str(mounted)]
    if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


@pytest.fixture
def full(small_disk: Path, sample_database: Path, tmp_path: Path) -> Iterator[tuple[RunningServer, dict[str, str]]]:
    """A server whose record stands on the small disk, and a form that gets a token."""
    settings = make_home(tmp_path / "home", sample_database)
    made = add_application(settings, "app")
    os.rename(settings.audit_path, tmp_path / "before")  # noqa: PTH104
    settings.audit_path.symlink_to(small_disk)
    form = {"client_id": made.application.client_id, "client_secret": made.client_secret}
    with run_server(settings) as server:
        yield server, {"grant_type": "client_credentials", **form}


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    return ballast


def test_a_full_disk_refuses_tokens_and_rows_with_503_and_recovers(
    full: tuple[RunningServer, dict[str, str]], small_disk: Path
) -> None:
    server, form = full
    url = f"{server.url}/api/v1"
    with httpx.Client() as client:
        token = client.post(f"{url}/token", data=form).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        rows = f"{url}/data/SA_ADInventory_UsersView/rows?limit=1"
        for _ in range(2):  # it may happen more than once
            ballast = fill(small_disk)
            # what is left of the last page of the segment may take an event or two
            answer = wait_until(lambda: _refused(client.post(f"{url}/token", data=form)))
            assert answer.headers["retry-after"].isdigit()
            assert answer.headers["cache-control"] == "no-store"
            assert answer.json()["error"] == "temporarily_unavailable"
            assert "access_token" not in answer.text
            assert client.get(rows, headers=bearer).status_code == 503
            wrong = client.post(f"{url}/token", data={**form, "client_secret": "wrong"})
            assert wrong.status_code == 503  # a refusal is not told either before it is on record
            assert client.get(f"{server.url}/healthz").status_code == 200
            wait_until(lambda: client.get(f"{server.url}/readyz").json()["checks"]["audit"] is False, seconds=2)
            ballast.unlink()
            wait_until(lambda: client.get(f"{server.url}/readyz").status_code == 200, seconds=5)
            assert client.post(f"{url}/token", data=form).status_code == 200
            assert client.get(rows, headers=bearer).status_code == 200
    assert len(list(small_disk.glob("*.jsonl"))) <= 4
    issued = len(server.events(kind="token_issued"))
    opened = len(server.events(kind="rows_opened"))
    assert issued >= 3
    assert opened == 2


def _refused(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 503 else None
