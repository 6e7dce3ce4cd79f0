"""Writes the parts of docs/reference that the code knows: commands, settings, audit events, reasons of refusals.

`tools/generate_reference.py` writes them; with `--check` it writes nothing and names those that are out of date.
"""

import ast
import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec

from rowgate.audit.events import EVENT_TYPES, Event
from rowgate.cli.main import cli
from rowgate.config import ENVIRONMENT_PREFIX, SETTINGS
from rowgate.service.tally import MEASURES

CHECKOUT = Path(__file__).resolve().parent.parent
REFERENCE = CHECKOUT / "docs" / "reference"
SOURCE = CHECKOUT / "src" / "rowgate"
NOTE = "<!-- Written by tools/generate_reference.py; change the code, then run it. -->"
_FIELD = re.compile(r"^    (\w+): ([^=#]+?)(?: = [^#]+?)?(?:\s+# (.*))?$")


def write_commands() -> str:
    """Give the reference of the commands."""
    lines = [
        "# Commands",
        NOTE,
        "",
        (
            "`rowgate` is `.venv/bin/rowgate` after `make setup`. Results go to standard output, everything else to "
            "standard error. Exit codes: 0 done, 1 refused or failed, 2 bad usage."
        ),
        "",
        (
            "Every command takes `-h` or `--help`, and those that work on a home take `--home DIR`. A home "
            "is found by `--home`, else `ROWGATE_HOME`, else `./.rowgate`, "
            "else the platform's data folder. A LENGTH is `90m`, `72h`, `7d` or `2w`; a DATE is `2027-01-31` or "
            "`2027-01-31T18:00`, UTC unless it says otherwise."
        ),
        "",
        "A change made by a command reaches every running server of the home within a second.",
    ]
    for path, command in _walk("rowgate", cli):
        if isinstance(command, click.Group) and path != "rowgate":
            lines += ["", f"## {path}", "", _one_line(command.help)]
            continue
        context = click.Context(command, info_name=path)
        usage = " ".join([path, *command.collect_usage_pieces(context)])
        lines += ["", f"{'##' if path.count(' ') < 2 else '###'} {path}"]  # noqa: PLR2004 - a group's command
        lines += ["", f"`{usage}`", "", _one_line(command.help)]
        options = [option for option in command.params if isinstance(option, click.Option) and option.name != "home"]
        if options:
            lines += ["", "| Option | Meaning |", "|---|---|"]
            lines += [_option_row(option, context) for option in options]
    return "\n".join(lines) + "\n"


def write_settings() -> str:
    """Give the reference of the settings."""
    lines = [
        "# Settings",
        NOTE,
        "",
        (
            "Settings stand in `rowgate.toml` in the home. An environment variable overrides the file, a flag of "
            '`rowgate serve` overrides both. A list is written `["a", "b"]` in the file and `a,b` in the variable. '
            "`rowgate config` prints what is in force."
        ),
        "",
        "A change of the file counts when the server is started again. A name that does not exist is an error.",
        "",
        "| Setting | Default | Variable | Meaning |",
        "|---|---|---|---|",
    ]
    for setting in SETTINGS:
        default = setting.default
        shown = {"": "empty", (): "none", False: "false"}.get(default, f"`{default}`") if default != 0 else "`0`"
        shown = "false" if default is False else shown
        lines.append(
            f"| `{setting.name}` | {shown} | `{ENVIRONMENT_PREFIX}{setting.name.upper()}` "
            f"| {_cell(setting.metadata['help'])} |"
        )
    return "\n".join(lines) + "\n"


def write_audit_events() -> str:
    """Give the reference of the audit events."""
    lines = [
        "# Audit events",
        NOTE,
        "",
        (
            "Each event is one JSON object, one line of a file below `audit/` in the home. A member that has "
            "its default is left out. Events hold handles (client id, key id, token id), never a secret, a "
            "token or a header."
        ),
        "",
        (
            "The last member, `chain`, is SHA-256 over the previous line's chain and this line without it, in "
            "hexadecimal; the chain of a file begins with SHA-256 of its name. `rowgate audit verify` checks it."
        ),
        "",
        "## Members of every event",
        "",
        *_member_table(Event, ()),
        "| `kind` | text | the name of the event, below |",
    ]
    for event in EVENT_TYPES:
        lines += ["", f"## {event.__struct_config__.tag}", "", _one_line(event.__doc__), ""]
        lines += _member_table(event, tuple(Event.__struct_fields__))
    return "\n".join(lines) + "\n"


