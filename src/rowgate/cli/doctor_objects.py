"""The part of `rowgate doctor` that holds what was set for objects against those that there are now."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rowgate.cli.findings import Finding
from rowgate.config import ConfigError, Settings

if TYPE_CHECKING:
    from rowgate.service.databases import Databases


def examine_objects(settings: Settings, databases: "Databases") -> Iterator[Finding]:
    """Tell of aliases that hide an object, and of what was set for objects that are gone."""
    from rowgate import wiring  # noqa: PLC0415 - doctor must answer even where this cannot be loaded
    from rowgate.ports import StoreError  # noqa: PLC0415
    from rowgate.service.admin.stale import find_stale  # noqa: PLC0415

    try:
        with contextlib.closing(wiring.open_reader(settings)) as store:
            state = store.load_state()
    except (StoreError, ConfigError):
        return  # that the state cannot be read is a finding of its own
    hiding, gone = find_stale(state, databases)
    yield Finding(
        "no alias has the name of an object",
        not hiding,
        ", ".join(hiding) or "none",
        "nobody reads the object of that name, whoever is granted it: `rowgate object alias NAME ALIAS --remove`",
    )
    yield Finding(
        "every object that was granted, blocked or given an alias is there",
        not gone,
        "; ".join(gone) or "yes",
        "it will hold for whatever gets the name next: `rowgate app ungrant`, `rowgate object unblock`, "
        "`rowgate object alias NAME ALIAS --remove`",
    )
