"""Rows of the inventory tables: users, computers, service accounts, SharePoint permissions. No SQL here."""

from collections.abc import Iterator
from datetime import datetime

from rowgate.sample.dice import Dice
from rowgate.sample.model import Row
from rowgate.sample.names import DEPARTMENTS, FIXED_PEOPLE, FOLDERS, TITLES, Person

_TAKEN_AT = datetime(2018, 11, 12, 13, 15, 31)  # noqa: DTZ001 - the database keeps local times without a zone
_SYSTEMS = ("Windows 10", "Windows 7", "Ubuntu 18.04", "macOS 10.14")
_SERVER_SYSTEMS = ("Windows Server 2016", "Windows Server 2012 R2", "Windows Server 2008 R2")
_DUTIES = ("backup", "sql", "scanner", "print", "deploy", "mail_relay", "monitor", "archive", "sync", "report")
_SHAREPOINT_HOSTS = (
    "sharepoint01.example.com",
    "sharepoint02.example.com",
    "teams.example.com",
    "intranet.example.com",
)
_RIGHTS = ("Read", "Read", "Read", "Contribute", "Contribute", "Edit", "Full Control", "Limited Access")


def user_rows(dice: Dice, people: list[Person]) -> Iterator[Row]:
    """Give a row per person; nobody manages someone who stands before them, so there is no circle."""
    for user_id, person in enumerate(people, start=1):
        yield (
            user_id,
            person.account_name,
            person.display_name,
            None if user_id > len(FIXED_PEOPLE) and dice.chance(0.05) else f"{person.account_name}@example.com",
            dice.pick(DEPARTMENTS),
            dice.pick(TITLES),
            None if user_id == 1 else dice.between(1, min(user_id - 1, 20)),
            int(dice.chance(0.9)),
            dice.time_before(_TAKEN_AT, days=3000),
            None if dice.chance(0.1) else dice.time_before(_TAKEN_AT, days=90),
            dice.below(4),
        )


def computer_rows(dice: Dice, hosts: list[str], *, servers: int, users: int) -> Iterator[Row]:
    """Give a row per host; the first `servers` of them are servers, which no one owns."""
    for computer_id, host in enumerate(hosts, start=1):
        is_server = computer_id <= servers
        yield (
            computer_id,
            host,
            f"{host.lower()}.example.com",
            dice.pick(_SERVER_SYSTEMS if is_server else _SYSTEMS),
            f"192.0.2.{computer_id}" if is_server or dice.chance(0.85) else None,
            None if is_server else dice.between(1, users),
            int(is_server or dice.chance(0.93)),
            2 ** dice.between(33, 37),  # 8 GiB to 128 GiB
            None if dice.chance(0.08) else dice.time_before(_TAKEN_AT, days=60),
        )


def service_account_rows(dice: Dice, people: list[Person]) -> Iterator[Row]:
    """Give the service accounts: who answers for each and when its password was last changed, never the password."""
    for account_id in range(1, 25):
        yield (
            account_id,
            f"svc_{_DUTIES[account_id % len(_DUTIES)]}{account_id:02}",
            None if dice.chance(0.15) else dice.pick(people).display_name,
            dice.pick(DEPARTMENTS),
            int(dice.chance(0.85)),
            None if dice.chance(0.1) else dice.time_before(_TAKEN_AT, days=1500)[:10],
        )


def permission_rows(dice: Dice, people: list[Person]) -> Iterator[Row]:
    """Give SharePoint permissions, ordered by host and address, about a hundred to a host and several to an address."""
    permission_id = 0
    for host in _SHAREPOINT_HOSTS:
        for site in range(24):
            department = DEPARTMENTS[site % len(DEPARTMENTS)]
            url = f"https://{host}/sites/{department.lower().replace(' ', '-')}/{FOLDERS[site % len(FOLDERS)]}"
            for _ in range(dice.between(2, 7)):
                permission_id += 1
                is_group = dice.chance(0.4)
                yield (
                    permission_id,
                    host,
                    url,
                    f"EXAMPLE\\{dice.pick(DEPARTMENTS)} Members" if is_group else dice.pick(people).display_name,
                    "Group" if is_group else "User",
                    dice.pick(_RIGHTS),
                    int(dice.chance(0.6)),
                    None if dice.chance(0.2) else dice.time_before(_TAKEN_AT, days=700),
                )
