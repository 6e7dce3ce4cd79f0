"""What `make bench` runs: installs the peers, measures, and writes docs/benchmarks.md."""

import argparse
import datetime as dt
import os
import sys
from collections.abc import Callable
from pathlib import Path

import machine
from measures import bearer, formats, full, memory, page, postgres, rest, schema, startup, stream, tokens
from peers.install import WORK, install_peers
from report import Result, Section, load, render_document, render_section, save
from serving import LOAD_CORE

MEASURES: dict[str, Callable[[float], Section]] = {
    "tokens": tokens.measure_tokens,
    "applications": tokens.measure_applications,
    "bearer": bearer.measure_bearer,
    "page": page.measure_page,
    "full": full.measure_full,
    "formats": formats.measure_formats,
    "postgres": postgres.measure_postgres,
    "postgres-page": postgres.measure_postgres_page,
    "stream": stream.measure_stream,
    "memory": memory.measure_memory,
    "rest": rest.measure_rest,
    "startup": startup.measure_startup,
    "schema": schema.measure_schema,
}
DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
RESULTS = WORK / "results"


def main() -> int:
    """Runs what was asked for; 1 when this machine cannot."""
    arguments = _parse_arguments()
    if problems := machine.missing():
        print("bench cannot run here:", *problems, sep="\n  ", file=sys.stderr)
        return 1
    install_peers()
    os.sched_setaffinity(0, {LOAD_CORE})
    measures = MEASURES
    if arguments.only:
        measures = {arguments.only: MEASURES[arguments.only]}
    for name, measure in measures.items():
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        result = _measured(measure, arguments.seconds)
        print(render_section(result.section), end="\n\n", flush=True)
        save(RESULTS, name, result)
    if not arguments.no_write:
        _write_document()
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=MEASURES, help="one measure")
    parser.add_argument("--seconds", type=int, default=5, help="length of each turn under load (default 5)")
    parser.add_argument("--no-write", action="store_true", help="leave docs/benchmarks.md as it is")
    return parser.parse_args()


def _measured(measure: Callable[[float], Section], seconds: int) -> Result:
    now, load_average = dt.datetime.now(dt.UTC), os.getloadavg()[0]
    stolen, total = machine.stolen_and_total_ticks()
    section = measure(seconds)
    stolen_after, total_after = machine.stolen_and_total_ticks()
    share = 100 * (stolen_after - stolen) / max(1, total_after - total)
    return Result(section, now.strftime("%Y-%m-%d %H:%M UTC"), share, load_average, seconds, machine.describe())


def _write_document() -> None:
    results = [load(RESULTS, name) for name in MEASURES]
    if missing := [name for name, result in zip(MEASURES, results, strict=True) if result is None]:
        print(f"{DOCUMENT.name} is left as it is: {', '.join(missing)} not measured yet", file=sys.stderr)
        return
    DOCUMENT.write_text(render_document([result for result in results if result is not None]), encoding="utf-8")
    print(f"wrote docs/{DOCUMENT.name}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
