"""Clients in Python that sign: the pages of docs/how-to as their readers run them, and Authlib as an oracle."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import KeySet

from rowgate.service.admin.policies import PolicyChange
from support.client_keys import ClientKey
from support.homes import add_application, administer
from support.servers import RunningServer, ask_until, fetch_token

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
VIEW = "SA_ADInventory_UsersView"
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TERMS: dict[str, Any] = {
    "scope": "read",
    "refresh_tokens": True,
    "access_lifetime_seconds": 3600,
    "refresh_lifetime_seconds": 604_800,
}


def list_examples(page: str) -> list[str]:
    """Give the Python blocks of a page."""
    return _PYTHON.findall((HOW_TO / page).read_text("utf-8"))


def run_example(block: str, folder: Path, **environment: str) -> str:
    """Run a block as a reader does, warnings being errors; give what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-c", block],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def add_keyed(server: RunningServer, name: str, jwks: str) -> str:
    """Register an application with a key and no secret; give its client id when the server knows it."""
    policy = PolicyChange(authentication_methods=("private_key_jwt",), jwks=jwks)
    with administer(server.settings) as desks:
        application, _ = desks.applications.add_with_key(name, (VIEW,), policy=policy, **_TERMS)
    wait_for(server, application.client_id)
    return application.client_id


def wait_for(server: RunningServer, client_id: str) -> None:
    """Wait until the server knows a client: what it refuses is then no longer that."""

    def is_known() -> bool:
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": "wrong"}
        request_id = httpx.post(f"{server.url}/api/v1/token", data=form).headers["x-request-id"]
        (event,) = [event for event in server.events() if event.get("request_id") == request_id]
        return bool(event["reason"] != "unknown_client")

    ask_until(is_known)


def test_page_on_keys_does_what_it_says(server: RunningServer, tmp_path: Path) -> None:
    make, use = list_examples("sign-in-with-a-key.md")
    run_example(make, tmp_path)
    assert (tmp_path / "private.json").stat().st_mode & 0o077 == 0
    client_id = add_keyed(server, "page-on-keys", (tmp_path / "public.json").read_text("utf-8"))
    assert "DisplayName" in run_example(use, tmp_path, URL=server.url, ID=client_id)
    issued = [event for event in server.events() if event.get("client_id") == client_id and "key_id" in event]
    assert issued[-1]["key_id"] == "2027-01"


def test_page_on_signed_tokens_does_what_it_says(server: RunningServer, tmp_path: Path) -> None:
    (use,) = list_examples("jwt-access-tokens.md")
    policy = PolicyChange(access_token_format="jwt", access_token_algorithm="ES256")
    made = add_application(server.settings, "page-on-tokens", (VIEW,), policy=policy)
    client_id = made.application.client_id
    wait_for(server, client_id)
    assert run_example(use, tmp_path, URL=server.url, ID=client_id, SECRET=made.client_secret) == f"{client_id} read\n"


@pytest.mark.parametrize("policy", [PolicyChange(), PolicyChange(dpop_bound_tokens=True)], ids=["free", "bound"])
def test_page_on_dpop_does_what_it_says(server: RunningServer, tmp_path: Path, policy: PolicyChange) -> None:
    (use,) = list_examples("dpop.md")
    made = add_application(server.settings, f"page-on-dpop-{policy.dpop_bound_tokens}", (VIEW,), policy=policy)
    client_id = made.application.client_id
    wait_for(server, client_id)
    said = run_example(use, tmp_path, URL=server.url, ID=client_id, SECRET=made.client_secret)
    assert said.startswith("DPoP [{")


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_authlib_signs_in_reads_and_refreshes(server: RunningServer, algorithm: str) -> None:
    key = ClientKey(algorithm)
    client_id = add_keyed(server, f"authlib-{algorithm}", key.jwks)
    token_url = f"{server.url}/api/v1/token"
    with OAuth2Client(client_id, key.key, token_endpoint_auth_method="private_key_jwt") as client:
        client.register_client_auth_method(PrivateKeyJWT(server.url, headers={"kid": key.key_id}, alg=algorithm))
        tokens = client.fetch_token(token_url, grant_type="client_credentials")
        assert tokens["client_secret_expires_at"] == 0
        rows = client.get(f"{server.url}/api/v1/data/{VIEW}/rows", params={"limit": "2"})
        assert len(rows.json()) == 2
        again = client.refresh_token(token_url, refresh_token=tokens["refresh_token"])
        assert again["access_token"] != tokens["access_token"]


class _Validator(JWTBearerTokenValidator):  # type: ignore[misc]
    """Authlib's resource server, which knows an issuer and its published keys."""

    def get_jwks(self) -> Any:
        return KeySet.import_key_set(httpx.get(f"{self.issuer}/.well-known/jwks.json").json())


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_authlib_takes_our_token_for_one_of_the_standard(server: RunningServer, algorithm: Any) -> None:
    policy = PolicyChange(access_token_format="jwt", access_token_algorithm=algorithm)
    made = add_application(server.settings, f"authlib-checks-{algorithm}", (VIEW,), policy=policy)
    wait_for(server, made.application.client_id)
    token = fetch_token(server.url, made.application.client_id, made.client_secret)["access_token"]
    validator = _Validator(issuer=server.url, resource_server=server.url)
    claims = validator.authenticate_token(token)
    validator.validate_token(claims, ["read"], None)
    assert claims["client_id"] == made.application.client_id
