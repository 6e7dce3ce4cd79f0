"""Made-up people, hosts and places. Every address is of example.com or of a range that RFC 5737 keeps for documents."""

import unicodedata
from dataclasses import dataclass

from rowgate.sample.dice import Dice

GIVEN_NAMES = (
    *("Amara", "Anaïs", "Bram", "Chloé", "Dagny", "Emeka", "Françoise", "Greta", "Hamid", "Ilse"),
    *("Jürgen", "Kaia", "Leif", "Małgorzata", "Nadia", "Óscar", "Priya", "Quentin", "Rosa", "Søren"),
    *("Tomáš", "Ursula", "Viggo", "Wanda", "Xiomara", "Yusuf", "Željko", "Tove", "Inés"),
)
FAMILY_NAMES = (
    *("Abernathy", "Bäcker", "Castellanos", "Dvořák", "Eklund", "Farouk", "Großmann", "Hallström", "Ivanova"),
    *("Jørgensen", "Kowalczyk", "Lindqvist", "Muñoz", "Nakamura", "O'Hara", "Papadakis", "Quispe", "Rousseau"),
    *("Šimić", "Thorvaldsen", "Ueda", "Vandenberg", "Whitlock", "Xu", "Yıldız", "Zieliński", "Okonkwo"),  # noqa: RUF001
    *("Petrov", "Barros", "Gallagher", "Ferrante"),
)
# Names that tests and examples may count on, whatever the seed; the last ones cannot be spelt in ASCII.
FIXED_PEOPLE = (
    ("Zoë Åkesson", "zoe.akesson"),
    ("Łukasz Wójcik", "lukasz.wojcik"),
    ("Jörg Straßer", "jorg.strasser"),
    ("İbrahim Çelik", "ibrahim.celik"),
    ("山田 花子", "hanako.yamada"),
)
# SQL folds ASCII only by itself: the three spellings of one street show whether a filter folds the rest.
FOLDERS = ("Budget", "Straße", "STRASSE", "strasse", "Zürich", "Projects", "Møter", "契約書", "100%_final", "Archive")
FILES = (
    "plan.xlsx",
    "übersicht.docx",
    "notes.txt",
    "résumé.pdf",
    "export_2018.csv",
    "image.tif",
    "報告.pptx",
    "readme",
)
DEPARTMENTS = ("Finance", "Engineering", "Legal", "Human Resources", "Sales", "Operations", "Research", "Facilities")
TITLES = ("Analyst", "Engineer", "Manager", "Assistant", "Counsel", "Director", "Technician")

# The letters that have no accent to take off; the dotless i is Turkish and meant.
_WITHOUT_DECOMPOSITION = str.maketrans({"ł": "l", "ß": "ss", "ø": "o", "ı": "i", "'": ""})  # noqa: RUF001
# 29 given names by 31 family names; 356 has no common divisor with 899, so steps of it meet every pair once.
_NAME_PAIRS = len(GIVEN_NAMES) * len(FAMILY_NAMES)
_STRIDE = 356


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up person: the name as they write it, and the account name in ASCII."""

    display_name: str
    account_name: str


def draw_people(dice: Dice, *, count: int) -> list[Person]:
    """Give the fixed people and then others, no name twice; `count` may be up to 904."""
    people = [Person(name, account) for name, account in FIXED_PEOPLE]
    start = dice.below(_NAME_PAIRS)
    for step in range(count - len(people)):
        pair = (start + step * _STRIDE) % _NAME_PAIRS
        name = f"{GIVEN_NAMES[pair % len(GIVEN_NAMES)]} {FAMILY_NAMES[pair % len(FAMILY_NAMES)]}"
        people.append(Person(name, _account_name(name)))
    return people


def draw_hosts(*, servers: int, workstations: int) -> list[str]:
    """Give host names, servers first."""
    return [
        *(f"FILES{number:02}" for number in range(1, servers + 1)),
        *(f"WS-{number:04}" for number in range(1, workstations + 1)),
    ]


def _account_name(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower().translate(_WITHOUT_DECOMPOSITION))
    return plain.encode("ascii", "ignore").decode("ascii").replace(" ", ".")
