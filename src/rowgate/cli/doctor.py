"""`rowgate doctor`: is everything as it must be?"""

import contextlib
import dataclasses
import os
import shlex
import stat
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from rowgate.cli.doctor_objects import examine_objects
from rowgate.cli.doctor_outside import examine_outside
from rowgate.cli.findings import Finding
from rowgate.cli.home import HOME_OPTION, JSON_OPTION, open_settings
from rowgate.cli.terminal import print_json, render_left
from rowgate.config import ConfigError, Settings, list_unknown_variables
from rowgate.file_modes import is_exposed
from rowgate.oauth.lifetimes import find_end

if TYPE_CHECKING:
    from rowgate.service.databases import Databases

_MIN_FREE_BYTES = 536_870_912  # 512 MiB
_MAX_CLOCK_ERROR_SECONDS = 5.0
_SANE_CLOCK_SECONDS = 1_700_000_000  # November 2023: an earlier clock was never set


@click.command()
@HOME_OPTION
@JSON_OPTION
def doctor(home: str | None, as_json: bool) -> None:
    """Check home, keys, database, record, port and clock. Exit code 1 when something is wrong."""
    try:
        settings = open_settings(home)
        findings = [Finding("the settings can be read", True, str(settings.home)), *_examine(settings)]  # noqa: FBT003
    except ConfigError as error:
        findings = [Finding("the settings can be read", False, str(error))]  # noqa: FBT003
    if as_json:
        print_json(findings)
    else:
        for finding in findings:
            click.echo(f"{'ok' if finding.good else 'BAD':4} {finding.question}: {finding.found}")
            if not finding.good and finding.advice:
                click.echo(f"     {finding.advice}")
    if not all(finding.good for finding in findings):
        raise click.exceptions.Exit(1)


def _examine(settings: Settings) -> Iterator[Finding]:
    yield _variables()
    yield from _modes(settings)
    yield _state(settings)
    yield from _databases(settings)
    yield _record(settings)
    yield _room(settings)
    yield from _secrets(settings)
    yield from _shortened(settings)
    yield from examine_outside(settings)
    yield _port(settings)
    now = time.time()
    shown = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(now))
    yield from _clock_of_replicas(settings)
    yield Finding("the clock is set", now > _SANE_CLOCK_SECONDS, shown, "set the machine's clock: expiry depends on it")


def _variables() -> Finding:
    unknown = list_unknown_variables()
    question = "every ROWGATE_ variable of the environment is a setting"
    return Finding(question, not unknown, ", ".join(unknown) or "yes", "`rowgate config` lists the settings")


def _modes(settings: Settings) -> Iterator[Finding]:
    state = () if settings.state else (settings.state_path,)
    for path in (settings.home, settings.master_key_path, *state):
        question = f"only its owner can read {path.name}"
        try:
            status = path.stat()
        except OSError as error:
            yield Finding(question, False, error.strerror or str(error), "restore it from a backup")  # noqa: FBT003
            continue
        mode = stat.S_IMODE(status.st_mode)
        yield Finding(question, not is_exposed(status), f"mode {mode:o}", f"chmod go-rwx {shlex.quote(str(path))}")


def _state(settings: Settings) -> Finding:
    from rowgate import wiring  # noqa: PLC0415 - doctor must answer even where this cannot be loaded
    from rowgate.ports import StoreError  # noqa: PLC0415

    question = "the state and its keys can be read"
    try:
        store = wiring.open_store(settings)
        try:
            store.load_keys()
            count = len(store.load_state().grants)
        finally:
            store.close()
        where = wiring.tell_state(settings)
    except (StoreError, ConfigError) as error:
        return Finding(question, False, str(error))  # noqa: FBT003
    from rowgate.service.admin.grant_words import tell_count  # noqa: PLC0415

    found = tell_count(count, "application") + (f" in {where}" if where else "")
    return Finding(question, True, found)  # noqa: FBT003


