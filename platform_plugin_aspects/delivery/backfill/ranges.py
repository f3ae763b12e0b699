"""Ranges of keys, each with its progress in the database: so a backfill can be resumed, and shared among workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from django.db import models, transaction

from platform_plugin_aspects.models import BackfillRange
from platform_plugin_aspects.sinks import BaseSink

Status = BackfillRange.Status


def plan(sink: BaseSink, options: Mapping[str, Any], after: Any = None, pieces: int = 1) -> list[BackfillRange]:
    """The keys above ``after`` in at most ``pieces`` ranges, which ``save_ranges`` saves.

    ``options``: as Walk.to_json gives them.
    """
    bounds = [after, *sink.split_keys(pieces, after), None]
    return [
        BackfillRange(sink=sink.name, after=key_text(low), upto=key_text(high), options=dict(options))
        for low, high in pairwise(bounds)
    ]


def save_ranges(sink: BaseSink, ranges: Iterable[BackfillRange]) -> None:
    """Save the ranges of a backfill in place of those of the sink's last one."""
    with transaction.atomic():
        saved_ranges(sink).delete()
        for row in ranges:
            row.save()


def saved_ranges(sink: BaseSink) -> models.QuerySet[BackfillRange]:
    """The ranges of the sink's last backfill, in order."""
    return BackfillRange.objects.filter(sink=sink.name).order_by("pk")


def key_text(key: Any) -> str:
    """A key as a range has it; empty for None."""
    return "" if key is None else str(key)
