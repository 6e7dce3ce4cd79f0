"""Slows down who guesses or asks for too much: failed authentications, tokens, revocations.

Quotas are counted in buckets that all workers may share. Failures are counted by this worker, its share of them.

Failures are counted by application and address, and by address alone.

Counted together with the address, a stranger cannot lock an application out: its own address has failed at nothing
(PROTOCOL 119). Memory is bounded: of a flood of made-up client ids the oldest are forgotten, and the address that
sends them is slowed down as a whole. A name that is longer than any counts as none.
"""

from collections import OrderedDict

from rowgate.oauth.bucket import draw_one
from rowgate.oauth.errors import TooManyRequests
from rowgate.ports.buckets import Buckets

FREE_FAILURES = 10  # of one application from one address, before it must wait
FREE_FAILURES_OF_SOURCE = 100  # from one address, whatever the application
FIRST_WAIT_SECONDS = 1
LONGEST_WAIT_SECONDS = 60
FORGET_SECONDS = 900  # 15 min without a failure
MAX_KEPT = 10_000
MAX_NAME_LENGTH = 255  # a client id has 20; a job that names none goes by its platform's name for it
REVOCATIONS_AT_ONCE = 1000  # of one application, before it must wait
REVOCATIONS_PER_MINUTE = 30  # from then on


class _Failures:
    """How often, when last, and until when it must wait."""

    __slots__ = ("count", "is_told", "last_at", "wait_until")

    def __init__(self) -> None:
        self.count = 0
        self.last_at = 0.0
        self.wait_until = 0.0
        self.is_told = False  # of this wait there is a refusal on record


