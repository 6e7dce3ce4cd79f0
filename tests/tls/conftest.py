"""A server that asks for certificates, and applications that have some."""

import itertools
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from rowgate.service.admin.policies import TermsChange
from support.certificates import Authority, make_certificate, make_own_certificate, read_certificate_alone, trust
from support.homes import add_application, add_without_secret, administer, make_home
from support.servers import RunningServer, run_server, wait_until

_NUMBERS = itertools.count()
ROWS = "/api/v1/data/SA_ServiceAccounts/rows?limit=1"


@dataclass(frozen=True)
class Site:
    """The server, what its clients need to trust it, and the authority it believes."""

    server: RunningServer
    folder: Path
    server_certificate: Path
    authority: Authority
    marker: tuple[str, str]  # client id and secret of an application that shows how far the server is

    def connect(self, pem: Path | None = None) -> httpx.Client:
        """Give a client with that certificate and key."""
        context = trust(self.server_certificate)
        if pem is not None:
            context.load_cert_chain(pem)
        return httpx.Client(base_url=self.server.url, verify=context)

    def add(self, name: str, **policy: Any) -> str:
        """Register an application; give its client id once the server knows it."""
        client_id = add_without_secret(self.server.settings, name, **policy)
        self.wait_for_changes()
        return client_id

    def wait_for_changes(self) -> None:
        """Return when the server knows what was changed until now: changes come in their order."""
        seconds = 1000 + next(_NUMBERS)
        with administer(self.server.settings) as desks:
            desks.policies.set(self.marker[0], terms=TermsChange(access_lifetime_seconds=seconds))
        with self.connect() as client:
            form = {"grant_type": "client_credentials"}
            wait_until(lambda: client.post("/token", data=form, auth=self.marker).json()["expires_in"] == seconds)

    def refusals(self) -> list[str]:
        """Give the reasons on record, oldest first."""
        return [event["reason"] for event in self.server.events() if event["kind"] in ("token_refused", "rows_refused")]


def ask(client_id: str, **more: str) -> dict[str, str]:
    """Give the form of a client that proves itself by its connection."""
    return {"grant_type": "client_credentials", "client_id": client_id, **more}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def site(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = make_certificate(folder)
    authority = Authority("The Authority")
    settings = make_home(
        folder / "home",
        sample_database,
        tls_cert=str(cert),
        tls_key=str(key),
        tls_client_certificates=True,
        tls_client_ca=str(authority.write(folder / "authority.pem")),
    )
    marker = add_application(settings, "marker")
    with run_server(settings) as server:
        yield Site(server, folder, cert, authority, (marker.application.client_id, marker.client_secret))


@pytest.fixture
def own(site: Site, request: pytest.FixtureRequest) -> tuple[Path, str]:
    """A certificate that signs itself, and the client id of the application that has registered it."""
    pem = make_own_certificate(site.folder, f"own-{request.node.name}")
    client_id = site.add(
        f"own {request.node.name}",
        authentication_methods=("self_signed_tls_client_auth",),
        tls_certificates=read_certificate_alone(pem),
    )
    return pem, client_id


def is_refused_in_handshake(site: Site, pem: Path) -> bool:
    """Tell whether a connection with that certificate comes to nothing."""
    try:
        with site.connect(pem) as client:
            client.get("/healthz")
    except (httpx.TransportError, ssl.SSLError):
        return True
    return False
