"""`rowgate app`: who may ask for tokens, and what for."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import click

from rowgate.cli.grants import describe_grants, grant, ungrant, warn_of_missing
from rowgate.cli.home import HOME_OPTION, JSON_OPTION, administration
from rowgate.cli.policies import (
    CERTIFICATE_METHODS,
    SCOPE_HELP,
    describe_terms,
    list_standing,
    list_terms,
    policy_options,
    read_policy_change,
    set_,
    warn_of,
)
from rowgate.cli.terminal import Length, Moment, print_json, print_table, render_left, render_moment, say
from rowgate.cli.workloads import workload
from rowgate.oauth.client_assertion import PRIVATE_KEY_JWT
from rowgate.oauth.model import DEFAULT_SCOPE, NEVER, Application, ClientPolicy, Secret
from rowgate.service.admin.applications import NewCredentials
from rowgate.service.admin.certificates import list_certificate_thumbprints
from rowgate.service.admin.grants import ToldGrant
from rowgate.service.admin.policies import list_registered_keys

EXPIRES_IN = click.option("--expires-in", metavar="LENGTH", help="The secret's life, for example 72h; or never.  [72h]")
EXPIRES_ON = click.option("--expires-on", type=Moment(), metavar="DATE", help="The secret's end: 2027-01-31 (UTC).")


@click.group()
def app() -> None:
    """Applications and what they may read."""


@app.command()
@click.argument("name")
@click.option(
    "--object",
    "objects",
    multiple=True,
    metavar="OBJ",
    help="Table, view, alias or pattern; repeat it. Required for one that reads.",
)
@EXPIRES_IN
@EXPIRES_ON
@click.option("--scope", default=DEFAULT_SCOPE, show_default=True, help=SCOPE_HELP)
@click.option("--no-refresh", is_flag=True, help="Issue no refresh tokens.")
@click.option(
    "--access-lifetime",
    type=Length(),
    metavar="LENGTH",
    help="Of access tokens.  [1h]",
)
@click.option(
    "--refresh-lifetime",
    type=Length(),
    metavar="LENGTH",
    help="Of refresh tokens.  [7d]",
)
@policy_options
@click.option("--no-secret", is_flag=True, help="It signs in with its key or certificate alone.")
@click.option("--for-jobs", is_flag=True, help="Make no secret: jobs sign in for it, see `rowgate app workload`.")
@HOME_OPTION
@JSON_OPTION
def add(
    name: str,
    objects: tuple[str, ...],
    expires_in: str | None,
    expires_on: int | None,
    scope: str,
    no_refresh: bool,
    access_lifetime: int | None,
    refresh_lifetime: int | None,
    no_secret: bool,
    for_jobs: bool,
    home: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Register an application; its secret is shown once."""
    if not objects and DEFAULT_SCOPE in scope.split():
        raise click.UsageError("Missing option '--object': an application with the scope read reads something")
    if (no_secret or for_jobs) and (expires_in or expires_on):
        raise click.UsageError(
            f"{'--no-secret' if no_secret else '--for-jobs'} and the end of a secret exclude each other"
        )
    terms: dict[str, Any] = {
        "scope": scope,
        "refresh_tokens": not no_refresh,
        "access_lifetime_seconds": access_lifetime,
        "refresh_lifetime_seconds": refresh_lifetime,
        "policy": read_policy_change(**options),
    }
    with administration(home) as desk:
        if no_secret or for_jobs:
            application, allowed = desk.applications.add_with_key(name, objects, for_jobs=for_jobs, **terms)
            _show_keyed(application, allowed, as_json=as_json)
        else:
            made = desk.applications.add(
                name, objects, secret_expires_at=choose_expiry(expires_in, expires_on), **terms
            )
            application = made.application
            show_credentials(made, as_json=as_json)
    warn_of(application, home)


def _show_keyed(application: Application, objects: tuple[str, ...], *, as_json: bool) -> None:
    keys = list_registered_keys(application.policy)
    if as_json:
        names = [key.key_id for key in keys]
        print_json({"name": application.name, "client_id": application.client_id, "key_ids": names, "objects": objects})
        return
    click.echo(f"client_id      {application.client_id}")
    click.echo(f"signs in with  {', '.join(_list_proofs(application.policy)) or 'nothing yet'}")
    click.echo(f"may read       {', '.join(objects) or 'nothing yet'}")


def _list_proofs(policy: ClientPolicy) -> Iterator[str]:
    yield from (key.key_id or key.thumbprint for key in list_registered_keys(policy))
    if policy.jwks_uri:
        yield f"keys at {policy.jwks_uri}"
    if policy.tls_subject:
        yield f"a certificate of {policy.tls_subject_kind} {policy.tls_subject}"
    yield from (f"the certificate {thumbprint}" for thumbprint in list_certificate_thumbprints(policy))


def choose_expiry(expires_in: str | None, expires_on: int | None) -> int | None:
    """Give the end of a secret in seconds since 1970; None when nothing is said: then it is in 72 hours (O-11)."""
    if expires_in and expires_on:
        raise click.UsageError("--expires-in and --expires-on exclude each other")
    if expires_on:
        return expires_on
    if expires_in == "never":
        return NEVER
    return int(time.time()) + int(Length().convert(expires_in, None, None)) if expires_in else None


