"""Single tokens, and why an application may or may not read an object."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from rowgate.oauth.authorization_details import READ, find_allowed_columns, index_allowed, read_details
from rowgate.oauth.client_assertion import PRIVATE_KEY_JWT
from rowgate.oauth.lifetimes import find_end
from rowgate.oauth.model import ACCESS_LIFETIME_SECONDS, REFRESH_LIFETIME_SECONDS, Application
from rowgate.oauth.tokens import ACCESS, TokenRecord, UnreadableToken
from rowgate.records import CLOCK_ERROR_SECONDS, WHOLE_OBJECT, Revocation
from rowgate.rows.procedures import Procedure
from rowgate.service.admin.desk import AdminError, Desk, list_aliases, load_application
from rowgate.service.admin.grant_words import tell_count
from rowgate.service.admin.grants import explain_policy
from rowgate.service.admin.policies import SECRET_METHODS, list_registered_keys
from rowgate.service.admin.token_opener import HomeTokenOpener, looks_like_token

ACCESS_KIND = "access token"
GOOD = "good"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an application may, or may not, read an object: every question with its answer."""

    allowed: bool
    steps: tuple[tuple[str, bool, str], ...]  # question, whether it stands in the way no longer, what was found


@dataclass(frozen=True, slots=True)
class InspectedToken:
    """What a token of ours says and whether it is still good."""

    kind: str
    token_id: str
    record: TokenRecord
    application: Application | None
    expires_at: int  # as things stand today: the server's maximum may end it sooner than it was made to
    state: str  # good, expired, revoked

    @property
    def is_good_access(self) -> bool:
        """Tell whether it reads rows by itself, whatever of."""
        return self.kind == ACCESS_KIND and self.state == GOOD

    def index_objects(self) -> Mapping[str, frozenset[str] | None] | None:
        """Give the objects and columns that it is for, as `index_allowed` does; None: it is not narrowed."""
        if not self.record.details:
            return None
        # The one place that a detail can be for is this server, whose address is of no matter here.
        details = (msgspec.structs.replace(one, locations=()) for one in read_details(self.record.details))
        return index_allowed(tuple(details), action=READ, location="")


