"""Keys: what there is, a new one on command, and what the schedule says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rowgate.oauth.jws import SigningAlgorithm
from rowgate.oauth.model import NEVER
from rowgate.oauth.signing import (
    RANDOM_BYTES,
    SKEW_SECONDS,
    RotationPlan,
    SigningKey,
    choose_signing_key,
    derive_signing_key,
    read_signing_key,
)
from rowgate.ports import StoreWriter
from rowgate.records import KeptSigningKey, KeyMaterial
from rowgate.service.admin.desk import AdminError, Desk
from rowgate.service.key_plan import (
    FOLLOW_SECONDS,
    Demand,
    KeyPolicy,
    begins_to_seal,
    choose_sealing_number,
    end_of_sealed,
    list_living_algorithms,
    measure_demand,
    plan_keys,
    read_signing_keys,
)

RSA_BITS = 2048  # RFC 7518 §3.3: at least; a key signs for months, not for decades
AT_ONCE_SECONDS = 2  # every worker shows a key before one of them signs with it
_NONCE_BYTES = 12
_SEALING_BYTES = 32


@dataclass(frozen=True, slots=True)
class KeyListing:
    """One key without its value; times in seconds since 1970, 0: not yet known."""

    use: str  # signing or sealing
    name: str  # kid, or number
    algorithm: str
    state: str  # coming, current, or old: it only verifies or opens
    created_at: int
    not_before: int
    retired_at: int
    forget_at: int


class KeyDesk:
    """Lists keys and rotates them."""

    def __init__(self, desk: Desk, policy: KeyPolicy) -> None:
        """Take the administrator's tools and what the settings say of keys."""
        self._desk = desk
        self._policy = policy

    def list_all(self) -> Sequence[KeyListing]:
        """Give the keys: signing keys by algorithm, then sealing keys, each in order of their beginning."""
        now = self._desk.clock()
        with self._desk.store.reading() as look:
            keys, demand = _load(look)
        return [*_list_signing(read_signing_keys(keys.signing), now), *_list_sealing(keys, demand, now)]

    def rotate_signing(self, algorithm: SigningAlgorithm | None = None, *, at_once: bool = False) -> list[SigningKey]:
        """Make new signing keys; those that sign now go on until the new ones begin.

        Args:
            algorithm: Of this one; None: of every one in use, EdDSA when there is none.
            at_once: Begin within seconds, although a copy of the key set may lack it; a key that was on its way is
                dropped. Otherwise a key is on show for as long as a copy may be kept before it signs, but for the
                first of its algorithm.

        Raises:
            AdminError: A new one is on its way already.
        """
        with self._desk.store.changing() as change:
            now = int(self._desk.clock())
            keys, demand = _load(change)
            signing = read_signing_keys(keys.signing)
            in_use = sorted(demand.algorithms | list_living_algorithms(signing)) or ["EdDSA"]
            wanted: list[SigningAlgorithm] = [algorithm] if algorithm else list(in_use)
            coming = {key.algorithm: key for key in signing if _is_coming(key, now)}
            if not at_once and all(name in coming for name in wanted):
                key = coming[wanted[0]]
                raise AdminError(
                    f"a new key for {key.algorithm} is on its way: {key.kid}; --now makes one that signs now"
                )
            if at_once:
                late = [key for key in signing if key.algorithm in wanted and _is_coming(key, now)]
                self._retire(change, _drop(late, demand, now))
            made = []
            for name in wanted:
                if at_once or name not in coming:
                    lead_seconds = AT_ONCE_SECONDS if at_once else self._policy.lead_seconds
                    is_first = choose_signing_key(signing, name, now) is None
                    made.append(self._make(change, name, now, now if is_first else now + lead_seconds))
            return made

    def rotate_sealing(self) -> tuple[int, int]:
        """Make a new sealing key; give its number, and when it begins to seal, in seconds since 1970.

        Until then every worker has taken it up; the old ones open what they sealed until the last of it is dead.

        Raises:
            AdminError: A new one is on its way already.
        """
        with self._desk.store.changing() as change:
            now = int(self._desk.clock())
            keys = change.keys.load()
            newest = max(keys.sealing)
            if begins_to_seal(keys.sealing_created_at, newest) > now:
                raise AdminError(f"a new sealing key is on its way: {newest}")
            return self._make_sealing(change, now), now + FOLLOW_SECONDS

    def rotate_scheduled(self) -> bool:
        """Do what the schedule says, in one transaction; tell whether there was anything to do.

        Of many workers that call this at the same time one finds something to do.
        """
        with self._desk.store.changing() as change:
            now = int(self._desk.clock())
            plan = plan_keys(*_load(change), self._policy, now)
            self._carry_out(change, plan.signing)
            for number in plan.sealing.forget:
                change.keys.remove_sealing_key(number)
                self._desk.tell("key.forget", str(number), use="sealing")
            if plan.sealing.make:
                self._make_sealing(change, now)
            return bool(plan)

    def _carry_out(self, change: StoreWriter, plan: RotationPlan) -> None:
        for kid in plan.promote:
            self._desk.tell("key.promote", kid, use="signing")
        self._retire(change, plan.retire)
        for kid in plan.forget:
            change.keys.remove_signing_key(kid)
            self._desk.tell("key.forget", kid, use="signing")
        for planned in plan.make:
            self._make(change, planned.algorithm, planned.created_at, planned.not_before)

    def _retire(self, change: StoreWriter, keys: Iterable[SigningKey]) -> None:
        for key in keys:
            change.keys.retire_signing_key(key.kid, retired_at=key.retired_at, forget_at=key.forget_at)
            self._desk.tell("key.retire", key.kid, use="signing", algorithm=key.algorithm, forget_at=key.forget_at)

    def _make(self, change: StoreWriter, algorithm: SigningAlgorithm, created_at: int, not_before: int) -> SigningKey:
        if algorithm == "RS256":
            key = read_signing_key(_make_rsa_key(), created_at=created_at, not_before=not_before)
        else:
            random_bytes = self._desk.entropy(RANDOM_BYTES[algorithm])
            key = derive_signing_key(algorithm, random_bytes, created_at=created_at, not_before=not_before)
        kept = KeptSigningKey(key.kid, algorithm, key.private_key, created_at, not_before, NEVER, NEVER)
        change.keys.add_signing_key(kept, nonce=self._desk.entropy(_NONCE_BYTES))
        self._desk.tell("key.add", key.kid, use="signing", algorithm=algorithm, not_before=not_before)
        return key

    def _make_sealing(self, change: StoreWriter, now: int) -> int:
        key, nonce = self._desk.entropy(_SEALING_BYTES), self._desk.entropy(_NONCE_BYTES)
        number = change.keys.add_sealing_key(key, created_at=now, nonce=nonce)
        self._desk.tell("key.add", str(number), use="sealing", not_before=now + FOLLOW_SECONDS)
        return number


