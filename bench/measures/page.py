"""A page of 100 rows by an indexed filter, in requests a second on one core."""

import json
from contextlib import ExitStack

import product
from data import COLUMNS, ROWS_PER_VALUE, SPREAD, TOGETHER, data_file
from load import Rate, Subject, fetch, interleaved
from measures.tokens import rate_table
from peers import servers as peers
from peers.install import WORK
from report import Goal, Section, Table, times
from serving import running

CONNECTIONS = 32
ROWS = 1_000_000
BARE, DATASETTE_SQL, DATASETTE_TABLE, ROAPI = (
    "bare handler: same server, driver, encoder",
    "Datasette, SQL",
    "Datasette, filter",
    "ROAPI",
)
GOALS = ((BARE, 0.7), (DATASETTE_SQL, 8), (DATASETTE_TABLE, 8), (ROAPI, 5))  # how many times their rate

TOLD = {TOGETHER: "rows that lie together", SPREAD: "rows spread over the table"}
NOTE = (
    f"{ROWS_PER_VALUE} rows of 10 columns out of {ROWS:,} by an indexed column, another value each time, "
    f"{CONNECTIONS} connections. Rowgate checks a bearer token and its policy and writes its audit record; the others "
    "let everybody in. Datasette runs on uvloop and httptools and opens the file as immutable, its fastest; it is "
    "asked by SQL text from the client, and by its filters on a table, as Rowgate is. ROAPI, in Rust, is asked by its "
    "filters too; it leaves members out that are NULL."
)
NOTE_ON_PLACES = (
    f"`{TOGETHER}`: the rows of a value lie in a few pages of the file, so this shows the servers. `{SPREAD}`: each "
    "row of a value lies in a page of its own, and reading them is most of the work for everybody; the bare handler is "
    "the floor there, and no goal is set."
)


def measure_page(seconds: float) -> Section:
    """Rowgate, the bare handler and Datasette in turn, another value each time, for both ways in which rows lie."""
    database, logs = data_file(WORK / "data", ROWS), WORK / "logs"
    home = product.make_home(WORK / "homes" / "page", database)
    rates: dict[str, dict[str, Rate]] = {}
    with ExitStack() as stack:
        rowgate = stack.enter_context(running(product.server(home), logs=logs))
        bare = stack.enter_context(running(peers.bare_rows(database), logs=logs))
        datasette = stack.enter_context(running(peers.datasette(database), logs=logs))
        roapi = stack.enter_context(running(peers.roapi(database), logs=logs))

        def ask(column: str) -> dict[str, Subject]:
            return {
                product.NAME: product.page(rowgate, home, column, ROWS),
                BARE: peers.bare_page(bare, column, ROWS),
                DATASETTE_SQL: peers.datasette_sql_page(datasette, database, column, ROWS),
                DATASETTE_TABLE: peers.datasette_table_page(datasette, database, column, ROWS),
                ROAPI: peers.roapi_page(roapi, column, ROWS),
            }

        for column in TOLD:
            subjects = ask(column)
            check_alike(subjects)
            rates[column] = interleaved(subjects, connections=CONNECTIONS, seconds=seconds)
    goals = []
    for name, least in GOALS:
        ratio = rates[TOGETHER][product.NAME].per_second / rates[TOGETHER][name].per_second
        digits = 1 if least < 1 else 0
        goals.append(Goal(f"page beside {name}", "≥ " + times(least, digits), times(ratio), held=ratio >= least))
    tables = [page_table(TOLD[column], found) for column, found in rates.items()]
    return Section("A page of 100 rows", tables, goals, [NOTE, NOTE_ON_PLACES])


def page_table(told: str, rates: dict[str, Rate]) -> Table:
    table = rate_table(rates, unit="requests/s")
    return Table([told, *table.head[1:]], table.rows)


def check_alike(subjects: dict[str, Subject]) -> None:
    """Raises RuntimeError unless everybody answers the same rows."""
    pages = {}
    for name, subject in subjects.items():
        rows = [dict.fromkeys(COLUMNS) | row for row in json.loads(fetch(subject.request))]
        pages[name] = sorted(rows, key=lambda row: row["id"])
        if len(pages[name]) != ROWS_PER_VALUE:
            raise RuntimeError(f"{name} answered {len(pages[name])} rows instead of {ROWS_PER_VALUE}")
        if pages[name] != pages[product.NAME]:
            raise RuntimeError(f"{name} answered other rows than {product.NAME}")
