"""Applications and their secrets."""

import dataclasses
import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rowgate.oauth.client_assertion import PRIVATE_KEY_JWT
from rowgate.oauth.client_auth import digest_client_secret
from rowgate.oauth.lineage import (
    KEY_ID_RANDOM_BYTES,
    SECRET_RANDOM_BYTES,
    list_renewed_from,
    render_client_secret,
    render_handle,
)
from rowgate.oauth.model import ORDINARY, Application, Secret
from rowgate.oauth.mutual_tls import SELF_SIGNED_TLS_CLIENT_AUTH
from rowgate.oauth.scope import parse_scope
from rowgate.service.admin.desk import AdminError, Desk, list_aliases, load_application
from rowgate.service.admin.keys import KeyDesk
from rowgate.service.admin.lifetimes import choose_access_lifetime, choose_refresh_lifetime, choose_secret_end
from rowgate.service.admin.policies import (
    SECRET_METHODS,
    UNCHANGED,
    PolicyChange,
    decide_policy,
    describe_policy_change,
    ensure_signing_key,
    name_by_client_id,
)

_CLIENT_ID_SIGNS = 20
_MAX_NAME_LENGTH = 120


@dataclass(frozen=True, slots=True)
class NewCredentials:
    """What is shown once."""

    application: Application
    secret: Secret
    client_secret: str
    objects: tuple[str, ...]


