"""Reads rows of the state into the shapes that the service keeps in memory.

Plain SQL, so that a worker that only follows the state starts without loading SQLAlchemy, which takes longer
than all the rest of its start. The tables are those of `schema.py`; a test holds both together.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from rowgate.oauth.lifetimes import find_end
from rowgate.oauth.model import ORDINARY, Application, ClientPolicy, Secret
from rowgate.ports import StoreError
from rowgate.records import (
    NO_DETAILS,
    GrantPolicy,
    Grants,
    KeptSigningKey,
    KeyMaterial,
    ObjectDetails,
    ObjectSettings,
    Revocation,
)
from rowgate.store.master_key import SEALING, name_signing_purpose, unwrap_key

Run = Callable[[str, Sequence[Any]], Iterable[Any]]  # runs a statement with its values, gives rows

_SECRETS = (
    "SELECT application, number, key_id, name, digest, created_at, expires_at, revoked, kills_tokens, parent, "
    "lineage_began_at, used_at FROM secrets"
)
_decode_details = msgspec.json.Decoder(ObjectDetails).decode
_decode_policy = msgspec.json.Decoder(ClientPolicy).decode
_decode_grant = msgspec.json.Decoder(GrantPolicy).decode
_GRANTS = "SELECT application, object, policy FROM grants"
_APPLICATIONS = (
    "SELECT number, client_id, name, enabled, epoch, scope, refresh_tokens, access_lifetime_seconds, "
    "refresh_lifetime_seconds, created_at, policy FROM applications"
)
_OBJECTS = "SELECT name, blocked, block_reason, run_key, details FROM objects"
_SIGNING_KEYS = (
    "SELECT kid, algorithm, wrapped, created_at, not_before, retired_at, forget_at FROM signing_keys ORDER BY kid"
)
_REVOCATIONS = "SELECT handle, forget_at FROM revocations"


def load_sequence(run: Run) -> int:
    """Give the number of the newest change, 0 before the first."""
    ((newest,),) = run("SELECT max(sequence) FROM changes", ())
    return int(newest or 0)


def load_grants(run: Run, application_number: int | None = None, *, max_secret_seconds: int = 0) -> Iterator[Grants]:
    """Give applications with their secrets and granted objects, in order of name; None: all of them.

    Secrets end as the server's maximum says where that is sooner than they were made to: so everybody who reads them,
    a worker, a transaction or a command, sees one end.
    """
    of_application, which = "", ""
    values: tuple[int, ...] = ()
    if application_number is not None:
        of_application, which, values = " WHERE application = ?", " WHERE number = ?", (application_number,)
    held: dict[int, list[Secret]] = {}
    for application, number, key_id, name, digest, created_at, expires_at, revoked, kills, *line in run(
        f"{_SECRETS}{of_application} ORDER BY number", values
    ):
        ends_at = find_end(expires_at, created_at, max_secret_seconds)
        held.setdefault(application, []).append(
            Secret(number, key_id, name, digest, created_at, ends_at, bool(revoked), bool(kills), *line)
        )
    allowed: dict[int, list[str]] = {}
    policies: dict[int, dict[str, GrantPolicy]] = {}
    for application, name, policy in run(_GRANTS + of_application, values):
        allowed.setdefault(application, []).append(name)
        if policy != "{}":
            policies.setdefault(application, {})[name] = _decode_grant(policy)
    for row in run(f"{_APPLICATIONS}{which} ORDER BY name", values):
        number, client_id, name, enabled, epoch, scope, refresh_tokens, access_lifetime, refresh_lifetime, *rest = row
        created, policy = rest
        application = Application(
            number=number,
            client_id=client_id,
            name=name,
            enabled=bool(enabled),
            epoch=epoch,
            scope=tuple(scope.split(" ")),
            refresh_tokens=bool(refresh_tokens),
            access_lifetime_seconds=access_lifetime,
            refresh_lifetime_seconds=refresh_lifetime,
            created_at=created,
            secrets=tuple(held.get(number, ())),
            policy=ORDINARY if policy == "{}" else _decode_policy(policy),
        )
        yield Grants(application, frozenset(allowed.get(number, ())), policies.get(number, {}))


def load_objects(run: Run) -> Iterator[ObjectSettings]:
    """Give the objects for which anything is set, in order of name."""
    named: dict[str, list[str]] = {}
    for alias, name in run("SELECT alias, object FROM aliases ORDER BY alias", ()):
        named.setdefault(name, []).append(alias)
    for name, blocked, block_reason, run_key, details in run(f"{_OBJECTS} ORDER BY name", ()):
        found = tuple(named.get(name, ()))
        yield ObjectSettings(name, bool(blocked), block_reason, found, run_key, _read_details(details))


def load_object(run: Run, name: str) -> ObjectSettings:
    """Give what is set for one object; the defaults when nothing is."""
    for _, blocked, block_reason, run_key, details in run(f"{_OBJECTS} WHERE name = ?", (name,)):
        aliases = tuple(alias for (alias,) in run("SELECT alias FROM aliases WHERE object = ? ORDER BY alias", (name,)))
        return ObjectSettings(name, bool(blocked), block_reason, aliases, run_key, _read_details(details))
    return ObjectSettings(name)


def _read_details(details: str) -> ObjectDetails:
    return NO_DETAILS if details == "{}" else _decode_details(details)


def load_revocations(run: Run, handle: bytes | None = None) -> Iterator[Revocation]:
    """Give dead tokens and families; None: all of them."""
    rows = run(_REVOCATIONS, ()) if handle is None else run(f"{_REVOCATIONS} WHERE handle = ?", (handle,))
    for found, forget_at in rows:
        yield Revocation(found, forget_at)


def load_keys(run: Run, master_key: bytes) -> KeyMaterial:
    """Give every key, opened.

    Raises:
        StoreError: There are none, or the master key does not open them.
    """
    sealing: dict[int, bytes] = {}
    created: dict[int, int] = {}
    digest = b""
    for number, purpose, wrapped, created_at in run("SELECT number, purpose, wrapped, created_at FROM keys", ()):
        key = unwrap_key(master_key, purpose, wrapped)
        if purpose == SEALING:
            sealing[number], created[number] = key, created_at
        else:
            digest = key
    if not sealing or not digest:
        raise StoreError("the state holds no keys: restore it from a backup")
    signing = tuple(
        KeptSigningKey(kid, algorithm, unwrap_key(master_key, name_signing_purpose(kid), wrapped), *times)
        for kid, algorithm, wrapped, *times in run(_SIGNING_KEYS, ())
    )
    return KeyMaterial(sealing, digest, created, signing)
