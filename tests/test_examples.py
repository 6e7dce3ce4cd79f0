"""The examples in docstrings do what they say."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import rowgate

_ROOT = Path(rowgate.__file__).parent
_MODULES = [
    ".".join(path.relative_to(_ROOT.parent).with_suffix("").parts)
    for path in sorted(_ROOT.rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("name", _MODULES)
def test_examples_of_a_module_run(name: str) -> None:
    done = doctest.testmod(import_module(name.removesuffix(".__init__")))
    assert done.attempted
    assert not done.failed


def test_there_are_examples() -> None:
    assert len(_MODULES) > 40
