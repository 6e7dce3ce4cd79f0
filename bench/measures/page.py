"""A page of 100 rows by an indexed filter, in requests a second on one core."""

import json
from contextlib import ExitStack

import product
from data import ROWS_PER_BUCKET, data_file
from load import Subject, fetch, interleaved
from measures.tokens import rate_table
from peers import servers as peers
from peers.install import WORK
from report import Goal, Section, times
from serving import running

CONNECTIONS = 32
ROWS = 1_000_000
BARE, DATASETTE_SQL, DATASETTE_TABLE = (
    "bare handler: same server, driver, encoder",
    "Datasette, SQL",
    "Datasette, filter",
)

NOTE = (
    f"{ROWS_PER_BUCKET} rows of 10 columns out of {ROWS:,} by an indexed column, another value each time, "
    f"{CONNECTIONS} connections. Rowgate checks a bearer token and its policy and writes its audit record; the others "
    "let everybody in. Datasette runs on uvloop and httptools and opens the file as immutable, its fastest; it is "
    "asked by SQL text from the client, and by its filters on a table, as Rowgate is."
)


def measure_page(seconds: float) -> Section:
    """Rowgate, the bare handler and Datasette in turn, another bucket each time."""
    database, logs = data_file(WORK / "data", ROWS), WORK / "logs"
    home = product.make_home(WORK / "homes" / "page", database)
    with ExitStack() as stack:
        rowgate = stack.enter_context(running(product.server(home), logs=logs))
        bare = stack.enter_context(running(peers.bare_rows(database), logs=logs))
        datasette = stack.enter_context(running(peers.datasette(database), logs=logs))
        subjects = {
            product.NAME: product.page(rowgate, home, ROWS),
            BARE: peers.bare_page(bare, ROWS),
            DATASETTE_SQL: peers.datasette_sql_page(datasette, database, ROWS),
            DATASETTE_TABLE: peers.datasette_table_page(datasette, database, ROWS),
        }
        _check_alike(subjects)
        rates = interleaved(subjects, connections=CONNECTIONS, seconds=seconds)
    goals = []
    for name in (DATASETTE_SQL, DATASETTE_TABLE):
        ratio = rates[product.NAME].per_second / rates[name].per_second
        goals.append(Goal(f"page beside {name}", "≥ " + times(7, 0), times(ratio), held=ratio >= 7))
    return Section("A page of 100 rows", [rate_table(rates, unit="requests/s")], goals, [NOTE])


def _check_alike(subjects: dict[str, Subject]) -> None:
    """Raises RuntimeError unless everybody answers the same rows."""
    pages = {}
    for name, subject in subjects.items():
        pages[name] = sorted(json.loads(fetch(subject.request)), key=lambda row: row["id"])
        if len(pages[name]) != ROWS_PER_BUCKET:
            raise RuntimeError(f"{name} answered {len(pages[name])} rows instead of {ROWS_PER_BUCKET}")
        if pages[name] != pages[product.NAME]:
            raise RuntimeError(f"{name} answered other rows than {product.NAME}")
