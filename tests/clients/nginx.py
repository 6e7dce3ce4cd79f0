"""nginx in front of the server, set up by the lines that the pages on HTTPS and on certificates show."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rowgate.web.server import bind_socket
from support.servers import wait_until

_DOCS = Path(__file__).parents[2] / "docs" / "how-to"
_AROUND = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
worker_processes 1;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
{server}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """Where it listens, where it looks for the server, and the settings that the pages give the server."""

    url: str
    upstream_port: int
    settings: str


def _read_block(page: str, heading: str, language: str) -> str:
    text = (_DOCS / page).read_text("utf-8")
    return text[text.index(heading) :].split(f"```{language}\n", 1)[1].split("```", 1)[0]


def _replace(text: str, changes: dict[str, str]) -> str:
    for shown, real in changes.items():
        assert text.count(shown) == 1, f"the page does not show it once: {shown}"
        text = text.replace(shown, real)
    return text


def _find_port() -> int:
    bound = bind_socket("127.0.0.1", 0)
    port: int = bound.getsockname()[1]
    bound.close()
    return port


@contextmanager
def run_nginx(folder: Path, cert: Path, key: Path, clients_ca: Path) -> Iterator[Nginx]:
    """Run nginx until the block ends; it answers 502 until the server is there."""
    port, upstream_port = _find_port(), _find_port()
    certificates = _replace(
        _read_block("mutual-tls.md", "## Behind a proxy that ends TLS", "nginx"),
        {"/etc/nginx/clients-ca.pem": str(clients_ca)},
    )
    server = _replace(
        _read_block("https.md", "## Behind nginx", "nginx"),
        {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/ssl/data.example.com.pem": str(cert),
            "/etc/ssl/data.example.com.key": str(key),
            "http://127.0.0.1:8082": f"http://127.0.0.1:{upstream_port}",
        },
    )
    url = f"https://127.0.0.1:{port}"
    settings = _replace(
        _read_block("https.md", "## Behind nginx", "toml"), {"https://data.example.com": url}
    ) + _read_block("mutual-tls.md", "## Behind a proxy that ends TLS", "toml").replace(
        'trusted_proxies = ["127.0.0.1"]\n', ""
    )
    head, location, rest = server.partition("    location / {")
    passed = [line for line in certificates.splitlines() if line.startswith("proxy_set_header")]
    asked = [line for line in certificates.splitlines() if not line.startswith("proxy_set_header")]
    server = "\n".join([head, *asked, location, *passed, rest])
    with run_nginx_with(folder, server):
        yield Nginx(url, upstream_port, settings)


@contextmanager
def run_nginx_with(folder: Path, server: str) -> Iterator[None]:
    """Run nginx with these server and upstream blocks until the block ends."""
    file = folder / "nginx.conf"
    file.write_text(_AROUND.format(folder=folder, server=server))
    process = subprocess.Popen(
        ["nginx", "-p", str(folder), "-c", str(file), "-e", str(folder / "nginx-error.log")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: process.poll() is not None or (folder / "nginx.pid").exists())
        assert process.poll() is None, (folder / "nginx-error.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(10)
