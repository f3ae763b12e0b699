"""The boards that ``aspects_provision`` has put into Superset: a table of the plugin, since Superset chooses the UUIDs
under which it embeds dashboards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from platform_plugin_aspects.models import ProvisionedDashboard


@dataclass(frozen=True)
class Provisioned:
    """A board in one language, as it is in Superset. UUIDs are texts in lower case.

    ``slug`` is the board's own, such as "at-risk". ``embedded_uuid`` is "" while Superset does not embed it, and then
    no page shows it. ``block_type`` is that of the blocks beside which Studio shows it ("course" for whole courses),
    and "" for the Reports tab. ``datasets`` and ``charts`` are the UUIDs of what belongs to it. ``hash`` is "" from the
    beginning of an import to its end. ``is_closed`` is False until the row rule covers the datasets.
    """

    slug: str
    language: str
    title: str
    dashboard_uuid: str
    embedded_uuid: str
    hash: str
    block_type: str = ""
    position: int = 0
    datasets: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()
    is_closed: bool = True


def provisioned() -> tuple[Provisioned, ...]:
    """All boards in all languages, in the order of the boards; one query."""
    rows = ProvisionedDashboard.objects.order_by("position", "slug", "language")
    return tuple(
        Provisioned(
            slug=row.slug,
            language=row.language,
            title=row.title,
            dashboard_uuid=row.dashboard_uuid,
            embedded_uuid=row.embedded_uuid,
            hash=row.hash,
            block_type=row.block_type,
            position=row.position,
            datasets=tuple(row.superset_objects.get("datasets", ())),
            charts=tuple(row.superset_objects.get("charts", ())),
            is_closed=row.is_closed,
        )
        for row in rows
    )


def record(boards: Iterable[Provisioned]) -> None:
    """Keep these boards in the table, all or none. A row of the same slug and language is replaced."""
    manager = ProvisionedDashboard.objects
    with transaction.atomic(using=manager.all().db):
        for board in boards:
            manager.update_or_create(
                slug=board.slug,
                language=board.language,
                defaults={
                    "title": board.title,
                    "dashboard_uuid": board.dashboard_uuid,
                    "embedded_uuid": board.embedded_uuid,
                    "hash": board.hash,
                    "block_type": board.block_type,
                    "position": board.position,
                    "superset_objects": {"datasets": list(board.datasets), "charts": list(board.charts)},
                    "is_closed": board.is_closed,
                    "updated_at": timezone.now(),
                },
            )


def forget(boards: Iterable[Provisioned]) -> None:
    """Remove these boards from the table; those that are not there are passed over."""
    manager = ProvisionedDashboard.objects
    with transaction.atomic(using=manager.all().db):
        for board in boards:
            manager.filter(slug=board.slug, language=board.language).delete()