class FailureThrottle:
    """Each further failure doubles the wait, up to a minute.

    One that has succeeded cannot be guessed into a wait from another address, nor by others from its own.
    """

    def __init__(self, *, workers: int = 1, max_kept: int = MAX_KEPT) -> None:
        """Take how many workers count beside this one, itself among them: what is free is divided between them.

        So many counts are kept; an application at an address is one, an address another.
        """
        self._free_failures = -(-FREE_FAILURES // workers)
        self._free_failures_of_source = -(-FREE_FAILURES_OF_SOURCE // workers)
        self._max_kept = max_kept
        self._kept: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._good: dict[tuple[str, str], None] = {}  # applications that have proved themselves, by address

    def __len__(self) -> int:
        """Give the number of counts that are kept."""
        return len(self._kept)

    def check(self, client_id: str, source: str, now: float) -> None:
        """Let an attempt pass, or refuse it before any work is done.

        Raises:
            TooManyRequests: It must wait; the refusal says how long.
        """
        if not self._kept:
            return
        mine = (_name(client_id), source)
        # whoever has proved itself from an address does not wait for the others behind it
        for key in (mine,) if mine in self._good else (mine, ("", source)):
            failures = self._kept.get(key)
            # a clock that jumped back must not keep anybody waiting for longer than the longest wait
            if failures is not None and now < failures.wait_until <= now + LONGEST_WAIT_SECONDS:
                is_first, failures.is_told = not failures.is_told, True
                raise TooManyRequests(
                    "Too many failed attempts. Wait.",
                    reason="too_many_failures",
                    retry_after_seconds=int(failures.wait_until - now) + 1,
                    is_first=is_first,
                )

    def note_success(self, client_id: str, source: str) -> None:
        """Remember that an application has proved itself from an address; what it failed before is forgotten."""
        client_id = _name(client_id)
        if not client_id:  # it would stand for everybody behind the address
            return
        key = (client_id, source)
        if key not in self._good:
            if len(self._good) >= self._max_kept:
                del self._good[next(iter(self._good))]
            self._good[key] = None
        if self._kept:
            self._kept.pop(key, None)

    def note_failure(self, client_id: str, source: str, now: float) -> None:
        """Count an attempt that failed; an empty client_id stands for one that named nobody."""
        client_id = _name(client_id)
        if client_id:  # else it would be counted twice under the address, by the smaller bound
            self._count((client_id, source), self._free_failures, now)
        self._count(("", source), self._free_failures_of_source, now)

    def _count(self, key: tuple[str, str], free: int, now: float) -> None:
        failures = self._kept.get(key)
        if failures is None or not 0 <= now - failures.last_at <= FORGET_SECONDS:
            failures = self._kept[key] = _Failures()
        self._kept.move_to_end(key)
        failures.count += 1
        failures.last_at = now
        beyond = failures.count - free
        if beyond >= 0:
            failures.is_told = False
            failures.wait_until = now + min(FIRST_WAIT_SECONDS * 2 ** min(beyond, 6), LONGEST_WAIT_SECONDS)
        while len(self._kept) > self._max_kept:
            self._kept.popitem(last=False)


def _name(client_id: str) -> str:
    return client_id if len(client_id) <= MAX_NAME_LENGTH else ""


class OwnBuckets:
    """See `ports.buckets.Buckets`: this worker's own, in memory."""

    def __init__(self) -> None:
        """Start with every bucket full."""
        self._left: dict[int, tuple[float, float]] = {}  # by application: how much, as of when

    def __len__(self) -> int:
        """Give the number of buckets that are kept."""
        return len(self._left)

    def take(self, application_number: int, *, size: int, per_minute: int, now: float) -> int:
        """See `ports.buckets.Buckets`."""
        left, as_of = self._left.get(application_number, (float(size), now))
        left, wait = draw_one(left, as_of, size=size, per_minute=per_minute, now=now)
        self._left[application_number] = (left, now)
        return wait

    def look(self, application_number: int, *, size: int, per_minute: int, now: float) -> int:
        """See `ports.buckets.Buckets`."""
        left, as_of = self._left.get(application_number, (float(size), now))
        return draw_one(left, as_of, size=size, per_minute=per_minute, now=now)[1]


class TokenQuota:
    """Tokens an application may get in a minute (RFC 6585 §4)."""

    def __init__(self, buckets: Buckets | None = None) -> None:
        """Take who keeps the counts; None: this worker for itself."""
        self._buckets = buckets or OwnBuckets()

    def take(self, application_number: int, tokens_per_minute: int, now: float) -> None:
        """Take one token out of an application's bucket.

        Args:
            application_number: Whose.
            tokens_per_minute: The quota, which is also the size of the bucket; 0: none, nothing is counted.
            now: Seconds since 1970.

        Raises:
            TooManyRequests: It is empty; the refusal says when it is not.
        """
        if tokens_per_minute:
            ask = self._buckets.take
            _refuse_to_wait(ask(application_number, size=tokens_per_minute, per_minute=tokens_per_minute, now=now))

    def check(self, application_number: int, tokens_per_minute: int, now: float) -> None:
        """Refuse what would be refused in the end, before anything is written for it; take nothing.

        Raises:
            TooManyRequests: As `take`.
        """
        if tokens_per_minute:
            ask = self._buckets.look
            _refuse_to_wait(ask(application_number, size=tokens_per_minute, per_minute=tokens_per_minute, now=now))


def _refuse_to_wait(wait_seconds: int) -> None:
    if wait_seconds:
        raise TooManyRequests(
            "The application has used up its tokens of this minute.",
            reason="quota_used_up",
            retry_after_seconds=wait_seconds,
        )


class RevocationQuota:
    """Revocations that an application may bring about: each is kept by every worker for longer than its token lives."""

    def __init__(self, buckets: Buckets | None = None, *, at_once: int = REVOCATIONS_AT_ONCE) -> None:
        """Take who keeps the counts, as for `TokenQuota`, and how many may come together."""
        self._at_once = at_once
        self._buckets = buckets or OwnBuckets()
        self._strict_until: dict[int, float] = {}  # by application that has ended more families than it may

    def take(self, application_number: int, now: float) -> None:
        """Let a revocation pass.

        Raises:
            TooManyRequests: There were too many; the refusal says when the next may come. The token ends by itself.

        Source: RFC 7009 §2.2.1 (the client must assume that the token still exists)
        """
        wait = self._buckets.take(application_number, size=self._at_once, per_minute=REVOCATIONS_PER_MINUTE, now=now)
        if wait:
            raise TooManyRequests(
                "The application has revoked too many tokens. Wait.",
                reason="revokes_too_often",
                retry_after_seconds=wait,
            )

    def check_rotation(self, application_number: int, now: float) -> None:
        """Let a rotation pass, which may find that a family must end.

        It takes nothing, unless the application has ended too many of late: then each takes one, however it goes.

        Raises:
            TooManyRequests: There were too many; nothing was looked at. The client may ask for tokens anew instead.
        """
        if now < self._strict_until.get(application_number, 0.0):
            self.take(application_number, now)

    def note_reuse(self, application_number: int, now: float) -> None:
        """Count a family that ended since a replaced refresh token came back: that is never refused, and never free."""
        if self._buckets.take(application_number, size=self._at_once, per_minute=REVOCATIONS_PER_MINUTE, now=now):
            self._strict_until[application_number] = now + self._at_once * 60 / REVOCATIONS_PER_MINUTE
