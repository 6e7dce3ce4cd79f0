"""The state as every worker holds it in memory. Decisions read it, nothing but `apply` and `replace` changes it.

Changed on the event loop only. Read from there and from the threads that start statements: each question is
one dictionary look-up, so a thread sees either the old or the new answer.
"""

from collections.abc import Callable, Collection

from rowgate.oauth.model import Application
from rowgate.records import (
    NO_KEYS,
    WHOLE_OBJECT,
    Changes,
    GrantPolicy,
    Grants,
    KeyMaterial,
    ObjectSettings,
    StateSnapshot,
)

_NOTHING: frozenset[str] = frozenset()


class LiveState:
    """Applications, grants, blocks, aliases and revocations, by what they are asked by."""

    def __init__(self, snapshot: StateSnapshot) -> None:
        """Take the first snapshot."""
        self._hear_of_keys: list[Callable[[], None]] = []
        self._keys = NO_KEYS
        self.replace(snapshot)

    @property
    def keys(self) -> KeyMaterial:
        """The home's keys; another object each time that they change."""
        return self._keys

    def tell_of_keys(self, hear: Callable[[], None]) -> None:
        """Have this called from now on whenever the keys have changed, and once at once."""
        self._hear_of_keys.append(hear)
        hear()

    def replace(self, snapshot: StateSnapshot) -> None:
        """Forget everything and take this."""
        self.sequence = snapshot.sequence
        self._by_client_id = {found.application.client_id: found.application for found in snapshot.grants}
        self._by_number = {found.application.number: found for found in snapshot.grants}
        self._objects = {settings.name: settings for settings in snapshot.objects}
        self._aliases = {alias: settings.name for settings in snapshot.objects for alias in settings.aliases}
        self._revoked = {revocation.handle: revocation.forget_at for revocation in snapshot.revocations}
        self._put_keys(snapshot.keys)

    def apply(self, changes: Changes) -> None:
        """Take what is different."""
        for number, found in changes.applications.items():
            self._put_application(number, found)
        for name, settings in changes.objects.items():
            old = self._objects.get(name)
            self._objects[name] = settings
            for alias in settings.aliases:
                self._aliases[alias] = name
            for alias in old.aliases if old else ():
                if alias not in settings.aliases and self._aliases.get(alias) == name:
                    del self._aliases[alias]
        for revocation in changes.revocations:
            self._revoked[revocation.handle] = revocation.forget_at
        if changes.keys is not None:
            self._put_keys(changes.keys)
        self.sequence = changes.sequence

    def _put_keys(self, keys: KeyMaterial) -> None:
        if keys != self._keys:
            self._keys = keys
            for hear in self._hear_of_keys:
                hear()

    def _put_application(self, number: int, found: Grants | None) -> None:
        # Assigned over, not taken out and put in: a thread in between must not find it missing.
        if found is not None:
            self._by_number[number] = found
            self._by_client_id[found.application.client_id] = found.application
        elif (old := self._by_number.pop(number, None)) is not None:
            client_id = old.application.client_id
            # changes come in no order: another may have the client id by now
            if self._by_client_id.get(client_id) is old.application:
                del self._by_client_id[client_id]

    def find_application(self, client_id: str) -> Application | None:
        """Give the application of that client id, or None."""
        return self._by_client_id.get(client_id)

    def find_application_by_number(self, number: int) -> Application | None:
        """Give the application of that number, or None."""
        found = self._by_number.get(number)
        return None if found is None else found.application

    def list_applications(self) -> Collection[Application]:
        """Give every application."""
        return [found.application for found in self._by_number.values()]

    def list_granted(self, number: int) -> frozenset[str]:
        """Give the names of the objects that an application may read."""
        found = self._by_number.get(number)
        return _NOTHING if found is None else found.objects

    def find_grant_policy(self, number: int, object_name: str) -> GrantPolicy:
        """Give what the grant of an object holds beyond it; the whole object when nothing is set."""
        found = self._by_number.get(number)
        return WHOLE_OBJECT if found is None else found.policies.get(object_name, WHOLE_OBJECT)

    def resolve_alias(self, name: str) -> str:
        """Give the object's name for its alias; any other name as it is."""
        return self._aliases.get(name, name)

    def find_settings(self, object_name: str) -> ObjectSettings:
        """Give what is set for an object; the defaults when nothing is."""
        return self._objects.get(object_name) or ObjectSettings(object_name)

    def is_revoked(self, token_id: bytes, family: bytes, made_of: tuple[bytes, ...] = ()) -> bool:
        """Tell whether a token, its family or a token that it was made of was killed."""
        if token_id in self._revoked or family in self._revoked:
            return True
        return bool(made_of) and not self._revoked.keys().isdisjoint(made_of)

    def forget_expired(self, now: float) -> None:
        """Drop revocations of tokens that have expired by themselves."""
        expired = [handle for handle, forget_at in self._revoked.items() if forget_at < now]
        for handle in expired:
            del self._revoked[handle]
