"""Certificates that a proxy forwards: believed from a trusted one, and no further than it vouches for (PROTOCOL 52)."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from rowgate.config import ConfigError, load_settings
from rowgate.service.admin.policies import PolicyChange
from rowgate.service.throttle import FREE_FAILURES
from support.certificates import Authority, make_own_certificate, read_certificate_alone
from support.homes import add_application, add_without_secret, make_home
from support.servers import RunningServer, ask_until, run_server
from tls.conftest import ROWS, ask, bearer

HEADER = "X-Client-Cert"


@contextmanager
def serve(home: Path, database: Path, pem: Path, **flags: Any) -> Iterator[tuple[RunningServer, dict[str, str]]]:
    """Serve two applications that know themselves by the certificate: as their own, and by its name."""
    chosen = {"client_certificate_header": HEADER, "trusted_proxies": ("127.0.0.1",), **flags}
    settings = make_home(home, database, **chosen)
    ids = {
        "own": add_without_secret(
            settings,
            "own",
            authentication_methods=("self_signed_tls_client_auth",),
            tls_certificates=read_certificate_alone(pem),
        ),
        "named": add_without_secret(
            settings,
            "named",
            authentication_methods=("tls_client_auth",),
            tls_subject_kind="subject_dn",
            tls_subject="CN=a",
        ),
    }
    with run_server(settings) as server:
        yield server, ids


def write_header(pem: Path, form: str = "url_encoded_pem") -> dict[str, str]:
    der = x509.load_pem_x509_certificate(pem.read_bytes()).public_bytes(Encoding.DER)
    encoded = base64.b64encode(der).decode()
    written = {
        "url_encoded_pem": quote(read_certificate_alone(pem), safe=""),
        "client_cert": f":{encoded}:",
        "base64_der": encoded,
    }
    return {HEADER: written[form]}


@pytest.mark.parametrize("form", ["url_encoded_pem", "client_cert", "base64_der"])
@pytest.mark.number("P52", "RFC 8705 §2")
def test_52_forwarded_certificate_of_a_trusted_proxy(sample_database: Path, tmp_path: Path, form: str) -> None:
    pem = make_own_certificate(tmp_path, "a")
    header = write_header(pem, form)
    with serve(tmp_path / "home", sample_database, pem, client_certificate_format=form) as (server, ids):
        answer = httpx.post(f"{server.url}/token", data=ask(ids["own"]), headers=header)
        assert answer.status_code == 200, answer.text
        token = answer.json()["access_token"]
        assert httpx.get(server.url + ROWS, headers={**header, **bearer(token)}).status_code == 200
        assert httpx.get(server.url + ROWS, headers=bearer(token)).status_code == 401
        assert httpx.get(server.url + ROWS, headers={**bearer(token), HEADER: "garbage"}).status_code == 401
        told = httpx.post(
            f"{server.url}/introspect", data={"client_id": ids["own"], "token": token}, headers=header
        ).json()
        assert told["active"]
        # the proxy has not said that it validates: anybody could have written the name
        assert httpx.post(f"{server.url}/token", data=ask(ids["named"]), headers=header).status_code == 401
        for broken in ("", "garbage", header[HEADER] + "x"):
            refused = httpx.post(f"{server.url}/token", data=ask(ids["own"]), headers={HEADER: broken})
            assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
        document = httpx.get(f"{server.url}/.well-known/oauth-authorization-server").json()
        assert "self_signed_tls_client_auth" in document["token_endpoint_auth_methods_supported"]
        assert "tls_client_auth" not in document["token_endpoint_auth_methods_supported"]
        reasons = {event["reason"] for event in server.events(kind="token_refused")}
    assert {"chain_not_validated", "no_certificate"} <= reasons


def test_proxy_that_validates_makes_names_count(sample_database: Path, tmp_path: Path) -> None:
    pem = Authority("known to the proxy").issue(tmp_path, "a")
    with serve(tmp_path / "home", sample_database, pem, client_certificate_validated=True) as (server, ids):
        answer = httpx.post(f"{server.url}/token", data=ask(ids["named"]), headers=write_header(pem))
    assert answer.status_code == 200


@pytest.mark.number("P119", "RFC 6585 §4")
def test_119_how_a_stranger_is_slowed_down_does_not_tell_who_there_is(sample_database: Path, tmp_path: Path) -> None:
    """With a certificate of its own making, for an application that has none, one that has another, and nobody."""
    pem = make_own_certificate(tmp_path, "a")
    stranger = write_header(make_own_certificate(tmp_path, "stranger"))
    with serve(tmp_path / "home", sample_database, pem) as (server, ids):
        secret = add_application(server.settings, "by its secret").application.client_id
        basic = add_application(server.settings, "later")
        credentials = basic.application.client_id, basic.client_secret
        form = {"grant_type": "client_credentials"}
        ask_until(lambda: httpx.post(f"{server.url}/token", data=form, auth=credentials).status_code == 200)
        server.clock.freeze()
        told = []
        for number, client_id in enumerate((secret, ids["own"], ids["named"], "nobody")):
            headers = {**stranger, "X-Forwarded-For": f"192.0.2.{number}"}
            answers = [httpx.post(f"{server.url}/token", data=ask(client_id), headers=headers) for _ in range(14)]
            told.append([answer.status_code for answer in answers])
        assert told == [[401] * FREE_FAILURES + [429] * 4] * 4


@pytest.mark.number("P52", "RFC 8705 §2")
def test_52_header_of_a_stranger_is_not_looked_at(sample_database: Path, tmp_path: Path) -> None:
    pem = make_own_certificate(tmp_path, "a")
    with serve(tmp_path / "home", sample_database, pem, trusted_proxies=("127.0.0.2",)) as (server, ids):
        answer = httpx.post(f"{server.url}/token", data=ask(ids["own"]), headers=write_header(pem))
        assert answer.status_code == 401
        (refused,) = server.events(kind="token_refused")
    assert refused["reason"] == "no_certificate"


def test_without_the_settings_there_are_no_certificates(sample_database: Path, tmp_path: Path) -> None:
    """An application that is registered for one gets no token, and a token that must be bound is not made."""
    pem = make_own_certificate(tmp_path, "a")
    with serve(tmp_path / "home", sample_database, pem, client_certificate_header="", trusted_proxies=()) as (
        server,
        ids,
    ):
        refused = httpx.post(f"{server.url}/token", data=ask(ids["own"]), headers=write_header(pem))
        assert refused.status_code == 401
        document = httpx.get(f"{server.url}/.well-known/oauth-authorization-server").json()
        assert not any("tls" in method for method in document["token_endpoint_auth_methods_supported"])
        assert document["tls_client_certificate_bound_access_tokens"] is False
        made = add_application(server.settings, "bound", policy=PolicyChange(certificate_bound_tokens=True))
        auth = (made.application.client_id, made.client_secret)
        form = {"grant_type": "client_credentials"}
        answer = ask_until(
            lambda: (
                found if (found := httpx.post(f"{server.url}/token", data=form, auth=auth)).status_code != 401 else None
            )
        )
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"tls_client_certificates": True}, "tls_cert and tls_key"),
        ({"tls_client_ca": "a.pem", "tls_cert": "c", "tls_key": "k"}, "tls_client_certificates"),
        ({"client_certificate_header": HEADER}, "trusted_proxies"),
        ({"client_certificate_format": "pem"}, "client_certificate_format"),
    ],
)
def test_settings_that_do_not_go_together_are_told(tmp_path: Path, flags: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load_settings(tmp_path, {}, flags)
