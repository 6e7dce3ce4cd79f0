"""`rowgate app set`, and how commands take and tell what is set for an application."""

import math
import time
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

import click

from rowgate import wiring
from rowgate.cli.home import HOME_OPTION, JSON_OPTION, administration, open_settings
from rowgate.cli.terminal import Length, print_json, read_length, render_length, render_moment, say
from rowgate.config import Settings
from rowgate.oauth.client_assertion import PRIVATE_KEY_JWT
from rowgate.oauth.jws import SIGNING_ALGORITHMS
from rowgate.oauth.lifetimes import Maxima, sooner
from rowgate.oauth.model import DEFAULT_SCOPE, JWT, SEALED, Application, ClientPolicy
from rowgate.oauth.mutual_tls import SELF_SIGNED_TLS_CLIENT_AUTH, TLS_CLIENT_AUTH
from rowgate.service.admin.certificates import list_certificate_ends, list_certificate_thumbprints
from rowgate.service.admin.grant_words import tell_count
from rowgate.service.admin.policies import (
    METHODS,
    MOST_TOKENS_PER_MINUTE,
    PolicyChange,
    RegisteredKey,
    TermsChange,
    list_registered_keys,
)
from rowgate.service.admin.workloads import describe_rule

_BUDGETS = (
    ("max_reads", "reads at once"),
    ("statement_seconds", "seconds of a statement"),
    ("rows_per_day", "rows per day"),
    ("bytes_per_day", "bytes per day"),
)
CERTIFICATE_METHODS = frozenset({TLS_CLIENT_AUTH, SELF_SIGNED_TLS_CLIENT_AUTH})
SCOPE_HELP = "What its tokens may do: read, introspect, metrics; or words that others know who check its JWTs."
Command = TypeVar("Command", bound=Callable[..., Any])

_POLICY_OPTIONS = (
    click.option(
        "--auth-method",
        "auth_methods",
        multiple=True,
        type=click.Choice(METHODS),
        help="How it proves who it is; repeat it.  [the two with a secret]",
    ),
    click.option(
        "--jwks", type=click.File("rb"), metavar="FILE", help="Its public keys, a JWK Set; in place of those before."
    ),
    click.option(
        "--jwks-uri", metavar="URL", help="Where its public keys stand, on a host of the setting outgoing_hosts."
    ),
    *(
        click.option(
            f"--tls-{kind.replace('_', '-')}", kind, metavar=metavar, help=f"{what}; how its certificate is known."
        )
        for kind, metavar, what in (
            ("subject_dn", "DN", "The subject, as CN=…,O=…"),
            ("san_dns", "NAME", "A DNS name"),
            ("san_uri", "URI", "A URI"),
            ("san_ip", "ADDRESS", "An IP address"),
            ("san_email", "ADDRESS", "A mail address"),
        )
    ),
    click.option(
        "--certificate",
        type=click.File("rb"),
        metavar="FILE",
        help="Its own certificates, PEM or a JWK Set with x5c; in place of those before.",
    ),
    click.option(
        "--certificate-bound/--no-certificate-bound",
        default=None,
        help="Only tokens that are bound to its certificate (RFC 8705).",
    ),
    click.option("--token-format", type=click.Choice((SEALED, JWT)), help="Of its access tokens.  [sealed]"),
    click.option("--token-algorithm", type=click.Choice(SIGNING_ALGORITHMS), help="What signs a JWT.  [EdDSA]"),
    click.option(
        "--rotate-refresh/--no-rotate-refresh", default=None, help="A refresh token is replaced by each use of it."
    ),
    click.option("--dpop/--no-dpop", default=None, help="Only tokens that are bound to a key of its own (RFC 9449)."),
    click.option(
        "--tokens-per-minute",
        type=click.IntRange(0, MOST_TOKENS_PER_MINUTE),
        metavar="N",
        help="How many it may get in a minute; 0: any number.",
    ),
    click.option(
        "--token-exchange/--no-token-exchange",
        default=None,
        help="It may exchange its access tokens for narrower ones (RFC 8693).",
    ),
    click.option(
        "--exchange-for",
        multiple=True,
        metavar="APP",
        help="And those of APP; repeat it, in place of those before. An empty text is none.",
    ),
    click.option(
        "--exchanged-lifetime",
        metavar="LENGTH",
        help="Of what it gets in exchange, at most; or none: as of any access token.",
    ),
    *(
        click.option(f"--{name}", type=click.IntRange(0), metavar="N", help=f"{what}; 0: {none}.")
        for name, what, none in (
            ("max-reads", "Reads at once, in each worker", "as many as the server allows"),
            ("statement-seconds", "Time of one statement in the database", "as much as the server allows"),
            ("rows-per-day", "Rows from midnight to midnight (UTC)", "any number"),
            ("bytes-per-day", "Bytes likewise, as they are sent", "any number"),
        )
    ),
    click.option(
        "--attribute",
        "attributes",
        multiple=True,
        metavar="NAME=VALUE",
        help="A value of its own, for the row rules of its grants; repeat it. NAME= forgets it.",
    ),
)


