"""How values look in ClickHouse: the formats that Aspects' dbt models and dashboards rely on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from platform_plugin_aspects.clickhouse.text import whole_json
from platform_plugin_aspects.sinks.conversion import convert_each

#: How many characters the text of a moment has in a database: with a fraction, and without one or with one.
WITH_FRACTION = len("2026-01-01 10:00:00.000000")
TEXT_LENGTHS = frozenset({len("2026-01-01 10:00:00"), WITH_FRACTION})
#: MySQL may keep these if a date was not known; Django reads them as null.
ZERO_DATES = frozenset({"0000-00-00 00:00:00", "0000-00-00 00:00:00.000000"})


def stamp_text(moment: datetime) -> str:
    """``YYYY-MM-DD HH:MM:SS.ffffff+00:00`` in UTC, always six digits: time_last_dumped is compared as text."""
    return _utc(moment).isoformat(sep=" ", timespec="microseconds")


def iso_utc(moment: datetime | str | None) -> str:
    """ISO 8601 in UTC with a ``Z``, without a fraction when it is zero; null is the empty string.

    Text is that of a database in UTC: ``YYYY-MM-DD HH:MM:SS``, with a fraction of six digits or none.
    """
    if not moment or moment in ZERO_DATES:
        return ""
    if isinstance(moment, str):
        if len(moment) in TEXT_LENGTHS:
            return moment.replace(" ", "T").removesuffix(".000000") + "Z"
        moment = datetime.fromisoformat(moment)
    return iso_with_offset(moment).removesuffix("+00:00") + "Z"


def iso_with_offset(moment: datetime) -> str:
    """ISO 8601 in UTC with ``+00:00``, as moments inside JSON columns are written."""
    return _utc(moment).isoformat()


def all_iso_utc(moments: Sequence[Any]) -> list[str]:
    """``iso_utc`` of each; in half the time where all are empty or texts with a fraction, as mostly they are."""
    try:
        if set(map(len, moments)) <= {0, WITH_FRACTION}:
            together = "\n" + "Z\n".join(moments).replace(" ", "T") + "Z"
            texts = together.replace("\nZ", "\n")[1:].split("\n")
            # Zero dates of this length have no fraction either.
            if ".000000Z" not in together and len(texts) == len(moments):
                return texts
    except TypeError:
        # There are nulls or moments among them.
        pass
    return convert_each(moments, iso_utc)


def json_text(value: Any, default: Callable[[Any], Any] | None = None) -> str:
    """JSON that ClickHouse can read; ``default`` as for ``json.dumps``."""
    return whole_json(json.dumps(value, default=default))


def or_zero(value: int | None) -> int:
    """Null as 0, for keys of objects that may be missing."""
    return 0 if value is None else value


def _utc(moment: datetime) -> datetime:
    # Naive moments are UTC, as edx-platform's TIME_ZONE is.
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)