def show_credentials(made: NewCredentials, *, as_json: bool) -> None:
    """Show a new secret, the only time."""
    if as_json:
        print_json(
            {
                "name": made.application.name,
                "client_id": made.application.client_id,
                "client_secret": made.client_secret,
                "client_secret_expires_at": made.secret.expires_at,
                "key_id": made.secret.key_id,
                "objects": made.objects,
            }
        )
        return
    click.echo(f"client_id      {made.application.client_id}")
    click.echo(f"client_secret  {made.client_secret}")
    click.echo(f"expires        {render_moment(made.secret.expires_at)} ({render_left(made.secret.expires_at)})")
    click.echo(f"may read       {', '.join(made.objects) or 'nothing yet'}")
    say("The secret is not kept and will not be shown again.")


@app.command("list")
@HOME_OPTION
@JSON_OPTION
def list_(home: str | None, as_json: bool) -> None:
    """List the applications."""
    with administration(home) as desk:
        found = desk.applications.list_all()
        grants = [desk.grants.list_all(application, objects) if as_json else () for application, objects in found]
    if as_json:
        print_json([_describe(*one, held) for one, held in zip(found, grants, strict=True)])
        return
    if not found:
        say("There is no application yet: `rowgate app add NAME --object OBJECT` makes one.")
        return
    print_table(
        ("name", "client id", "state", "objects", "secrets", "last secret ends"),
        [
            (
                application.name,
                application.client_id,
                "enabled" if application.enabled else "disabled",
                len(objects),
                len(_live(application)),
                _tell_last_end(application),
            )
            for application, objects in found
        ],
    )


@app.command()
@click.argument("name")
@HOME_OPTION
@JSON_OPTION
def show(name: str, home: str | None, as_json: bool) -> None:
    """Show one application, by name or client id."""
    with administration(home) as desk:
        application, objects = desk.applications.load(name)
        maxima = desk.maxima
        grants = desk.grants.list_all(application, objects)
    if as_json:
        print_json(_describe(application, objects, grants))
        return
    for label, text in [*list_standing(application), *list_terms(application, maxima)]:
        click.echo(f"{label:25} {text}")
    for secret in application.secrets:
        click.echo(f"{'secret':25} {secret.key_id} {describe_secret_state(secret, time.time())}")
    for told in grants:
        click.echo(f"{'may read':25} {told.object}{': ' if told.words else ''}{told.words}")
    warn_of_missing(grants, application.name)


def _describe(application: Application, objects: tuple[str, ...], grants: Sequence[ToldGrant]) -> dict[str, object]:
    return {
        "name": application.name,
        "client_id": application.client_id,
        "enabled": application.enabled,
        **describe_terms(application),
        "created_at": application.created_at,
        "objects": objects,
        "policies": describe_grants(grants),
        "secrets": [describe_secret(secret) for secret in application.secrets],
    }


def describe_secret(secret: Secret) -> dict[str, object]:
    """Give what scripts may know of a secret."""
    names = ("key_id", "name", "created_at", "expires_at", "revoked", "kills_tokens")
    return {name: getattr(secret, name) for name in names}


def describe_secret_state(secret: Secret, now: float) -> str:
    """Say in words whether a secret is good."""
    if secret.revoked:
        return "revoked" + (", with what it issued" if secret.kills_tokens else "")
    if secret.expires_at == NEVER:
        return "never expires"
    return ("expired " if secret.is_expired(now) else "expires ") + render_moment(secret.expires_at)


def _live(application: Application) -> list[int]:
    now = time.time()
    return [s.expires_at for s in application.secrets if not s.revoked and not s.is_expired(now)]


def _tell_last_end(application: Application) -> str:
    ends = _live(application)
    if not ends:
        return _tell_other_proof(application.policy)
    return render_left(NEVER if NEVER in ends else max(ends))


def _tell_other_proof(policy: ClientPolicy) -> str:
    """Say how an application without a good secret signs in; a method is never set without what it needs."""
    if PRIVATE_KEY_JWT in policy.authentication_methods:
        return "has a key"
    if not CERTIFICATE_METHODS.isdisjoint(policy.authentication_methods):
        return "has a certificate"
    return "has jobs" if policy.workloads else "none is good"


app.add_command(set_)
app.add_command(grant)
app.add_command(ungrant)
app.add_command(workload)


@app.command()
@click.argument("name")
@HOME_OPTION
def disable(name: str, home: str | None) -> None:
    """Keep an application out, with every token it holds."""
    with administration(home) as desk:
        application = desk.applications.set_enabled(name, enabled=False)
    say(f"{application.name} is disabled.")


@app.command()
@click.argument("name")
@HOME_OPTION
def enable(name: str, home: str | None) -> None:
    """Let an application in again."""
    with administration(home) as desk:
        application = desk.applications.set_enabled(name, enabled=True)
    say(f"{application.name} is enabled.")


@app.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@HOME_OPTION
def remove(name: str, yes: bool, home: str | None) -> None:
    """Forget an application, its secrets and its grants."""
    if not yes:
        click.confirm(f"Remove {name} with its secrets and grants?", abort=True, err=True)
    with administration(home) as desk:
        application = desk.applications.remove(name)
    say(f"{application.name} is removed.")
