"""Mutual TLS on a real server: who a certificate is, and which tokens are bound to it (RFC 8705, PROTOCOL 52, 84)."""

import json
import shutil
import socket
import ssl
import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509

from rowgate.service.admin.policies import PolicyChange
from support.certificates import Authority, make_own_certificate, read_certificate_alone, trust
from support.homes import add_application, administer
from support.servers import ask_until, wait_until
from tls.conftest import ROWS, Site, ask, bearer, is_refused_in_handshake

OWN, BY_NAME = ("self_signed_tls_client_auth",), ("tls_client_auth",)


@pytest.mark.number("P52", "RFC 8705 §2")
def test_52_own_certificate_gets_tokens_that_are_bound_to_it(site: Site, own: tuple[Path, str]) -> None:
    pem, client_id = own
    with site.connect(pem) as client:
        answer = client.post("/token", data=ask(client_id))
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        assert client.get(ROWS, headers=bearer(tokens["access_token"])).status_code == 200
        told = client.post("/introspect", data={"client_id": client_id, "token": tokens["access_token"]}).json()
        refreshed = client.post(
            "/token",
            data={"grant_type": "refresh_token", "client_id": client_id, "refresh_token": tokens["refresh_token"]},
        )
        assert client.get(ROWS, headers=bearer(refreshed.json()["access_token"])).status_code == 200
    (issued, _) = (event for event in site.server.events(kind="token_issued") if event["client_id"] == client_id)
    assert told["cnf"] == {"x5t#S256": issued["key_id"]}


@pytest.mark.number("P52", "RFC 8705 §2")
def test_52_without_a_certificate_nobody_is_that_client(site: Site, own: tuple[Path, str]) -> None:
    other = site.authority.issue(site.folder, "somebody else")
    for pem, reason in ((None, "no_certificate"), (other, "other_certificate")):
        with site.connect(pem) as client:
            answer = client.post("/token", data=ask(own[1]))
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert site.refusals()[-1] == reason


@pytest.mark.number("P31", "RFC 6749 §5.2")
def test_answer_does_not_tell_who_has_a_certificate(site: Site, own: tuple[Path, str]) -> None:
    """An application that has one, one that has a secret, and nobody: byte for byte alike but for the request's id."""
    for pem in (None, site.authority.issue(site.folder, "curious")):
        with site.connect(pem) as client:
            answers = [client.post("/token", data=ask(client_id)) for client_id in (own[1], site.marker[0], "nobody")]
        told = [answer.text.replace(answer.headers["x-request-id"], "") for answer in answers]
        assert {answer.status_code for answer in answers} == {401}
        assert len(set(told)) == 1


def test_bound_token_without_its_certificate_is_refused(site: Site, own: tuple[Path, str]) -> None:
    """RFC 8705 §3; a thief has the token, and perhaps a certificate of its own."""
    pem, client_id = own
    with site.connect(pem) as client:
        token = client.post("/token", data=ask(client_id)).json()["access_token"]
    for other in (None, site.authority.issue(site.folder, "thief")):
        with site.connect(other) as client:
            answer = client.get(ROWS, headers=bearer(token))
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert site.refusals()[-1] == "other_certificate"


def test_certificate_of_nobody_does_not_get_through_the_handshake(site: Site) -> None:
    assert is_refused_in_handshake(site, make_own_certificate(site.folder, "stranger"))
    assert is_refused_in_handshake(site, Authority("Another Authority").issue(site.folder, "stranger"))
    assert not is_refused_in_handshake(site, site.authority.issue(site.folder, "known"))


@pytest.mark.parametrize(
    ("kind", "subject"),
    [("subject_dn", "CN=reports"), ("san_dns", "Reports.example"), ("san_uri", "spiffe://example/reports")],
)
@pytest.mark.number("P52", "RFC 8705 §2")
def test_52_name_in_a_certificate_of_the_authority(site: Site, kind: str, subject: str) -> None:
    client_id = site.add(f"named {kind}", authentication_methods=BY_NAME, tls_subject_kind=kind, tls_subject=subject)
    names = (x509.DNSName("reports.example"), x509.UniformResourceIdentifier("spiffe://example/reports"))
    for pem, status in (
        (site.authority.issue(site.folder, "reports", *names), 200),
        (site.authority.issue(site.folder, "reports2", x509.DNSName("reports.example.org")), 401),
    ):
        with site.connect(pem) as client:
            assert client.post("/token", data=ask(client_id)).status_code == status
    assert site.refusals()[-1] == "other_subject"


