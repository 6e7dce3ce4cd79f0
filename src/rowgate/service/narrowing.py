"""Makes a token narrower than its application: for chosen resources (RFC 8707), objects and columns (RFC 9396).

Rule: an object is found in the live state and refused before its catalog is read, and the catalog is read in a thread:
the token path does not wait.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

import msgspec

from rowgate.oauth.authorization_details import (
    READ,
    GrantedDetails,
    RequestedDetail,
    grant_details,
    keep_granted_details,
    narrow_details,
    parse_authorization_details,
    read_details,
    render_details,
)
from rowgate.oauth.errors import InvalidAuthorizationDetails
from rowgate.oauth.form import ExtensionParameters
from rowgate.oauth.resource import narrow_audience, parse_resources
from rowgate.rows.columns import find_column
from rowgate.rows.model import ObjectDescription
from rowgate.rows.policy import keep_allowed
from rowgate.service.databases import Databases
from rowgate.service.mint import Granted
from rowgate.service.state import LiveState

Outcome: TypeAlias = Granted | Exception
_Catalog: TypeAlias = Mapping[str, ObjectDescription | None]


class Narrowing:
    """Holds what a request asks for against what is granted now; used on the event loop."""

    def __init__(self, state: LiveState, databases: Databases, *, issuer: str) -> None:
        """Take the state and the catalog; this server is one resource, which is its issuer (docs/choices.md)."""
        self._state = state
        self._databases = databases
        self._resources = (issuer,)

    def narrow_then(self, granted: Granted, parameters: ExtensionParameters, then: Callable[[Outcome], None]) -> None:
        """Narrow what was decided so far; call back, at once or later, with what comes of it.

        Without a wish of the request the details of a refresh or subject token stay, less what was withdrawn since.

        Args:
            granted: With the audience and the details of the refresh or subject token, if there is one.
            parameters: What the request asks for.
            then: Given what is granted, the refusal (OAuthError), why the catalog cannot be read (RowsError), or what
                else went wrong on the way. Called once, unless this raises.

        Raises:
            InvalidTarget: A resource that is none of ours, or that the original token is not for.
            InvalidAuthorizationDetails: Malformed, more than is granted or than the original token has, or nothing of
                the original is granted any more.

        Source: RFC 8707 §2, §2.2; RFC 9396 §5, §6; PROTOCOL 62, 63, 78
        """
        if granted.issued_token_type is None:  # an exchange has done this already, with its `audience` parameters
            resources = parse_resources(parameters.resource, self._resources)
            granted = msgspec.structs.replace(granted, audience=narrow_audience(resources, granted.audience))
        number = granted.application.number
        original = self.keep_today(number, granted.details) if granted.details else ()
        if granted.details and not original:
            raise InvalidAuthorizationDetails(
                "Nothing of these authorization details is allowed any more.", reason="details_withdrawn"
            )
        if parameters.authorization_details is None:
            then(_carry(granted, original))
            return
        requested = parse_authorization_details(parameters.authorization_details)
        details = self._grant(number, requested)
        names = {name for detail in details if detail.columns is not None for name in detail.objects}
        if not names:
            then(_carry(granted, narrow_details(details, original)))
            return

        def go_on(catalog: _Catalog | Exception) -> None:
            if isinstance(catalog, Exception):
                then(catalog)
                return
            try:
                outcome: Outcome = _carry(granted, narrow_details(self._grant(number, requested, catalog), original))
            except Exception as error:  # noqa: BLE001 - nobody above would answer the request
                outcome = error
            then(outcome)

        self._read_catalog_then(names, go_on)

    def keep_today(self, number: int, carried: bytes) -> GrantedDetails:
        """Give what of a token's details is granted to its application now; empty when nothing is."""
        return keep_granted_details(read_details(carried), lambda name: self._is_granted(number, name))

    def _is_granted(self, number: int, name: str) -> bool:
        return name in self._state.list_granted(number) and not self._state.find_settings(name).blocked

    def _grant(
        self, number: int, requested: tuple[RequestedDetail, ...], catalog: _Catalog | None = None
    ) -> GrantedDetails:
        def resolve_object(name: str) -> str | None:
            resolved = self._state.resolve_alias(name)
            return resolved if self._is_granted(number, resolved) else None

        def resolve_column(name: str, column: str) -> str | None:
            described = None if catalog is None else catalog.get(name)
            granted = self._state.find_grant_policy(number, name).columns or None
            found = None if described is None else find_column(keep_allowed(described, granted), column)
            return None if found is None else found.name

        return grant_details(
            requested,
            resolve_object=resolve_object,
            resolve_column=None if catalog is None else resolve_column,
            locations=self._resources,
            actions=(READ,),  # nothing is run yet
        )

    def _read_catalog_then(self, names: Collection[str], then: Callable[[_Catalog | Exception], None]) -> None:
        def read() -> _Catalog | Exception:
            try:
                return {name: self._databases.find_object(name) for name in names}
            except Exception as error:  # noqa: BLE001 - nobody above would answer the request
                return error

        reading = asyncio.get_running_loop().run_in_executor(None, read)
        reading.add_done_callback(lambda done: None if done.cancelled() else then(done.result()))


def _carry(granted: Granted, details: GrantedDetails) -> Granted:
    return msgspec.structs.replace(granted, details=render_details(details) if details else b"")
