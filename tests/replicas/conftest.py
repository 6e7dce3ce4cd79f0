"""Two servers in processes of their own, with homes of their own, over one state in PostgreSQL."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from rowgate.config import Settings
from support.client_keys import ClientKey
from support.homes import add_application
from support.postgres import PostgresServer
from support.replicas import PUBLIC_URL, make_replicas
from support.servers import ServerProcess, serve_process, wait_until

AT_ONCE = 16
OBJECT = "SA_ServiceAccounts"
TOKEN = "/api/v1/token"
ISSUER = "https://platform.example"

_number = count()
_T = TypeVar("_T")


@dataclasses.dataclass
class Replicas:
    """Both servers, and what an administrator at the first one's home does."""

    settings: Settings
    servers: tuple[ServerProcess, ServerProcess]
    platform: ClientKey  # of the issuer that is trusted

    @property
    def urls(self) -> tuple[str, str]:
        return self.servers[0].url, self.servers[1].url

    def add(self, name: str, **options: Any) -> tuple[str, str]:
        """Register an application and give its client id and secret, when both replicas know it."""
        made = add_application(self.settings, name, (OBJECT,), **options)
        basic = made.application.client_id, made.client_secret
        self.wait_for(lambda url: self.ask(url, basic).status_code == 200)
        return basic

    def catch_up(self) -> None:
        """Wait until both know all that was changed before: they do when they know of what comes after it."""
        self.add(f"later {next(_number)}")

    def ask(self, url: str, basic: tuple[str, str], **form: str) -> httpx.Response:
        return httpx.post(url + TOKEN, auth=basic, data={"grant_type": "client_credentials", **form}, timeout=30)

    def read(self, url: str, token: str) -> int:
        bearer = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{url}/api/v1/data/{OBJECT}/rows?limit=1", headers=bearer, timeout=30).status_code

    def wait_for(self, holds: Callable[[str], bool], *, seconds: float = 5.0) -> None:
        """Wait until something holds at both; not so often that who asks too soon is slowed down."""
        wait_until(lambda: all(holds(url) for url in self.urls), seconds=seconds, every_seconds=0.1)

    def at_once(self, send: Callable[[str], _T]) -> Sequence[_T]:
        """Do the same at both from many threads."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(send, self.urls * (AT_ONCE // 2)))


@pytest.fixture(scope="module")
def replicas(
    sample_database: Path,
    tmp_path_factory: pytest.TempPathFactory,
    postgres: PostgresServer,
    state_database: str,
) -> Iterator[Replicas]:
    """One pair for each module of tests."""
    folder = tmp_path_factory.mktemp("replicas")
    platform = ClientKey("RS256", "platform")
    (folder / "platform.json").write_text(platform.jwks, "utf-8")
    issuer = {
        "name": "platform",
        "issuer": ISSUER,
        "audience": PUBLIC_URL,
        "jwks_file": str(folder / "platform.json"),
        "single_use": True,
    }
    one, two = make_replicas(
        folder, sample_database, postgres, state_database, client_registration=True, trusted_issuers=[issuer]
    )
    with serve_process(one.home) as first, serve_process(two.home) as second:
        yield Replicas(one, (first, second), platform)