def write_metrics() -> str:
    """Give the reference of what is counted for Prometheus."""
    lines = [
        "# Metrics",
        NOTE,
        "",
        (
            "`/metrics` answers in the Prometheus text format to an access token with the scope `metrics`; see how "
            "Prometheus [gets one](../how-to/be-warned.md#by-prometheus), and "
            "[what to watch](../how-to/keep-it-running.md#what-to-watch)."
        ),
        "",
        (
            "Each number is the sum over all workers of the server, whichever of them is asked; what the others have "
            "counted may be half a second old. A worker that is killed takes nothing with it but its last half second. "
            "Counters begin at 0 when the server starts. Each replica tells of itself: Prometheus adds."
        ),
        "",
        (
            "A read is counted when it is over: one that takes an hour is in no counter until then, and in "
            "`rowgate_reads_in_progress` all the while. Refusals are counted whether they go on record or not, "
            "by where they were asked for. Every answer with an error is counted in `rowgate_errors_answered_total`, "
            "those among them; only there are the ones that come before anybody looks who asks, such as an address "
            "that there is none of, a wrong method or what is no HTTP. In no counter are a connection that is dropped "
            "without an answer, and the 503 of `/readyz`, which is no failure to answer."
        ),
        "",
        "| Metric | Labels | |",
        "|---|---|---|",
    ]
    for measure in MEASURES:
        kind = "histogram" if measure.bounds else "gauge" if measure.is_momentary else "counter"
        name = measure.name + ("_total" if kind == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in measure.labels)
        lines.append(f"| `{name}` | {labels} | {kind}. {measure.told} |")
    lines += [
        "",
        "No label holds anything that a client can make up:",
        "",
        "| Label | |",
        "|---|---|",
        "| `grant_type` | one of the four that there are |",
        (
            "| `endpoint` | `token`, `introspect`, `revoke`, `secret`, `enrol`, `register`, `metrics`; `data`: all "
            "that is about objects |"
        ),
        "| `status` | the status of HTTP |",
        "| `error` | the code of the [error](errors.md) that the client was told |",
        "| `outcome` | `complete`, `cut`, `failed` |",
        (
            "| `reason` | why, as `rows_ended` has it: a [reason](reasons.md), a budget's name, an error's code; of "
            "complete ones `head` and `not_modified` read nothing |"
        ),
        "| `format` | one of the formats of rows |",
        "| `database` | a name in `[[databases]]`; empty: the one without |",
        "",
        "The metrics of [secrets that end](../how-to/be-warned.md#by-prometheus) stand beside them.",
    ]
    return "\n".join(lines) + "\n"


def write_reasons() -> str:
    """Give the reference of the reasons of refusals."""
    lines = [
        "# Reasons on record",
        NOTE,
        "",
        (
            "The answer to a client says as much as it may know. The record says more: `reason` in `token_refused` and "
            "`rows_refused`. A reason is a stable word. Where the request's parameters are at fault, `rows_refused` "
            "has the name of the field instead."
        ),
        "",
        "| Reason | Error | What the client is told |",
        "|---|---|---|",
    ]
    found: dict[tuple[str, str], set[str]] = {}
    for reason, code, told in _find_reasons():
        found.setdefault((reason, code), set()).add(told)
    for (reason, code), told in sorted(found.items()):
        lines.append(f"| `{reason}` | `{code}` | {' or '.join(sorted(told))} |")
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": write_commands,
    "metrics.md": write_metrics,
    "settings.md": write_settings,
    "audit-events.md": write_audit_events,
    "reasons.md": write_reasons,
}


def _walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from _walk(f"{path} {name}", found)


def _option_row(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    names, meaning = record or (option.opts[0], "")
    return f"| `{_cell(names)}` | {_cell(' '.join(meaning.split()))} |"


def _member_table(event: type[Event], without: tuple[str, ...]) -> list[str]:
    comments = {
        match[1]: match[3] or ""
        for match in map(_FIELD.match, inspect.getsource(event).splitlines())
        if match is not None
    }
    rows = [
        f"| `{field.name}` | {_type_name(field.type)} | {_cell(comments.get(field.name, ''))} |"
        for field in msgspec.structs.fields(event)
        if field.name not in without
    ]
    return ["| Member | Type | |", "|---|---|---|", *rows]


def _type_name(kind: object) -> str:
    names = {str: "text", int: "number", float: "number", bool: "true or false", type(None): "null"}
    if kind in names:
        return names[kind]  # type: ignore[index]
    origin = typing.get_origin(kind)
    if origin in (tuple, list):
        return "list"
    if origin is dict:
        return "object"
    return " or ".join(_type_name(part) for part in typing.get_args(kind)) or "any"


def _find_reasons() -> Iterator[tuple[str, str, str]]:
    """Give reason, error code and public text of every refusal in the source."""
    codes = _error_codes()
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in codes):
                continue
            for keyword in node.keywords:
                if keyword.arg == "reason" and isinstance(keyword.value, ast.Constant):
                    yield keyword.value.value, codes[node.func.id], _text(node.args[0], constants)


def _error_codes() -> dict[str, str]:
    from rowgate.oauth import errors  # noqa: PLC0415 - only this page needs it

    found = inspect.getmembers(errors, inspect.isclass)
    return {name: getattr(kind, "code", "") or "missing_token" for name, kind in found if hasattr(kind, "status")}


def _text(node: ast.expr, constants: dict[str, object]) -> str:
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.Name():
            return str(constants.get(node.id, "…"))
        case ast.JoinedStr():
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        case _:
            return "…"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: list[str]) -> int:
    """Write the pages, or check them; give the exit code."""
    stale = [name for name, write in PAGES.items() if _read(name) != write()]
    if arguments == ["--check"]:
        for name in stale:
            sys.stderr.write(f"docs/reference/{name} is out of date: run tools/generate_reference.py\n")
        return 1 if stale else 0
    for name in stale:
        (REFERENCE / name).write_text(PAGES[name](), "utf-8")
        sys.stdout.write(f"wrote docs/reference/{name}\n")
    return 0


def _read(name: str) -> str:
    path = REFERENCE / name
    return path.read_text("utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
