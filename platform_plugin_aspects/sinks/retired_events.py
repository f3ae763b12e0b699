"""Retirement and learning events: those that wait, and the statements that name a learner by an e-mail address."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.client import in_parameters
from platform_plugin_aspects.clickhouse.errors import Unavailable
from platform_plugin_aspects.models import TrackingEvent
from platform_plugin_aspects.sinks.batch import chunks
from platform_plugin_aspects.sinks.statement_sink import StatementSink
from platform_plugin_aspects.xapi.addresses import actors_of, has_addresses
from platform_plugin_aspects.xapi.events import stored_event

log = logging.getLogger(__name__)

#: Waiting events that are read, and deleted, at once.
CHUNK = 500


def forget_events(user_ids: Collection[int]) -> None:
    """Delete the events of these learners that wait for delivery, or that cannot be transformed.

    They are compressed, so all that wait are looked through. Raises PLATFORM_FAULTS.
    """
    if not TrackingEvent.objects.exists():
        return
    usernames, _addresses = edx_platform.names_of(user_ids)
    ids, names = {str(user_id) for user_id in user_ids}, {name.lower() for name in usernames}
    found: list[int] = []
    for pk, payload in TrackingEvent.objects.order_by("pk").values_list("pk", "payload").iterator(chunk_size=CHUNK):
        if any(str(value) in ids or str(value).lower() in names for value in _learners(bytes(payload))):
            found.append(pk)
    for some in chunks(found, CHUNK):
        TrackingEvent.objects.filter(pk__in=some).delete()


def forget_statements(user_ids: Collection[int], sink: StatementSink) -> None:
    """Delete the statements whose actor is an address of these learners, and look whether any is left.

    External ids, which are the default, are left alone: nothing maps them to a learner any more. Addresses that a
    learner had earlier and changed are not known. Raises Unavailable and Misconfigured.
    """
    if not (has_addresses() and sink.is_enabled()):
        return
    _usernames, addresses = edx_platform.names_of(user_ids)
    for field, actors in actors_of(sorted(addresses)).items():
        for some in in_parameters(actors):
            condition = f"JSONExtractString(event, 'actor', '{field}') IN {{actors:Array(String)}}"
            if not _count(sink, condition, some):
                continue
            table = sink.clickhouse.qualified(sink.connection.xapi_table)
            sink.clickhouse.command(
                f"ALTER TABLE {table} DELETE WHERE {condition} SETTINGS mutations_sync = 2", {"actors": some}
            )
            left = _count(sink, condition, some)
            if left:
                raise Unavailable(f"{left} statements of retired learners are still there: deleting goes on")


def _count(sink: StatementSink, condition: str, actors: list[str]) -> int:
    table = sink.clickhouse.qualified(sink.connection.xapi_table)
    return int(sink.clickhouse.select(f"SELECT count() FROM {table} WHERE {condition}", {"actors": actors})[0][0])


def _learners(payload: bytes) -> Iterator[Any]:
    """The user ids and usernames that a stored event has of its learner, and of who acted.

    As it was emitted, because an event that cannot be transformed names its learner, too.
    """
    try:
        event = stored_event(payload)
    except ValueError:
        return
    for part in (event.get("context"), event.get("data")):
        if isinstance(part, Mapping):
            yield from (part[key] for key in ("user_id", "username") if part.get(key))
