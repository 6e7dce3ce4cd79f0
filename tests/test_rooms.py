"""The rooms and the directions between them, as docs and DESIGN state them, held by parsing every import.

One rule is one test, which tells of every file that breaks it: a test for each file would cost more than the rules.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import rowgate

ROOT = Path(rowgate.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py"))
MAX_LINES = 400

# What each room may import of the others. "oauth" means the room and everything in it; the longest match of a
# file's own name counts.
MAY_IMPORT: dict[str, set[str]] = {
    "": set(),
    "access": set(),
    "config": {"config_addresses", "served_databases", "trusted_issuers"},
    "config_addresses": set(),
    "served_databases": {"setting_tables"},
    "trusted_issuers": {"setting_tables"},
    "setting_tables": set(),
    "file_modes": set(),
    "printable": set(),
    "oauth": {"access"},
    "rows": {"access"},
    "audit.events": set(),
    # the contracts, with the types that they speak of; records is data only
    "records": {"oauth.model"},
    "ports": {
        "access",
        "audit.events",
        "oauth.model",
        "records",
        "rows.model",
        "rows.procedures",
        "rows.dialects.model",
    },
    "service": {"access", "ports", "records", "oauth", "rows", "audit.events"},
    # adapters implement ports in the words of the cores
    "store": {"ports", "oauth", "records"},
    "engines": {"ports", "rows"},
    "audit": {"ports", ""},
    "outgoing": {"ports"},
    "web": {"access", "config", "printable", "service", "ports", "oauth", "rows", "audit.events"},
    "console": {"access", "config", "service", "ports", "oauth", "rows", "audit.events"},
    # a command may read the record: nothing else does
    "cli": {
        "audit.reader",
        "access",
        "config",
        "file_modes",
        "printable",
        "served_databases",
        "service",
        "ports",
        "oauth",
        "rows",
        "audit.events",
        "wiring",
        "sample",
        "",
    },
    "sample": set(),
    "client": set(),
}
KNOWS_ALL = {"wiring"}
PURE_ROOMS = ("oauth", "rows", "access", "audit.events", "printable")
IMPURE = frozenset(
    [
        "aiofiles",
        "apsw",
        "asyncio",
        "concurrent",
        "ctypes",
        "getpass",
        "glob",
        "http",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "platform",
        "psutil",
        "queue",
        "random",
        "requests",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "sqlalchemy",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib.request",
        "uuid",
        "uvicorn",
        "uvloop",
    ]
)
CALLS_OUT = ("aiohttp", "http.client", "httpcore", "httpx", "requests", "urllib.request", "urllib3")
MAY_CALL_OUT = ("outgoing", "client")
DATABASES = ("sqlalchemy", "sqlite3", "apsw", "alembic")
MAY_SPEAK_SQL = (
    "store",
    "engines",
    "rows.sql",
    "rows.sql_conditions",
    "rows.sql_call",
    "rows.sql_lines",
    "rows.dialects",
    "sample",
)
SQL = re.compile(
    r"\b(SELECT\b.*\bFROM|INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|(CREATE|DROP|ALTER)\s+(TABLE|VIEW|INDEX)"
    r"|PRAGMA\s|ATTACH\s|ORDER BY|GROUP BY|WHERE\s|BEGIN IMMEDIATE)"
)
MAY_HOLD_STATUS = ("web", "oauth.errors", "rows.errors")
STATUS = frozenset({*range(200, 207), *range(301, 309), *range(400, 432), 451, *range(500, 506)})


def name_module(path: Path) -> str:
    """Give `oauth.tokens` for its file, "" for the package itself."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_in(module: str, room: str) -> bool:
    return module == room or (room != "" and module.startswith(room + "."))


def find_room(module: str) -> str:
    rooms = [room for room in (*MAY_IMPORT, *KNOWS_ALL) if is_in(module, room)]
    assert rooms, f"{module} is in no room of DESIGN.md"
    return max(rooms, key=len)


@cache
def list_nodes(path: Path) -> tuple[ast.AST, ...]:
    """Give the whole tree of a file."""
    return tuple(ast.walk(ast.parse(path.read_text("utf-8"))))


def list_imports(path: Path) -> Iterator[tuple[int, str]]:
    """Give every imported module with its line, imports inside functions and for type checkers too."""
    for node in list_nodes(path):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                assert level == 0, f"{path}:{node.lineno}: imports are absolute"
                for alias in names:
                    whole = f"{module}.{alias.name}"
                    stands_for_module = (ROOT.parent / whole.replace(".", "/")).with_suffix(".py").exists()
                    is_package = (ROOT.parent / whole.replace(".", "/")).is_dir()
                    yield node.lineno, whole if stands_for_module or is_package else str(module)