def _clock_of_replicas(settings: Settings) -> Iterator[Finding]:
    from rowgate import wiring  # noqa: PLC0415
    from rowgate.ports import StoreError  # noqa: PLC0415

    try:
        error = wiring.measure_clock_error(settings)
    except (StoreError, ConfigError):
        return  # that the state cannot be read is a finding of its own
    if error is not None:
        advice = "have one time service for every replica and the database: assertions are judged by each one's clock"
        question = "the clock agrees with that of the state's server"
        yield Finding(question, abs(error) < _MAX_CLOCK_ERROR_SECONDS, f"{error:+.1f} s", advice)


def _secrets(settings: Settings) -> Iterator[Finding]:
    from rowgate import wiring  # noqa: PLC0415
    from rowgate.oauth.expiry import HOUR_SECONDS, find_last_secret, find_warning  # noqa: PLC0415
    from rowgate.ports import StoreError  # noqa: PLC0415

    question = "no application is about to have no good secret"
    try:
        store = wiring.open_reader(settings)
        try:
            applications = [grants.application for grants in store.load_state().grants if grants.application.enabled]
        finally:
            store.close()
    except (StoreError, ConfigError):
        return  # that the state cannot be read is a finding of its own
    now = time.time()
    last = [(application, find_last_secret(application)) for application in applications]
    soon = [(app, secret) for app, secret in last if secret is not None and find_warning(secret, now)]
    told = ", ".join(f"{app.name} {render_left(secret.expires_at, now)}" for app, secret in soon)
    good = all(secret.expires_at - now > HOUR_SECONDS for _, secret in soon)
    yield Finding(question, good, told or "none within a day", "renew it, or make one: `rowgate secret add APP`")


def _shortened(settings: Settings) -> Iterator[Finding]:
    """Tell of secrets that the maximum ends before their own time; asked before it is set, this is who would notice."""
    from rowgate import wiring  # noqa: PLC0415
    from rowgate.ports import StoreError  # noqa: PLC0415

    if not settings.max_secret_seconds:
        return
    question = "max_secret_seconds ends no secret before its own time"
    try:
        with contextlib.closing(wiring.open_reader(dataclasses.replace(settings, max_secret_seconds=0))) as store:
            applications = [grants.application for grants in store.load_state().grants if grants.application.enabled]
    except StoreError:
        return  # that the state cannot be read is a finding of its own
    now = time.time()
    ended = [
        f"{application.name} {secret.key_id}"
        for application in applications
        for secret in application.secrets
        if not secret.revoked
        and not secret.is_expired(now)
        and now >= find_end(secret.expires_at, secret.created_at, settings.max_secret_seconds)
    ]
    advice = "what still uses one needs another first: `rowgate secret add APP`"
    yield Finding(question, not ended, ", ".join(ended) or "none", advice)


def _databases(settings: Settings) -> Iterator[Finding]:
    from rowgate import wiring  # noqa: PLC0415
    from rowgate.rows.errors import RowsError  # noqa: PLC0415
    from rowgate.rows.procedures import PROCEDURE  # noqa: PLC0415
    from rowgate.service.admin.grant_words import tell_count  # noqa: PLC0415

    advice = f"check database in {settings.home}/rowgate.toml"
    try:
        databases = wiring.open_databases(settings)
    except ConfigError as error:
        yield Finding("the database can be read, and only read", False, str(error), advice)  # noqa: FBT003
        return
    try:
        for database in databases.all:
            question = f"{database.label} can be read, and only read"
            try:
                database.prove_read_only()
                count = sum(found.kind != PROCEDURE for found in database.list_objects())
            except RowsError as error:
                yield Finding(question, False, f"{error} {error.detail}".strip(), advice)  # noqa: FBT003
                continue
            found = tell_count(count, "table or view", "tables and views")
            yield Finding(question, True, f"{database.engine}, {found}")  # noqa: FBT003
        yield from _servers(settings)
        if len(databases.all) > 1:
            yield _clashes(databases)
        yield from _left_out(databases)
        yield from _procedures(settings, databases)
        yield from examine_objects(settings, databases)
    finally:
        databases.close()


