"""Taxonomies, their tags, and the tags on content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects import content_keys, edx_platform
from platform_plugin_aspects.sinks.column import Column, Value
from platform_plugin_aspects.sinks.formats import json_text, or_zero
from platform_plugin_aspects.sinks.model_sink import ModelBaseSink

#: How many ancestors a tag can have: openedx_tagging's trees are at most so deep, with one to spare.
MAX_ANCESTORS = 6


def _ancestors(field: str) -> tuple[str, ...]:
    """Paths from a tag to ``field`` of the tag itself, its parent, its grandparent, ..."""
    return tuple("parent__" * level + field for level in range(MAX_ANCESTORS + 1))


def lineage(*values: str | None) -> str:
    """Tag values from the tag up, null above the root, as a JSON list from the root down."""
    return json_text([value for value in reversed(values) if value is not None])


def _object_lineage(own: str, *values: str | None) -> str:
    # Free text, and the remains of a deleted tag, have no tag: the lineage is their own value.
    return lineage(*values) if values[0] is not None else json_text([own])


class TaxonomySink(ModelBaseSink):
    """A row: a taxonomy. Trigger: it is saved; when it is deleted its row goes. No personal data."""

    name = "taxonomy"
    model = "taxonomy"
    columns = (Column("id", "Int32"), Column("name", "String"))
    deletes = True


class TagSink(ModelBaseSink):
    """A row: a tag of a taxonomy, with its lineage.

    Trigger: it or one of its ancestors is saved; when it is deleted its row goes. No personal data.
    """

    name = "tag"
    model = "tag"
    columns = (
        Column("id", "Int32"),
        Column("taxonomy", "Int32", Value("taxonomy_id", or_zero)),
        Column("parent", "Int32", Value("parent_id", or_zero)),
        Column("value", "String"),
        Column("external_id", "String"),
        Column("lineage", "String", Value(_ancestors("value"), lineage)),
    )
    deletes = True

    def dependents(self, keys: Sequence[Any]) -> Sequence[Any]:
        """The tags below: their lineage names these."""
        below: dict[Any, None] = {}
        level = list(keys)
        while level:
            children = self.manager.filter(parent_id__in=level).values_list("pk", flat=True)
            level = [child for child in children if child not in below]
            below.update(dict.fromkeys(level))
        return list(below)

    def dependents_elsewhere(self, keys: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
        """The tags on content: their lineage names these."""
        object_tag: Any = edx_platform.get_model("object_tag")
        if object_tag is None:
            return {}
        return {
            "object_tag": list(edx_platform.primary(object_tag).filter(tag_id__in=keys).values_list("pk", flat=True))
        }


class ObjectTagSink(ModelBaseSink):
    """A row: a tag on a course or a block.

    Trigger: it, or the tag, is saved or the tag deleted; when it is deleted its row goes. No personal data.
    """

    name = "object_tag"
    model = "object_tag"
    columns = (
        Column("id", "Int32"),
        Column("object_id", "String"),
        Column("taxonomy", "Int32", Value("taxonomy_id", or_zero)),
        Column("tag", "Int32", Value("tag_id", or_zero)),
        Column("_value", "String"),
        Column("_export_id", "String"),
        Column(
            "lineage",
            "String",
            Value(("_value", *(f"tag__{path}" for path in _ancestors("value"))), _object_lineage),
        ),
    )
    deletes = True


def object_ids_below(tag_id: int, using: str) -> list[str]:
    """The keys of content with this tag or one below it, as text, each once; read from the database ``using``."""
    object_tag: Any = edx_platform.get_model("object_tag")
    if object_tag is None:
        return []
    below = Q(*((f"tag__{path}", tag_id) for path in _ancestors("id")), _connector=Q.OR)
    return list(object_tag.objects.using(using).filter(below).values_list("object_id", flat=True).distinct())


def tags_in_course(course_key: CourseKey) -> dict[str, list[int]]:
    """{course or usage key as text: ids of its tags and of all their ancestors, each once}, in one query."""
    object_tag: Any = edx_platform.get_model("object_tag")
    if object_tag is None:
        return {}
    wanted = Q(object_id=str(course_key))
    prefix = content_keys.block_key_prefix(course_key)
    if prefix is not None:
        # A range, unlike LIKE BINARY, uses MySQL's index on object_id. "," follows "+".
        wanted |= Q(object_id__gte=prefix, object_id__lt=prefix[:-1] + ",")
    ids = ("tag_id", *(f"tag__{path}" for path in _ancestors("parent_id")))
    found: dict[str, dict[int, None]] = {}
    tagged = edx_platform.primary(object_tag).filter(wanted, tag__isnull=False)
    rows = tagged.order_by("pk").values_list("object_id", *ids)
    for object_id, *tags in rows:
        found.setdefault(object_id, {}).update(dict.fromkeys(tag for tag in tags if tag is not None))
    return {object_id: list(tags) for object_id, tags in found.items()}
