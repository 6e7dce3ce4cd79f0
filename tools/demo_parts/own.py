"""The user's own database: what there is, and the first rows of the first object."""

import shlex

from demo_parts.page import Page
from demo_parts.stage import DemoError, Stage, show_command, show_path
from demo_parts.talk import Talk

APPLICATION = "demo"
_MOST_OBJECTS = 20
_ROWS = 5


def walk(stage: Stage, page: Page) -> None:
    """Show the objects and read the first one."""
    home = shlex.quote(show_path(stage.home))
    objects = stage.list_objects()
    if not objects:
        raise DemoError(f"{stage.database} holds no table and no view")
    page.title("Rowgate", f"on {stage.database}, opened read-only")
    page.step("What there is to grant")
    page.command(f"{show_command()} object list --home {home}")
    page.table(("name", "kind"), objects[:_MOST_OBJECTS])
    if len(objects) > _MOST_OBJECTS:
        page.say(f"and {len(objects) - _MOST_OBJECTS} more")
    for warning in stage.list_warnings():
        page.say(warning)

    page.step("An application that may read all of it")
    made = stage.register(APPLICATION, "*")
    page.command(f"{show_command()} app add {APPLICATION} --object '*' --home {home}")
    with stage.serving(0) as server:
        page.command(f"{show_command()} serve --home {home} --port {server.url.rpartition(':')[2]}")
        page.blank()
        page.variable("URL", server.url)
        page.variable("ID", made.client_id)
        page.variable("SECRET", made.client_secret)
        talk = Talk(page, server, made)
        try:
            page.step("It gets a token")
            talk.get_token()
            _read_first(talk, page, [name for name, _kind in objects])
        finally:
            talk.close()
    page.blank()
    page.say("The server is stopped. `make serve DATABASE=…` leaves it running, with lines to paste.")
    page.blank()


def _read_first(talk: Talk, page: Page, names: list[str]) -> None:
    """Read the first object that can be read: a view may ask for a table that is gone."""
    for name in names[:_MOST_OBJECTS]:
        page.step(f"It reads the first rows of {' '.join(name.split())}")
        try:
            rows = talk.get_rows(name, [("limit", str(_ROWS))])
        except DemoError as error:
            page.say(str(error))
            continue
        if rows:
            page.table(tuple(rows[0]), [tuple(row.values()) for row in rows])
        else:
            page.say("It has no rows.")
        return
    raise DemoError("none of them can be read")