def policy_options(command: Command) -> Command:
    """Give a command the options that `read_policy_change` reads."""
    for option in reversed(_POLICY_OPTIONS):
        command = option(command)
    return command


def read_policy_change(
    *,
    auth_methods: tuple[str, ...],
    jwks: BinaryIO | None,
    certificate: BinaryIO | None,
    certificate_bound: bool | None,
    jwks_uri: str | None,
    token_format: Any,
    token_algorithm: Any,
    rotate_refresh: bool | None,
    dpop: bool | None,
    tokens_per_minute: int | None,
    token_exchange: bool | None,
    exchange_for: tuple[str, ...],
    exchanged_lifetime: str | None,
    attributes: tuple[str, ...],
    max_reads: int | None,
    statement_seconds: int | None,
    rows_per_day: int | None,
    bytes_per_day: int | None,
    no_jwks: bool = False,
    no_certificate: bool = False,
    **subjects: str | None,
) -> PolicyChange:
    """Give what the options ask for; click has held them against their lists."""
    if no_jwks and (jwks is not None or jwks_uri):
        raise click.UsageError("--no-jwks and new keys exclude each other")
    if certificate is not None and no_certificate:
        raise click.UsageError("--certificate and --no-certificate exclude each other")
    named = [(kind, subject) for kind, subject in subjects.items() if subject is not None]
    if len(named) > 1:
        raise click.UsageError("a certificate is known by one name: give one of the --tls- options")
    kind, subject = named[0] if named else (None, None)
    certificates = "" if no_certificate else None
    if certificate is not None:
        certificates = certificate.read().decode("utf-8", errors="replace") or "{}"
    text = "" if no_jwks else None
    if jwks is not None:
        text = jwks.read().decode("utf-8", errors="replace") or "{}"
    return PolicyChange(
        authentication_methods=auth_methods or None,
        jwks=text,
        tls_subject_kind=kind if subject else subject,
        tls_subject=subject,
        tls_certificates=certificates,
        certificate_bound_tokens=certificate_bound,
        jwks_uri="" if no_jwks else jwks_uri or None,
        access_token_format=token_format,
        access_token_algorithm=token_algorithm,
        rotate_refresh_tokens=rotate_refresh,
        dpop_bound_tokens=dpop,
        tokens_per_minute=tokens_per_minute,
        token_exchange=token_exchange,
        exchanges_tokens_of=tuple(filter(None, exchange_for)) if exchange_for else None,
        exchanged_token_seconds=read_length(exchanged_lifetime, "none"),
        attributes=tuple(_read_attribute(text) for text in attributes) or None,
        max_reads=max_reads,
        statement_seconds=statement_seconds,
        rows_per_day=rows_per_day,
        bytes_per_day=bytes_per_day,
    )