class TokenDesk:
    """Revokes and inspects tokens, and explains decisions."""

    def __init__(self, desk: Desk) -> None:
        """Take the administrator's tools."""
        self._desk = desk

    def revoke(self, presented: str, opener: HomeTokenOpener) -> str:
        """Kill one token: an access token, a refresh token with all that came from it, or a handle from the record.

        Raises:
            AdminError: It is neither a token of this home nor a handle.
        """
        with self._desk.store.reading() as look:
            applications = [application for application, _ in look.list_applications()]
        # What was refreshed at a refresh token's last moment outlives it by an access token's life.
        longest_access = max([ACCESS_LIFETIME_SECONDS, *(a.longest_access_seconds for a in applications)])
        if looks_like_token(presented):
            inspected = self.inspect(presented, opener)
            handle, forget_at = inspected.token_id, inspected.record.expires_at + longest_access + 1
        else:
            handle = presented.strip().lower()
            # A handle does not say when its token ends: remember it for as long as any token may live.
            longest_refresh = max([REFRESH_LIFETIME_SECONDS, *(a.longest_refresh_seconds for a in applications)])
            forget_at = int(self._desk.clock()) + longest_refresh + longest_access + 1
        try:
            raw = bytes.fromhex(handle)
        except ValueError:
            raise AdminError("this is neither a token nor a token id (32 hexadecimal digits)") from None
        if len(raw) != 16:  # noqa: PLR2004 - TOKEN_ID_BYTES in hex
            raise AdminError("a token id has 32 hexadecimal digits")
        with self._desk.store.changing() as change:
            change.forget_revocations(self._desk.clock() - CLOCK_ERROR_SECONDS)
            change.add_revocation(Revocation(raw, forget_at))
            self._desk.tell("token.revoke", handle)
        return handle

    def inspect(self, presented: str, opener: HomeTokenOpener) -> InspectedToken:
        """Say what a token is good for.

        Raises:
            AdminError: This home did not make it.
        """
        try:
            kind, token_id, record = opener.open(presented.strip(), self._desk.clock())
        except UnreadableToken:
            raise AdminError("this home did not make that token") from None
        with self._desk.store.reading() as look:
            found = [a for a, _ in look.list_applications() if a.number == record.application_number]
            revoked = any(map(look.is_revoked, (token_id, record.family, *record.made_of)))
        application = found[0] if found else None
        maxima = self._desk.maxima
        most = maxima.access_token_seconds if kind == ACCESS else maxima.refresh_token_seconds
        expires_at = find_end(record.expires_at, record.issued_at, most)
        return InspectedToken(
            ACCESS_KIND if kind == ACCESS else "refresh token",
            token_id.hex(),
            record,
            application,
            expires_at,
            _judge(record, application, expires_at=expires_at, revoked=revoked, now=self._desk.clock()),
        )

    def explain(self, application_name: str, object_name: str, presented: InspectedToken | None = None) -> Explanation:
        """Answer every question on the way from an application to an object, in the order the server asks them.

        Args:
            application_name: Its name or client id.
            object_name: A name or alias.
            presented: The access token that it comes with, where the question is about one.

        Raises:
            AdminError: There is no such application.
        """
        now = self._desk.clock()
        with self._desk.store.reading() as look:
            application, held = load_application(look, application_name)
            name = list_aliases(look).get(object_name, object_name)
            settings = look.find_object_settings(name)
            policy = look.find_grant_policy(application.number, name)
        described = self._desk.databases.find_object(name)
        block = f"blocked: {settings.block_reason}" if settings.block_reason else "blocked"
        steps: tuple[tuple[str, bool, str], ...] = (
            ("the application is enabled", application.enabled, "enabled" if application.enabled else "disabled"),
            _explain_authentication(application, now),
            ("its scope allows reading", "read" in application.scope, "scope: " + " ".join(application.scope)),
            ("the object exists", described is not None, name if described else f"there is no {name} in the database"),
            ("the object is granted to it", name in held, f"{tell_count(len(held), 'object')} granted"),
            ("the object is not blocked", not settings.blocked, block if settings.blocked else "not blocked"),
        )
        if policy != WHOLE_OBJECT:
            steps += (
                (
                    "what is granted of it can be read",
                    *explain_policy(policy, described, dict(application.policy.attributes)),
                ),
            )
        if isinstance(described, Procedure):
            steps += (("the procedure can be called", not described.fault, described.fault or "it can"),)
        if presented is not None:
            steps += tuple(_explain_token(presented, application, name))
        return Explanation(all(good for _, good, _ in steps), steps)


def _explain_token(
    presented: InspectedToken, application: Application, object_name: str
) -> Iterator[tuple[str, bool, str]]:
    record = presented.record
    is_own = record.application_number == application.number
    yield "the token is one of it", is_own, presented.application.name if presented.application else "nobody's any more"
    yield "it is an access token that is good now", presented.is_good_access, f"{presented.kind}, {presented.state}"
    yield "the token's scope allows reading", "read" in record.scope.split(" "), f"scope: {record.scope}"
    columns = find_allowed_columns(presented.index_objects(), object_name)
    found = "every column" if columns is None else "columns: " + ", ".join(sorted(columns))
    yield (
        "the token is for the object",
        columns is None or bool(columns),
        found if columns != frozenset() else "it is not",
    )


def _explain_authentication(application: Application, now: float) -> tuple[str, bool, str]:
    live = [s for s in application.secrets if not s.revoked and not s.is_expired(now)]
    found = f"{len(live)} of {tell_count(len(application.secrets), 'secret')} good"
    methods = set(application.policy.authentication_methods)
    is_good = bool(live) and bool(methods & SECRET_METHODS)
    if PRIVATE_KEY_JWT not in methods:
        return "it has a secret that is good now", is_good, found
    keys = len(list_registered_keys(application.policy))
    return "it has a key, or a secret that is good now", is_good or keys > 0, f"{tell_count(keys, 'key')}; {found}"


def _judge(record: TokenRecord, application: Application | None, *, expires_at: int, revoked: bool, now: float) -> str:
    if now >= expires_at:
        return "expired"
    if application is None or not application.enabled or revoked:
        return "revoked"
    return "revoked" if application.has_killed(record.epoch, record.secret_number) else GOOD
