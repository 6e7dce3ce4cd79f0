"""What an administrator decides about secrets beyond making one: one-time codes for them, and their renewal."""

from dataclasses import dataclass, field

import msgspec

from rowgate.oauth.lineage import CODE_RANDOM_BYTES, digest_enrolment_code, render_enrolment_code
from rowgate.oauth.model import Application, ClientPolicy
from rowgate.records import Enrolment
from rowgate.service.admin.desk import AdminError, Desk, load_application
from rowgate.service.admin.lifetimes import check_secret_lifetime

KEPT_SECONDS = 2_592_000  # 30 d after its end: until then a code that comes back is told from one that never was
LONGEST_SECONDS = 604_800  # 7 d
LONGEST_OVERLAP_SECONDS = 604_800  # 7 d: a secret that was replaced must not stay good for good


@dataclass(frozen=True, slots=True)
class NewEnrolment:
    """What is shown once."""

    application: Application
    code: str = field(repr=False)
    expires_at: int  # seconds since 1970


class SecretPolicyChange(msgspec.Struct, frozen=True):
    """What is to be different; None leaves it as it is."""

    renew_secrets: bool | None = None
    secret_overlap_seconds: int | None = None
    renewed_secret_seconds: int | None = None  # 0: renewed secrets never end
    lineage_seconds: int | None = None  # 0: a line may grow as old as it likes


class SecretDesk:
    """Makes codes, which `service.enrolments` redeems, and says what `service.secrets` may renew."""

    def __init__(self, desk: Desk) -> None:
        """Take the administrator's tools."""
        self._desk = desk

    def enrol(self, name: str, *, lifetime_seconds: int) -> NewEnrolment:
        """Make a code for an application, by its name or client id.

        Raises:
            AdminError: There is no such application, or it is disabled; the life is too short or too long.
        """
        if not 0 < lifetime_seconds <= LONGEST_SECONDS:
            raise AdminError("a code lives for up to 7d: it is as good as a secret while it lives")
        now = int(self._desk.clock())
        code = render_enrolment_code(self._desk.entropy(CODE_RANDOM_BYTES))
        digest = digest_enrolment_code(self._desk.store.load_keys().digest, code)
        with self._desk.store.changing() as change:
            application, _ = load_application(change, name)
            if not application.enabled:
                raise AdminError(f"{application.name} is disabled: `rowgate app enable` lets it in again")
            change.forget_enrolments(now - KEPT_SECONDS)
            change.add_enrolment(Enrolment(digest, application.number, now + lifetime_seconds))
            self._desk.tell(
                "enrolment.add", application.name, client_id=application.client_id, expires_at=now + lifetime_seconds
            )
        return NewEnrolment(application, code, now + lifetime_seconds)

    def set_policy(self, name: str, wanted: SecretPolicyChange) -> Application:
        """Change what is not None; give the application as it is then. What is so already is not on record.

        It counts for the renewals from then on; secrets that were made keep their end.

        Raises:
            AdminError: There is no such application, a length makes no sense, or is above the server's maximum.
        """
        overlap = wanted.secret_overlap_seconds
        if overlap is not None and not 0 <= overlap <= LONGEST_OVERLAP_SECONDS:
            raise AdminError("the overlap is from 0 to 7d")
        if wanted.renewed_secret_seconds is not None:
            check_secret_lifetime(self._desk.maxima, wanted.renewed_secret_seconds)
        with self._desk.store.changing() as change:
            application, _ = load_application(change, name)
            old = application.policy
            chosen = {
                field: value for field in wanted.__struct_fields__ if (value := getattr(wanted, field)) is not None
            }
            policy: ClientPolicy = msgspec.structs.replace(old, **chosen)
            if policy.lineage_seconds and policy.secret_overlap_seconds > policy.lineage_seconds:
                raise AdminError("the overlap is longer than a line of secrets may grow")
            if policy != old:
                change.set_policy(application.number, policy)
                self._desk.tell("secret.policy", application.name, **chosen)
            found, _ = load_application(change, name)
        return found
