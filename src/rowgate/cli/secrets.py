"""`rowgate secret`: several secrets may be good at once, so that a change of secrets is no outage."""

import time

import click

from rowgate.audit.reader import find_last_use
from rowgate.cli.applications import (
    EXPIRES_IN,
    EXPIRES_ON,
    choose_expiry,
    describe_secret,
    describe_secret_state,
    show_credentials,
)
from rowgate.cli.home import HOME_OPTION, JSON_OPTION, administration, open_settings
from rowgate.cli.terminal import print_json, print_table, read_length, render_length, render_moment, say
from rowgate.oauth.model import ClientPolicy
from rowgate.service.admin.enrolments import SecretPolicyChange


@click.group()
def secret() -> None:
    """Secrets of an application."""


@secret.command()
@click.argument("app")
@click.option("--name", "secret_name", default="", help="What to call it.")
@EXPIRES_IN
@EXPIRES_ON
@HOME_OPTION
@JSON_OPTION
def add(
    app: str,
    secret_name: str,
    expires_in: str | None,
    expires_on: int | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Make one more secret; those that exist stay good."""
    with administration(home) as desk:
        made = desk.applications.add_secret(
            app, secret_name=secret_name, expires_at=choose_expiry(expires_in, expires_on)
        )
    show_credentials(made, as_json=as_json)


@secret.command("list")
@click.argument("app")
@HOME_OPTION
@JSON_OPTION
def list_(app: str, home: str | None, as_json: bool) -> None:
    """List an application's secrets. Each with its last use on record here; their values are not kept."""
    with administration(home) as desk:
        application, _ = desk.applications.load(app)
    directory, client_id = open_settings(home).audit_path, application.client_id
    uses = [find_last_use(directory, client_id, found.key_id, since=found.created_at) for found in application.secrets]
    secrets = list(zip(application.secrets, uses, strict=True))
    if as_json:
        print_json([{**describe_secret(found), "last_used_at": int(used) or None} for found, used in secrets])
        return
    now = time.time()
    print_table(
        ("key id", "name", "made", "last used", "state"),
        [
            (
                found.key_id,
                found.name,
                render_moment(found.created_at),
                render_moment(used),
                describe_secret_state(found, now),
            )
            for found, used in secrets
        ],
    )


@secret.command()
@click.argument("app")
@click.argument("key_id")
@click.option("--keep-tokens", is_flag=True, help="What came of it stays good: an ordinary change of secrets.")
@HOME_OPTION
def revoke(app: str, key_id: str, keep_tokens: bool, home: str | None) -> None:
    """End a secret now. The tokens that it got and the secrets that were renewed from it end too."""
    with administration(home) as desk:
        ended, *renewed = desk.applications.revoke_secret(app, key_id, kills_tokens=not keep_tokens)
    are_kept = keep_tokens and not ended.kills_tokens  # what has died already stays dead
    say(f"Secret {key_id} is revoked" + ("; its tokens stay good." if are_kept else ", and its tokens with it."))
    if renewed:
        say(f"So is what was renewed from it: {', '.join(secret.key_id for secret in renewed)}.")


@secret.command()
@click.argument("app")
@click.option("--renew/--no-renew", default=None, help="Whether the application may get its next secret by itself.")
@click.option(
    "--overlap",
    metavar="LENGTH",
    help="How long the one before is good once the next is used, up to 7d; or none.  [1h]",
)
@click.option("--lifetime", metavar="LENGTH", help="Of renewed and enrolled secrets; or never.  [72h]")
@click.option("--max-age", metavar="LENGTH", help="The oldest a line of renewed secrets may grow; or none.  [none]")
@HOME_OPTION
@JSON_OPTION
def policy(
    app: str,
    renew: bool | None,
    overlap: str | None,
    lifetime: str | None,
    max_age: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Say whether an application renews its secrets. How long they are good, too; without options, show what is set."""
    wanted = SecretPolicyChange(
        renew, read_length(overlap, "none"), read_length(lifetime, "never"), read_length(max_age, "none")
    )
    with administration(home) as desk:
        application = desk.secrets.set_policy(app, wanted)
    shown = _describe_policy(application.policy)
    if as_json:
        print_json(shown)
        return
    for label, text in _list_policy(application.policy):
        click.echo(f"{label:25} {text}")


def _list_policy(policy: ClientPolicy) -> list[tuple[str, str]]:
    def tell(seconds: int, nothing: str, before: str = "") -> str:
        return before + render_length(seconds) if seconds else nothing

    return [
        ("renews its secrets", "yes" if policy.renew_secrets else "no"),
        ("the one before ends", tell(policy.secret_overlap_seconds, "with the first use of the next", "after ")),
        ("renewed ones are good for", tell(policy.renewed_secret_seconds, "ever")),
        ("a line of them ends", tell(policy.lineage_seconds, "never", "after ")),
    ]


def _describe_policy(policy: ClientPolicy) -> dict[str, object]:
    names = ("renew_secrets", "secret_overlap_seconds", "renewed_secret_seconds", "lineage_seconds")
    return {name: getattr(policy, name) for name in names}
