"""`rowgate object`: the tables, views and procedures of the served database."""

import click

from rowgate.cli.home import HOME_OPTION, JSON_OPTION, administration
from rowgate.cli.terminal import print_json, print_table, say
from rowgate.rows.plan import find_run_key
from rowgate.rows.procedures import Parameter, Procedure, describe_type, render_default
from rowgate.service.admin.objects import tell_settings


@click.group("object")
def object_() -> None:
    """Tables, views and procedures: list, block, alias."""


@object_.command("list")
@HOME_OPTION
@JSON_OPTION
def list_(home: str | None, as_json: bool) -> None:
    """List the tables, views and procedures."""
    with administration(home) as desk:
        found, unreachable = desk.objects.list_all()
        faults = dict(desk.objects.list_faults())
    if not found and unreachable:
        raise unreachable[0].error
    if as_json:
        print_json(
            [
                {"name": o.name, "kind": o.kind, "fault": faults.get(o.name, ""), **tell_settings(settings)}
                for o, settings in found
            ]
        )
    else:
        print_table(
            ("name", "kind", "blocked", "aliases", "run key"),
            [(o.name, o.kind, "blocked" if s.blocked else "", ", ".join(s.aliases), s.run_key) for o, s in found],
        )
        for name, fault in faults.items():
            say(f"The procedure {name} cannot be called: {fault}")
    for missing in unreachable:
        say(f"not listed: database {missing.namespace or '(plain)'}: {missing.error}")
    if unreachable:
        raise click.exceptions.Exit(1)


@object_.command()
@click.argument("name")
@HOME_OPTION
@JSON_OPTION
def show(name: str, home: str | None, as_json: bool) -> None:
    """Show one object with its columns."""
    with administration(home) as desk:
        described, settings = desk.objects.describe(name)
    columns = [{"name": c.name, "type": c.declared_type, "compares_as": c.family.value} for c in described.columns]
    told: dict[str, object] = {"name": described.name, "kind": described.kind, **tell_settings(settings)}
    parameters: list[dict[str, object]] = []
    if isinstance(described, Procedure):
        parameters = [_tell_parameter(parameter) for parameter in described.parameters]
        told |= {"fault": described.fault, "parameters": parameters}
    if as_json:
        print_json({**told, "columns": columns})
        return
    click.echo(f"{described.name} ({described.kind}{', blocked' if settings.blocked else ''})")
    if settings.details.title:
        click.echo(settings.details.title)
    if key := find_run_key(described, settings.run_key):
        click.echo(f"runs are kept apart by {key.name}; the latest is read unless jobRuntimeKey says otherwise")
    if settings.details.key:
        click.echo(f"rows are told apart by {', '.join(settings.details.key)}")
    if isinstance(described, Procedure):
        if described.fault:
            click.echo(f"it cannot be called: {described.fault}")
            return
        print_table(
            ("parameter", "type", "required", "default"),
            [(p["name"], p["type"], "required" if p["required"] else "", _render(p["default"])) for p in parameters],
        )
        click.echo()
    print_table(("column", "type", "compares as"), [tuple(column.values()) for column in columns])


def _tell_parameter(parameter: Parameter) -> dict[str, object]:
    default = render_default(parameter)
    return {
        "name": parameter.name,
        "type": describe_type(parameter.type),
        "required": parameter.required,
        "default": default,
        "description": parameter.description,
    }


def _render(default: object) -> str:
    return "" if default is None else str(default)


@object_.command()
@click.argument("name")
@click.option("--reason", default="", help="Why, for `rowgate explain` and the record.")
@HOME_OPTION
def block(name: str, reason: str, home: str | None) -> None:
    """Keep everybody from an object, at once."""
    with administration(home) as desk:
        changed = desk.objects.block(name, reason=reason)
    say(f"{changed.name} is blocked.")


@object_.command()
@click.argument("name")
@HOME_OPTION
def unblock(name: str, home: str | None) -> None:
    """Let those who are granted an object read it again."""
    with administration(home) as desk:
        changed = desk.objects.unblock(name)
    say(f"{changed.name} is not blocked.")


@object_.command()
@click.argument("name")
@click.argument("alias_name", metavar="ALIAS")
@click.option("--remove", is_flag=True, help="Take the alias away.")
@HOME_OPTION
def alias(name: str, alias_name: str, remove: bool, home: str | None) -> None:
    """Give an object a second name."""
    with administration(home) as desk:
        changed = desk.objects.remove_alias(name, alias_name) if remove else desk.objects.add_alias(name, alias_name)
    say(f"{changed.name} is also called {', '.join(changed.aliases) or 'nothing else'}.")


@object_.command("run-key")
@click.argument("name")
@click.argument("column", default="")
@HOME_OPTION
def run_key(name: str, column: str, home: str | None) -> None:
    """Say which COLUMN tells the runs apart. Without it, the one named JobRunTimeKey does."""
    with administration(home) as desk:
        changed = desk.objects.set_run_key(name, column)
    say(f"{changed.name} keeps runs apart by {changed.run_key or 'the column named JobRunTimeKey, if any'}.")


@object_.command()
@click.argument("name")
@click.argument("columns", metavar="[COLUMN]...", nargs=-1)
@HOME_OPTION
def key(name: str, columns: tuple[str, ...], home: str | None) -> None:
    """Say which columns together tell all rows apart. A view can be read by cursor then; none: forget that.

    The rows are looked at: no two may be alike in them, and none of them may be NULL.
    """
    with administration(home) as desk:
        changed = desk.objects.set_key(name, columns)
    told = ", ".join(changed.details.key)
    say(f"{changed.name} tells rows apart by {told or 'what the database says of itself'}.")


@object_.command()
@click.argument("name")
@click.argument("text", default="")
@click.option("--description", default="", help="More of it, in as many lines as it takes.")
@HOME_OPTION
def title(name: str, text: str, description: str, home: str | None) -> None:
    """Say in TEXT what an object is. Applications that may read it are told. Without TEXT nothing is said."""
    with administration(home) as desk:
        changed = desk.objects.set_title(name, text, description)
    say(f"{changed.name} is told of as {changed.details.title or 'nothing more than its name'}.")
