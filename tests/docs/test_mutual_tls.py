"""The page on certificates, walked as a reader would: its lines, in their order, against a real server."""

import tomllib
from pathlib import Path

import pytest

from docs.test_walkthrough import CHECKOUT, Reader, find_blocks
from rowgate.config import CONFIG_NAME, load_settings
from support.certificates import Authority, make_certificate
from support.homes import administer, make_home
from support.servers import run_server

_PAGE = "docs/how-to/mutual-tls.md"
_REGISTER, _USE, _PROXY = (
    "## Register a certificate",
    "## Get a token and rows",
    "## Behind a proxy that ends TLS",
)


@pytest.mark.slow
def test_page_on_certificates_does_what_it_says(sample_database: Path, tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    authority = Authority("clients").write(tmp_path / "clients-ca.pem")
    ((_, asking),) = find_blocks(_PAGE, "## Have the server ask for certificates", _REGISTER)
    asked = tomllib.loads(asking.replace("/etc/rowgate/clients-ca.pem", str(authority)))
    settings = make_home(tmp_path / "home", sample_database, tls_cert=str(cert), tls_key=str(key), **asked)
    (settings.home / CONFIG_NAME).write_text(f'database = "sqlite:///{sample_database}"\n', "utf-8")
    administrator, reader = Reader(tmp_path), Reader(tmp_path)
    administrator.environment["ROWGATE_HOME"] = str(settings.home)
    (register,) = find_blocks(_PAGE, _REGISTER, _USE)
    administrator.paste(register[1])
    with administer(settings) as desks:
        client_id = desks.applications.load("payroll")[0].client_id
    use, bind = find_blocks(_PAGE, _USE, _PROXY)
    with run_server(settings) as server:
        reader.environment |= {"URL": server.url, "ID": client_id}
        said = reader.paste(use[1])
    assert said.count('"UserId"') == 1
    assert "invalid_token" in said
    assert "bound to another certificate" in said
    administrator.paste(bind[1])


def test_settings_for_a_proxy_are_settings(tmp_path: Path) -> None:
    text = (CHECKOUT / _PAGE).read_text("utf-8")
    block = text[text.index(_PROXY) :].split("```toml\n")[1].split("```")[0]
    assert load_settings(tmp_path, {}, tomllib.loads(block)).knows_certificate_names
