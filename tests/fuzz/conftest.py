"""What a hostile client sends at length: `make fuzz` for two minutes, the whole suite for a few seconds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from fuzz.wire import World
from rowgate.service.admin.policies import PolicyChange
from support.client_keys import ClientKey
from support.homes import add_application, administer, make_home
from support.servers import run_server

settings.register_profile("fuzz", max_examples=400, deadline=None)
YEARS_10 = 10 * 365 * 86_400


@pytest.fixture(scope="module")
def world(sample_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server, an application with a secret, and one with a key; in the end nothing secret is on record."""
    home = make_home(
        tmp_path_factory.mktemp("fuzz") / "home",
        sample_database,
        max_rows_body_bytes=65_536,
        client_registration=True,
    )
    key = ClientKey("ES256")
    with run_server(home) as server:
        expires_at = int(server.clock()) + YEARS_10
        made = add_application(
            home,
            "fuzzed",
            secret_expires_at=expires_at,
            access_lifetime_seconds=86_400,
            policy=PolicyChange(token_exchange=True),
        )
        with administer(home) as desks:
            signing, _ = desks.applications.add_with_key(
                "signs",
                ("*",),
                scope="read",
                refresh_tokens=True,
                access_lifetime_seconds=86_400,
                refresh_lifetime_seconds=604_800,
                policy=PolicyChange(authentication_methods=("private_key_jwt",), jwks=key.jwks),
            )
        world = World(server, made.application.client_id, made.client_secret, signing.client_id, key)
        world.wait()
        yield world
        world.close()
        told = [str(event) for event in server.events()]
        assert told
        assert not [text for text in told for secret in world.secrets if secret in text]
