"""Reads rows of the state into the shapes that the service keeps in memory."""

from collections.abc import Collection, Iterator

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from rowgate.oauth.model import Application, Secret
from rowgate.service.model import Grants, ObjectSettings, Revocation
from rowgate.store.schema import aliases, applications, changes, grants, objects, revocations, secrets


def load_sequence(connection: Connection) -> int:
    """Give the number of the newest change, 0 before the first."""
    return int(connection.execute(sa.select(sa.func.max(changes.c.sequence))).scalar() or 0)


def load_grants(connection: Connection, numbers: Collection[int] | None = None) -> Iterator[Grants]:
    """Give applications with their secrets and granted objects, in order of name; None: all of them."""
    which_application: ColumnElement[bool] = sa.true()
    which_secrets: ColumnElement[bool] = sa.true()
    which_grants: ColumnElement[bool] = sa.true()
    if numbers is not None:
        which_application = applications.c.number.in_(numbers)
        which_secrets = secrets.c.application.in_(numbers)
        which_grants = grants.c.application.in_(numbers)
    held: dict[int, list[Secret]] = {}
    for row in connection.execute(sa.select(secrets).where(which_secrets).order_by(secrets.c.number)):
        held.setdefault(row.application, []).append(
            Secret(
                number=row.number,
                key_id=row.key_id,
                name=row.name,
                digest=row.digest,
                created_at=row.created_at,
                expires_at=row.expires_at,
                revoked=row.revoked,
                kills_tokens=row.kills_tokens,
            )
        )
    allowed: dict[int, list[str]] = {}
    for number, name in connection.execute(sa.select(grants.c.application, grants.c.object).where(which_grants)):
        allowed.setdefault(number, []).append(name)
    for row in connection.execute(sa.select(applications).where(which_application).order_by(applications.c.name)):
        application = Application(
            number=row.number,
            client_id=row.client_id,
            name=row.name,
            enabled=row.enabled,
            epoch=row.epoch,
            scope=tuple(row.scope.split(" ")),
            refresh_tokens=row.refresh_tokens,
            access_lifetime_seconds=row.access_lifetime_seconds,
            refresh_lifetime_seconds=row.refresh_lifetime_seconds,
            created_at=row.created_at,
            secrets=tuple(held.get(row.number, ())),
        )
        yield Grants(application, frozenset(allowed.get(row.number, ())))


def load_objects(connection: Connection) -> Iterator[ObjectSettings]:
    """Give the objects for which anything is set, in order of name."""
    named: dict[str, list[str]] = {}
    for alias, name in connection.execute(sa.select(aliases.c.alias, aliases.c.object).order_by(aliases.c.alias)):
        named.setdefault(name, []).append(alias)
    for row in connection.execute(sa.select(objects).order_by(objects.c.name)):
        yield ObjectSettings(row.name, row.blocked, row.block_reason, tuple(named.get(row.name, ())), row.run_key)


def load_object(connection: Connection, name: str) -> ObjectSettings:
    """Give what is set for one object; the defaults when nothing is."""
    row = connection.execute(sa.select(objects).where(objects.c.name == name)).one_or_none()
    if row is None:
        return ObjectSettings(name)
    named = connection.execute(sa.select(aliases.c.alias).where(aliases.c.object == name).order_by(aliases.c.alias))
    return ObjectSettings(row.name, row.blocked, row.block_reason, tuple(named.scalars()), row.run_key)


def load_revocations(connection: Connection, handles: Collection[bytes] | None = None) -> Iterator[Revocation]:
    """Give dead tokens and families; None: all of them."""
    which: ColumnElement[bool] = sa.true() if handles is None else revocations.c.handle.in_(handles)
    for row in connection.execute(sa.select(revocations).where(which)):
        yield Revocation(row.handle, row.forget_at)
