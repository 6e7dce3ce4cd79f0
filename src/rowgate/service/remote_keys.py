"""Public keys that stand at an address: of clients (jwks_uri) and of platforms. Kept, and asked for again in time.

Rule: what a request says decides at most that a known address is asked once more, and never before `RELOAD_SECONDS`
are over: a flood of unknown key ids is one question (PROTOCOL 106). Those who need keys that are not here wait by a
callback; nobody else does.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from rowgate.oauth.jwk_set import MAX_JWK_SET_BYTES, UnusableJwkSet, parse_jwk_set
from rowgate.oauth.jws import VerificationKeys
from rowgate.ports import CallFailed, CallForbidden, Clock, OutgoingAnswer, OutgoingHttp, StoreError

LEAST_FRESH_SECONDS = 60  # whatever max-age says
MOST_FRESH_SECONDS = 86_400  # 1 d
FRESH_SECONDS = 300  # where it says nothing
RELOAD_SECONDS = 60  # between two questions for an unknown key id
RETRY_SECONDS = 10  # after a question that failed
STALE_SECONDS = 21_600  # 6 h: how long keys count past their time while their host gives none
MAX_WAITING = 100  # requests for one address; further ones are refused at once
MAX_KEPT = 1000  # addresses
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
SERVING_USES = frozenset({"sig", "jwt-svid"})  # RFC 7517 §4.2; SPIFFE Trust Domain and Bundle §4.2.2
_NOT_KEPT = re.compile(r"\bno-(?:store|cache)\b", re.IGNORECASE)

_log = logging.getLogger("rowgate.keys")


class KeysUnavailable(StoreError):
    """The host of somebody's keys does not give them at the moment; the same request may succeed later."""


class KeysForbidden(Exception):
    """The keys stand at an address that the settings do not let the server call."""


@dataclass(slots=True)
class _Kept:
    """What is known of an address."""

    keys: VerificationKeys | None = None
    failure: Exception | None = None  # why the last question brought none
    loaded_at: float = 0.0
    fresh_until: float = 0.0
    asked_at: float = 0.0
    ask_again_at: float = 0.0
    loading: asyncio.Task[None] | None = None
    waiting: list[Callable[[], None]] = field(default_factory=list)


class RemoteKeys:
    """The keys at every address that was asked for; of this worker. Used on the event loop only."""

    def __init__(self, http: OutgoingHttp, *, clock: Clock) -> None:
        """Take the way to other hosts."""
        self._http = http
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def must_load(self, uri: str, key_id: str | None) -> bool:
        """Tell whether to call `load_then` before `get`: there are no fresh keys, or none of this id, and it is time.

        Args:
            uri: Of the key set; one that an administrator wrote.
            key_id: As somebody unknown claims; None: it names none.
        """
        kept = self._kept.get(uri)
        if kept is None:
            return True
        now = self._clock()
        is_fresh = kept.keys is not None and kept.loaded_at <= now < kept.fresh_until
        if is_fresh and kept.keys is not None and (key_id is None or any(key.kid == key_id for key in kept.keys.keys)):
            return False
        return kept.loading is not None or not kept.asked_at <= now < kept.ask_again_at

    def load_then(self, uri: str, then: Callable[[], None]) -> None:
        """Ask for the keys, or wait with those who asked; call back, once and later, however it went."""
        kept = self._kept.get(uri)
        if kept is None:
            self._make_room()
            kept = self._kept[uri] = _Kept()
        loop = asyncio.get_running_loop()
        if len(kept.waiting) >= MAX_WAITING:
            loop.call_soon(then)
            return
        kept.waiting.append(then)
        if kept.loading is None:
            kept.loading = loop.create_task(self._load(uri, kept))

    def get(self, uri: str) -> VerificationKeys:
        """Give the keys of an address: fresh ones, or for `STALE_SECONDS` those that its host gave last.

        Raises:
            KeysUnavailable: There are none, and its host cannot be asked at the moment.
            KeysForbidden: The address may not be called.
            UnusableJwkSet: Its host answers with something else than keys.
        """
        kept = self._kept.get(uri)
        if kept is None:
            raise KeysUnavailable("the keys are not loaded")
        if kept.keys is not None and self._clock() < kept.fresh_until + STALE_SECONDS:
            return kept.keys
        match kept.failure:
            case CallForbidden() as error:
                raise KeysForbidden from error
            case UnusableJwkSet() as error:
                raise error
            case error:
                raise KeysUnavailable("the host of the keys cannot be asked") from error

    async def stop(self) -> None:
        """End the questions that are under way; who waits is called back."""
        loading = [kept.loading for kept in self._kept.values() if kept.loading is not None]
        for task in loading:
            task.cancel()
        if loading:
            await asyncio.wait(loading)

    async def _load(self, uri: str, kept: _Kept) -> None:
        kept.asked_at = self._clock()
        kept.ask_again_at = kept.asked_at + RETRY_SECONDS
        try:
            answer = await self._http.get(uri, max_bytes=MAX_JWK_SET_BYTES)
            # not on the loop: thirty keys take milliseconds
            keys = await asyncio.get_running_loop().run_in_executor(None, _read, answer)
        except (CallForbidden, CallFailed, UnusableJwkSet) as error:
            kept.failure = error
            _log.warning("no keys from %s: %s", uri, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, everybody who waits gets an answer
            kept.failure = error
            _log.exception("no keys from %s", uri)
        else:
            kept.keys, kept.failure = keys, None
            kept.loaded_at = self._clock()
            kept.fresh_until = kept.loaded_at + find_fresh_seconds(answer.headers.get("cache-control", ""))
            kept.ask_again_at = kept.loaded_at + RELOAD_SECONDS
        finally:
            waiting, kept.waiting, kept.loading = kept.waiting, [], None
            for then in waiting:
                asyncio.get_running_loop().call_soon(then)

    def _make_room(self) -> None:
        idle = (uri for uri, kept in self._kept.items() if kept.loading is None)
        while len(self._kept) >= MAX_KEPT and (oldest := next(idle, None)) is not None:
            del self._kept[oldest]
            idle = (uri for uri, kept in self._kept.items() if kept.loading is None)


def find_fresh_seconds(cache_control: str) -> int:
    """Give for how long keys are not asked for again, from the answer's header.

    >>> find_fresh_seconds("public, max-age=600"), find_fresh_seconds("no-store"), find_fresh_seconds("")
    (600, 60, 300)

    Source: RFC 9111 §5.2.2
    """
    if _NOT_KEPT.search(cache_control):
        return LEAST_FRESH_SECONDS
    found = _MAX_AGE.search(cache_control)
    return min(MOST_FRESH_SECONDS, max(LEAST_FRESH_SECONDS, int(found[1]))) if found else FRESH_SECONDS


def _read(answer: OutgoingAnswer) -> VerificationKeys:
    if answer.is_success:
        return parse_jwk_set(answer.body, uses=SERVING_USES)
    if answer.is_for_now:
        raise CallFailed("host_has_trouble")
    raise UnusableJwkSet("The address has no key set.", reason="jwks_not_there")
