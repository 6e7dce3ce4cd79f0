"""Runs transcripts: scripts of commands with what they print, as a user would read them.

    # a comment                     belongs to the text
    $ rowgate app show reports      a command, run in this process
    < text                          a line on its standard input
    name        reports             a line on its standard output
    ! rowgate: it is so             a line on its standard error
    ? 1                             its exit code, when it is not 0
    ...                             any lines

In a line, {name} stands for any text without spaces the first time, for the same text from then on; {*} for
any text. All lines of a command must be there, and no others.
"""

import contextlib
import io
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from rowgate.cli.main import main

_MARK = re.compile(r"\{(\*|[a-z_]+)\}")


@dataclass
class Command:
    """One command of a transcript."""

    line: int
    text: str
    stdin: list[str] = field(default_factory=list)
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    exit_code: int = 0


@dataclass
class Outcome:
    """What a command did."""

    exit_code: int
    stdout: str
    stderr: str


def run(arguments: list[str], stdin: str = "") -> Outcome:
    """Run `rowgate` with arguments in this process."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.stdin
    sys.stdin = io.StringIO(stdin)
    code = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main(arguments)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdin = before
    return Outcome(code, out.getvalue(), err.getvalue())


def parse(text: str) -> list[Command]:
    """Give the commands of a transcript."""
    commands: list[Command] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("$ rowgate "):
            commands.append(Command(number, line.removeprefix("$ rowgate ")))
        elif line.startswith("#") or (not line.strip() and (not commands or not commands[-1].stdout)):
            continue
        elif line.startswith("< "):
            commands[-1].stdin.append(line[2:])
        elif line.startswith("!"):
            commands[-1].stderr.append(line[2:])
        elif line.startswith("? "):
            commands[-1].exit_code = int(line[2:])
        else:
            commands[-1].stdout.append(line)
    return commands


def play(path: Path, known: dict[str, str]) -> None:
    """Run every command of a transcript and hold what it does against what is written."""
    for command in parse(path.read_text("utf-8")):
        where = f"{path.name}:{command.line}: rowgate {command.text}"
        arguments = shlex.split(_fill(command.text, known))
        outcome = run(arguments, "".join(_fill(line, known) + "\n" for line in command.stdin))
        told = f"{where}\nexit code {outcome.exit_code}\n{outcome.stdout}--- stderr\n{outcome.stderr}"
        assert outcome.exit_code == command.exit_code, told
        _match(command.stdout, outcome.stdout, known, told)
        _match(command.stderr, outcome.stderr, known, told)


def _fill(text: str, known: dict[str, str]) -> str:
    return _MARK.sub(lambda mark: known[mark[1]], text)


def _match(expected: list[str], found: str, known: dict[str, str], told: str) -> None:
    while expected and not expected[-1].strip():
        expected = expected[:-1]
    pattern = ""
    named: set[str] = set()
    for line in expected:
        if line == "...":
            pattern += r"(?:[^\n]*\n)*?"
            continue
        for place, part in enumerate(_MARK.split(line)):
            if place % 2 == 0:
                pattern += re.escape(part)
            elif part == "*":
                pattern += r"[^\n]*"
            elif part in known:
                pattern += re.escape(known[part])
            elif part in named:
                pattern += f"(?P={part})"
            else:
                named.add(part)
                pattern += rf"(?P<{part}>\S+)"
        pattern += r" *\n"
    whole = found if not found or found.endswith("\n") else found + "\n"  # a question ends without a line's end
    match = re.fullmatch(pattern, whole)
    assert match is not None, f"{told}\n--- expected\n" + "\n".join(expected)
    known.update(match.groupdict())