def _servers(settings: Settings) -> Iterator[Finding]:
    """Tell of each server where a database has read replicas: one that answers hides those that do not."""
    from rowgate import wiring  # noqa: PLC0415
    from rowgate.rows.errors import RowsError  # noqa: PLC0415

    for served in settings.served_databases:
        for server in wiring.open_servers(served, 1) if served.read_replicas else ():
            question = f"{server.label} can be read, and only read"
            try:
                server.source.prove_read_only()
                server.source.check_reachable()
            except RowsError as error:
                advice = "reads go to the next; see docs/how-to/read-replicas.md"
                yield Finding(question, False, f"{error} {error.detail}".strip(), advice)  # noqa: FBT003
            else:
                yield Finding(question, True, server.source.name)  # noqa: FBT003
            finally:
                server.source.close()


def _clashes(databases: "Databases") -> Finding:
    from rowgate.rows.errors import RowsError  # noqa: PLC0415

    question = "no object of the plain database looks like one of a namespace"
    try:
        clashes = databases.find_clashes()
    except RowsError:
        return Finding(question, False, "the plain database cannot be asked")  # noqa: FBT003
    advice = "they are not served: name the [[databases]] table otherwise"
    return Finding(question, not clashes, ", ".join(clashes) or "none", advice)


def _left_out(databases: "Databases") -> Iterator[Finding]:
    """Tell of each file and table of a folder that is not served; where none is left out there is nothing to tell."""
    from rowgate import wiring  # noqa: PLC0415

    for name, fault in wiring.list_table_faults(databases):
        advice = "the rest of the folder is served; see docs/how-to/serve-files-with-duckdb.md"
        yield Finding("every file and table of the folder is served", False, f"{name}: {fault}", advice)  # noqa: FBT003


def _procedures(settings: Settings, databases: "Databases") -> Iterator[Finding]:
    from rowgate import wiring  # noqa: PLC0415
    from rowgate.rows.procedures import PROCEDURE  # noqa: PLC0415
    from rowgate.service.admin.grant_words import tell_count  # noqa: PLC0415

    folder = settings.procedures_path
    if not folder.is_dir():
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    yield Finding(
        "only its owner can declare procedures",
        not mode & 0o022,
        f"mode {mode:o}",
        f"chmod go-w {shlex.quote(str(folder))}",
    )
    faults = wiring.list_procedure_faults(databases)
    question = "every declared procedure can be called"
    for name, fault in faults:
        yield Finding(question, False, f"{name}: {fault}", f"mend the file in {folder}")  # noqa: FBT003
    if not faults:
        count = sum(found.kind == PROCEDURE for found in databases.list_reachable()[0])
        yield Finding(question, True, tell_count(count, "procedure"))  # noqa: FBT003


def _record(settings: Settings) -> Finding:
    path = settings.audit_path if settings.audit_path.exists() else settings.home
    good = os.access(path, os.W_OK | os.X_OK)
    advice = f"give this user the folder: chown {os.getuid()} {shlex.quote(str(path))}"
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        advice = "its file system is read-only, whoever asks: mount it for writing, or move the home"
    return Finding("the record can be written", good, str(path), advice)


def _room(settings: Settings) -> Finding:
    status = os.statvfs(settings.home)
    free = status.f_bavail * status.f_frsize
    advice = "without room for the record no token is issued and no row is read"
    return Finding("there is room on the home's disk", free > _MIN_FREE_BYTES, f"{free // 1_048_576} MiB free", advice)


def _port(settings: Settings) -> Finding:
    from rowgate import wiring  # noqa: PLC0415

    problem = wiring.find_port_problem(settings)
    good = not problem or "rowgate" in problem
    advice = "stop that program, or serve with --port"
    return Finding(f"port {settings.port} is free, or Rowgate has it", good, problem or "free", advice)
