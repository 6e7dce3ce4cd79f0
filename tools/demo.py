"""The demo: `make demo` walks the whole road over real HTTP and ends; `make serve` leaves the server running.

Everything it makes lies in one folder, .demo in the checkout. What is there is reused when it is whole and made
anew when it is not, so that the demo works every time. It needs nothing but the virtual environment.
"""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from demo_parts import journey, own, standing
from demo_parts.page import Page
from demo_parts.stage import DemoError, Stage, forget_settings

CHECKOUT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run the demo; give the exit code."""
    arguments = _parse_arguments()
    signal.signal(signal.SIGTERM, _end)  # so that the server is stopped then, too
    forget_settings()
    page = Page()
    try:
        stage = Stage.prepare(Path(arguments.folder).absolute(), arguments.database)
        if arguments.serve:
            return standing.serve(stage, page, arguments.port)
        if stage.is_own:
            own.walk(stage, page)
        else:
            journey.walk(stage, page)
    except DemoError as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stdout = None  # type: ignore[assignment] # the reader of the page has enough
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description="Shows what Rowgate does, over real HTTP.")
    parser.add_argument("--serve", action="store_true", help="leave the server running, with lines to paste")
    parser.add_argument(
        "--database", metavar="PATH-OR-URL", default="", help="your own database: an SQLite file, or postgresql://…"
    )
    parser.add_argument("--port", type=int, default=8082, help="port for --serve (default: 8082)")
    parser.add_argument("--folder", default=str(CHECKOUT / ".demo"), help="where to keep what the demo makes")
    return parser.parse_args()


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(143)


if __name__ == "__main__":
    sys.exit(main())
