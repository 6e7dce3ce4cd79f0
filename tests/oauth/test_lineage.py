"""Lines of secrets: who asks how often in which order, nobody is stranded and every copy that is used shows."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowgate.oauth.client_auth import find_key_id
from rowgate.oauth.errors import InvalidClient, TooManyRequests, UnauthorizedClient
from rowgate.oauth.lifetimes import sooner
from rowgate.oauth.lineage import (
    MAX_RENEWALS,
    RENEWALS_SECONDS,
    Renew,
    Repeat,
    Stolen,
    decide_renewal,
    derive_client_secret,
    digest_enrolment_code,
    list_lineage,
    list_renewed_from,
    make_successor,
    render_client_secret,
    render_handle,
)
from rowgate.oauth.model import NEVER, Application, ClientPolicy, Secret

NOW = 1_000_000
KEY = bytes(range(32))


def make_secret(number: int, parent: int = 0, **changed: object) -> Secret:
    members: dict[str, object] = {
        "number": number,
        "key_id": f"k{number}",
        "name": "first",
        "digest": number.to_bytes(32, "big"),
        "created_at": NOW - 100_000,
        "expires_at": NOW + 100_000,
        "revoked": False,
        "kills_tokens": False,
        "parent": parent,
        **changed,
    }
    return Secret(**members)  # type: ignore[arg-type]


def make_application(*secrets: Secret, **policy: object) -> Application:
    return Application(
        number=1,
        client_id="client",
        name="app",
        enabled=True,
        epoch=0,
        scope=("read",),
        refresh_tokens=True,
        access_lifetime_seconds=3600,
        refresh_lifetime_seconds=7200,
        created_at=0,
        secrets=secrets,
        policy=ClientPolicy(**policy),  # type: ignore[arg-type]
    )


class Home:
    """What a store does with the decisions."""

    def __init__(self) -> None:
        self.application = make_application(make_secret(1, created_at=NOW))
        self.count = 1

    def find(self, number: int) -> Secret:
        found = self.application.find_secret(number)
        assert found is not None
        return found

    def put(self, secret: Secret) -> None:
        others = [kept for kept in self.application.secrets if kept.number != secret.number]
        self.application = replace(self.application, secrets=(*others, secret))

    def use(self, number: int, now: float) -> None:
        secret = self.find(number)
        if secret.parent and not secret.used_at:
            self.put(replace(secret, used_at=int(now)))

    def renew(self, number: int, now: float) -> Secret | None:
        """Give the successor, or None after a theft."""
        self.use(number, now)
        presented = self.find(number)
        decided = decide_renewal(self.application, presented, now)
        if isinstance(decided, Stolen):
            for secret in decided.lineage:
                self.put(replace(self.find(secret.number), revoked=True, kills_tokens=True))
            return None
        if isinstance(decided, Repeat):
            return decided.successor
        self.count += 1
        made = make_successor(decided, presented, key_id=f"k{self.count}", digest=b"d" * 32, now=now)
        self.put(replace(presented, expires_at=decided.previous_expires_at))
        self.put(replace(made, number=self.count))
        return self.find(self.count)


@given(st.lists(st.sampled_from(["lost", "use", "on"]), max_size=25))
def test_a_client_that_loses_answers_is_never_stranded_and_never_a_thief(steps: list[str]) -> None:
    """R15: it holds one secret; whatever it loses, that one renews until it has its successor."""
    home, held, latest, now = Home(), 1, 1, float(NOW)
    for step in steps:
        now += RENEWALS_SECONDS / MAX_RENEWALS + 1
        if home.find(held).is_expired(now):
            held = latest  # the overlap is over: it has had an hour to ask again
        if step == "use":
            home.use(held, now)
            continue
        successor = home.renew(held, now)
        assert successor is not None
        again = home.renew(held, now)
        assert again == successor
        latest = successor.number
        if step == "on":
            held = latest
            home.use(held, now)
    assert not any(secret.revoked for secret in home.application.secrets)


@given(st.integers(0, 8), st.integers(1, 5))
def test_a_copy_of_any_secret_of_the_line_ends_all_of_it_when_it_renews(generations: int, stolen: int) -> None:
    """However far the line has gone, as long as the copy is good."""
    home, held = Home(), 1
    for _ in range(generations):
        successor = home.renew(held, NOW)
        assert successor is not None
        held = successor.number
        home.use(held, NOW)
    other = make_secret(99)
    home.put(other)
    stolen = min(stolen, held)
    if stolen == held:
        assert home.renew(stolen, NOW) is not None  # nobody else has asked: there is nothing to see yet
        return
    assert home.renew(stolen, NOW) is None
    assert {secret.number for secret in home.application.secrets if secret.kills_tokens} == set(range(1, held + 1))
    with pytest.raises(InvalidClient):
        home.renew(held, NOW)
    assert not home.find(99).revoked


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**6))
def test_no_end_is_moved_later_and_none_passes_the_greatest_age(
    overlap: int, life: int, age: int, ends_in: int
) -> None:
    presented = make_secret(1, created_at=NOW, expires_at=NOW + ends_in)
    policy = {"secret_overlap_seconds": overlap, "renewed_secret_seconds": life, "lineage_seconds": age}
    decided = decide_renewal(make_application(presented, **policy), presented, NOW)
    assert isinstance(decided, Renew)
    assert decided.previous_expires_at == min(NOW + overlap, presented.expires_at)
    latest = min([NOW + length for length in (life, age) if length], default=NEVER)
    assert decided.expires_at == latest


def test_policy_cap_and_haste_refuse() -> None:
    presented = make_secret(1)
    for policy, reason in (
        ({"renew_secrets": False}, "renewal_forbidden"),
        ({"lineage_seconds": 9}, "lineage_too_old"),
    ):
        with pytest.raises(UnauthorizedClient) as refused:
            decide_renewal(make_application(presented, **policy), presented, NOW)
        assert refused.value.reason == reason
    line = [make_secret(n, n - 1, created_at=NOW - 10 * n) for n in range(2, MAX_RENEWALS + 2)]
    last = line[-1]
    with pytest.raises(TooManyRequests) as slowed:
        decide_renewal(make_application(presented, *line), last, NOW)
    later = NOW + slowed.value.retry_after_seconds
    assert isinstance(decide_renewal(make_application(presented, *line), last, later), Renew)


@pytest.mark.parametrize("changed", [{"revoked": True}, {"expires_at": NOW}])
def test_a_secret_that_ended_in_between_is_refused(changed: dict[str, object]) -> None:
    presented = make_secret(1, 0, **changed)
    with pytest.raises(InvalidClient):
        decide_renewal(make_application(presented), presented, NOW)
    with pytest.raises(InvalidClient):
        decide_renewal(replace(make_application(make_secret(1)), enabled=False), make_secret(1), NOW)


def test_a_used_successor_is_a_theft_even_where_renewal_is_forbidden_by_now() -> None:
    presented, used = make_secret(1), make_secret(2, 1, used_at=NOW, expires_at=NOW - 1)
    application = make_application(presented, used, renew_secrets=False)
    assert decide_renewal(application, presented, NOW) == Stolen(used, (presented, used))


def test_what_is_long_dead_is_forgotten_and_what_issued_living_tokens_is_not() -> None:
    dead = [make_secret(n, n - 1, expires_at=NOW - 10_800 - 1 + n) for n in (1, 2)]  # access + refresh lifetime
    presented = make_secret(3, 2)
    decided = decide_renewal(make_application(*dead, presented), presented, NOW)
    assert isinstance(decided, Renew)
    assert decided.forget == (1,)


def test_what_was_renewed_from_a_secret_is_found_whole_and_nothing_else() -> None:
    secrets = [
        make_secret(5, 4),
        make_secret(4, 2),
        make_secret(3, 2),
        make_secret(2, 1),
        make_secret(1),
        make_secret(6),
    ]
    application = make_application(*secrets)
    found = {secret.number: {one.number for one in list_renewed_from(application, secret)} for secret in secrets}
    assert found == {1: {2, 3, 4, 5}, 2: {3, 4, 5}, 3: set(), 4: {5}, 5: set(), 6: set()}


def test_a_line_is_found_whole_without_its_beginning() -> None:
    line = (make_secret(5, 4), make_secret(6, 5), make_secret(7, 5))
    application = make_application(make_secret(1), *line, make_secret(9, 8))
    for member in line:
        assert list_lineage(application, member) == line


texts = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=20)


triples = st.tuples(texts, texts, texts)


@given(triples, triples)
def test_successors_differ_by_client_parent_and_handle(
    first: tuple[str, str, str], second: tuple[str, str, str]
) -> None:
    same = derive_client_secret(KEY, *first) == derive_client_secret(KEY, *second)
    assert same == (first == second)
    assert derive_client_secret(KEY[::-1], *first) != derive_client_secret(KEY, *first)


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=32, max_size=32))
def test_a_rendered_secret_says_its_handle_and_has_the_usual_length(handle: bytes, value: bytes) -> None:
    text = render_client_secret(render_handle(handle), value)
    assert find_key_id(text) == render_handle(handle)
    assert len(text) == len("rgcs_") + 8 + 1 + 43


def test_a_codes_digest_depends_on_the_key() -> None:
    assert digest_enrolment_code(KEY, "rgen_x") != digest_enrolment_code(KEY[::-1], "rgen_x")
    assert digest_enrolment_code(KEY, "rgen_x") != digest_enrolment_code(KEY, "rgen_y")


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_sooner_is_a_minimum_whose_greatest_is_never(a: int, b: int, c: int) -> None:
    assert sooner(a, b) == sooner(b, a)
    assert sooner(a, sooner(b, c)) == sooner(sooner(a, b), c)
    assert sooner(a, NEVER) == a


def test_the_policys_members_are_those_that_old_homes_have() -> None:
    assert msgspec.json.decode(b"{}", type=ClientPolicy) == ClientPolicy()
