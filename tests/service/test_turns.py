"""Turns: never more than the bounds, nobody is forgotten, and who gives up leaves no trace."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowgate.rows.errors import BudgetExceeded, EngineUnavailable
from rowgate.service.turns import Turn, Turns

APPLICATIONS = (1, 2, 3)
STEPS = st.lists(st.tuples(st.sampled_from(["take", "give back", "cancel"]), st.integers(0, 2)), max_size=40)


class Crowd:
    """Readers who take turns, give them back, and go away while they wait."""

    def __init__(self, *, most: int, each: int) -> None:
        self.turns = Turns(most=most, most_per_application=each, queue_seconds=60)
        self.most, self.each = most, each
        self.waiting: dict[int, list[asyncio.Task[Turn]]] = {number: [] for number in APPLICATIONS}

    def list_taken(self, number: int) -> list[asyncio.Task[Turn]]:
        return [task for task in self.waiting[number] if task.done()]

    async def step(self, what: str, number: int) -> None:
        tasks = self.waiting[number]
        if what == "take":
            tasks.append(asyncio.create_task(self.turns.take(number)))
        elif what == "give back" and self.list_taken(number):
            task = self.list_taken(number)[0]
            tasks.remove(task)
            self.turns.give_back(task.result())
        elif what == "cancel" and (idle := [task for task in tasks if not task.done()]):
            idle[0].cancel()
            tasks.remove(idle[0])
        await settle()
        self.check()

    def check(self) -> None:
        taken = Counter({number: len(self.list_taken(number)) for number in APPLICATIONS})
        assert taken.total() <= self.most
        assert max(taken.values()) <= self.each
        assert self.turns.waiting == sum(map(len, self.waiting.values())) - taken.total()
        if taken.total() < self.most:  # nobody waits for nothing
            assert all(taken[n] == min(len(self.waiting[n]), self.each) for n in APPLICATIONS)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@given(steps=STEPS, most=st.integers(1, 4), each=st.integers(1, 3))
def test_the_bounds_hold_and_every_free_place_is_taken(steps: list[tuple[str, int]], most: int, each: int) -> None:
    async def run() -> None:
        crowd = Crowd(most=most, each=each)
        for what, place in steps:
            await crowd.step(what, APPLICATIONS[place])
        for number in APPLICATIONS:
            while crowd.waiting[number]:
                await crowd.step("cancel", number)
                await crowd.step("give back", number)
        taken = [await asyncio.wait_for(crowd.turns.take(n % 3), 10) for n in range(min(most, each))]
        assert len(taken) == min(most, each)

    asyncio.run(run())


@pytest.mark.parametrize(("budget", "refusal"), [(0, EngineUnavailable), (1, BudgetExceeded), (9, EngineUnavailable)])
def test_who_waits_too_long_is_told_why(budget: int, refusal: type[Exception]) -> None:
    async def run() -> None:
        turns = Turns(most=5, most_per_application=2, queue_seconds=0.01)
        held = [await turns.take(1, budget=budget) for _ in range(budget if budget == 1 else 2)]
        with pytest.raises(refusal):
            await turns.take(1, budget=budget)
        turns.give_back(held.pop())
        turns.give_back(await turns.take(1, budget=budget))

    asyncio.run(run())


def test_a_place_that_comes_as_its_reader_goes_is_not_lost() -> None:
    async def run() -> None:
        turns = Turns(most=1, most_per_application=1, queue_seconds=60)
        held = await turns.take(1)
        waiting = asyncio.create_task(turns.take(2))
        await settle()
        turns.give_back(held)  # the place is given,
        waiting.cancel()  # and in the same moment nobody wants it
        with pytest.raises(asyncio.CancelledError):
            await waiting
        turns.give_back(await asyncio.wait_for(turns.take(3), 10))

    asyncio.run(run())
