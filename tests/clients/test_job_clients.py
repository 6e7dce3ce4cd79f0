"""A job that signs in with its platform's token, by a client that nobody here wrote: Authlib's assertion client."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AssertionClient

from rowgate.oauth.workload_rules import ClaimRule
from rowgate.service.admin.policies import PolicyChange
from support.client_keys import ClientKey
from support.homes import administer, make_home
from support.servers import RunningServer, run_server

VIEW = "SA_ADInventory_UsersView"
ISSUER, AUDIENCE = "https://token.actions.githubusercontent.com", "https://data.example.com"
PLATFORM = ClientKey("RS256", "platform")
CLAIMS = {"repository": "acme/reports", "ref": "refs/heads/main"}


@pytest.fixture(scope="module")
def server(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that believes a platform, and an application that one of its jobs is."""
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "platform.json").write_text(PLATFORM.jwks, "utf-8")
    issuer = {"name": "github", "issuer": ISSUER, "audience": AUDIENCE, "jwks_file": str(folder / "platform.json")}
    settings = make_home(folder / "home", sample_database, trusted_issuers=[{**issuer, "single_use": True}])
    with administer(settings) as desks:
        desks.applications.add_with_key(
            "nightly",
            (VIEW,),
            scope="read",
            refresh_tokens=False,
            access_lifetime_seconds=None,
            refresh_lifetime_seconds=None,
            policy=PolicyChange(),
            for_jobs=True,
        )
        desks.workloads.add("nightly", "github", [ClaimRule((name,), (text,)) for name, text in CLAIMS.items()])
    with run_server(settings) as running:
        yield running


@contextmanager
def job(server: RunningServer, **claims: str) -> Iterator[Any]:
    """Give the client of a job of the platform."""
    with AssertionClient(
        token_endpoint=f"{server.url}/api/v1/token",
        issuer=ISSUER,
        subject="repo:acme/reports:ref:refs/heads/main",
        audience=AUDIENCE,
        grant_type=AssertionClient.JWT_BEARER_GRANT_TYPE,
        claims={**CLAIMS, **claims},
        key=PLATFORM.private,
        header={"alg": "RS256", "kid": PLATFORM.key_id},
        base_url=server.url,
    ) as client:
        yield client


def test_a_job_reads_rows_without_a_secret(server: RunningServer) -> None:
    """The client asks for its token by itself, with the first request for rows."""
    with job(server) as client:
        rows = client.get(f"/api/v1/data/{VIEW}/rows", params={"limit": 2})
        assert (rows.status_code, len(rows.json())) == (200, 2)
    (event,) = server.events(kind="token_issued")
    assert (event["application"], event["workload"].startswith("github")) == ("nightly", True)


def test_another_job_of_the_platform_is_nobody(server: RunningServer) -> None:
    with job(server, ref="refs/pull/7/merge") as client, pytest.raises(OAuthError) as refused:
        client.get(f"/api/v1/data/{VIEW}/rows")
    assert refused.value.error == "invalid_grant"
