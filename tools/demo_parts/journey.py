"""The whole road on the sample: register, token, rows, groups, refresh, a block and its reason, the record."""

import time
from typing import Any

from demo_parts.page import Page
from demo_parts.stage import DemoError, Stage, show_command, show_path
from demo_parts.talk import Talk

APPLICATION = "demo"
USERS = "SA_ADInventory_UsersView"
SHARES = "SA_Jobs_OpenShares"
EXPOSURE = "SA_HostExposure"
BLOCKED = "SA_ServiceAccounts"
REASON = "under review"
_BLOCK_SECONDS = 5


def walk(stage: Stage, page: Page) -> None:
    """Show everything; the server is stopped and the block is lifted whatever happens."""
    home = show_path(stage.home)
    stage.rowgate("object", "unblock", BLOCKED)  # an earlier run may have been interrupted
    page.title("Rowgate", "an application gets a token and reads rows, over real HTTP")
    page.step("The administrator registers an application and starts the server")
    if stage.is_new:
        page.command(f"{show_command()} init --home {home} --database {show_path(stage.database)}")
    made = stage.register(APPLICATION, "SA_*")
    page.command(f"{show_command()} app add {APPLICATION} --object 'SA_*' --home {home}")
    page.pairs(
        [
            ("client_id", made.client_id),
            (
                "client_secret",
                f"shown once, good until {time.strftime('%Y-%m-%d %H:%M:%SZ', time.gmtime(made.expires_at))}",
            ),
            ("may read", f"{len(made.objects)} objects"),
        ]
    )
    with stage.serving(0) as server:
        page.command(f"{show_command()} serve --home {home} --port {server.url.rpartition(':')[2]}")
        page.variable("URL", server.url)
        page.variable("ID", made.client_id)
        page.variable("SECRET", made.client_secret)
        talk = Talk(page, server, made)
        try:
            _talk(talk, page, stage, home)
        finally:
            talk.close()
            stage.rowgate("object", "unblock", BLOCKED)
    _show_record(stage, page, made.client_id, home)
    page.blank()
    page.say("The server is stopped. `make serve` leaves it running, with lines to paste; README.md goes on.")
    page.blank()


def _talk(talk: Talk, page: Page, stage: Stage, home: str) -> None:
    page.step("The application gets a token")
    refresh_token = talk.get_token()

    page.step("It reads rows: who in Finance, by name, the first two")
    rows = talk.get_rows(
        USERS,
        [
            ("filter", "Department:equals:finance"),
            ("columns", "DisplayName,Title,Mail,LastLogon"),
            ("orderby", "DisplayName"),
            ("limit", "2"),
        ],
    )
    page.table(tuple(rows[0]), [tuple(row.values()) for row in rows])

    page.step("It reads groups: what everyone may change, by server, in the latest run, some of it")
    body = (
        '{"groupby": ["HostName"], "columns": ["ShareName", "Rights", "FileCount"], "limit": 2, "offset": 4,\n'
        '       "filters": [{"column": "TrusteeName", "function": "equals", "value": "everyone"},\n'
        '                   {"column": "Rights", "function": "equals", "value": ["Full Control", "Change"]}]}'
    )
    _show_groups(page, talk.post_rows(SHARES, body))

    page.step("It calls a procedure: how exposed two hosts are; the array is a table that the query joins")
    called = talk.call(EXPOSURE, '{parameters: {hosts: ["FILES02","FILES12"]}}')
    page.table(tuple(called[0]), [tuple(row.values()) for row in called])

    page.step("When the token has run out, it refreshes")
    talk.refresh(refresh_token)

    page.step("The administrator blocks a table; the good token no longer reads it")
    page.command(f"{show_command()} object block {BLOCKED} --reason '{REASON}' --home {home}")
    stage.rowgate("object", "block", BLOCKED, "--reason", REASON)
    time.sleep(0.4)  # a change reaches a running server within a second
    deadline = time.monotonic() + _BLOCK_SECONDS
    while (refusal := talk.find_refusal(BLOCKED)) is None:
        if time.monotonic() > deadline:
            raise DemoError(f"the block did not hold within {_BLOCK_SECONDS} s")
        time.sleep(0.1)
    talk.show_refusal(BLOCKED, refusal)
    page.command(f"{show_command()} explain {APPLICATION} {BLOCKED} --home {home}")
    page.quote(stage.explain(APPLICATION, BLOCKED).replace("\n\n", "\n"))


def _show_groups(page: Page, groups: list[dict[str, Any]]) -> None:
    """Show each group's keys once, its items under each other."""
    keys = [name for name in groups[0] if name != "groupItems"]
    items = list(groups[0]["groupItems"][0])
    rows = [
        [*(group[key] if place == 0 else "" for key in keys), *item.values()]
        for group in groups
        for place, item in enumerate(group["groupItems"])
    ]
    page.table([*keys, *items], rows)


def _show_record(stage: Stage, page: Page, client_id: str, home: str) -> None:
    page.step("All of it is on record")
    page.command(f"{show_command()} audit search --app {client_id} --home {home}")
    rows = []
    for event in stage.read_record(client_id):
        at = time.strftime("%H:%M:%SZ", time.gmtime(event["at"]))
        rows.append((at, event["kind"], event.get("object", ""), _tell(event)))
    page.table(("at", "kind", "object", ""), rows)


def _tell(event: dict[str, Any]) -> str:
    match event["kind"]:
        case "token_issued":
            return f"by {event['grant_type']}"
        case "rows_opened" if event.get("procedure"):
            return f"called with {len(event.get('parameters', ()))} parameters"
        case "rows_opened":
            return f"{len(event.get('columns', ()))} columns, {len(event.get('filters', ()))} filters"
        case "rows_ended":
            return f"{event['rows']} rows, {event['bytes']} bytes, {event['outcome']}"
        case "rows_refused":
            return f"{event['error']}: {event['reason']}"
        case _:
            return ""
