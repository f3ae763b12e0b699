"""The dashboards that the site's settings list, their translations, and the values of their native filters.

``shown`` adds the boards of the plugin. All functions that read the settings raise SupersetMisconfigured if a setting
is invalid.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from uuid import UUID, uuid5

import prison
from django.conf import settings
from django.utils.translation import gettext as _
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured
from platform_plugin_aspects.settings.common import defaults

#: The language for people in whose language there is no dashboard.
FALLBACK_LANGUAGE = "en"


INSTRUCTOR, IN_CONTEXT = "ASPECTS_INSTRUCTOR_DASHBOARDS", "ASPECTS_IN_CONTEXT_DASHBOARDS"
#: Keys of an entry: the ids of the native filters, of a course and of a block.
FILTER_IDS = COURSE_FILTERS, BLOCK_FILTERS = "course_filter_ids", "block_filter_ids"


@dataclass(frozen=True)
class Dashboard:
    """A dashboard that Superset embeds under ``uuid``, in lower case; which of its native filters, by id, choose a
    course, and which a block. ``language``: the one that it is a translation to. ``is_own``: a board of the plugin,
    which ``aspects_provision`` has put into Superset."""

    name: str
    slug: str
    uuid: str
    allow_translations: bool
    course_filter_ids: tuple[str, ...] = ()
    block_filter_ids: tuple[str, ...] = ()
    language: str = ""
    is_own: bool = False


@dataclass(frozen=True)
class BoardEntry:
    """An entry without UUID: it names a board of the plugin by its slug. ``name``: "" for the board's own title.

    The filter ids are None where the entry does not name them. ``place``: the entry's place in the settings.
    """

    place: str
    slug: str
    name: str = ""
    course_filter_ids: tuple[str, ...] | None = None
    block_filter_ids: tuple[str, ...] | None = None


Entry = Dashboard | BoardEntry


def instructor_entries() -> list[Entry]:
    """The entries of ASPECTS_INSTRUCTOR_DASHBOARDS, in order."""
    entries = _of_type(INSTRUCTOR, list | tuple)
    return [_entry(f"{INSTRUCTOR}[{index}]", entry) for index, entry in enumerate(entries)]


def in_context_entries() -> dict[str, Entry]:
    """The entries of ASPECTS_IN_CONTEXT_DASHBOARDS by type of block, or "course"; none where
    ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS is off."""
    if not settings.ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS:
        return {}
    entries = _of_type(IN_CONTEXT, dict)
    return {block_type: _entry(f"{IN_CONTEXT}[{block_type!r}]", entry) for block_type, entry in entries.items()}


def is_default(name: str) -> bool:
    """Whether a setting has the value that the plugin gives it, whoever gave it."""
    return bool(getattr(settings, name) == _defaults()[name])


def default_filter_ids(block_type: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The ids of the native filters, of the course and of the block, in the dashboards of Aspects for this type.

    The plugin's own boards for Studio have the same ids. Other types have none.
    """
    entry = _defaults()[IN_CONTEXT].get(block_type, {})
    course, block = (tuple(entry.get(name, ())) for name in FILTER_IDS)
    return course, block


@cache
def _defaults() -> dict[str, Any]:
    return defaults()


def locales() -> list[str]:
    """The languages in which there are localized dashboards, as SUPERSET_DASHBOARD_LOCALES spells them."""
    found = list(_of_type("SUPERSET_DASHBOARD_LOCALES", list | tuple))
    if not all(isinstance(locale, str) for locale in found):
        raise SupersetMisconfigured(f"SUPERSET_DASHBOARD_LOCALES is {found!r}: list language codes, such as 'es-419'.")
    return found


def language_of(user: Any) -> str:
    """The one of ``locales()`` that the user prefers, or FALLBACK_LANGUAGE."""
    preferred = normalized(edx_platform.preferred_language(user) or "")
    return next((locale for locale in locales() if normalized(locale) == preferred), FALLBACK_LANGUAGE)


def localized(dashboard: Dashboard, language: str) -> Dashboard:
    """The dashboard in a language; itself if it is not translated.

    Aspects makes the translations, and their UUIDs, in the same way when it imports its dashboards into Superset.
    """
    if not dashboard.allow_translations:
        return dashboard
    uuid = uuid5(uuid5(UUID(dashboard.uuid), "superset"), normalized(language))
    return replace(dashboard, slug=f"{dashboard.slug}-{language}", uuid=str(uuid), language=language)


def versions(dashboards: Iterable[Dashboard]) -> list[Dashboard]:
    """These dashboards, as they are and in every language that they are translated to, each UUID once."""
    languages = dict.fromkeys([FALLBACK_LANGUAGE, *locales()])
    found = {
        version.uuid: version
        for dashboard in dashboards
        for version in (dashboard, *(localized(dashboard, language) for language in languages))
    }
    return list(found.values())


def native_filters(dashboard: Dashboard, course_key: CourseKey, block_id: str = "") -> str:
    """The value of ``native_filters`` in a dashboard's URL, as Rison: its filters set to a course and a block.

    ``block_id`` is the last part of the usage key, because Aspects' datasets hold only that in their column block_id.
    The filters are a default that people may change, and not a protection.
    """
    choices = [(settings.IN_CONTEXT_DASHBOARD_COURSE_KEY_COLUMN, str(course_key), dashboard.course_filter_ids)]
    if block_id:
        choices.append((settings.IN_CONTEXT_DASHBOARD_BLOCK_ID_COLUMN, block_id, dashboard.block_filter_ids))
    return str(
        prison.dumps(
            {
                filter_id: {
                    "id": filter_id,
                    "extraFormData": {"filters": [{"col": column, "op": "IN", "val": [value]}]},
                    "filterState": {"value": [value]},
                    "ownState": {},
                }
                for column, value, filter_ids in choices
                for filter_id in filter_ids
            }
        )
    )


def normalized(language: str) -> str:
    """A language's code, the same however it is spelled: "es-419" and "ES_419" are "es_419"."""
    return language.lower().replace("-", "_")


def _of_type(name: str, kind: Any) -> Any:
    value = getattr(settings, name)
    if not isinstance(value, kind):
        raise SupersetMisconfigured(f"{name} is {value!r}: its shape must be that of its default.")
    return value


def _entry(place: str, entry: Any) -> Entry:
    try:
        filter_ids = {name: tuple(map(str, entry[name])) for name in FILTER_IDS if name in entry}
        if "uuid" not in entry and (slug := entry["slug"]):
            return BoardEntry(place, str(slug), _name(entry) if "name" in entry else "", **filter_ids)
        return Dashboard(
            _name(entry),
            str(entry["slug"]),
            str(UUID(entry["uuid"])),
            bool(entry.get("allow_translations")),
            course_filter_ids=filter_ids.get(COURSE_FILTERS, ()),
            block_filter_ids=filter_ids.get(BLOCK_FILTERS, ()),
        )
    except KeyError as error:
        problem = f"has no {error}"
    except (AttributeError, TypeError, ValueError) as error:
        problem = f"cannot be read ({error})"
    raise SupersetMisconfigured(
        f"{place} is {entry!r}, which {problem}: write name, slug and the UUID under which Superset embeds it, or only "
        "the slug of a board of this plugin."
    )


def _name(entry: Any) -> str:
    return _(str(entry["name"]))
