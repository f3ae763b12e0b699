"""Every text that people read is translated, and the catalogs are what ``make translations`` makes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.utils.translation import gettext, override, to_language

from test_utils.translations import catalogs, untranslated, updated

each_catalog = pytest.mark.parametrize(("language", "path"), catalogs().items())


def test_the_languages() -> None:
    assert list(catalogs()) == ["ar", "es_419", "fr"]


@each_catalog
def test_all_is_translated_extracted_and_compiled(language: str, path: Path) -> None:
    catalog, po, mo = updated(language, path)
    assert list(untranslated(catalog)) == []
    assert path.read_bytes() == po, "run make translations"
    assert path.with_suffix(".mo").read_bytes() == mo, "run make translations"


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"%\(\w+\)\w|%\w|\{\w*\}", text))


def forms(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """The singular and the plural of a text, or the text alone."""
    return text if isinstance(text, tuple) else (text,)


@each_catalog
def test_translations_have_the_placeholders_of_the_original(language: str, path: Path) -> None:
    for message in updated(language, path)[0]:
        if message.id:  # not the header
            *_, original = forms(message.id)
            for form in forms(message.string):
                assert placeholders(form) == placeholders(original), message.id


@each_catalog
def test_django_finds_the_translations(language: str, path: Path) -> None:
    text = "View dashboards in Superset"  # that no other app translates
    with override(to_language(language)):
        assert gettext(text) == updated(language, path)[0][text].string