class ApplicationDesk:
    """Registers applications, withdraws objects from them, changes their secrets."""

    def __init__(self, desk: Desk, keys: KeyDesk) -> None:
        """Take the administrator's tools, and the keys that signed tokens need."""
        self._desk = desk
        self._keys = keys

    def add(
        self,
        name: str,
        objects: Sequence[str],
        *,
        scope: str,
        secret_expires_at: int | None,
        refresh_tokens: bool,
        access_lifetime_seconds: int | None,
        refresh_lifetime_seconds: int | None,
        policy: PolicyChange = UNCHANGED,
    ) -> NewCredentials:
        """Register an application with its first secret.

        Args:
            name: Unique, for people.
            objects: Names, aliases or patterns (`SA_*`) of what it may read.
            scope: What its tokens may do.
            secret_expires_at: Seconds since 1970, NEVER = 0; None: in 72 hours, or at the server's maximum.
            refresh_tokens: Whether it is issued refresh tokens.
            access_lifetime_seconds: Of an access token; None: an hour, or the server's maximum.
            refresh_lifetime_seconds: Of a refresh token; None: seven days, or the server's maximum.
            policy: What is different from the ordinary.

        Raises:
            AdminError: An unfit name, an object that does not exist, a life above the server's maximum, a policy that
                does not fit together or under which the secret would be good for nothing.
            NameTaken: There is an application of this name.
        """
        methods = decide_policy(ORDINARY, policy).authentication_methods
        if not SECRET_METHODS & set(methods):
            raise AdminError("a secret would be good for nothing: --no-secret, or --auth-method client_secret_basic")
        now = int(self._desk.clock())
        client_id = render_handle(self._desk.entropy(_CLIENT_ID_SIGNS))
        secret, client_secret = self._make_secret(client_id, "first", now, secret_expires_at)
        registered = self._register(
            Application(
                number=0,
                client_id=client_id,
                name=name,
                enabled=True,
                epoch=0,
                scope=parse_scope(scope),
                refresh_tokens=refresh_tokens,
                access_lifetime_seconds=choose_access_lifetime(self._desk.maxima, access_lifetime_seconds),
                refresh_lifetime_seconds=choose_refresh_lifetime(self._desk.maxima, refresh_lifetime_seconds),
                created_at=now,
                secrets=(secret,),
            ),
            objects,
            policy,
        )
        application, granted = registered
        return NewCredentials(application, application.secrets[0], client_secret, granted)

    def add_with_key(
        self,
        name: str,
        objects: Sequence[str],
        *,
        scope: str,
        refresh_tokens: bool,
        access_lifetime_seconds: int | None,
        refresh_lifetime_seconds: int | None,
        policy: PolicyChange,
        for_jobs: bool = False,
    ) -> tuple[Application, tuple[str, ...]]:
        """Register an application without a secret: it signs in with a key or a certificate (RFC 7523, RFC 8705).

        Give it with the names of what it may read. The arguments are those of `add`; `for_jobs` says that jobs of a
        trusted platform will sign in for it (RFC 7523 §2.1), by rules that are added later.

        Raises:
            AdminError: As `add`; or the policy has neither to sign in with.
            NameTaken: There is an application of this name.
        """
        if not for_jobs and set(decide_policy(ORDINARY, policy).authentication_methods) <= SECRET_METHODS:
            raise AdminError(
                f"without a secret it needs a key: --jwks FILE or --jwks-uri URL, and --auth-method {PRIVATE_KEY_JWT}; "
                f"or a certificate: --certificate FILE --auth-method {SELF_SIGNED_TLS_CLIENT_AUTH}"
            )
        return self._register(
            Application(
                number=0,
                client_id=render_handle(self._desk.entropy(_CLIENT_ID_SIGNS)),
                name=name,
                enabled=True,
                epoch=0,
                scope=parse_scope(scope),
                refresh_tokens=refresh_tokens,
                access_lifetime_seconds=choose_access_lifetime(self._desk.maxima, access_lifetime_seconds),
                refresh_lifetime_seconds=choose_refresh_lifetime(self._desk.maxima, refresh_lifetime_seconds),
                created_at=int(self._desk.clock()),
                secrets=(),
            ),
            objects,
            policy,
        )

    def _register(
        self, draft: Application, objects: Sequence[str], policy: PolicyChange
    ) -> tuple[Application, tuple[str, ...]]:
        if not draft.name.strip() or len(draft.name) > _MAX_NAME_LENGTH or not draft.name.isprintable():
            raise AdminError(f"a name has 1 to {_MAX_NAME_LENGTH} printable characters")
        with self._desk.store.reading() as look:
            policy = name_by_client_id(look, policy)
        draft = dataclasses.replace(draft, policy=decide_policy(ORDINARY, policy))
        granted = self._desk.resolve_objects(objects)
        ensure_signing_key(self._keys, draft.policy)  # before anybody can ask for what it signs
        details = {"key_id": draft.secrets[0].key_id} if draft.secrets else {}
        with self._desk.store.changing() as change:
            application = change.add_application(draft)
            change.grant(application.number, granted)
            self._desk.tell(
                "application.add",
                draft.name,
                client_id=draft.client_id,
                **details,
                objects=list(granted),
                **describe_policy_change(ORDINARY, draft.policy),
            )
        return application, granted

    def list_all(self) -> Sequence[tuple[Application, tuple[str, ...]]]:
        """Give every application with the objects it may read."""
        with self._desk.store.reading() as look:
            return look.list_applications()

    def load(self, name: str) -> tuple[Application, tuple[str, ...]]:
        """Give one application, by name or client id.

        Raises:
            AdminError: There is none.
        """
        with self._desk.store.reading() as look:
            return load_application(look, name)

    def set_enabled(self, name: str, *, enabled: bool) -> Application:
        """Let an application in, or keep it out together with every token it holds."""
        with self._desk.store.changing() as change:
            application, _ = load_application(change, name)
            change.set_enabled(application.number, enabled=enabled)
            self._desk.tell("application.enable" if enabled else "application.disable", application.name)
        return application

    def remove(self, name: str) -> Application:
        """Forget an application; its tokens die with it."""
        with self._desk.store.changing() as change:
            application, _ = load_application(change, name)
            change.remove_application(application.number)
            self._desk.tell("application.remove", application.name, client_id=application.client_id)
        return application

    def ungrant(self, name: str, objects: Sequence[str]) -> tuple[str, ...]:
        """Withdraw objects from an application; give the names that were withdrawn.

        Raises:
            AdminError: The application was not allowed one of them.
        """
        with self._desk.store.changing() as change:
            application, held = load_application(change, name)
            aliases = list_aliases(change)
            withdrawn: list[str] = []
            for wanted in objects:
                found = fnmatch.filter(held, wanted) or [n for n in held if n == aliases.get(wanted)]
                if not found:
                    raise AdminError(f"{application.name} may not read {wanted} anyway")
                withdrawn += found
            change.ungrant(application.number, withdrawn)
            self._desk.tell("application.ungrant", application.name, objects=withdrawn)
        return tuple(withdrawn)

    def revoke_tokens(self, name: str) -> Application:
        """Kill every token the application was ever issued; its secrets stay."""
        with self._desk.store.changing() as change:
            application, _ = load_application(change, name)
            change.raise_epoch(application.number)
            self._desk.tell("application.revoke_tokens", application.name)
        return application

    def add_secret(self, name: str, *, secret_name: str, expires_at: int | None) -> NewCredentials:
        """Make one more secret; those that exist stay good.

        Args:
            name: The application.
            secret_name: What to call it.
            expires_at: As for `add`.

        Raises:
            AdminError: There is no such application, the end is past or later than the server's maximum, or the name
                is unfit.
        """
        if len(secret_name) > _MAX_NAME_LENGTH or not secret_name.isprintable():
            raise AdminError(f"the name of a secret has up to {_MAX_NAME_LENGTH} printable characters")
        now = int(self._desk.clock())
        with self._desk.store.changing() as change:
            application, objects = load_application(change, name)
            secret, client_secret = self._make_secret(application.client_id, secret_name, now, expires_at)
            kept = change.add_secret(application.number, secret)
            self._desk.tell("secret.add", application.name, key_id=secret.key_id, expires_at=secret.expires_at)
        return NewCredentials(application, kept, client_secret, objects)

    def revoke_secret(self, name: str, key_id: str, *, kills_tokens: bool) -> Sequence[Secret]:
        """End a secret now; give it and those that ended with it.

        Args:
            name: The application.
            key_id: Which secret.
            kills_tokens: Whether what was issued with it dies too (R12), tokens and the secrets that were renewed from
                it: a thief may hold those by now. Not for an ordinary change of secrets.

        Raises:
            AdminError: The application has no such secret.
        """
        with self._desk.store.changing() as change:
            application, _ = load_application(change, name)
            for secret in application.secrets:
                if secret.key_id == key_id:
                    renewed = list_renewed_from(application, secret) if kills_tokens else ()
                    for ended in (secret, *renewed):
                        change.revoke_secret(ended.number, kills_tokens=kills_tokens)
                    told: dict[str, Any] = {"key_id": key_id, "kills_tokens": kills_tokens}
                    if renewed:
                        told["renewed_from_it"] = [ended.key_id for ended in renewed]
                    self._desk.tell("secret.revoke", application.name, **told)
                    return secret, *renewed
        raise AdminError(
            f"{application.name} has no secret {key_id}; `rowgate secret list {application.name}` shows them"
        )

    def _make_secret(self, client_id: str, name: str, now: int, expires_at: int | None) -> tuple[Secret, str]:
        key_id = render_handle(self._desk.entropy(KEY_ID_RANDOM_BYTES))
        client_secret = render_client_secret(key_id, self._desk.entropy(SECRET_RANDOM_BYTES))
        digest = digest_client_secret(self._desk.store.load_keys().digest, client_id, client_secret)
        secret = Secret(
            number=0,
            key_id=key_id,
            name=name,
            digest=digest,
            created_at=now,
            expires_at=choose_secret_end(self._desk.maxima, expires_at, now),
            revoked=False,
            kills_tokens=False,
        )
        return secret, client_secret
