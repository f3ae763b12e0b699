"""The dashboards that the site's settings list, their translations, and the values of their native filters.

All functions that read the settings raise SupersetMisconfigured if a setting is invalid.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid5

import prison
from django.conf import settings
from django.utils.translation import gettext as _
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured

#: The language for people in whose language there is no dashboard.
FALLBACK_LANGUAGE = "en"


@dataclass(frozen=True)
class Dashboard:
    """A dashboard that Superset embeds under ``uuid``, in lower case; which of its native filters, by id, choose a
    course, and which a block. ``language``: the one that it is a translation to."""

    name: str
    slug: str
    uuid: str
    allow_translations: bool
    course_filter_ids: tuple[str, ...] = ()
    block_filter_ids: tuple[str, ...] = ()
    language: str = ""


def instructor_dashboards() -> list[Dashboard]:
    """The dashboards of a course's Reports page, in order."""
    entries = _of_type("ASPECTS_INSTRUCTOR_DASHBOARDS", list | tuple)
    return [_dashboard(f"ASPECTS_INSTRUCTOR_DASHBOARDS[{index}]", entry) for index, entry in enumerate(entries)]


def instructor_dashboards_for(user: Any) -> list[Dashboard]:
    """``instructor_dashboards()`` in the user's language."""
    language = language_of(user)
    return [localized(dashboard, language) for dashboard in instructor_dashboards()]


def in_context_dashboards() -> dict[str, Dashboard]:
    """The dashboards that Studio shows beside blocks of each type, and beside a "course"; none where
    ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS is off."""
    if not settings.ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS:
        return {}
    entries = _of_type("ASPECTS_IN_CONTEXT_DASHBOARDS", dict)
    return {
        block_type: _dashboard(f"ASPECTS_IN_CONTEXT_DASHBOARDS[{block_type!r}]", entry)
        for block_type, entry in entries.items()
    }


def locales() -> list[str]:
    """The languages in which there are localized dashboards, as SUPERSET_DASHBOARD_LOCALES spells them."""
    found = list(_of_type("SUPERSET_DASHBOARD_LOCALES", list | tuple))
    if not all(isinstance(locale, str) for locale in found):
        raise SupersetMisconfigured(f"SUPERSET_DASHBOARD_LOCALES is {found!r}: list language codes, such as 'es-419'.")
    return found


def language_of(user: Any) -> str:
    """The one of ``locales()`` that the user prefers, or FALLBACK_LANGUAGE."""
    preferred = _normalized(edx_platform.preferred_language(user) or "")
    return next((locale for locale in locales() if _normalized(locale) == preferred), FALLBACK_LANGUAGE)


def localized(dashboard: Dashboard, language: str) -> Dashboard:
    """The dashboard in a language; itself if it is not translated.

    Aspects makes the translations, and their UUIDs, in the same way when it imports its dashboards into Superset.
    """
    if not dashboard.allow_translations:
        return dashboard
    uuid = uuid5(uuid5(UUID(dashboard.uuid), "superset"), _normalized(language))
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


def token_uuids() -> list[str]:
    """The UUIDs that a guest token of a course opens: all dashboards, in every language."""
    return [version.uuid for version in versions([*instructor_dashboards(), *in_context_dashboards().values()])]


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


def _normalized(language: str) -> str:
    return language.lower().replace("-", "_")


def _of_type(name: str, kind: Any) -> Any:
    value = getattr(settings, name)
    if not isinstance(value, kind):
        raise SupersetMisconfigured(f"{name} is {value!r}: its shape must be that of its default.")
    return value


def _dashboard(place: str, entry: Any) -> Dashboard:
    try:
        return Dashboard(
            name=_(str(entry["name"])),
            slug=str(entry["slug"]),
            uuid=str(UUID(entry["uuid"])),
            allow_translations=bool(entry.get("allow_translations")),
            course_filter_ids=tuple(map(str, entry.get("course_filter_ids", ()))),
            block_filter_ids=tuple(map(str, entry.get("block_filter_ids", ()))),
        )
    except KeyError as error:
        problem = f"has no {error}"
    except (AttributeError, TypeError, ValueError) as error:
        problem = f"cannot be read ({error})"
    raise SupersetMisconfigured(
        f"{place} is {entry!r}, which {problem}: write name, slug and the UUID under which Superset embeds it."
    )
