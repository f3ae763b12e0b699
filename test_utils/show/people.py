"""Names: the courses, who logs in, and the learners. Without Django."""

from __future__ import annotations

from collections.abc import Iterator

COURSE = "course-v1:Hesperus+Sky+2026"
#: The run a year before.
FORMER = "course-v1:Hesperus+Sky+2025"
#: A course of another team.
OTHER = "course-v1:Lumen+Bread+2026"

#: On the team of COURSE, and of OTHER: username -> (name, language of the account).
TEAM = {
    "marta": ("Marta Lindqvist", "en"),
    "nour": ("نور حداد", "ar"),
    "lucia": ("Lucía Paredes", "es-419"),
    "celeste": ("Céleste Blanc", "fr"),
}
#: {language: somebody of the team of COURSE who reads it}
READERS = {language: username for username, (_name, language) in TEAM.items()}
OTHER_TEAM = {"boulanger": ("Ada Boulanger", "en")}
STAFF = "staff"
#: A learner of COURSE who can log in.
LEARNER = "amara_adeyemi"

_GIVEN = (
    *("Amara", "Bao", "Chiara", "Dilip", "Elif", "Farid", "Grace", "Hiro", "Ines", "Jakub", "Kofi", "Lena", "Mateo"),
    *("Nadia", "Omar", "Priya", "Quentin", "Rosa", "Sven", "Tala", "Uma", "Viktor", "Wanda", "Ximena", "Yusuf", "Zoë"),
)
_FAMILY = (
    *("Adeyemi", "Brandt", "Castillo", "Dvořák", "Eriksen", "Fontaine", "García", "Haddad", "Ivanova", "Jansen"),
    *("Kaya", "Lindqvist", "Mbeki", "Nakamura", "O'Brien", "Petrova", "Quispe", "Rossi", "Silva", "Tanaka", "Ueda"),
)
_PLAIN = str.maketrans("řářëí'", "raaei_")


def names(number: int) -> Iterator[tuple[str, str]]:
    """(username, name) of so many learners, at most 182, no two alike."""
    for at in range(number):
        given, family = _GIVEN[at % len(_GIVEN)], _FAMILY[(at + at // len(_GIVEN)) % len(_FAMILY)]
        yield f"{given}_{family}".lower().translate(_PLAIN), f"{given} {family}"
