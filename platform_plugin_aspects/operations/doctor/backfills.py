"""Backfills that have not come to their end."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils import timezone

from platform_plugin_aspects.operations.doctor.findings import Finding, Mark, manage
from platform_plugin_aspects.operations.text import duration
from platform_plugin_aspects.operations.unfinished import unfinished_backfills


def examine() -> Iterator[Finding]:
    """A backfill that failed is a problem, because objects are missing; others are notes."""
    for found in unfinished_backfills():
        heard = f"{found.objects:,} objects so far, last heard of {duration(timezone.now() - found.heard_at)} ago"
        why = f": {found.message}" if found.message else ""
        if found.state == "running":
            yield Finding(Mark.NOTE, f"{found.sink}: a backfill is running ({heard}){why}")
            continue
        yield Finding(
            Mark.PROBLEM if found.state == "failed" else Mark.NOTE,
            f"{found.sink}: the last backfill {'failed' if found.state == 'failed' else 'ended early'} ({heard}){why}",
            f"Begin another one without --resume, or resume it with {manage(found.resume)}",
        )
