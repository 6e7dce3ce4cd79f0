"""A home of the simulation: an application whose refresh tokens rotate, one whose stay, one that asks about all."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rowgate.oauth.model import NEVER
from rowgate.service.admin.policies import PolicyChange
from simulation.workers import House
from support.homes import add_application, administer, make_home

BEGIN = 1_800_000_000.0


class SimulatedClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> float:
        return self.now


@dataclass
class Simulation:
    """The house, its chance and its time, and who its clients are: client id and first secret by name."""

    house: House
    chance: random.Random
    clock: SimulatedClock
    clients: dict[str, tuple[str, str]]


@pytest.fixture
def make_simulation(
    tmp_path: Path, sample_database: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], Simulation]:
    """What gives the simulation of a seed."""

    def make(seed: int) -> Simulation:
        chance, clock = random.Random(seed), SimulatedClock()
        settings = make_home(tmp_path / f"home-{seed}", sample_database, client_registration=True)
        clients = {}
        for name, scope in (("rotates", "read"), ("stays", "read"), ("asks", "read introspect")):
            ends_at = NEVER if name == "asks" else int(clock()) + 72 * 3600
            made = add_application(settings, name, clock=clock, scope=scope, secret_expires_at=ends_at)
            clients[name] = (made.application.client_id, made.client_secret)
        with administer(settings, clock) as desks:
            desks.policies.set("rotates", PolicyChange(rotate_refresh_tokens=True))
        return Simulation(House(settings, clock, chance.randbytes, monkeypatch), chance, clock, clients)

    return make