def test_name_written_by_a_registered_certificate_is_nobodys(site: Site) -> None:
    """An application's own certificate may call itself an authority: what it signs passes OpenSSL, and no further."""
    victim = site.add("victim", authentication_methods=BY_NAME, tls_subject_kind="subject_dn", tls_subject="CN=victim")
    forger = Authority("The Forger")
    site.add(
        "forger",
        authentication_methods=OWN,
        tls_certificates=read_certificate_alone(_write_own(site, forger)),
    )
    forged = forger.issue(site.folder, "victim")
    wait_until(lambda: not is_refused_in_handshake(site, forged))
    with site.connect(forged) as client:
        assert client.post("/token", data=ask(victim)).status_code == 401
    assert site.refusals()[-1] == "chain_not_validated"
    with site.connect(site.authority.issue(site.folder, "victim")) as client:
        assert client.post("/token", data=ask(victim)).status_code == 200


def _write_own(site: Site, maker: Authority) -> Path:
    return maker.write(site.folder / "forger.pem")


def test_registered_certificate_of_another_maker_is_its_own_anchor(site: Site) -> None:
    """A name in it still says nothing: its maker is no authority here."""
    maker = Authority("Unknown here")
    pem = maker.issue(site.folder, "made elsewhere")
    own = site.add("elsewhere", authentication_methods=OWN, tls_certificates=read_certificate_alone(pem))
    named = site.add(
        "by name", authentication_methods=BY_NAME, tls_subject_kind="subject_dn", tls_subject="CN=made elsewhere"
    )
    wait_until(lambda: not is_refused_in_handshake(site, pem))
    with site.connect(pem) as client:
        assert client.post("/token", data=ask(own)).status_code == 200
        assert client.post("/token", data=ask(named)).status_code == 401
    assert is_refused_in_handshake(site, maker.issue(site.folder, "made elsewhere"))


def test_bound_token_is_exchanged_on_its_own_connection_only(site: Site) -> None:
    """What comes out is bound as the subject token is (RFC 8693, RFC 8705 §3)."""
    pem, other = (make_own_certificate(site.folder, name) for name in ("exchanging", "exchanging too"))
    client_id = site.add(
        "exchanging",
        authentication_methods=OWN,
        tls_certificates=read_certificate_alone(pem) + read_certificate_alone(other),
        token_exchange=True,
    )
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "client_id": client_id,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    with site.connect(pem) as client, site.connect(other) as elsewhere:
        form["subject_token"] = client.post("/token", data=ask(client_id)).json()["access_token"]
        assert elsewhere.post("/token", data=form).status_code == 400
        token = client.post("/token", data=form).json()["access_token"]
        assert client.get(ROWS, headers=bearer(token)).status_code == 200
        assert elsewhere.get(ROWS, headers=bearer(token)).status_code == 401


def test_new_certificate_comes_through_without_a_restart(site: Site, own: tuple[Path, str]) -> None:
    """And one that is no longer registered is nobody's, though OpenSSL lets it pass."""
    old, client_id = own
    new = make_own_certificate(site.folder, "the next")
    with administer(site.server.settings) as desks:
        desks.policies.set(client_id, PolicyChange(tls_certificates=read_certificate_alone(new)))
    wait_until(lambda: not is_refused_in_handshake(site, new))
    with site.connect(new) as client:
        assert client.post("/token", data=ask(client_id)).status_code == 200
    with site.connect(old) as client:
        assert client.post("/token", data=ask(client_id)).status_code == 401


