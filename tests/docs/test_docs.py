"""What the documentation says of addresses, commands and codes is so."""

import ast
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rowgate.cli.main import cli
from rowgate.oauth import errors as oauth_errors
from rowgate.rows import errors as rows_errors

CHECKOUT = Path(__file__).parents[2]
PAGES = sorted([CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *(CHECKOUT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(CHECKOUT)) for page in PAGES]
OWN = [page for page in PAGES if page.name != "commands.md"]  # that one is generated from the commands

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_INLINE = re.compile(r"`(rowgate [^`]+)`")
_PRIVATE = re.compile(r"/(?:work|root|tmp|home)/|index-url")


def find_blocks(text: str, *languages: str) -> Iterator[str]:
    """Give the fenced blocks in some languages."""
    for language, block in _FENCE.findall(text):
        if language in languages:
            yield block


def list_anchors(page: Path) -> set[str]:
    """Give the anchors of a page's headings, made as the usual renderers make them."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file, and a heading where it says one."""
    for link in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{page.name}: {link}"
        assert not anchor or anchor in list_anchors(target), f"{page.name}: {link}"


def test_every_page_is_reached_from_the_index() -> None:
    """A page that no link leads to is not read."""
    index = CHECKOUT / "docs" / "index.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in _LINK.findall(index.read_text("utf-8"))}
    assert {page for page in PAGES if page.parent != CHECKOUT} - {index} <= linked


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_nothing_private_is_told(page: Path) -> None:
    """No path of a machine, no host of a package index, no document from outside the project."""
    assert not _PRIVATE.findall(page.read_text("utf-8"))


def test_generated_reference_is_up_to_date() -> None:
    """Commands, settings, audit events and reasons are as the code has them."""
    program = CHECKOUT / "tools" / "generate_reference.py"
    done = subprocess.run([sys.executable, program, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def list_commands() -> list[tuple[str, str]]:
    """Give every `rowgate …` command that a page shows, with the page's name."""
    found = []
    for page in OWN:
        text = page.read_text("utf-8")
        lines = [line for block in find_blocks(text, "sh") for line in block.replace("\\\n", " ").splitlines()]
        shown = [part for line in lines for part in re.findall(r"(?:^|\| )(rowgate [^|#>]+)", line)]
        shown += [" ".join(command.split()) for command in _INLINE.findall(_FENCE.sub("", text))]
        found += [(page.name, command) for command in shown]
    return found


@pytest.mark.parametrize(("page", "command"), list_commands())
def test_shown_command_exists_with_its_options(page: str, command: str) -> None:
    """Each is a command of the program, with options that it has."""
    words = shlex.split(command.replace("…", "X"), comments=True)[1:]
    assert words, f"{page}: {command}"
    found: click.Command = cli
    context = click.Context(cli, info_name="rowgate")
    while isinstance(found, click.Group) and words and not words[0].startswith("-"):
        inner = found.get_command(context, words[0])
        if inner is None and "," in command:
            return  # prose that lists several
        assert inner is not None, f"{page}: {command}"
        found, words = inner, words[1:]
    if not isinstance(found, click.Group):
        found.make_context(found.name, list(words), parent=context, resilient_parsing=True)


def list_codes() -> set[str]:
    """Give the error codes of the code."""
    kinds = [kind for module in (oauth_errors, rows_errors) for _, kind in inspect.getmembers(module, inspect.isclass)]
    codes = {str(code) for kind in kinds if (code := getattr(kind, "code", None))}
    tree = ast.parse((CHECKOUT / "src/rowgate/web/problems.py").read_text("utf-8"))
    edge = (CHECKOUT / "src/rowgate/web/app.py").read_text("utf-8")
    literals = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    codes |= {word for word in ("missing_token", "server_error", "temporarily_unavailable") if word in literals}
    return codes | set(re.findall(r'HttpProblem\(\d+, "(\w+)"', edge))


def test_error_codes_are_documented() -> None:
    """The page of errors has every code, and no other."""
    text = (CHECKOUT / "docs/reference/errors.md").read_text("utf-8")
    in_tables = set(re.findall(r"^\| [\d, ]+ \| `(\w+)` \|", text, re.MULTILINE))
    assert in_tables | {"cancelled", "not_read_only"} == list_codes()
    assert all(f"`{code}`" in text for code in list_codes())


def test_error_statuses_are_documented() -> None:
    """Each of the two trees' codes stands with its status."""
    text = (CHECKOUT / "docs/reference/errors.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\d, ]+) \| `(\w+)` \|", text, re.MULTILINE)
    told = {(status.strip(), code) for statuses, code in rows for status in statuses.split(",")}
    for module in (oauth_errors, rows_errors):
        for _, kind in inspect.getmembers(module, inspect.isclass):
            code = getattr(kind, "code", None)
            if code and code not in ("cancelled", "not_read_only"):
                assert (str(getattr(kind, "status", "")), code) in told, code


def test_parameters_and_functions_are_documented() -> None:
    """The page of HTTP names every parameter, function and format."""
    from rowgate.rows.model import Aggregation, Counting, Format, Function  # noqa: PLC0415 - only here
    from rowgate.rows.request import PARAMETERS  # noqa: PLC0415

    text = (CHECKOUT / "docs/reference/http.md").read_text("utf-8")
    for name in (*PARAMETERS, *Function, *Format, *Aggregation, *Counting):
        assert f"`{name}`" in text, name


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_python_compiles(page: Path) -> None:
    """Every Python block is Python."""
    for block in find_blocks(page.read_text("utf-8"), "python"):
        compile(block, page.name, "exec")
