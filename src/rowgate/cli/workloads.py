"""`rowgate app workload`: which jobs of a platform are an application."""

import click

from rowgate.cli.home import HOME_OPTION, JSON_OPTION, administration
from rowgate.cli.terminal import print_json, print_table, say
from rowgate.oauth.workload_rules import ClaimRule, KeptWorkloadRule
from rowgate.service.admin.grant_words import tell_count
from rowgate.service.admin.workloads import describe_rule


@click.group()
def workload() -> None:
    """Jobs of a platform that are an application. They sign in with the platform's token, and hold no secret."""


@workload.command()
@click.argument("name")
@click.option("--issuer", required=True, metavar="ISSUER", help="Its name in rowgate.toml, trusted_issuers.")
@click.option(
    "--claim",
    "claims",
    multiple=True,
    required=True,
    metavar="CLAIM=TEXT",
    help="What the token must say, exactly; repeat it. One claim repeated: either text. "
    "/kubernetes.io/namespace=x goes into objects (RFC 6901).",
)
@HOME_OPTION
def add(name: str, issuer: str, claims: tuple[str, ...], home: str | None) -> None:
    """Let the jobs that meet every claim be an application."""
    rules = read_claims(claims)
    with administration(home) as desk:
        application = desk.workloads.add(name, issuer, rules)
    say(f"{application.name} has {tell_count(len(application.policy.workloads), 'rule')} for workloads.")


@workload.command("list")
@click.argument("name")
@HOME_OPTION
@JSON_OPTION
def list_(name: str, home: str | None, as_json: bool) -> None:
    """List the rules of an application."""
    with administration(home) as desk:
        rules = desk.applications.load(name)[0].policy.workloads
    if as_json:
        print_json([describe_rule(rule) for rule in rules])
        return
    print_table(("rule", "issuer", "claims"), [(n, rule.issuer_name, _tell(rule)) for n, rule in enumerate(rules, 1)])


@workload.command()
@click.argument("name")
@click.argument("number", type=click.IntRange(1))
@HOME_OPTION
def remove(name: str, number: int, home: str | None) -> None:
    """Take a rule away, by its number in the list."""
    with administration(home) as desk:
        application = desk.workloads.remove(name, number)
    say(f"{application.name} has {tell_count(len(application.policy.workloads), 'rule')} for workloads.")


def read_claims(texts: tuple[str, ...]) -> list[ClaimRule]:
    """Give the rules that the options write.

    >>> read_claims(("sub=a", "sub=b", "/kubernetes.io/namespace=data"))[1].path
    ('kubernetes.io', 'namespace')
    """
    found: dict[tuple[str, ...], list[str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        path = tuple(part.replace("~1", "/").replace("~0", "~") for part in name[1:].split("/"))
        path = path if name.startswith("/") else (name,)
        if not equals or not value or not all(path):
            raise click.UsageError("a claim is written CLAIM=TEXT")
        found.setdefault(path, []).append(value)
    try:
        return [ClaimRule(path, tuple(dict.fromkeys(values))) for path, values in found.items()]
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _tell(rule: KeptWorkloadRule) -> str:
    return "; ".join(f"{'/'.join(claim.path)} is {' or '.join(claim.values)}" for claim in rule.claims)