def _read_attribute(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise click.UsageError("--attribute is NAME=VALUE; NAME= forgets it")
    return name, value


@click.command("set")
@click.argument("name")
@policy_options
@click.option("--no-jwks", is_flag=True, help="Forget its public keys.")
@click.option("--no-certificate", is_flag=True, help="Forget its own certificates.")
@click.option("--scope", help=SCOPE_HELP)
@click.option("--refresh/--no-refresh", default=None, help="Issue refresh tokens, or none.")
@click.option("--access-lifetime", type=Length(), metavar="LENGTH", help="Of access tokens.")
@click.option("--refresh-lifetime", type=Length(), metavar="LENGTH", help="Of refresh tokens.")
@HOME_OPTION
@JSON_OPTION
def set_(
    name: str,
    scope: str | None,
    refresh: bool | None,
    access_lifetime: int | None,
    refresh_lifetime: int | None,
    home: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Change an application; tokens that it has stay what they are."""
    policy = read_policy_change(**options)
    terms = TermsChange(scope, refresh, access_lifetime, refresh_lifetime)
    if policy == PolicyChange() and terms == TermsChange():
        raise click.UsageError("say what to set: see `rowgate app set --help`")
    with administration(home) as desk:
        maxima = desk.maxima
        application = desk.policies.set(name, policy, terms)
    if as_json:
        print_json(describe_terms(application))
        return
    for label, text in list_terms(application, maxima):
        click.echo(f"{label:25} {text}")
    warn_of(application, home)


def warn_of(application: Application, home: str | None) -> None:
    """Say what an administrator may not have meant."""
    policy = application.policy
    if DEFAULT_SCOPE not in application.scope:
        say(f"Its scope has no {DEFAULT_SCOPE}: it gets tokens, and no rows with them.")
    if (policy.jwks or policy.jwks_uri) and PRIVATE_KEY_JWT not in policy.authentication_methods:
        say(f"Its keys are kept and not used: --auth-method {PRIVATE_KEY_JWT} lets it sign in with them.")
    if policy.jwks_uri and (reason := wiring.find_call_problem(open_settings(home), policy.jwks_uri)):
        say(f"Its keys may not be asked for ({reason}): list their host in outgoing_hosts or outgoing_private_hosts.")
    _warn_of_certificates(policy, open_settings(home))


def _warn_of_certificates(policy: ClientPolicy, settings: Settings) -> None:
    """Say where an application signs in with certificates, or has tokens bound to one, that this server never sees."""
    methods = CERTIFICATE_METHODS.intersection(policy.authentication_methods)
    if not settings.knows_client_certificates and (methods or policy.certificate_bound_tokens):
        say("The server learns of no certificates: set tls_client_certificates, or client_certificate_header.")
    elif TLS_CLIENT_AUTH in methods and not settings.knows_certificate_names:
        say("Names in certificates do not count: set tls_client_ca, or client_certificate_validated behind a proxy.")
    if max(list_certificate_ends(policy), default=math.inf) <= time.time():
        say("Its certificates have ended and are refused: give a new one, --certificate FILE.")


def describe_terms(application: Application) -> dict[str, object]:
    """Give for scripts what is set for an application."""
    policy = application.policy
    return {
        "scope": " ".join(application.scope),
        "refresh_tokens": application.refresh_tokens,
        "access_lifetime_seconds": application.access_lifetime_seconds,
        "refresh_lifetime_seconds": application.refresh_lifetime_seconds,
        "authentication_methods": policy.authentication_methods,
        "keys": [
            {"key_id": key.key_id, "thumbprint": key.thumbprint, "algorithms": key.algorithms}
            for key in list_registered_keys(policy)
        ],
        "workloads": [describe_rule(rule) for rule in policy.workloads],
        "jwks_uri": policy.jwks_uri or None,
        "access_token_format": policy.access_token_format,
        "access_token_algorithm": policy.access_token_algorithm if policy.access_token_format == JWT else None,
        "rotate_refresh_tokens": policy.rotate_refresh_tokens,
        "dpop_bound_tokens": policy.dpop_bound_tokens,
        "tokens_per_minute": policy.tokens_per_minute,
        "tls_subject": {policy.tls_subject_kind: policy.tls_subject} if policy.tls_subject else None,
        "tls_certificates": list_certificate_thumbprints(policy),
        "certificate_bound_tokens": policy.certificate_bound_tokens,
        "token_exchange": policy.token_exchange,
        "exchanges_tokens_of": policy.exchanges_tokens_of,
        "exchanged_token_seconds": policy.exchanged_token_seconds,
        "attributes": dict(policy.attributes),
        **{name: getattr(policy, name) for name, _ in _BUDGETS},
    }


def list_terms(application: Application, maxima: Maxima) -> list[tuple[str, str]]:
    """Give in words what is set for an application, and what of it the server's maxima leave: labels and texts."""
    policy = application.policy
    access = f"JWTs signed with {policy.access_token_algorithm}" if policy.access_token_format == JWT else SEALED
    access_life = _tell_life(application.access_lifetime_seconds, maxima.access_token_seconds)
    refresh = _tell_life(application.refresh_lifetime_seconds, maxima.refresh_token_seconds)
    told = [
        ("scope", " ".join(application.scope)),
        ("access tokens", f"{access}, {access_life}"),
        ("refresh tokens", refresh if application.refresh_tokens else "none"),
        ("refresh tokens are", "replaced by each use" if policy.rotate_refresh_tokens else "kept until they expire"),
        ("bound to a key", "always, by DPoP" if policy.dpop_bound_tokens else "when it sends a DPoP proof"),
        ("tokens per minute", str(policy.tokens_per_minute or "any number")),
        ("signs in with", ", ".join(policy.authentication_methods)),
    ]
    if policy.tls_subject:
        told.append(("certificate of", f"{policy.tls_subject_kind} {policy.tls_subject}"))
    told += [("certificate", f"thumbprint {thumbprint}") for thumbprint in list_certificate_thumbprints(policy)]
    if policy.certificate_bound_tokens:
        told.append(("tokens are", "bound to its certificate"))
    if policy.token_exchange:
        told.append(("exchanges", _tell_exchange(policy)))
    if policy.workloads:
        told.append(("workloads", f"{tell_count(len(policy.workloads), 'rule')}: rowgate app workload list"))
    if policy.jwks_uri:
        told.append(("public keys are at", policy.jwks_uri))
    told += [(label, str(value)) for name, label in _BUDGETS if (value := getattr(policy, name))]
    told += [("attribute", f"{name} = {value}") for name, value in policy.attributes]
    return told + [("public key", _tell_key(key)) for key in list_registered_keys(policy)]


def _tell_life(seconds: int, most_seconds: int) -> str:
    """Give how long tokens are good for, and what was set where the server's maximum is less."""
    life = sooner(seconds, most_seconds)
    told = f"good for {render_length(life)}"
    return told if life == seconds else f"{told}, the server's maximum ({render_length(seconds)} was set)"


def list_standing(application: Application) -> list[tuple[str, str]]:
    """Give in words who an application is."""
    return [
        ("name", application.name),
        ("client id", application.client_id),
        ("enabled", "yes" if application.enabled else "no"),
        ("created", render_moment(application.created_at)),
    ]


def _tell_exchange(policy: ClientPolicy) -> str:
    whose = ", ".join(["its own tokens", *(f"those of {client_id}" for client_id in policy.exchanges_tokens_of)])
    seconds = policy.exchanged_token_seconds
    return f"{whose}, for {render_length(seconds)} at most" if seconds else whose


def _tell_key(key: RegisteredKey) -> str:
    named = f"{key.key_id} " if key.key_id else ""
    return f"{named}({' or '.join(key.algorithms)}, thumbprint {key.thumbprint})"
