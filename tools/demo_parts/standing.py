"""`make serve`: the server stays, and the page holds the lines to paste."""

import contextlib
import shlex
import time
from urllib.parse import quote

from demo_parts.page import Page
from demo_parts.stage import Credentials, DemoError, Stage, show_command, show_path
from demo_parts.talk import TOKEN_LINE

APPLICATION = "serve"
_SAMPLE_OBJECT = "SA_ADInventory_UsersView"


def serve(stage: Stage, page: Page, port: int) -> int:
    """Serve until a signal ends it; give the exit code."""
    objects = stage.list_objects()
    if not objects:
        raise DemoError(f"{stage.database} holds no table and no view")
    name = objects[0][0] if stage.is_own else _SAMPLE_OBJECT
    with stage.serving(port) as server:
        made = stage.register(APPLICATION, "*")
        time.sleep(0.5)  # the server hears of it within a second
        page.title("Rowgate", f"serves {show_path(stage.database)} read-only at {server.url}; Ctrl-C stops it")
        page.blank()
        expires = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(made.expires_at))
        page.pairs(
            [
                ("Client ID", made.client_id),
                ("Client Secret", made.client_secret),
                ("expires", expires),
                ("may read", f"{len(made.objects)} tables and views, among them {name}"),
            ]
        )
        _show_curl(page, server.url, made, name)
        _show_powershell(page, server.url, made, name)
        _show_python(page, server.url, made, name)
        page.blank()
        home = shlex.quote(show_path(stage.home))
        page.say(f"What happens, in another terminal: {show_command()} audit tail -f --home {home}")
        page.say(f"The server's log: {show_path(server.log)}")
        page.blank()
        with contextlib.suppress(KeyboardInterrupt):
            return server.process.wait()
        return 0


def _rows_path(name: str) -> str:
    return f"/api/v1/data/{quote(name, safe='')}/rows?limit=3"


def _show_curl(page: Page, url: str, made: Credentials, name: str) -> None:
    page.step("curl")
    page.variable("URL", url)
    page.variable("ID", made.client_id)
    page.variable("SECRET", made.client_secret)
    page.command(f'TOKEN=$({TOKEN_LINE} |\n  sed \'s/.*"access_token":"\\([^"]*\\)".*/\\1/\')')
    page.command(f'curl -s -H "Authorization: Bearer $TOKEN" "$URL{_rows_path(name)}"')


def _show_powershell(page: Page, url: str, made: Credentials, name: str) -> None:
    page.step("PowerShell")
    page.command(
        f"$url = '{url}'\n"
        "$body = @{ grant_type = 'client_credentials'\n"
        f"           client_id = '{made.client_id}'\n"
        f"           client_secret = '{made.client_secret}' }}\n"
        '$token = (Invoke-RestMethod -Method Post "$url/api/v1/token" -Body $body).access_token\n'
        f'Invoke-RestMethod "$url{_rows_path(name)}" -Headers @{{ Authorization = "Bearer $token" }}'
    )


def _show_python(page: Page, url: str, made: Credentials, name: str) -> None:
    page.step("Python, with httpx (.venv/bin/python has it)")
    page.program(
        "import httpx\n"
        f'url = "{url}"\n'
        f'basic = ("{made.client_id}", "{made.client_secret}")\n'
        'answer = httpx.post(f"{url}/api/v1/token", data={"grant_type": "client_credentials"}, auth=basic)\n'
        'bearer = {"Authorization": "Bearer " + answer.raise_for_status().json()["access_token"]}\n'
        f'print(httpx.get(f"{{url}}{_rows_path(name)}", headers=bearer).json())'
    )
