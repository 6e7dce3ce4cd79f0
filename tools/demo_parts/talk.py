"""Requests over real HTTP, each with the curl line that does the same."""

import shlex
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx
from demo_parts.page import Page
from demo_parts.stage import Credentials, DemoError, Server

TOKEN_LINE = 'curl -s -u "$ID:$SECRET" -d grant_type=client_credentials $URL/api/v1/token'  # noqa: S105 - a line to paste


class Talk:
    """An application's conversation with a server, shown on a page."""

    def __init__(self, page: Page, server: Server, credentials: Credentials) -> None:
        """Take the page, the server and who talks."""
        self._page = page
        self._url = server.url
        self._basic = (credentials.client_id, credentials.client_secret)
        self._client = httpx.Client(base_url=server.url, timeout=10, trust_env=False)
        self._token = ""

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def get_token(self) -> str:
        """Get tokens with the application's credentials; give the refresh token."""
        self._page.command(TOKEN_LINE)
        answer = self._ask_token({"grant_type": "client_credentials"})
        self._page.answer(200, "OK")
        self._page.pairs([(name, answer[name]) for name in ("token_type", "expires_in", "scope")])
        self._page.variable("TOKEN", self._token)
        self._page.variable("REFRESH", str(answer["refresh_token"]))
        return str(answer["refresh_token"])

    def refresh(self, refresh_token: str) -> None:
        """Get another access token with the refresh token."""
        self._page.command(
            'curl -s -u "$ID:$SECRET" -d grant_type=refresh_token -d refresh_token=$REFRESH $URL/api/v1/token'
        )
        answer = self._ask_token({"grant_type": "refresh_token", "refresh_token": refresh_token})
        self._page.answer(200, "OK", f"token_type {answer['token_type']}, expires_in {answer['expires_in']}")
        self._page.variable("TOKEN", self._token)

    def get_rows(self, object_name: str, parameters: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        """Read rows with GET."""
        path = f"/api/v1/data/{quote(object_name, safe='')}/rows"
        parts = ['curl -s -G -H "Authorization: Bearer $TOKEN"']
        parts += [f"--data-urlencode {shlex.quote(f'{name}={value}')}" for name, value in parameters]
        self._page.command(_fold([*parts, f"$URL{path}"]))
        return self._take_rows(self._client.get(path, params=list(parameters), headers=self._bearer()))

    def post_rows(self, object_name: str, body: str) -> list[dict[str, Any]]:
        """Read rows with POST."""
        return self._post(f"/api/v1/data/{quote(object_name, safe='')}/rows", body)

    def call(self, procedure: str, body: str) -> list[dict[str, Any]]:
        """Call a procedure."""
        return self._post(f"/api/v1/data/{quote(procedure, safe='')}/proc", body)

    def _post(self, path: str, body: str) -> list[dict[str, Any]]:
        self._page.command(
            _fold(['curl -s -H "Authorization: Bearer $TOKEN"', f"-d {shlex.quote(body)}", f"$URL{path}"])
        )
        headers = {**self._bearer(), "Content-Type": "application/json"}
        return self._take_rows(self._client.post(path, content=body, headers=headers))

    def find_refusal(self, object_name: str) -> httpx.Response | None:
        """Ask for an object without showing it; give the refusal, or None when rows came."""
        answer = self._client.get(f"/api/v1/data/{quote(object_name, safe='')}/rows?limit=1", headers=self._bearer())
        return answer if answer.is_client_error else None

    def show_refusal(self, object_name: str, refusal: httpx.Response) -> None:
        """Show a refusal as curl would."""
        self._page.command(f'curl -i -H "Authorization: Bearer $TOKEN" $URL/api/v1/data/{object_name}/rows')
        self._page.answer(refusal.status_code, refusal.reason_phrase)
        scheme, _, parameters = refusal.headers["www-authenticate"].partition(" ")
        told = [part for part in parameters.split(", ") if part.startswith("error")]
        self._page.pairs(
            [
                ("www-authenticate", f"{scheme} … {', '.join(told)}"),
                ("error", refusal.json()["error"]),
                ("request_id", refusal.json()["request_id"]),
            ]
        )

    def _ask_token(self, form: dict[str, str]) -> dict[str, Any]:
        answer = self._client.post("/api/v1/token", data=form, auth=self._basic)
        if answer.status_code != httpx.codes.OK:
            raise DemoError(f"the server gave no token: {answer.status_code} {answer.text}")
        body: dict[str, Any] = answer.json()
        self._token = str(body["access_token"])
        return body

    def _take_rows(self, answer: httpx.Response) -> list[dict[str, Any]]:
        if answer.status_code != httpx.codes.OK:
            raise DemoError(f"the server gave no rows: {answer.status_code} {answer.text}")
        rows: list[dict[str, Any]] = answer.json()
        kind = answer.headers["content-type"]
        self._page.answer(answer.status_code, answer.reason_phrase, f"{kind}, {len(answer.content)} bytes")
        return rows

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}


def _fold(parts: Sequence[str]) -> str:
    """Join the parts of a command, two a line where they fit, with continuation signs."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(part) < 88:  # noqa: PLR2004 - a narrow terminal's width
            lines[-1] += " " + part
        else:
            lines.append(part if not lines else "  " + part)
    return " \\\n".join(lines)
