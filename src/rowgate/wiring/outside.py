"""What a worker has to do with other hosts: the keys of others, the platforms that are believed."""

from dataclasses import dataclass

from rowgate.config import ConfigError, Settings
from rowgate.oauth.jwk_set import UnusableJwkSet
from rowgate.oauth.workload import TrustedIssuer
from rowgate.outgoing.client import OutgoingClient
from rowgate.ports import Clock
from rowgate.service.remote_keys import RemoteKeys
from rowgate.service.state import LiveState
from rowgate.service.webhook import Webhook
from rowgate.service.workloads import Workloads
from rowgate.trusted_issuers import IssuerSettings
from rowgate.wiring.opening import find_call_problem, open_outgoing
from rowgate.wiring.webhooks import load_webhook


@dataclass(frozen=True, slots=True)
class Outside:
    """Everything that calls out, to be stopped together."""

    http: OutgoingClient
    keys: RemoteKeys
    workloads: Workloads
    webhook: Webhook | None

    async def stop(self) -> None:
        """End every call."""
        await self.keys.stop()
        self.http.close()


def open_outside(settings: Settings, state: LiveState, *, clock: Clock) -> Outside:
    """Give the ways to other hosts; nothing is called yet.

    Raises:
        ConfigError: A host of the settings is none, a trusted issuer would trust nothing or too much, its keys may not
            be asked for, or the webhook cannot be called.
    """
    check_trusted_issuers(settings)
    http = open_outgoing(settings)
    keys = RemoteKeys(http, clock=clock)
    try:
        workloads = Workloads(read_trusted_issuers(settings), state, keys, clock=clock)
    except UnusableJwkSet as error:
        raise ConfigError(f"trusted_issuers: {error}") from error
    return Outside(http, keys, workloads, load_webhook(settings, http))


def check_trusted_issuers(settings: Settings) -> None:
    """Refuse platforms whose tokens could never be checked; nothing is called.

    Raises:
        ConfigError: As `read_trusted_issuers`; or the address of a platform's keys may not be called.
    """
    read_trusted_issuers(settings)
    for table in settings.trusted_issuers:
        if table.jwks_uri and (reason := find_call_problem(settings, table.jwks_uri)):
            raise ConfigError(
                f"trusted_issuers, {table.name}: its keys may not be asked for ({reason}): jwks_uri is https, and its "
                "host stands in outgoing_hosts or outgoing_private_hosts"
            )


def read_trusted_issuers(settings: Settings) -> tuple[TrustedIssuer, ...]:
    """Give the platforms of the settings, with the keys that stand in files; a file's path begins at the home.

    Raises:
        ConfigError: A table that would trust nothing, or more than it says, or whose file cannot be read.
    """
    return tuple(_read_trusted_issuer(settings, table) for table in settings.trusted_issuers)


def _read_trusted_issuer(settings: Settings, table: IssuerSettings) -> TrustedIssuer:
    try:
        return TrustedIssuer(
            table.name,
            table.audience,
            issuer=table.issuer or None,
            spiffe_trust_domain=table.spiffe_trust_domain or None,
            jwks=(settings.home / table.jwks_file).read_bytes() if table.jwks_file else None,
            jwks_uri=table.jwks_uri or None,
            algorithms=frozenset(table.algorithms),
            max_age_seconds=table.max_age_seconds,
            single_use=table.single_use,
        )
    except (OSError, ValueError) as error:
        raise ConfigError(f"trusted_issuers, {table.name}: {error}") from error