def _is_coming(key: SigningKey, now: float) -> bool:
    return key.retired_at == NEVER and key.not_before > now


def _drop(coming: Iterable[SigningKey], demand: Demand, now: int) -> list[SigningKey]:
    """Give keys as they are when they never come to sign: one that leaked took with it those kept in the same place.

    What has signed nothing, by the fastest of the replicas' clocks, need verify nothing either.
    """
    later = now + demand.longest_signed_seconds + SKEW_SECONDS
    return [
        replace(key, retired_at=now, forget_at=now if key.not_before > now + SKEW_SECONDS else later) for key in coming
    ]


def _make_rsa_key() -> bytes:
    """Give a new RSA key as PEM; its randomness is the operating system's."""
    private_key = rsa.generate_private_key(65537, RSA_BITS)
    return private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load(look: StoreWriter) -> tuple[KeyMaterial, Demand]:
    return look.keys.load(), measure_demand(application for application, _ in look.list_applications())


def _list_signing(keys: Iterable[SigningKey], now: float) -> list[KeyListing]:
    ordered = sorted(keys, key=lambda key: (key.algorithm, key.not_before, key.kid))
    current = {algorithm: choose_signing_key(ordered, algorithm, now) for algorithm in {k.algorithm for k in ordered}}
    return [
        KeyListing(
            "signing",
            key.kid,
            key.algorithm,
            _name_state(is_coming=_is_coming(key, now), is_current=key == current[key.algorithm]),
            key.created_at,
            key.not_before,
            key.retired_at,
            key.forget_at,
        )
        for key in ordered
    ]


def _list_sealing(keys: KeyMaterial, demand: Demand, now: float) -> list[KeyListing]:
    made = keys.sealing_created_at
    current = choose_sealing_number(made, now)
    listed: list[KeyListing] = []
    for number in sorted(made, reverse=True):
        begins, ends = begins_to_seal(made, number), end_of_sealed(made, number, demand.longest_sealed_seconds)
        state = _name_state(is_coming=number > current, is_current=number == current)
        listing = KeyListing("sealing", str(number), "A256GCM-SIV", state, made[number], begins, NEVER, ends)
        listed.insert(0, replace(listing, retired_at=listed[0].not_before if listed else NEVER))
    return listed


def _name_state(*, is_coming: bool, is_current: bool) -> str:
    return "current" if is_current else "coming" if is_coming else "old"
