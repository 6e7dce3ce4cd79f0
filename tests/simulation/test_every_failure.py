"""The n-th call to the store or the record fails, for every n: nothing is half done, and the next request is fine."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rowgate.oauth.model import NEVER
from simulation.conftest import Simulation
from simulation.workers import Answer, Worker, run
from support.homes import administer

MOST_CALLS = 40
_AFTER_THE_COMMIT = ("committed", "look")
GRANT = {"grant_type": "client_credentials"}
Road = Callable[[Worker, Simulation], Awaitable[Callable[[], Awaitable[Answer]]]]


async def _prepare_token(worker: Worker, simulation: Simulation) -> Callable[[], Awaitable[Answer]]:
    return lambda: worker.post("/token", simulation.clients["stays"], **GRANT)


async def _prepare_refresh(worker: Worker, simulation: Simulation) -> Callable[[], Awaitable[Answer]]:
    token = (await worker.post("/token", simulation.clients["rotates"], **GRANT)).members["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return lambda: worker.post("/token", simulation.clients["rotates"], **form)


async def _prepare_renewal(worker: Worker, simulation: Simulation) -> Callable[[], Awaitable[Answer]]:
    return lambda: worker.post("/api/v1/secret", simulation.clients["stays"])


async def _prepare_first_use(worker: Worker, simulation: Simulation) -> Callable[[], Awaitable[Answer]]:
    client_id, _ = simulation.clients["stays"]
    with administer(simulation.house.settings, simulation.clock) as desks:
        made = desks.applications.add_secret("stays", secret_name="further", expires_at=NEVER)
    await worker.follower.catch_up()
    renewed = (await worker.post("/api/v1/secret", (client_id, made.client_secret))).members["client_secret"]
    return lambda: worker.post("/token", (client_id, renewed), **GRANT)


async def _prepare_introspection(worker: Worker, simulation: Simulation) -> Callable[[], Awaitable[Answer]]:
    token = (await worker.post("/token", simulation.clients["rotates"], **GRANT)).members["refresh_token"]
    return lambda: worker.post("/introspect", simulation.clients["rotates"], token=token)


async def _prepare_revocation(worker: Worker, simulation: Simulation) -> Callable[[], Awaitable[Answer]]:
    token = (await worker.post("/token", simulation.clients["stays"], **GRANT)).members["access_token"]
    return lambda: worker.post("/revoke", simulation.clients["stays"], token=token)


async def _prepare_enrolment(worker: Worker, simulation: Simulation) -> Callable[[], Awaitable[Answer]]:
    with administer(simulation.house.settings, simulation.clock) as desks:
        code = desks.secrets.enrol("stays", lifetime_seconds=3600).code
    return lambda: worker.post_json("/api/v1/enrol", code=code)


ROADS: dict[str, Road] = {
    "token": _prepare_token,
    "refresh": _prepare_refresh,
    "renewal": _prepare_renewal,
    "first use": _prepare_first_use,
    "introspection": _prepare_introspection,
    "revocation": _prepare_revocation,
    "enrolment": _prepare_enrolment,
}


@pytest.mark.parametrize("road", ROADS)
def test_whichever_call_fails_nothing_is_half_done(road: str, make_simulation: Callable[[int], Simulation]) -> None:
    """A 503 with Retry-After and no token in it, whatever fails; once it works again the same request is answered.

    R30. A call that the answer does not depend on may fail unseen.
    """

    async def story() -> None:
        simulation = make_simulation(1)
        faults, seen = simulation.house.faults, set()
        for number in range(1, MOST_CALLS):
            worker = simulation.house.start_worker()
            ask = await ROADS[road](worker, simulation)
            before = len(simulation.house.record.events)
            faults.fail_at(number)
            answer = await ask()
            was_reached = len(faults.calls) >= number
            faults.stop()
            failed = faults.calls[number - 1] if was_reached else ""
            seen.add(failed)
            _check(answer, has_failed=was_reached)
            if answer.status == 200:
                assert len(simulation.house.record.events) > before, "answered without a record"
            again = await ask()
            if road == "enrolment" and (answer.status == 200 or failed in _AFTER_THE_COMMIT):
                assert again.members["error"] == "invalid_grant"  # it is spent, and an administrator makes another
            else:
                assert again.status == 200, (number, faults.calls, again)
            if not was_reached:
                assert "record" in seen
                return
        raise AssertionError("it never ended")

    run(story)


def _check(answer: Answer, *, has_failed: bool) -> None:
    if not has_failed or answer.status == 200:
        assert answer.status == 200, answer
        return
    assert answer.status == 503, answer
    assert int(answer.headers["retry-after"]) > 0
    assert answer.members["error"] == "temporarily_unavailable"
    assert not any(prefix in answer.body for prefix in (b"rgat_", b"rgrt_", b"rgcs_"))


def test_every_kind_of_call_is_made_to_fail(make_simulation: Callable[[int], Simulation]) -> None:
    """The test above is worth something only if it reaches every kind of call."""
    kinds: set[str] = set()

    async def story() -> None:
        simulation = make_simulation(2)
        worker = simulation.house.start_worker()
        for prepare in ROADS.values():
            ask: Any = await prepare(worker, simulation)
            simulation.house.faults.calls.clear()
            await ask()
            kinds.update(simulation.house.faults.calls)

    run(story)
    assert kinds == {"begin", "commit", "committed", "look", "record"}