def own_imports(path: Path) -> list[tuple[int, str]]:
    """Give the imports of this project's own modules, without the leading `rowgate.`."""
    found = []
    for line, module in list_imports(path):
        if module == "rowgate" or module.startswith("rowgate."):
            found.append((line, module.removeprefix("rowgate").removeprefix(".")))
    return found


def list_texts(path: Path) -> Iterator[tuple[int, str]]:
    """Give the string constants that are no docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in list_nodes(path)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in list_nodes(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def list_outside(rooms: tuple[str, ...]) -> list[Path]:
    """Give the files that are in none of the rooms."""
    return [path for path in FILES if not any(is_in(name_module(path), room) for room in rooms)]


def render(path: Path) -> str:
    return str(path.relative_to(ROOT))


PURE_FILES = [path for path in FILES if name_module(path).startswith(PURE_ROOMS)]


def test_imports_follow_the_directions() -> None:
    """A room imports only what the table allows; only wiring knows every room."""
    wrong = []
    for path in FILES:
        room = find_room(name_module(path))
        if room in KNOWS_ALL:
            continue
        home = room.split(".")[0]
        allowed = MAY_IMPORT[room] | ({home} if room == home else set())
        wrong += [
            f"{render(path)}:{line} imports rowgate.{target}; DESIGN.md allows only {sorted(allowed)}"
            for line, target in own_imports(path)
            if not any(is_in(target, other) for other in allowed)
        ]
    assert not wrong


def test_pure_rooms_have_no_io_clock_or_randomness() -> None:
    """The cores take time, randomness and bytes as arguments."""
    wrong = [
        f"{render(path)}:{line} imports {module}"
        for path in PURE_FILES
        for line, module in list_imports(path)
        if module in IMPURE or module.split(".")[0] in IMPURE
    ]
    assert not wrong


def test_pure_rooms_do_not_open_files_or_read_the_clock() -> None:
    """What needs no import is looked for by its name."""
    wrong = []
    for path in PURE_FILES:
        for node in list_nodes(path):
            match node:
                case ast.Call(func=ast.Name(id="open" | "input" | "print" as name)):
                    wrong.append(f"{render(path)}:{node.lineno} calls {name}")
                case ast.Call(func=ast.Attribute(attr="now" | "utcnow" | "today")):
                    wrong.append(f"{render(path)}:{node.lineno} reads the clock")
    assert not wrong


def test_sql_text_stands_only_where_it_may() -> None:
    """SQL is built in rows/sql*.py and rows/dialects, and spoken by the store, the engines and the sample."""
    wrong = []
    for path in list_outside(MAY_SPEAK_SQL):
        wrong += [f"{render(path)}:{line}: {text[:60]!r}" for line, text in list_texts(path) if SQL.search(text)]
        wrong += [
            f"{render(path)}:{line} imports {found}"
            for line, found in list_imports(path)
            if found.split(".")[0] in DATABASES
        ]
    assert not wrong


def test_one_room_calls_out() -> None:
    """Nothing but `outgoing` asks other hosts for anything: there its bounds are."""
    wrong = [
        f"{render(path)}:{line} imports {module}"
        for path in FILES
        if not name_module(path).startswith(MAY_CALL_OUT)
        for line, module in list_imports(path)
        if module.startswith(CALLS_OUT)
    ]
    assert not wrong


def test_http_status_numbers_stand_only_where_they_may() -> None:
    """A status is chosen by the edge and named by the two error trees."""
    wrong = []
    for path in list_outside(MAY_HOLD_STATUS):
        nodes = list_nodes(path)
        named = {id(node.value) for node in nodes if isinstance(node, ast.Assign) and _names_a_bound(node)}
        wrong += [
            f"{render(path)}:{node.lineno}: {node.value}"
            for node in nodes
            if isinstance(node, ast.Constant)
            and type(node.value) is int
            and node.value in STATUS
            and id(node) not in named
        ]
    assert not wrong


def _names_a_bound(node: ast.Assign) -> bool:
    """Tell whether it is a constant whose name says that it is something else: MAX_TEXT_LENGTH = 200."""
    return all(
        isinstance(target, ast.Name) and target.id.isupper() and not re.search("STATUS|HTTP|CODE", target.id)
        for target in node.targets
    )


def test_files_stay_readable() -> None:
    """A file past 400 lines is two files."""
    lengths = {render(path): len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert not {name: lines for name, lines in lengths.items() if lines > MAX_LINES}
