"""Rows of the activity table, made one by one: a million of them take no more memory than ten. No SQL here."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from rowgate.sample.dice import Dice
from rowgate.sample.model import Row
from rowgate.sample.names import FILES, FOLDERS, Person

_FIRST_AT = datetime(2018, 10, 13, 8, 0, 0)  # noqa: DTZ001 - the database keeps local times without a zone
_SPAN_SECONDS = 30 * 86_400  # 30 days
# Sixteen, for four bits of a row's draw. A row takes one draw and cuts it up: a draw per value is several times slower.
_OPERATIONS = (*("Read",) * 7, *("Write",) * 3, "Create", "Rename", "Delete", "Logon", "Logon", "Logoff")
_WITH_BYTES = frozenset({"Read", "Write", "Create"})
_WITHOUT_FILE = frozenset({"Logon", "Logoff"})


def event_rows(dice: Dice, people: list[Person], *, rows: int, hosts: int) -> Iterator[Row]:
    """Give `rows` events in order of time, spread over 30 days whatever their number, on hosts 1 to `hosts`."""
    # One in 64 events is nobody's.
    users = [None if slot % 64 == 0 else people[slot % len(people)].display_name for slot in range(512)]
    paths = [f"\\\\FILES{dice.between(1, 24):02}\\{folder}\\{file}" for folder in FOLDERS for file in FILES]
    draw, path_count = dice.bits, len(paths)
    for event_id in range(1, rows + 1):
        bits = draw(136)
        operation = _OPERATIONS[bits & 15]
        is_denied = bits >> 4 & 31 == 0
        yield (
            event_id,
            1 + (bits >> 9 & 1023) % hosts,
            (_FIRST_AT + timedelta(seconds=event_id * _SPAN_SECONDS // rows)).isoformat(),
            users[bits >> 19 & 511],
            operation,
            None if operation in _WITHOUT_FILE else paths[(bits >> 28 & 1023) % path_count],
            None if is_denied or operation not in _WITH_BYTES else bits >> 38 & 0xFF_FFFF_FFFF,
            None if is_denied else (bits >> 78 & 0xF_FFFF) / 1000,
            int(is_denied),
            None if bits >> 130 == 0 else ((bits >> 98 & 0xFFF_FFFF) - 50_000) / 100,
        )
