"""Texts of boards in the active language, by the package's own catalogs and no others.

Django asks one catalog for all apps, in which the platform's translation of a word may stand before ours. A label is
the name of a column in SQL: two that the platform translates alike would be one name. And boards must be the same in
LMS and CMS, whose catalogs differ. So texts of boards are marked with these functions, not with Django's.
"""

from __future__ import annotations

import gettext as catalogs
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.utils.functional import lazy
from django.utils.translation import get_language, to_locale

import platform_plugin_aspects

#: The folder of the package's catalogs.
LOCALE = Path(platform_plugin_aspects.__file__).parent / "locale"


def gettext(text: str) -> str:
    """The text in the active language; as it is in English, and in a language without a catalog."""
    return _catalog(get_language()).gettext(text)


def pgettext(context: str, text: str) -> str:
    """``gettext`` of a text that has another meaning elsewhere. ``context``: tells the meanings apart."""
    return _catalog(get_language()).pgettext(context, text)


@dataclass(frozen=True)
class Plural:
    """A text with a number. ``text % numbers`` has the form for the number that is called ``number``."""

    singular: str
    plural: str
    number: str

    def __mod__(self, numbers: Mapping[str, float]) -> str:
        """The text in the active language. KeyError where a number is missing."""
        found = _catalog(get_language()).ngettext(self.singular, self.plural, int(numbers[self.number]))
        return found % numbers


#: ``gettext`` and ``pgettext`` of the language in which a text is read, for texts of modules.
gettext_lazy = lazy(gettext, str)
pgettext_lazy = lazy(pgettext, str)
#: (singular, plural, name of the number) of a text of a module.
ngettext_lazy = Plural


@cache
def _catalog(language: str | None) -> catalogs.NullTranslations:
    """The package's catalog of a language as Django names it; without texts where there is none, as for English."""
    return catalogs.translation("django", LOCALE, [to_locale(language or "en")], fallback=True)
