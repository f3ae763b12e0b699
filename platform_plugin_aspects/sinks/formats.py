"""How values look in ClickHouse: the formats that Aspects' dbt models and dashboards rely on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any


def stamp_text(moment: datetime) -> str:
    """``YYYY-MM-DD HH:MM:SS.ffffff+00:00`` in UTC, always six digits: time_last_dumped is compared as text."""
    return _utc(moment).isoformat(sep=" ", timespec="microseconds")


def iso_utc(moment: datetime | None) -> str:
    """ISO 8601 in UTC with a ``Z``, without a fraction when it is zero; null is the empty string."""
    if moment is None:
        return ""
    # Naive moments are UTC: see _utc. The offset of the others, +00:00, is the last six characters.
    return (moment.isoformat() if moment.tzinfo is None else _utc(moment).isoformat()[:-6]) + "Z"


def json_list(values: Any) -> str:
    """A JSON list."""
    return json.dumps(list(values))


def or_zero(value: int | None) -> int:
    """Null as 0, for keys of what may be missing."""
    return 0 if value is None else value


def _utc(moment: datetime) -> datetime:
    # Naive moments are UTC: read_columns may leave them so, and edx-platform's TIME_ZONE is UTC.
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)
