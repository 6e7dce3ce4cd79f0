"""Weeks of secrets, tokens, rotations and revocations in seconds, on several workers that fail, die and come back.

Everything follows from the seed that a failure names: `SIMULATION_SEEDS=4711` in the environment runs it again.
What the clients saw is checked as it happens against what they have been told before.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from rowgate.audit.events import LineageFrozen, SecretRenewed, TokenIssued
from rowgate.oauth.model import NEVER
from rowgate.ports import StoreError
from simulation.conftest import Simulation
from simulation.workers import Answer, Worker, run
from support.homes import administer

SEEDS = [int(seed) for seed in os.environ.get("SIMULATION_SEEDS", "1 2 3").split()]
STEPS = int(os.environ.get("SIMULATION_STEPS", "150"))
_HOUR = 3600.0
_EXPECTED = {200, 400, 401, 429, 503}


@dataclass
class Token:
    """What a client holds, and what it knows of it."""

    access_token: str
    ends_at: float
    family: str  # its first refresh token
    client: str
    secret: str
    is_dead: bool = False


@dataclass
class History:
    """What the clients were told."""

    tokens: list[Token] = field(default_factory=list)
    refresh: dict[str, tuple[str, str, float]] = field(default_factory=dict)  # by value: client, family, end
    successors: dict[str, set[str]] = field(default_factory=dict)
    dead_families: set[str] = field(default_factory=set)
    secrets: dict[str, dict[str, float]] = field(default_factory=dict)  # by client: value, and its end
    dead_secrets: set[str] = field(default_factory=set)
    answered: list[str] = field(default_factory=list)  # request ids of good token answers
    doubtful: set[str] = field(default_factory=set)  # families and clients that may have been ended, nobody was told


class Play:
    """The clients, the administrator and the nemesis, each step of theirs drawn from the seed."""

    def __init__(self, simulation: Simulation) -> None:
        self.house = simulation.house
        self.chance = simulation.chance
        self.clock = simulation.clock
        self.inspector = simulation.clients["asks"]
        self.ids = {name: simulation.clients[name][0] for name in ("rotates", "stays")}
        self.told = History()
        for name in self.ids:
            self.told.secrets[name] = {simulation.clients[name][1]: self.clock() + 72 * _HOUR}
        self.workers = [self.house.start_worker() for _ in range(3)]

    async def go(self) -> None:
        steps: list[tuple[Callable[[], Any], int]] = [
            (self.ask_token, 6), (self.refresh, 6), (self.revoke, 3), (self.renew, 2), (self.look, 6),
            (self.move_time, 5), (self.kill_worker, 1), (self.follow, 3), (self.administer, 1), (self.crowd, 2),
            (self.ask_with_old_secret, 2),
        ]  # fmt: skip
        for _ in range(STEPS):
            (step,) = self.chance.choices([step for step, _ in steps], [weight for _, weight in steps])
            rate = self.chance.choice((0.0, 0.0, 0.0, 0.05, 0.3))
            self.house.faults.fail_often(self.chance, rate)
            await step()
            self.house.faults.stop()
        await self.settle()

    # --- what clients do

    async def ask_token(self) -> None:
        name = self.chance.choice(list(self.ids))
        if self.told.secrets[name]:
            await self._ask(name, self.chance.choice(list(self.told.secrets[name])), self._worker())

    async def _ask(self, name: str, secret: str, worker: Worker) -> Answer:
        answer = await self._post(worker, "/token", name, secret, grant_type="client_credentials")
        if answer.status == 200:
            self._take(name, secret, answer, family=answer.members["refresh_token"])
        return answer

    async def ask_with_old_secret(self) -> None:
        """A secret that has ended, or was ended, gives nothing on any worker that could know."""
        for name in self.ids:
            for secret in self.told.dead_secrets & set(self.told.secrets[name]):
                await self._follow_all()
                answer = await self._ask(name, secret, self._worker())
                assert answer.status != 200, f"a secret that was ended: {secret}"

    async def refresh(self) -> None:
        if not self.told.refresh:
            return
        presented = self.chance.choice(list(self.told.refresh))
        await self._refresh(presented, self._worker())

    async def _refresh(self, presented: str, worker: Worker) -> None:
        name, family, ends_at = self.told.refresh[presented]
        secret = self._good_secret(name)
        if secret is None:
            return
        was_dead = family in self.told.dead_families
        if was_dead:
            await self._follow_all()  # a second is over
        answer = await self._post(worker, "/token", name, secret, grant_type="refresh_token", refresh_token=presented)
        if answer.status == 200:
            assert not was_dead, "a family that was ended was refreshed"
            assert self.clock() < ends_at, "a refresh token outlived its end"
            successor = answer.members.get("refresh_token", presented)
            self.told.successors.setdefault(presented, set()).add(successor)
            assert len(self.told.successors[presented]) == 1, "two successors of one refresh token"
            self.told.refresh.setdefault(successor, (name, family, ends_at))
            self._take(name, secret, answer, family=family)
        elif answer.status == 400 and self._find_reason(answer).startswith("replaced"):
            self._end_family(family)
        elif answer.status == 503:
            self.told.doubtful.add(family)

    async def crowd(self) -> None:
        """Twenty hands on one token at once, on every worker, and perhaps a revocation among them."""
        good = [value for value, (_, family, _) in self.told.refresh.items() if family not in self.told.dead_families]
        if not good:
            return
        presented = self.chance.choice(good)
        await asyncio.gather(*(self._refresh(presented, self._worker()) for _ in range(8)))

    async def revoke(self) -> None:
        if not self.told.tokens:
            return
        token = self.chance.choice(self.told.tokens)
        takes_family = self.chance.random() < 0.4
        secret, worker = self._good_secret(token.client), self._worker()
        if secret is None:
            return
        value = token.family if takes_family else token.access_token
        answer = await self._post(worker, "/revoke", token.client, secret, token=value)
        if answer.status == 200:
            if takes_family:
                if self.clock() < self.told.refresh[token.family][2]:
                    self._end_family(token.family)
            else:
                token.is_dead = True
            await self._check(worker, token)
        else:
            self.told.doubtful.add(token.family)

    async def renew(self) -> None:
        name = self.chance.choice(list(self.ids))
        secret = self._good_secret(name)
        if secret is None:
            return
        answer = await self._post(self._worker(), "/api/v1/secret", name, secret)
        if answer.status == 200:
            members = answer.members
            self.told.secrets[name][members["client_secret"]] = members["client_secret_expires_at"] or float("inf")
        elif self._find_reason(answer) == "lineage_frozen":
            event = next(event for event in reversed(self.house.record.events) if isinstance(event, LineageFrozen))
            frozen = {value for value in self.told.secrets[name] if value.split("_")[1] in event.frozen}
            self._end_secrets(frozen)
        else:
            self.told.doubtful.add(name)

    # --- what is done to them

    async def administer(self) -> None:
        """An administrator ends a secret as stolen, or all tokens, and hands out a new secret."""
        name = self.chance.choice(list(self.ids))
        with administer(self.house.settings, self.clock) as desks:
            if self.chance.random() < 0.5:
                desks.applications.revoke_tokens(name)
                for token in self.told.tokens:
                    if token.client == name:
                        self._end_family(token.family)
            else:
                living = [value for value in self.told.secrets[name] if value not in self.told.dead_secrets]
                if living:
                    gone = self.chance.choice(living)
                    kept = {secret.key_id for secret in desks.applications.load(name)[0].secrets}
                    if gone.split("_")[1] in kept:
                        desks.applications.revoke_secret(name, gone.split("_")[1], kills_tokens=True)
                        self._end_secrets({gone})
            made = desks.applications.add_secret(name, secret_name=f"s{self.clock()}", expires_at=NEVER)
        self.told.secrets[name][made.client_secret] = float("inf")
        await self._follow_all()

    async def move_time(self) -> None:
        """On by seconds to days; back by hours, which no token may gain by."""
        self.clock.now += self.chance.choice((1.0, 5.0, 11.0, 600.0, _HOUR, 7 * _HOUR, 30 * _HOUR, -2 * _HOUR, -15.0))

    async def kill_worker(self) -> None:
        """A worker dies in the middle of a request; another begins with what was committed."""
        number = self.chance.randrange(len(self.workers))
        victim, name = self.workers[number], self.chance.choice(list(self.ids))
        path, form = self.chance.choice(
            [("/api/v1/secret", {}), ("/token", {"grant_type": "client_credentials"}), self._draw_refresh(name)]
        )
        secret = self._good_secret(name)
        if secret is None:
            return
        request = asyncio.get_running_loop().create_task(victim.post(path, (self.ids[name], secret), **form))
        for _ in range(self.chance.randrange(8)):
            await asyncio.sleep(0)
        request.cancel()  # whatever it had, nobody was told
        self.told.doubtful |= {name, self.told.refresh.get(form.get("refresh_token", ""), ("", "", 0.0))[1]}
        await asyncio.wait([request])
        self.workers[number] = self.house.start_worker()

    def _draw_refresh(self, name: str) -> tuple[str, dict[str, str]]:
        mine = [value for value, (client, _, _) in self.told.refresh.items() if client == name]
        if not mine:
            return "/token", {"grant_type": "client_credentials"}
        return "/token", {"grant_type": "refresh_token", "refresh_token": self.chance.choice(mine)}

    async def follow(self) -> None:
        """One worker hears of the others."""
        with contextlib.suppress(StoreError):
            await self._worker().follower.catch_up()

    # --- what is checked

    async def look(self) -> None:
        """Any token, on any worker that has followed."""
        if self.told.tokens:
            await self._follow_all()
            await self._check(self._worker(), self.chance.choice(self.told.tokens))

    async def _check(self, worker: Worker, token: Token) -> None:
        """A token that was ended, or is past its end, is not good; one that should be, is (unless a fault says 503)."""
        answer = await worker.post("/introspect", self.inspector, token=token.access_token)
        if answer.status != 200:
            assert answer.status == 503, answer
            return
        is_over = token.is_dead or self.clock() >= token.ends_at
        assert not (is_over and answer.members["active"]), f"it lives on: {token}"
        is_doubtful = bool(self.told.doubtful & {token.family, token.client})
        assert is_over or is_doubtful or answer.members["active"], f"it is dead too soon: {token}"

    async def settle(self) -> None:
        """No more faults: every worker agrees on every token, everybody can go on, and all of it is on record."""
        await self._follow_all()
        for token in self.told.tokens:
            for worker in self.workers:
                await self._check(worker, token)
        issued = {event.request_id for event in self.house.record.events if isinstance(event, TokenIssued)}
        assert set(self.told.answered) <= issued, "a token that is on record nowhere"
        with administer(self.house.settings, self.clock) as desks:
            for name in self.ids:
                renewed = {secret.key_id for secret in desks.applications.load(name)[0].secrets if secret.parent}
                assert renewed <= {e.new_key_id for e in self.house.record.events if isinstance(e, SecretRenewed)}
                made = desks.applications.add_secret(name, secret_name="last", expires_at=NEVER)
                self.told.secrets[name][made.client_secret] = float("inf")
        await self._follow_all()
        for name in self.ids:
            last = list(self.told.secrets[name])[-1]
            for worker in self.workers:
                assert (await self._ask(name, last, worker)).status == 200

    # --- how

    async def _post(self, worker: Worker, path: str, name: str, secret: str, **form: str) -> Answer:
        """Send, and hold the answer against what is known of the secret."""
        ends_at, was_ended = self.told.secrets[name][secret], secret in self.told.dead_secrets
        knows = worker.follower.is_current
        answer = await worker.post(path, (self.ids[name], secret), **form)
        assert answer.status in _EXPECTED, answer
        if answer.status == 200:
            assert self.clock() < ends_at, "a secret that has expired was taken"
            assert not (was_ended and knows), "a secret that was ended was taken"
        return answer

    def _take(self, name: str, secret: str, answer: Answer, *, family: str) -> None:
        members = answer.members
        ends_at = self.clock() + members["expires_in"]
        token = Token(members["access_token"], ends_at, family, name, secret)
        token.is_dead = family in self.told.dead_families
        assert not token.is_dead
        self.told.tokens.append(token)
        self.told.answered.append(answer.headers["x-request-id"])
        self.told.refresh.setdefault(family, (name, family, self.clock() + 7 * 24 * _HOUR))

    def _end_family(self, family: str) -> None:
        self.told.dead_families.add(family)
        for token in self.told.tokens:
            token.is_dead |= token.family == family

    def _end_secrets(self, values: set[str]) -> None:
        self.told.dead_secrets |= values
        for token in self.told.tokens:
            token.is_dead |= token.secret in values

    def _good_secret(self, name: str) -> str | None:
        good = [
            value
            for value, ends_at in self.told.secrets[name].items()
            if value not in self.told.dead_secrets and self.clock() < ends_at
        ]
        return self.chance.choice(good) if good else None

    def _find_reason(self, answer: Answer) -> str:
        request_id = answer.headers.get("x-request-id")
        found = [event for event in self.house.record.events if getattr(event, "request_id", "") == request_id]
        return str(getattr(found[-1], "reason", "")) if found else ""

    def _worker(self) -> Worker:
        return self.chance.choice(self.workers)

    async def _follow_all(self) -> None:
        with self.house.faults.none():
            for worker in self.workers:
                await worker.follower.catch_up()


@pytest.mark.parametrize("seed", SEEDS)
def test_weeks_of_clients_keep_every_promise(seed: int, make_simulation: Callable[[int], Simulation]) -> None:
    """R33. Nothing is good after its end was told, no refresh token has two successors, no secret outlives its time."""

    async def story() -> None:
        print(f"seed {seed}")  # noqa: T201 - pytest shows it with a failure
        play = Play(make_simulation(seed))
        await play.go()
        assert play.told.tokens
        assert play.told.dead_families

    run(story)
