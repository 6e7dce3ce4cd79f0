"""A home as an administrator uses it."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from rowgate.audit.events import AdministrativeChange
from rowgate.config import CONFIG_NAME, Settings, dump
from rowgate.oauth.lifetimes import Maxima
from rowgate.ports import Clock
from rowgate.service.admin.applications import ApplicationDesk
from rowgate.service.admin.desk import Desk
from rowgate.service.admin.enrolments import SecretDesk
from rowgate.service.admin.grants import GrantDesk
from rowgate.service.admin.keys import KeyDesk
from rowgate.service.admin.objects import ObjectDesk
from rowgate.service.admin.policies import PolicyDesk
from rowgate.service.admin.registrations import RegistrationDesk
from rowgate.service.admin.tokens import TokenDesk
from rowgate.service.admin.workloads import WorkloadDesk
from rowgate.store.master_key import create_master_key
from rowgate.wiring.opening import (
    list_procedure_faults,
    make_audit_writer,
    make_recorder,
    open_databases,
    prove_databases,
    read_key_policy,
    read_maxima,
)
from rowgate.wiring.state import copy_state, create_state, open_store, tell_state


def create_home(settings: Settings, actor: str) -> None:
    """Make the state, the keys and the settings' file in the home's directory.

    Raises:
        NotReadOnly: The database would let us write.
        EngineUnavailable: The database cannot be opened.
        StoreError: The home cannot be written, or the state be made.
        ConfigError: The settings do not say where.
    """
    if settings.served_databases:
        databases = open_databases(settings)
        try:
            if unreachable := prove_databases(databases):
                raise unreachable[0].error  # a wrong address is best told of at once
        finally:
            databases.close()
    master = os.urandom(32)
    create_master_key(settings.master_key_path, master)
    try:
        create_state(settings, master, entropy=os.urandom, now=time.time())
    except BaseException:
        settings.master_key_path.unlink()  # it opens nothing
        raise
    (settings.home / CONFIG_NAME).write_text(dump(settings), "utf-8")
    writer = make_audit_writer(settings)
    make_recorder(writer)(
        AdministrativeChange(at=time.time(), actor=actor, action="home.init", target=str(settings.home))
    )
    writer.close()


def move_state(settings: Settings, target: Settings, actor: str) -> None:
    """Copy the state into PostgreSQL, and put on record where it went; the settings are the operator's to change.

    Raises:
        StoreError: It cannot be copied.
        ConfigError: There is nothing to copy from or to.
    """
    copy_state(settings, target)
    with contextlib.closing(make_audit_writer(settings)) as writer:
        make_recorder(writer)(
            AdministrativeChange(at=time.time(), actor=actor, action="state.copy", target=tell_state(target))
        )


@dataclass(frozen=True, slots=True)
class Administration:
    """The administrator's use of a home, by what it is about."""

    applications: ApplicationDesk
    objects: ObjectDesk
    tokens: TokenDesk
    keys: KeyDesk
    policies: PolicyDesk
    secrets: SecretDesk
    workloads: WorkloadDesk
    registrations: RegistrationDesk
    grants: GrantDesk
    maxima: Maxima


@contextlib.contextmanager
def open_administration(settings: Settings, *, actor: str, clock: Clock = time.time) -> Iterator[Administration]:
    """Give the desks of a home; changes reach running servers by the store.

    Raises:
        StoreError: The home is not usable.
        ConfigError: The database cannot be served.
    """
    store = open_store(settings)
    databases = open_databases(settings)
    writer = make_audit_writer(settings)
    maxima = read_maxima(settings)
    desk = Desk(store, databases, make_recorder(writer), actor, clock, os.urandom, maxima)
    try:
        keys = KeyDesk(desk, read_key_policy(settings))
        policies = PolicyDesk(desk, keys)
        yield Administration(
            ApplicationDesk(desk, keys),
            ObjectDesk(desk, lambda: list_procedure_faults(databases)),
            TokenDesk(desk),
            keys,
            policies,
            SecretDesk(desk),
            WorkloadDesk(desk, [issuer.name for issuer in settings.trusted_issuers]),
            RegistrationDesk(desk),
            GrantDesk(desk),
            maxima,
        )
    finally:
        writer.close()
        databases.close()
        store.close()
