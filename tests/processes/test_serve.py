"""`rowgate serve`: start-up, TLS, slow clients, log lines."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from cryptography.hazmat.primitives import serialization

from processes.conftest import Home
from processes.test_workers import ask_workers
from rowgate.cli.main import main
from support.certificates import make_certificate, trust
from support.servers import ROWGATE, ServerProcess, fetch_token, serve_process, wait_until
from support.stopwatch import Stopwatch

# makes what it stands on the terminal of its session, as a login does, and becomes the command
_ON_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def fail_to_serve(home: Home, capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """Run `rowgate serve` in this process; give its one line of complaint."""
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--home", str(home.path), "--port", "0", *flags])
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("rowgate: ")
    return line


def test_it_is_ready_soon_and_says_where(home: Home) -> None:
    with serve_process(home.path) as server:
        # its own processor time: the machine may be busy with other tests
        used = psutil.Process(server.process.pid).cpu_times()
        assert used.user + used.system < 3
        assert f"Rowgate serves SQLite read-only at {server.url} (home {home.path})" in server.log.read_text()


def test_a_master_key_that_others_can_read_is_told_of_once(home: Home) -> None:
    (home.path / "master.key").chmod(0o644)
    with serve_process(home.path, "--workers", "2") as server:
        told = server.log.read_text()
    assert told.count(f"others can read the master key: chmod go-rwx {home.path}/master.key") == 1


def test_a_port_that_is_taken_is_told_with_its_holder(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        ended = subprocess.run(
            [*ROWGATE, "serve", "--home", str(home.path), "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert f"port {port} is held by process {os.getpid()}" in line
    assert line.endswith(": stop that program, or serve with --port")
    assert Path(sys.argv[0]).name in line or "python" in line


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_plain_http_beyond_this_machine_is_refused(home: Home, capsys: pytest.CaptureFixture[str], host: str) -> None:
    """RFC 6749 §3.2: the token endpoint requires TLS."""
    line = fail_to_serve(home, capsys, "--host", host)
    assert "--tls-cert" in line
    assert "--insecure-http" in line


def test_plain_http_beyond_this_machine_is_served_when_it_is_asked_for(home: Home) -> None:
    with serve_process(home.path, "--host", "0.0.0.0", "--insecure-http") as server:
        fetch_token(server.url, home.made.application.client_id, home.made.client_secret)


def test_an_address_of_another_machine_is_told(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    line = fail_to_serve(home, capsys, "--host", "192.0.2.1", "--insecure-http")
    assert "cannot listen on 192.0.2.1" in line


def test_tls_serves_httpx_and_curl(home: Home, tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    with serve_process(home.path, "--tls-cert", str(cert), "--tls-key", str(key), scheme="https") as server:
        answer = httpx.post(f"{server.url}/token", data=home.form, verify=trust(cert))
        assert answer.status_code == 200
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.post(f"{server.url}/token", data=home.form)
        command = [
            "curl",
            "--silent",
            "--cacert",
            str(cert),
            "--data",
            httpx.QueryParams(home.form),
            server.url + "/token",
        ]
        told = subprocess.run([str(part) for part in command], capture_output=True, check=True)
        assert json.loads(told.stdout)["token_type"] == "bearer"
        document = httpx.get(f"{server.url}/.well-known/oauth-authorization-server", verify=trust(cert)).json()
        assert document["token_endpoint"].startswith("https://")
        assert httpx.get(f"{server.url}/healthz", verify=trust(cert)).status_code == 200
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_renewed_certificate_is_used_after_a_hangup(home: Home, tmp_path: Path, workers: str) -> None:
    """For the connections that come; one that is open goes on, and a file that cannot be used changes nothing."""
    cert, key = make_certificate(tmp_path)
    flags = ("--tls-cert", str(cert), "--tls-key", str(key), "--workers", workers)
    with (
        serve_process(home.path, *flags, scheme="https") as server,
        httpx.Client(verify=trust(cert), base_url=server.url) as before,
    ):
        assert before.get("/healthz").status_code == 200

        def count(said: str) -> int:
            return server.log.read_text().count(said)

        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: count("the certificate was read anew") == int(workers), seconds=30)  # all serve by now
        cert.write_text("nothing yet")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: count("the certificate was not read anew, the one before stays in use") == int(workers))
        assert before.get("/healthz").status_code == 200
        make_certificate(tmp_path)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: count("the certificate was read anew") == 2 * int(workers))
        for _ in range(8):  # whichever worker takes it
            assert httpx.get(f"{server.url}/healthz", verify=trust(cert)).status_code == 200
        assert before.get("/healthz").status_code == 200
        assert server.stop() == 0


def count_workers(server: ServerProcess) -> int:
    try:
        return len(ask_workers(server, "none"))
    except OSError:
        return 0  # none listens yet


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_terminal_that_is_closed_ends_its_server(home: Home, workers: str) -> None:
    """That is SIGHUP too: nobody would see the server any more, and it would hold the port."""
    ours, its = os.openpty()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [*ROWGATE, "serve", "--home", str(home.path), "--port", str(port), "--workers", workers]
    server = subprocess.Popen(
        [sys.executable, "-c", _ON_A_TERMINAL, *command], stdin=its, stdout=its, stderr=its, start_new_session=True
    )
    os.close(its)
    try:
        running = ServerProcess(cast("Any", server), f"http://127.0.0.1:{port}", home.path)
        wait_until(lambda: count_workers(running) == int(workers), seconds=20, every_seconds=0.1)
        os.close(ours)
        server.wait(20)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    actions = sorted(event["action"] for event in home.list_events(kind="server"))
    assert actions == ["started"] * int(workers) + ["stopped"] * int(workers)


def test_a_hangup_without_a_certificate_ends_nothing(home: Home) -> None:
    with serve_process(home.path) as server:
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "there is no certificate to be read anew" in server.log.read_text())
        assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_tls_files_that_cannot_be_used_are_told(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cert, key = (str(path) for path in make_certificate(tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    other_key = str(make_certificate(other)[1])
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    none = str(tmp_path / "none")
    for first, second, told in (
        (cert, other_key, "do not belong together"),
        (str(text), key, "tls_cert and tls_key cannot be used"),
        (cert, str(text), "tls_cert and tls_key cannot be used"),
        (key, cert, "tls_cert and tls_key cannot be used"),
        (none, key, f"tls_cert cannot be read: [Errno 2] No such file or directory: '{none}'"),
        (cert, none, f"tls_key cannot be read: [Errno 2] No such file or directory: '{none}'"),
    ):
        assert told in fail_to_serve(home, capsys, "--tls-cert", first, "--tls-key", second)
    assert "go together" in fail_to_serve(home, capsys, "--tls-cert", cert)


def test_an_encrypted_key_is_told_and_nobody_is_asked(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """OpenSSL would ask for the pass phrase on the terminal, in each worker."""
    cert, key = make_certificate(tmp_path)
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"geheim"),
        )
    )
    assert "tls_key is encrypted" in fail_to_serve(home, capsys, "--tls-cert", str(cert), "--tls-key", str(key))


def test_a_certificate_that_has_ended_is_said(home: Home, tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path, days=0)
    with serve_process(home.path, "--tls-cert", str(cert), "--tls-key", str(key), scheme="https") as server:
        assert "the certificate in tls_cert has ended" in server.log.read_text()


def test_a_record_that_cannot_be_written_is_told_before_anything_is_served(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    if home.path.joinpath("audit").exists():
        home.path.joinpath("audit").rename(home.path / "audit.old")
    home.path.joinpath("audit").touch()
    assert "the record cannot be written" in fail_to_serve(home, capsys)


def test_half_open_connections_cost_nobody_else_and_are_cut(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """R28: 200 clients that begin a request and never finish it."""
    monkeypatch.setenv("ROWGATE_REQUEST_SECONDS", "1")
    begun = (
        b"",
        b"P",
        b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Le",
        b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
    )
    with serve_process(home.path) as server, ExitStack() as stack:
        address = ("127.0.0.1", int(urlsplit(server.url).netloc.split(":")[1]))
        slow = [stack.enter_context(socket.create_connection(address, timeout=10)) for _ in range(200)]
        for number, connection in enumerate(slow):
            connection.sendall(begun[number % len(begun)])
        with Stopwatch() as watch:
            fetch_token(server.url, home.made.application.client_id, home.made.client_secret)
        assert watch.seconds < 1
        with Stopwatch() as watch:
            for number, connection in enumerate(slow):
                answer = _read_to_end(connection)
                assert answer.startswith(b"HTTP/1.1 408 "), (begun[number % len(begun)], answer[:60])
        assert watch.seconds < 5
        assert httpx.post(f"{server.url}/token", data=home.form).status_code == 200


def _read_to_end(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def test_log_lines_are_json_and_hold_no_secret(home: Home) -> None:
    """R31: everything that was issued or typed is looked for in the log, the record and the state."""
    made = home.made
    secrets = [made.client_secret]
    with serve_process(home.path, "--log-format", "json", "--log-level", "debug") as server:
        tokens = fetch_token(server.url, made.application.client_id, made.client_secret)
        secrets += [tokens["access_token"], tokens["refresh_token"]]
        url = server.url
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        httpx.get(f"{url}/api/v1/data/small/rows", headers=bearer)
        httpx.get(f"{url}/api/v1/data/small/rows?filter=nothing:at:all", headers=bearer)
        httpx.get(f"{url}/api/v1/data/none/rows?access_token={tokens['access_token']}")
        httpx.get(f"{url}/api/v1/data/none/rows", headers={"Authorization": f"Bearer {tokens['access_token'][:-1]}"})
        httpx.post(f"{url}/token?client_secret={made.client_secret}", data=home.form)
        httpx.post(f"{url}/token", data={**home.form, "client_id": made.client_secret})
        httpx.post(f"{url}/token", data={**home.form, "client_secret": made.client_secret + "x"})
        httpx.post(f"{url}/token", data={**home.form, "grant_type": made.client_secret, "scope": made.client_secret})
        httpx.post(f"{url}/token", data={**home.form, "grant_type": "refresh_token", "refresh_token": secrets[2]})
        assert server.stop() == 0
    lines = server.log.read_text().splitlines()
    assert lines
    for line in lines:
        assert {"at", "level", "message"} <= set(json.loads(line)), line
    kept = [server.log, *home.settings.audit_path.iterdir(), *home.path.glob("state.db*")]
    for path in kept:
        content = path.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, path
            assert secret[14:].encode() not in content, path


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_home_that_breaks_is_told_at_start(home: Home, capsys: pytest.CaptureFixture[str], workers: str) -> None:
    home.settings.master_key_path.write_text("00" * 32)
    assert "master.key" in fail_to_serve(home, capsys, "--workers", workers)
    home.settings.state_path.write_text("no database" * 1000)
    assert "restore it from a backup" in fail_to_serve(home, capsys, "--workers", workers)


def test_a_served_database_that_is_gone_is_told(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    Path(home.settings.database.removeprefix("sqlite:///")).unlink()
    assert "cannot be read" in fail_to_serve(home, capsys)


def test_what_is_no_request_writes_no_line_to_the_log(home: Home) -> None:
    """Else whoever reaches the port could fill the disk of the log."""
    with serve_process(home.path) as server:
        before = server.log.read_text()
        for noise in (
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\nX : a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), timeout=10) as connection:
                connection.sendall(noise)
                assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
        assert httpx.get(f"{server.url}/healthz").is_success
        assert server.log.read_text() == before
