"""Tags on courses and blocks: openedx_tagging, and the events that the platform sends besides."""

from typing import Any

from django.utils.timezone import now
from openedx_events.content_authoring.data import ContentObjectChangedData, ContentObjectData
from openedx_events.content_authoring.signals import (
    CONTENT_OBJECT_ASSOCIATIONS_CHANGED,
    CONTENT_OBJECT_TAGS_CHANGED,
)

try:
    from openedx_tagging import api as oel_tagging
except ImportError:  # before 2026
    from openedx_tagging.core.tagging import api as oel_tagging

create_taxonomy = oel_tagging.create_taxonomy
get_taxonomy = oel_tagging.get_taxonomy
get_object_tags = oel_tagging.get_object_tags
# Re-exports, as on the platform: these send no event.
delete_object_tags = oel_tagging.delete_object_tags
resync_object_tags = oel_tagging.resync_object_tags


def tag_object(object_id: str, taxonomy: Any, tags: list[str]) -> None:
    """Make the tags the object's only ones of that taxonomy, and send both events."""
    oel_tagging.tag_object(object_id=object_id, taxonomy=taxonomy, tags=tags)
    _send_tags_changed(object_id)


def _send_tags_changed(object_id: str) -> None:
    CONTENT_OBJECT_ASSOCIATIONS_CHANGED.send_event(
        time=now(), content_object=ContentObjectChangedData(object_id=object_id, changes=["tags"])
    )
    CONTENT_OBJECT_TAGS_CHANGED.send_event(time=now(), content_object=ContentObjectData(object_id=object_id))