@pytest.mark.number("P84", "RFC 8705 §4")
def test_84_refresh_with_another_certificate_is_refused(site: Site) -> None:
    """Both certificates are the client's own: the family is bound to the one that began it."""
    first, second = (make_own_certificate(site.folder, name) for name in ("first", "second"))
    both = read_certificate_alone(first) + read_certificate_alone(second)
    client_id = site.add("two", authentication_methods=OWN, tls_certificates=both)
    with site.connect(first) as client:
        token = client.post("/token", data=ask(client_id)).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": token}
    with site.connect(second) as client:
        answer = client.post("/token", data=form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert client.post("/token", data=ask(client_id)).status_code == 200
    with site.connect(first) as client:
        assert client.post("/token", data=form).status_code == 200


def test_client_with_a_secret_may_have_bound_tokens(site: Site) -> None:
    """RFC 8705 §3.4: then each token request needs a certificate, whosever it is."""
    made = add_application(site.server.settings, "bound", policy=PolicyChange(certificate_bound_tokens=True))
    auth = (made.application.client_id, made.client_secret)
    pem = site.authority.issue(site.folder, "any")
    form = {"grant_type": "client_credentials"}
    with site.connect(pem) as client:
        ask_until(lambda: client.post("/token", data=form, auth=auth).status_code == 200)
        tokens = client.post("/token", data=form, auth=auth).json()
        assert client.get(ROWS, headers=bearer(tokens["access_token"])).status_code == 200
    with site.connect() as client:
        assert client.get(ROWS, headers=bearer(tokens["access_token"])).status_code == 401
        answer = client.post("/token", data=form, auth=auth)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        assert client.post("/token", data=refresh, auth=auth).status_code == 400


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_resumed_session_is_still_its_clients(site: Site, version: ssl.TLSVersion) -> None:
    client_id = site.add(
        f"resumed {version.name}", authentication_methods=BY_NAME, tls_subject_kind="subject_dn", tls_subject="CN=again"
    )
    context = trust(site.server_certificate)
    context.load_cert_chain(site.authority.issue(site.folder, "again"))
    context.minimum_version = context.maximum_version = version
    address = urlsplit(site.server.url)
    body = f"grant_type=client_credentials&client_id={client_id}"
    request = (
        f"POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    )
    session: ssl.SSLSession | None = None
    reused = []
    for _ in range(3):
        plain = socket.create_connection((address.hostname or "", address.port or 0))
        with closing(context.wrap_socket(plain, server_hostname="127.0.0.1", session=session)) as connection:
            connection.sendall(request.encode())
            answer = b""
            while part := connection.recv(65_536):
                answer += part
            session = connection.session
            reused.append(connection.session_reused)
        assert answer.startswith(b"HTTP/1.1 200"), answer
    assert reused[-1]


def test_metadata_tells_what_is_on(site: Site) -> None:
    with site.connect() as client:
        document = client.get("/.well-known/oauth-authorization-server").json()
        resource = client.get("/.well-known/oauth-protected-resource").json()
    assert document["tls_client_certificate_bound_access_tokens"] is True
    assert resource["tls_client_certificate_bound_access_tokens"] is True  # RFC 9728 §2: false where it is left out
    assert document["token_endpoint_auth_methods_supported"][-2:] == ["tls_client_auth", *OWN]


def test_curl_with_a_certificate(site: Site, own: tuple[Path, str]) -> None:
    curl = shutil.which("curl")
    assert curl, "the tests need curl"
    said = subprocess.run(
        [
            *(curl, "-sS", "--fail", "--cacert", site.server_certificate, "--cert", own[0]),
            *("-d", f"grant_type=client_credentials&client_id={own[1]}", f"{site.server.url}/token"),
        ],
        capture_output=True,
        check=True,
    )
    assert json.loads(said.stdout)["token_type"] == "bearer"


def test_certificate_that_calls_itself_as_the_authority_keeps_nobody_out(site: Site) -> None:
    """Registered by one application, under the authority's own name: whom the authority stands for gets through."""
    issued = site.authority.issue(site.folder, "named-beside-a-namesake")
    named = site.add(
        "named beside a namesake",
        authentication_methods=("tls_client_auth",),
        tls_subject_kind="subject_dn",
        tls_subject="CN=named-beside-a-namesake",
    )
    namesake = make_own_certificate(site.folder, "The Authority")
    site.add(
        "namesake",
        authentication_methods=("self_signed_tls_client_auth",),
        tls_certificates=read_certificate_alone(namesake),
    )
    with site.connect(issued) as client:
        assert client.post("/token", data=ask(named)).status_code == 200
