"""Rows of the job tables: each run measures all servers anew, under its own run key. No SQL here."""

from collections.abc import Iterator

from rowgate.sample.dice import Dice
from rowgate.sample.model import Row
from rowgate.sample.names import FOLDERS

# Oldest first. The latest is not the one that the examples name, so that asking for that one shows something.
RUN_KEYS = (
    "2018-10-15T13:15:31",
    "2018-10-22T13:15:30",
    "2018-10-29T13:15:32",
    "2018-11-05T13:15:30",
    "2018-11-12T13:15:31",
)

_TIB = 2**40
# More bytes than a double can count one by one: a reader that takes numbers for doubles shows 9007199254740992.
_ARCHIVE_TOTAL_BYTES = 2**53 + 1
_TRUSTEES = ("Everyone", "Authenticated Users", "EXAMPLE\\Domain Users", "EXAMPLE\\Gäste")
_RIGHTS = ("Read", "Change", "Full Control")


def disk_usage_rows(dice: Dice, servers: list[str]) -> Iterator[Row]:
    """Give the volumes of every server at every run: sizes stay, free space moves, an unread volume has none."""
    volumes = [(host, volume, dice.between(1, 16) * _TIB // 4) for host in servers for volume in ("C:", "D:", "E:")]
    volumes.append((servers[0], "Z:", _ARCHIVE_TOTAL_BYTES))
    for run_key in RUN_KEYS:
        for host, volume, total_bytes in volumes:
            free_bytes = None if dice.chance(0.04) else int(total_bytes * dice.unit())
            free_percent = None if free_bytes is None else round(100 * free_bytes / total_bytes, 2)
            yield (run_key, host, volume, total_bytes, free_bytes, free_percent, "NTFS" if volume == "C:" else "ReFS")


def open_share_rows(dice: Dice, servers: list[str]) -> Iterator[Row]:
    """Give the shares open to many at every run: some are closed before the next run, some appear."""
    for run_key in RUN_KEYS:
        for host in servers:
            for folder in FOLDERS:
                if dice.chance(0.65):
                    continue
                yield (
                    run_key,
                    host,
                    f"{folder}$",
                    f"D:\\Shares\\{folder}",
                    dice.pick(_TRUSTEES),
                    dice.pick(_RIGHTS),
                    None if dice.chance(0.1) else dice.below(200_000),
                    None if dice.chance(0.1) else dice.below(500_000) / 100,
                )
