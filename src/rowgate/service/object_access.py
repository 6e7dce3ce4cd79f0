"""Whether an Access may read an object: decided here for everything that is told of objects."""

from rowgate.access import Access
from rowgate.oauth.authorization_details import find_allowed_columns
from rowgate.oauth.errors import InsufficientScope
from rowgate.oauth.model import DEFAULT_SCOPE
from rowgate.rows.errors import UnknownObject
from rowgate.rows.model import ObjectDescription
from rowgate.service.state import LiveState


class ObjectAccess:
    """Decides by the token, the grants and the blocks."""

    def __init__(self, state: LiveState, *, conceal_objects: bool) -> None:
        """Take the state, and whether what is refused looks as if it did not exist."""
        self._state = state
        self._conceal_objects = conceal_objects

    def decide_scope(self, access: Access) -> None:
        """Refuse a token that may not read at all.

        Raises:
            InsufficientScope: The scope stands against it.
        """
        if DEFAULT_SCOPE not in access.scope:
            raise InsufficientScope("The token's scope does not allow reading.", reason="scope_lacks_read")

    def decide(self, access: Access, name: str, described: ObjectDescription | None) -> ObjectDescription:
        """Give the object if it exists, is granted and is not blocked (O-17, O-36, PROTOCOL 103, 104).

        Args:
            access: Who asks.
            name: The canonical name.
            described: As the database describes it; None: it has no such object.

        Raises:
            UnknownObject: It does not exist; with conceal_objects also when it is refused.
            InsufficientScope: The token's scope or details, the grants or a block stand against it.
        """
        self.decide_scope(access)
        if described is None:
            raise _unknown()
        try:
            self.decide_grant(access, name)
        except InsufficientScope:
            if self._conceal_objects:
                raise _unknown() from None
            raise
        return described

    def decide_grant(self, access: Access, name: str) -> None:
        """Refuse what is not granted, blocked, or outside the token.

        Raises:
            InsufficientScope: Which of them it is.
        """
        if name not in self._state.list_granted(access.application_number):
            raise InsufficientScope("The application may not read this object.", reason="not_granted")
        if self._state.find_settings(name).blocked:
            raise InsufficientScope("The object is blocked from remote access.", reason="blocked_object")
        columns = find_allowed_columns(access.allowed, name)
        if columns is not None and not columns:
            raise InsufficientScope("The access token is not for this object.", reason="outside_token")

    def may_read(self, access: Access, name: str) -> bool:
        """Tell whether nothing stands against reading an object that exists."""
        try:
            self.decide_grant(access, name)
        except InsufficientScope:
            return False
        return True


def _unknown() -> UnknownObject:
    return UnknownObject("There is no such object.", field="object", expected="a table, view, procedure or alias")
