"""The page on warnings: its receiver takes what the server sends, and its lines of curl show the metrics."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from docs.test_docs import CHECKOUT, find_blocks
from docs.test_walkthrough import Reader
from support.homes import add_application, make_home
from support.servers import ask_until, run_server, wait_until

PAGE = CHECKOUT / "docs/how-to/be-warned.md"


def _rowgate(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("rowgate")), *words, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.slow
def test_the_receiver_of_the_page_takes_what_is_sent(tmp_path: Path, sample_database: Path) -> None:
    settings = make_home(tmp_path / "home", sample_database)
    key = _rowgate(settings.home, "webhook", "key").stdout.strip()
    (block,) = find_blocks(PAGE.read_text("utf-8"), "python")
    program = tmp_path / "receiver.py"
    # a free port, told by the receiver itself
    program.write_text(
        block.replace("HTTPServer((", "server = HTTPServer((").replace(
            ".serve_forever()", "\nprint(server.server_port, flush=True)\nserver.serve_forever()"
        ),
        "utf-8",
    )
    told = tmp_path / "told.txt"
    with told.open("w") as output:
        receiver = subprocess.Popen(
            [sys.executable, str(program)],
            env={**os.environ, "KEY": key, "PORT": "0"},
            stdout=output,
            stderr=subprocess.DEVNULL,
        )
    try:
        port = wait_until(lambda: re.match(r"(\d+)\n", told.read_text("utf-8")))[1]
        lines = f"""database = "sqlite:///{sample_database}"
webhook_url = "http://127.0.0.1:{port}/rowgate"
outgoing_private_hosts = ["127.0.0.1:{port}"]
outgoing_http_on_loopback = true
"""
        (settings.home / "rowgate.toml").write_text(lines, "utf-8")
        done = _rowgate(settings.home, "webhook", "test")
        assert (done.returncode, done.stderr.strip()) == (
            0,
            f"http://127.0.0.1:{port}/rowgate took it: it answered 204.",
        )
        assert "test {}" in told.read_text("utf-8")
        assert "ok   the webhook may be called" in _rowgate(settings.home, "doctor").stdout
        _rowgate(settings.home, "webhook", "key", "--replace")
        refused = _rowgate(settings.home, "webhook", "test")
        assert refused.returncode == 1
        assert "it answered 401" in refused.stderr
    finally:
        receiver.terminate()
        receiver.wait()
    nobody = _rowgate(settings.home, "webhook", "test")
    assert (nobody.returncode, "no_connection" in nobody.stderr) == (1, True)
    (settings.home / "webhook.key").unlink()
    assert "BAD  the webhook may be called" in _rowgate(settings.home, "doctor").stdout


def test_the_lines_of_the_page_show_the_metrics(tmp_path: Path, sample_database: Path) -> None:
    settings = make_home(tmp_path / "home", sample_database)
    add_application(settings, "report")
    add, curl = (block for block in find_blocks(PAGE.read_text("utf-8"), "sh") if "prometheus.json" in block)
    reader = Reader(tmp_path)
    with run_server(settings) as server:
        reader.environment |= {"URL": server.url, "ROWGATE_HOME": str(settings.home)}
        reader.paste(add)
        made = json.loads((tmp_path / "prometheus.json").read_text("utf-8"))
        grant = {"grant_type": "client_credentials"}
        credentials = (made["client_id"], made["client_secret"])
        ask_until(lambda: httpx.post(f"{server.url}/token", data=grant, auth=credentials).is_success)
        said = reader.paste(curl)
    assert "# TYPE rowgate_secrets_expiring gauge" in said
    assert 'application="report"' in said
