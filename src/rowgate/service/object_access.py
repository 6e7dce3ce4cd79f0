"""Whether an Access may read an object, and what of it: decided here for everything that is told of objects."""

from rowgate.access import Access
from rowgate.oauth.authorization_details import find_allowed_columns
from rowgate.oauth.errors import InsufficientScope
from rowgate.oauth.model import DEFAULT_SCOPE
from rowgate.records import WHOLE_OBJECT
from rowgate.rows.errors import InvalidParameter, UnknownObject
from rowgate.rows.model import ObjectDescription
from rowgate.rows.policy import WHOLE, MissingAttribute, RowsPolicy, read_policy
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
        policy = self.find_policy(access, name)
        if columns is not None and policy.columns is not None and columns.isdisjoint(policy.columns):
            raise InsufficientScope("The access token is not for this object.", reason="outside_token")

    def find_policy(self, access: Access, name: str) -> RowsPolicy:
        """Give what of the object is granted.

        Raises:
            InsufficientScope: Its rule needs an attribute that the application lacks, or cannot be read.
        """
        kept = self._state.find_grant_policy(access.application_number, name)
        if kept is WHOLE_OBJECT:
            return WHOLE
        application = self._state.find_application_by_number(access.application_number)
        attributes = application.policy.attributes if application is not None else ()
        try:
            return read_policy(kept.columns, kept.masks, kept.rows, attributes)
        except MissingAttribute:
            raise InsufficientScope("The application may not read this object.", reason="attribute_missing") from None
        except (InvalidParameter, ValueError) as error:  # of a newer release, or damaged
            raise refuse_policy() from error

    def may_read(self, access: Access, name: str) -> bool:
        """Tell whether nothing stands against reading an object that exists."""
        try:
            self.decide_grant(access, name)
        except InsufficientScope:
            return False
        return True


def refuse_policy() -> InsufficientScope:
    """Give the refusal where a grant's policy cannot be applied to the object as it is now."""
    return InsufficientScope("The application may not read this object.", reason="policy_unusable")


def _unknown() -> UnknownObject:
    return UnknownObject("There is no such object.", field="object", expected="a table, view, procedure or alias")
