"""`make soak`: every law is tried for so many seconds of the processor, with other examples in each turn.

One rule: a law is taken as it stands, with its own settings; only its seed is another, and told when it fails. A
state machine, which is no function, has the turn of every run of the suite and no other.
"""

import inspect
import random
import time
from collections.abc import Iterator

import pytest
from hypothesis import is_hypothesis_test, seed


def pytest_addoption(parser: pytest.Parser) -> None:
    words = "try each law for so much time of the processor, with a new seed in each turn"
    parser.addoption("--soak", type=float, metavar="SECONDS", help=words)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the laws alone: what is tried once says nothing new the second time."""
    if config.getoption("--soak") is not None:
        laws = [item for item in items if is_hypothesis_test(getattr(item, "obj", None))]
        config.hook.pytest_deselected(items=[item for item in items if item not in laws])
        items[:] = laws


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Try the law again and again after its own turn, which is that of every run of the suite."""
    told = yield
    seconds = pyfuncitem.config.getoption("--soak")
    if seconds is not None:
        law = pyfuncitem.obj
        given = {name: pyfuncitem.funcargs[name] for name in inspect.signature(law).parameters}
        end = time.process_time() + seconds
        while time.process_time() < end:
            turn = random.getrandbits(64)
            try:
                seed(turn)(law)(**given)
            except BaseException as fault:
                fault.add_note(f"with @seed({turn})")
                raise
    return told
