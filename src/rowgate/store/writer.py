"""The administrator's side of the store, inside one transaction. Every change leaves its mark for the followers."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, CursorResult
from sqlalchemy.exc import IntegrityError

from rowgate.oauth.model import NEVER, Application, ClientPolicy, RefreshFamily, Secret
from rowgate.ports import NameTaken, UnknownName
from rowgate.records import WHOLE_OBJECT, Enrolment, GrantPolicy, Grants, ObjectSettings, Revocation
from rowgate.store import loading
from rowgate.store.initial_tokens import SqlInitialTokenWriter
from rowgate.store.plain import run_plain
from rowgate.store.schema import (
    aliases,
    applications,
    changes,
    enrolments,
    grants,
    objects,
    refresh_families,
    revocations,
    secrets,
    used,
)
from rowgate.store.signing_keys import SqlKeyWriter
from rowgate.store.spending import SqlSpendingWriter

KEPT_CHANGES = 10_000  # a follower that is further behind loads everything


class SqlWriter:
    """See `ports.StoreWriter`."""

    def __init__(self, connection: Connection, master_key: bytes, *, max_secret_seconds: int = 0) -> None:
        """Take the connection of the open transaction, and the key that the home's keys are kept under.

        No secret lives longer than the maximum; 0: as long as it was made to.
        """
        self._connection = connection
        self._master_key = master_key
        self._max_secret_seconds = max_secret_seconds

    @property
    def keys(self) -> SqlKeyWriter:
        """See `ports.StoreWriter`."""
        return SqlKeyWriter(self._connection, self._master_key, changed=self._changed)

    @property
    def initial_tokens(self) -> SqlInitialTokenWriter:
        """See `ports.StoreWriter`."""
        return SqlInitialTokenWriter(self._connection)

    @property
    def spending(self) -> SqlSpendingWriter:
        """See `ports.StoreWriter`."""
        return SqlSpendingWriter(self._connection)

    def _load_grants(self, number: int | None = None) -> Iterator[Grants]:
        return loading.load_grants(self._run, number, max_secret_seconds=self._max_secret_seconds)

    def find_application(self, name_or_client_id: str) -> tuple[Application, tuple[str, ...]] | None:
        """See `ports.StoreWriter`."""
        wanted = sa.or_(applications.c.name == name_or_client_id, applications.c.client_id == name_or_client_id)
        numbers = self._connection.execute(sa.select(applications.c.number).where(wanted)).scalars().all()
        for number in numbers:
            for found in self._load_grants(number):
                return found.application, tuple(sorted(found.objects))
        return None

    def list_applications(self) -> Sequence[tuple[Application, tuple[str, ...]]]:
        """See `ports.StoreWriter`."""
        return [(found.application, tuple(sorted(found.objects))) for found in self._load_grants()]

    def add_application(self, application: Application) -> Application:
        """See `ports.StoreWriter`."""
        clash = sa.or_(
            applications.c.name.in_((application.name, application.client_id)),
            applications.c.client_id.in_((application.name, application.client_id)),
        )
        if self._connection.execute(sa.select(applications.c.number).where(clash)).first():
            raise NameTaken(f"there is an application named {application.name} already")
        inserted = self._connection.execute(
            sa.insert(applications).values(
                client_id=application.client_id,
                name=application.name,
                enabled=application.enabled,
                epoch=application.epoch,
                scope=" ".join(application.scope),
                refresh_tokens=application.refresh_tokens,
                access_lifetime_seconds=application.access_lifetime_seconds,
                refresh_lifetime_seconds=application.refresh_lifetime_seconds,
                created_at=application.created_at,
                policy=msgspec.json.encode(application.policy).decode(),
            )
        )
        number = _number(inserted)
        for secret in application.secrets:
            self.add_secret(number, secret)
        self._changed("application", str(number))
        kept = next(self._load_grants(number))
        return kept.application

    def set_policy(self, application_number: int, policy: ClientPolicy) -> None:
        """See `ports.StoreWriter`."""
        self._update_application(application_number, policy=msgspec.json.encode(policy).decode())

    def set_terms(
        self,
        application_number: int,
        *,
        scope: tuple[str, ...],
        refresh_tokens: bool,
        access_lifetime_seconds: int,
        refresh_lifetime_seconds: int,
    ) -> None:
        """See `ports.StoreWriter`."""
        self._update_application(
            application_number,
            scope=" ".join(scope),
            refresh_tokens=refresh_tokens,
            access_lifetime_seconds=access_lifetime_seconds,
            refresh_lifetime_seconds=refresh_lifetime_seconds,
        )

    def set_enabled(self, application_number: int, *, enabled: bool) -> None:
        """See `ports.StoreWriter`."""
        self._update_application(application_number, enabled=enabled)

    def remove_application(self, application_number: int) -> None:
        """See `ports.StoreWriter`."""
        removed = self._connection.execute(sa.delete(applications).where(applications.c.number == application_number))
        if removed.rowcount == 0:
            raise UnknownName("there is no such application")
        self._changed("application", str(application_number))

    def raise_epoch(self, application_number: int) -> None:
        """See `ports.StoreWriter`."""
        self._update_application(application_number, epoch=applications.c.epoch + 1)

    def grant(self, application_number: int, object_names: Sequence[str]) -> None:
        """See `ports.StoreWriter`."""
        self._require_application(application_number)
        held = sa.select(grants.c.object).where(grants.c.application == application_number)
        there = set(self._connection.execute(held).scalars())
        rows = [{"application": application_number, "object": n} for n in dict.fromkeys(object_names) if n not in there]
        self._changed("application", str(application_number))
        if rows:
            self._connection.execute(sa.insert(grants), rows)

    def find_grant_policy(self, application_number: int, object_name: str) -> GrantPolicy:
        """See `ports.StoreWriter`."""
        found = next(self._load_grants(application_number), None)
        return WHOLE_OBJECT if found is None else found.policies.get(object_name, WHOLE_OBJECT)

    def set_grant_policy(self, application_number: int, object_name: str, policy: GrantPolicy) -> None:
        """See `ports.StoreWriter`."""
        which = sa.and_(grants.c.application == application_number, grants.c.object == object_name)
        kept = msgspec.json.encode(policy).decode()
        if self._connection.execute(sa.update(grants).where(which).values(policy=kept)).rowcount == 0:
            raise UnknownName("the object is not granted")
        self._changed("application", str(application_number))

    def ungrant(self, application_number: int, object_names: Sequence[str]) -> None:
        """See `ports.StoreWriter`."""
        self._require_application(application_number)
        self._connection.execute(
            sa.delete(grants).where(grants.c.application == application_number, grants.c.object.in_(object_names))
        )
        self._changed("application", str(application_number))

    def add_secret(self, application_number: int, secret: Secret) -> Secret:
        """See `ports.StoreWriter`."""
        self._require_application(application_number)
        try:
            inserted = self._connection.execute(
                sa.insert(secrets).values(
                    application=application_number,
                    key_id=secret.key_id,
                    name=secret.name,
                    digest=secret.digest,
                    created_at=secret.created_at,
                    expires_at=secret.expires_at,
                    revoked=secret.revoked,
                    kills_tokens=secret.kills_tokens,
                    parent=secret.parent,
                    lineage_began_at=secret.lineage_began_at,
                    used_at=secret.used_at,
                )
            )
        except IntegrityError:
            raise NameTaken(f"the key id {secret.key_id} names another secret; try again") from None
        self._changed("application", str(application_number))
        number = _number(inserted)
        found = next(self._load_grants(application_number)).application.find_secret(number)
        assert found is not None, "internal error: a secret that was just kept is not there"
        return found

    def revoke_secret(self, secret_number: int, *, kills_tokens: bool) -> None:
        """See `ports.StoreWriter`."""
        # a secret that was ended as compromised stays so
        kills = sa.or_(secrets.c.kills_tokens, sa.literal(kills_tokens))
        self._update_secret(secret_number, revoked=True, kills_tokens=kills)

    def end_secret(self, secret_number: int, *, expires_at: int) -> None:
        """See `ports.StoreWriter`."""
        ends = secrets.c.expires_at
        sooner = sa.case((sa.or_(ends == NEVER, ends > expires_at), expires_at), else_=ends)
        self._update_secret(secret_number, expires_at=sooner)

    def note_secret_use(self, secret_number: int, *, used_at: int) -> None:
        """See `ports.StoreWriter`."""
        found = self._connection.execute(sa.select(secrets.c.used_at).where(secrets.c.number == secret_number))
        if not found.scalar():
            self._update_secret(secret_number, used_at=used_at)

    def remove_secret(self, secret_number: int) -> None:
        """See `ports.StoreWriter`."""
        owner = self._find_owner(secret_number)
        self._connection.execute(sa.delete(secrets).where(secrets.c.number == secret_number))
        self._changed("application", str(owner))

    def add_enrolment(self, enrolment: Enrolment) -> None:
        """See `ports.StoreWriter`."""
        self._require_application(enrolment.application_number)
        self._connection.execute(
            sa.insert(enrolments).values(
                digest=enrolment.digest,
                application=enrolment.application_number,
                expires_at=enrolment.expires_at,
                redeemed_at=enrolment.redeemed_at,
            )
        )

    def find_enrolment(self, digest: bytes) -> Enrolment | None:
        """See `ports.StoreWriter`."""
        row = self._connection.execute(sa.select(enrolments).where(enrolments.c.digest == digest)).first()
        return None if row is None else Enrolment(row.digest, row.application, row.expires_at, row.redeemed_at)

    def find_enrolled_application(self, digest: bytes) -> Application | None:
        """See `ports.StoreWriter`."""
        enrolment = self.find_enrolment(digest)
        if enrolment is None:
            return None
        return next(self._load_grants(enrolment.application_number)).application

    def redeem_enrolment(self, digest: bytes, *, redeemed_at: int) -> bool:
        """See `ports.StoreWriter`."""
        which = sa.and_(enrolments.c.digest == digest, enrolments.c.redeemed_at == 0)
        return self._connection.execute(sa.update(enrolments).where(which).values(redeemed_at=redeemed_at)).rowcount > 0

    def forget_enrolments(self, expired_before: int) -> None:
        """See `ports.StoreWriter`."""
        self._connection.execute(sa.delete(enrolments).where(enrolments.c.expires_at < expired_before))

    def find_object_settings(self, object_name: str) -> ObjectSettings:
        """See `ports.StoreWriter`."""
        return loading.load_object(self._run, object_name)

    def list_object_settings(self) -> Sequence[ObjectSettings]:
        """See `ports.StoreWriter`."""
        return list(loading.load_objects(self._run))

    def set_object_settings(self, settings: ObjectSettings) -> None:
        """See `ports.StoreWriter`."""
        run = self._connection.execute
        run(sa.delete(aliases).where(aliases.c.object == settings.name))
        run(sa.delete(objects).where(objects.c.name == settings.name))
        run(
            sa.insert(objects).values(
                name=settings.name,
                blocked=settings.blocked,
                block_reason=settings.block_reason,
                run_key=settings.run_key,
                details=msgspec.json.encode(settings.details).decode(),
            )
        )
        for alias in settings.aliases:
            try:
                run(sa.insert(aliases).values(alias=alias, object=settings.name))
            except IntegrityError:
                raise NameTaken(f"{alias} is the alias of another object") from None
        self._changed("object", settings.name)

    def add_revocation(self, revocation: Revocation) -> None:
        """See `ports.StoreWriter`."""
        is_same = revocations.c.handle == revocation.handle
        kept = self._connection.execute(sa.select(revocations.c.forget_at).where(is_same)).scalar() or 0
        self._connection.execute(sa.delete(revocations).where(is_same))
        forget_at = max(revocation.forget_at, kept)  # revoked once more, nothing is forgotten sooner
        self._connection.execute(sa.insert(revocations).values(handle=revocation.handle, forget_at=forget_at))
        self._changed("revocation", revocation.handle.hex())

    def is_revoked(self, handle: bytes) -> bool:
        """See `ports.StoreWriter`."""
        found = self._connection.execute(sa.select(revocations.c.handle).where(revocations.c.handle == handle))
        return found.first() is not None

    def forget_revocations(self, now: float) -> None:
        """See `ports.StoreWriter`."""
        self._connection.execute(sa.delete(revocations).where(revocations.c.forget_at < now))

    def use_once(self, handle: bytes, forget_at: int) -> bool:
        """See `ports.StoreWriter`."""
        found = self._connection.execute(sa.select(used.c.handle).where(used.c.handle == handle)).first()
        if found is None:
            self._connection.execute(sa.insert(used).values(handle=handle, forget_at=forget_at))
        return found is None

    def find_refresh_family(self, family: bytes) -> RefreshFamily | None:
        """See `ports.StoreWriter`."""
        columns = sa.select(refresh_families.c.current, refresh_families.c.rotated_at, refresh_families.c.revoked)
        found = self._connection.execute(columns.where(refresh_families.c.family == family)).first()
        return None if found is None else RefreshFamily(found.current, found.rotated_at, revoked=found.revoked)

    def keep_refresh_family(self, family: bytes, state: RefreshFamily, *, forget_at: int) -> None:
        """See `ports.StoreWriter`."""
        is_same = refresh_families.c.family == family
        kept = self._connection.execute(sa.select(refresh_families.c.forget_at).where(is_same)).scalar() or 0
        self._connection.execute(sa.delete(refresh_families).where(is_same))
        self._connection.execute(
            sa.insert(refresh_families).values(
                family=family,
                current=state.current,
                rotated_at=int(state.rotated_at),
                revoked=state.revoked,
                # an older token of it may have been made to live longer, under a maximum that was higher then
                forget_at=max(forget_at, kept),
            )
        )

    def forget_refresh_families(self, now: float) -> None:
        """See `ports.StoreWriter`."""
        self._connection.execute(sa.delete(refresh_families).where(refresh_families.c.forget_at < now))

    def forget_used(self, now: float) -> None:
        """See `ports.StoreWriter`."""
        self._connection.execute(sa.delete(used).where(used.c.forget_at < now))

    def _require_application(self, number: int) -> None:
        if not self._connection.execute(
            sa.select(applications.c.number).where(applications.c.number == number)
        ).first():
            raise UnknownName("there is no such application")

    def _find_owner(self, secret_number: int) -> int:
        which = secrets.c.number == secret_number
        owner = self._connection.execute(sa.select(secrets.c.application).where(which)).scalar()
        if owner is None:
            raise UnknownName("there is no such secret")
        return int(owner)

    def _update_secret(self, number: int, **values: object) -> None:
        owner = self._find_owner(number)
        self._connection.execute(sa.update(secrets).where(secrets.c.number == number).values(**values))
        self._changed("application", str(owner))

    def _run(self, statement: str, values: Sequence[Any]) -> CursorResult[Any]:
        return run_plain(self._connection, statement, values)

    def _update_application(self, number: int, **values: object) -> None:
        updated = self._connection.execute(
            sa.update(applications).where(applications.c.number == number).values(**values)
        )
        if updated.rowcount == 0:
            raise UnknownName("there is no such application")
        self._changed("application", str(number))

    def _changed(self, entity: str, name: str) -> None:
        inserted = self._connection.execute(sa.insert(changes).values(entity=entity, name=name))
        newest = _number(inserted)
        if newest % 1000 == 0:
            self._connection.execute(sa.delete(changes).where(changes.c.sequence <= newest - KEPT_CHANGES))


def _number(inserted: CursorResult[Any]) -> int:
    key = inserted.inserted_primary_key
    assert key is not None, "internal error: an insert that gave no number"
    return int(key[0])
