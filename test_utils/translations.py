"""The catalogs of translations: ``python -m test_utils.translations`` updates them from the code."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PACKAGE = Path(__file__).resolve().parents[1] / "platform_plugin_aspects"
#: Django's names, besides those that all programs use.
KEYWORDS = {**DEFAULT_KEYWORDS, "gettext_lazy": None, "ngettext_lazy": (1, 2), "pgettext_lazy": ((1, "c"), 2)}


def catalogs() -> dict[str, Path]:
    """Per language, as Django names its folder, where its catalog is."""
    return {path.parts[-3]: path for path in sorted(PACKAGE.glob("locale/*/LC_MESSAGES/django.po"))}


def texts() -> Catalog:
    """All texts that are marked in the package, without translations."""
    found = Catalog()
    for file, _line, message, comments, context in extract_from_dir(
        PACKAGE, keywords=KEYWORDS, comment_tags=["Translators:"], directory_filter=lambda path: "tests" not in path
    ):
        found.add(message, locations=[(f"{PACKAGE.name}/{file}", None)], auto_comments=comments, context=context)
    return found


def updated(language: str, path: Path) -> tuple[Catalog, bytes, bytes]:
    """A catalog with all texts that there are, and no others; then as its .po and its .mo file have it."""
    with path.open("rb") as file:
        catalog = read_po(file, locale=language, domain="django")
    catalog.update(texts(), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    po, mo = BytesIO(), BytesIO()
    write_po(po, catalog, width=0, sort_output=True)
    write_mo(mo, catalog)
    return catalog, po.getvalue(), mo.getvalue()


def untranslated(catalog: Catalog) -> Iterator[str]:
    """The texts that have no translation."""
    return (str(message.id) for message in catalog if message.id and (message.fuzzy or not all(_forms(message.string))))


def _forms(string: str | tuple[str, ...]) -> tuple[str, ...]:
    return string if isinstance(string, tuple) else (string,)


if __name__ == "__main__":
    for language, path in catalogs().items():
        catalog, po, mo = updated(language, path)
        path.write_bytes(po)
        path.with_suffix(".mo").write_bytes(mo)
        for text in untranslated(catalog):
            print(f"{language}: not translated: {text}")
