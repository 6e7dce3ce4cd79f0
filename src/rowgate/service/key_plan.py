"""Decides what is to be done about the home's keys: signing keys by `oauth.signing`, sealing keys here. No clock.

A sealing key's life follows from when it was made, and when the one after it was: it is known for `FOLLOW_SECONDS`
before it seals, so that no worker meets a token under a key that it has not heard of; and it opens until the last
token that it may have sealed is dead.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from rowgate.oauth.jws import SIGNING_ALGORITHMS, SigningAlgorithm
from rowgate.oauth.model import ACCESS_LIFETIME_SECONDS, JWT, NEVER, Application
from rowgate.oauth.signing import SKEW_SECONDS, RotationPlan, SigningKey, plan_rotation
from rowgate.records import KeptSigningKey, KeyMaterial

FOLLOW_SECONDS: Final = SKEW_SECONDS  # followed within a second; the rest is for clocks that differ
KEEP_SECONDS: Final = 3600  # 1 h: a worker that was cut off from the state may have sealed on with the old key
_DAY_SECONDS: Final = 86_400
_NEVER_SECONDS: Final = 2**40  # longer than anything lives


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """What the settings say of keys."""

    jwks_max_age_seconds: int  # how long a copy of the key set may be kept
    signing_key_days: int  # from one first signature to the next; 0: only on command
    sealing_key_days: int  # likewise; 0: only on command

    @property
    def lead_seconds(self) -> int:
        """How long a signing key is on show before it signs."""
        return self.jwks_max_age_seconds + SKEW_SECONDS

    @property
    def signing_seconds(self) -> int:
        """How long a key signs."""
        return self.signing_key_days * _DAY_SECONDS or _NEVER_SECONDS

    @property
    def sealing_seconds(self) -> int:
        """How long a key seals."""
        return self.sealing_key_days * _DAY_SECONDS or _NEVER_SECONDS


@dataclass(frozen=True, slots=True)
class Demand:
    """What the applications ask of the keys."""

    algorithms: frozenset[SigningAlgorithm] = frozenset()
    longest_signed_seconds: int = ACCESS_LIFETIME_SECONDS  # lifetime of an access token
    longest_sealed_seconds: int = ACCESS_LIFETIME_SECONDS  # lifetime of any token


def measure_demand(applications: Iterable[Application]) -> Demand:
    """Give what the applications ask of the keys; those that are disabled count, for they may be enabled again."""
    asked: set[SigningAlgorithm] = set()
    signed = sealed = ACCESS_LIFETIME_SECONDS
    for application in applications:
        signed = max(signed, application.longest_access_seconds)
        sealed = max(sealed, application.longest_access_seconds, application.longest_refresh_seconds)
        if application.policy.access_token_format == JWT:
            asked.update(name for name in SIGNING_ALGORITHMS if name == application.policy.access_token_algorithm)
    return Demand(frozenset(asked), signed, sealed)


@dataclass(frozen=True, slots=True)
class SealingPlan:
    """What to do now about sealing keys."""

    make: bool
    forget: tuple[int, ...]  # key numbers


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """What to do now. Doing it and planning again at the same time gives an empty plan."""

    signing: RotationPlan
    sealing: SealingPlan

    def __bool__(self) -> bool:
        return bool(self.signing or self.sealing.make or self.sealing.forget)


def plan_keys(keys: KeyMaterial, demand: Demand, policy: KeyPolicy, now: int) -> KeyPlan:
    """Give what to make, retire and forget. Called as often as one likes; late is safe.

    Source: PROTOCOL 116
    """
    signing = read_signing_keys(keys.signing)
    return KeyPlan(
        plan_rotation(
            signing,
            now,
            algorithms=demand.algorithms | _list_kept_on(signing, policy, now),
            max_age_seconds=policy.jwks_max_age_seconds,
            longest_lifetime_seconds=demand.longest_signed_seconds,
            rotate_every_seconds=policy.signing_seconds,
        ),
        _plan_sealing(keys.sealing_created_at, demand, policy, now),
    )


def read_signing_keys(kept: Iterable[KeptSigningKey]) -> list[SigningKey]:
    """Give the keys as `oauth.signing` knows them; one of an algorithm of a newer release is left out."""
    return [
        SigningKey(key.kid, algorithm, key.private_key, key.created_at, key.not_before, key.retired_at, key.forget_at)
        for key in kept
        for algorithm in SIGNING_ALGORITHMS
        if algorithm == key.algorithm
    ]


def list_living_algorithms(keys: Iterable[SigningKey]) -> frozenset[SigningAlgorithm]:
    """Give the algorithms that something signs with now, or is about to."""
    return frozenset(key.algorithm for key in keys if key.retired_at == NEVER)


def _list_kept_on(keys: Collection[SigningKey], policy: KeyPolicy, now: int) -> frozenset[SigningAlgorithm]:
    """Give the algorithms whose newest key has time left, whoever asks for them: somebody had it made.

    At the end of its time a key that no application asks for has no successor, and is retired.
    """
    newest = {
        algorithm: max(key.not_before for key in keys if key.algorithm == algorithm and key.retired_at == NEVER)
        for algorithm in list_living_algorithms(keys)
    }
    return frozenset(
        algorithm for algorithm, began in newest.items() if now + policy.lead_seconds < began + policy.signing_seconds
    )


def begins_to_seal(created_at: dict[int, int], number: int) -> int:
    """Give when a key begins to seal, in seconds since 1970; the first of a home does at once."""
    return created_at[number] + (FOLLOW_SECONDS if number != min(created_at) else 0)


def choose_sealing_number(created_at: dict[int, int], now: float) -> int:
    """Give the number of the key that seals now.

    Args:
        created_at: When each key that is kept was made, by number; not empty.
        now: Seconds since 1970.
    """
    begun = [number for number in created_at if begins_to_seal(created_at, number) <= now]
    return max(begun, default=min(created_at))


def end_of_sealed(created_at: dict[int, int], number: int, longest_sealed_seconds: int) -> int:
    """Give when the last token that a key may have sealed is dead; NEVER for the newest key."""
    later = [other for other in created_at if other > number]
    return begins_to_seal(created_at, min(later)) + longest_sealed_seconds + KEEP_SECONDS if later else NEVER


def _plan_sealing(created_at: dict[int, int], demand: Demand, policy: KeyPolicy, now: int) -> SealingPlan:
    newest = max(created_at)
    ends = {number: end_of_sealed(created_at, number, demand.longest_sealed_seconds) for number in created_at}
    return SealingPlan(
        make=now >= begins_to_seal(created_at, newest) + policy.sealing_seconds,
        forget=tuple(number for number, end in sorted(ends.items()) if end != NEVER and end <= now),
    )
