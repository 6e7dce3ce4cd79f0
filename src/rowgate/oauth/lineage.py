"""Lines of renewed client secrets: what a secret that asks for its successor gets, decided from the secrets alone.

A secret has at most one living successor. Its value is not kept: `derive_client_secret` makes it, from a key of the
home, out of its parent's value (which the client presents) and its own key id. So a client whose answer was lost, and
every one of twenty that asked at once, is given the same successor again, and nobody is stranded.

Once the successor has authenticated, its client has it and has no reason to ask its parent's way again. Whoever does
so holds a copy: one of the two is a thief, and which one cannot be told. The whole line ends, with every token that
was issued with any secret of it (as for refresh tokens, RFC 9700 §4.14.2).

Rule: decisions are made on what one transaction reads, and written in the same transaction.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rowgate.oauth.client_auth import SECRET_PREFIX
from rowgate.oauth.errors import InvalidClient, TooManyRequests, UnauthorizedClient
from rowgate.oauth.lifetimes import find_end, sooner
from rowgate.oauth.model import NEVER, Application, ClientPolicy, Secret

MAX_RENEWALS = 10  # of one line, in the time below: who renews with every token would fill the state
RENEWALS_SECONDS = 3600  # 1 h
_SECRET_PURPOSE = b"rowgate renewed client secret\x00"
_CODE_PURPOSE = b"rowgate enrolment code\x00"

CODE_PREFIX = "rgen_"
CODE_RANDOM_BYTES = 32  # 256 bits
KEY_ID_RANDOM_BYTES = 8
SECRET_RANDOM_BYTES = 32  # 256 bits
_HANDLE_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # 32 signs, none to be mistaken for another


@dataclass(frozen=True, slots=True)
class Renew:
    """Make the successor, and have the presented secret end."""

    expires_at: int  # of the successor; seconds since 1970, NEVER = 0
    previous_expires_at: int  # of the presented secret
    lineage_began_at: int
    forget: tuple[int, ...]  # numbers of secrets of the line that are long dead, with all that they issued


@dataclass(frozen=True, slots=True)
class Repeat:
    """The successor is there and has never been used: give it again, and write nothing."""

    successor: Secret


@dataclass(frozen=True, slots=True)
class Stolen:
    """The successor has been used: end every secret of the line, with its tokens, then refuse.

    A value and no error, for it changes something.
    """

    used: Secret  # the successor that has authenticated
    lineage: tuple[Secret, ...]  # what is to end, the oldest first


def decide_renewal(
    application: Application, presented: Secret, now: float, *, most_seconds: int = 0
) -> Renew | Repeat | Stolen:
    """Give what a good secret that asks for its successor gets.

    1. The presented secret has not ended since it was proved.
    2. A successor that has been used is the theft signal, whatever the policy says by now.
    3. The policy allows renewals, and the line is not too old.
    4. A successor that has not been used is given again.
    5. The line has not been renewed too often.

    Args:
        application: As the transaction reads it.
        presented: The secret that was proved, as the transaction reads it.
        now: Seconds since 1970.
        most_seconds: The longest that any secret may live; 0: no limit.

    Raises:
        InvalidClient: The secret, or its application, has ended in between.
        UnauthorizedClient: The administrator forbids it, or the line has reached its greatest age.
        TooManyRequests: The line was renewed `MAX_RENEWALS` times in the last hour.

    Source: RFC 9700 §4.14.2 (the same for refresh tokens); RFC 6749 §5.2 for the codes
    """
    refuse_ended(application, presented, now)
    successor = _find_successor(application, presented, now)
    if successor is not None and successor.used_at:
        return Stolen(successor, list_lineage(application, presented))
    if not application.policy.renew_secrets:
        raise UnauthorizedClient(
            "The application may not renew its secrets.", reason="renewal_forbidden", key_id=presented.key_id
        )
    began_at = presented.lineage_began_at or presented.created_at
    if not _is_young(application.policy, began_at, now):
        raise UnauthorizedClient(
            "The secret cannot be renewed any more. The administrator has a new one.",
            reason="lineage_too_old",
            key_id=presented.key_id,
        )
    if successor is not None:
        return Repeat(successor)
    lineage = list_lineage(application, presented)
    _limit_renewals(lineage, presented, now)
    return Renew(
        expires_at=find_secret_end(application.policy, began_at, now, most_seconds=most_seconds),
        previous_expires_at=find_previous_end(application, presented, int(now), now),
        lineage_began_at=began_at,
        forget=tuple(_find_forgettable(application, lineage, presented, now)),
    )


def find_secret_end(policy: ClientPolicy, began_at: int, now: float, *, most_seconds: int) -> int:
    """Give when a secret ends that a client gets now without an administrator.

    Args:
        policy: Of its application.
        began_at: When the first secret of its line was made.
        now: Seconds since 1970.
        most_seconds: The longest that any secret may live; 0: no limit.
    """
    ends_at = int(now) + policy.renewed_secret_seconds if policy.renewed_secret_seconds else NEVER
    line_ends_at = began_at + policy.lineage_seconds if policy.lineage_seconds else NEVER
    return find_end(sooner(ends_at, line_ends_at), int(now), most_seconds)


def find_previous_end(application: Application, presented: Secret, renewed_at: int, now: float) -> int:
    """Give until when a renewed secret stays good at least: the overlap begins with the first use of its successor.

    So a client whose answer was lost is never left without a secret before the end of the one that it has (R15).
    """
    overlap_seconds = application.policy.secret_overlap_seconds
    ends_at = renewed_at + overlap_seconds
    return sooner(presented.expires_at, ends_at if ends_at > now else int(now) + overlap_seconds)


def refuse_ended(application: Application, presented: Secret, now: float) -> None:
    """Refuse a secret that was proved, and has ended or been ended since.

    Raises:
        InvalidClient: It is revoked or expired, or its application is disabled.
    """
    if presented.revoked:
        raise InvalidClient("The client secret is revoked.", reason="revoked_secret", key_id=presented.key_id)
    if presented.is_expired(now):
        raise InvalidClient("The client secret has expired.", reason="expired_secret", key_id=presented.key_id)
    if not application.enabled:
        raise InvalidClient("The application is disabled.", reason="disabled_application", key_id=presented.key_id)


def list_lineage(application: Application, member: Secret) -> tuple[Secret, ...]:
    """Give every secret of the line that a secret belongs to, in order of number; itself among them."""
    by_number = {secret.number: secret for secret in application.secrets}

    def find_root(secret: Secret) -> int:
        # a parent is older than its child, so its number is smaller and the walk ends
        while 0 < secret.parent < secret.number and secret.parent in by_number:
            secret = by_number[secret.parent]
        return secret.parent or secret.number  # a parent that was forgotten still names the line

    root = find_root(member)
    line = (secret for secret in application.secrets if find_root(secret) == root)
    return tuple(sorted(line, key=lambda secret: secret.number))


def list_renewed_from(application: Application, member: Secret) -> tuple[Secret, ...]:
    """Give every secret that was renewed from one, or from one of those; whoever had it could get them."""
    found = {member.number}
    for secret in sorted(application.secrets, key=lambda secret: secret.number):  # a parent is older than its child
        if secret.parent in found:
            found.add(secret.number)
    return tuple(secret for secret in application.secrets if secret.number in found - {member.number})


def make_successor(renewal: Renew, presented: Secret, *, key_id: str, digest: bytes, now: float) -> Secret:
    """Give the successor as it is to be kept; its number comes with the keeping."""
    return Secret(
        number=0,
        key_id=key_id,
        name=presented.name,
        digest=digest,
        created_at=int(now),
        expires_at=renewal.expires_at,
        revoked=False,
        kills_tokens=False,
        parent=presented.number,
        lineage_began_at=renewal.lineage_began_at,
    )


def derive_client_secret(key: bytes, client_id: str, parent_client_secret: str, key_id: str) -> str:
    """Give the value of the secret `key_id` that succeeds another; 256 bits.

    As hard to guess as the key and the parent's value together: whoever has only one of them learns nothing.

    Args:
        key: 32 random bytes of the home.
        client_id: Whose.
        parent_client_secret: The whole value of the secret that it was renewed from.
        key_id: Its own handle.
    """
    texts = (client_id.encode(), parent_client_secret.encode(), key_id.encode())
    # each length first, so that no two triples give one message
    message = _SECRET_PURPOSE + b"".join(b"%d:%b" % (len(text), text) for text in texts)
    return render_client_secret(key_id, hmac.digest(key, message, hashlib.sha256))


def render_client_secret(key_id: str, value: bytes) -> str:
    """Give the text of a client secret: its handle, and 32 bytes as 43 signs.

    >>> render_client_secret("k1x2y3z4", bytes(32))[:18]
    'rgcs_k1x2y3z4_AAAA'
    """
    return f"{SECRET_PREFIX}{key_id}_{_render_base64url(value)}"


def render_handle(random_bytes: bytes) -> str:
    """Give a client id or key id, a sign of five bits for each random byte."""
    # the length of the alphabet is a power of two, so that every sign is as likely as any other
    return "".join(_HANDLE_ALPHABET[byte % len(_HANDLE_ALPHABET)] for byte in random_bytes)


def render_enrolment_code(value: bytes) -> str:
    """Give the text of a one-time code of 32 random bytes."""
    return CODE_PREFIX + _render_base64url(value)


def digest_enrolment_code(key: bytes, code: str) -> bytes:
    """Give the 32 bytes that a one-time code is kept as."""
    return hmac.digest(key, _CODE_PURPOSE + code.encode(), hashlib.sha256)


def _render_base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode("ascii")


def _find_successor(application: Application, presented: Secret, now: float) -> Secret | None:
    """Give the successor that counts: one that has been used, else one that can still be used.

    One that an administrator has revoked counts no more: whoever revoked it wants the client to get another.
    """
    children = [secret for secret in application.secrets if secret.parent == presented.number and not secret.revoked]
    used = [secret for secret in children if secret.used_at]
    good = [secret for secret in children if not secret.is_expired(now)]
    return next(iter(used or good), None)


def _is_young(policy: ClientPolicy, began_at: int, now: float) -> bool:
    return not policy.lineage_seconds or now < began_at + policy.lineage_seconds


def _limit_renewals(lineage: Sequence[Secret], presented: Secret, now: float) -> None:
    made = sorted(
        secret.created_at for secret in lineage if secret.parent and secret.created_at > now - RENEWALS_SECONDS
    )
    if len(made) >= MAX_RENEWALS:
        raise TooManyRequests(
            "The secret was renewed too often. Wait.",
            reason="renews_too_often",
            retry_after_seconds=int(made[-MAX_RENEWALS] + RENEWALS_SECONDS - now) + 1,
            key_id=presented.key_id,
        )


def _find_forgettable(
    application: Application, lineage: Sequence[Secret], presented: Secret, now: float
) -> Iterator[int]:
    """Give the secrets that nothing hangs on any more: whatever was issued with them has expired too."""
    kept_seconds = max(RENEWALS_SECONDS, application.longest_access_seconds + application.longest_refresh_seconds)
    for secret in lineage:
        if secret.number != presented.number and secret.is_expired(now - kept_seconds) and not secret.revoked:
            yield secret.number
