"""The result of a backfill in words, and the command line that resumes one."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings

from platform_plugin_aspects.delivery.backfill.ranges import Summary
from platform_plugin_aspects.operations import text


def line(name: str, summary: Summary, dry_run: bool = False) -> str:
    """One backfill in one line."""
    rows = ", ".join(f"{count} rows in {table}" for table, count in summary.rows.items() if count) or "no rows"
    rejected = f", {summary.rejected} not writable" if summary.rejected else ""
    last = "none" if summary.last_key in (None, "") else summary.last_key
    return (
        f"{name}: {summary.objects} objects {'would be ' if dry_run else ''}written ({rows}), "
        f"{summary.skipped} up to date{rejected}, {summary.seconds:.1f} s, last id {last}"
    )


def table(summaries: Mapping[str, Summary], dry_run: bool = False) -> Iterator[str]:
    """Several backfills as the lines of a table, with a last one for all of them."""
    headings = ("object", "to write" if dry_run else "written", "up to date", "not writable", "seconds", "objects/s")
    cells: list[tuple[str, ...]] = [(*headings, "rows")]
    for name, summary in summaries.items():
        cells.append((name, *_numbers([summary])))
    cells.append(("all", *_numbers(list(summaries.values()))))
    return text.table(cells, right=range(1, 7))


def rejected(summaries: Mapping[str, Summary]) -> Iterator[str]:
    """The objects that cannot be written, a line each, and the number of further ones."""
    for name, summary in summaries.items():
        for key, reason in summary.errors.items():
            yield f"{name} {key} cannot be written: {reason}"
        if summary.rejected > len(summary.errors):
            yield f"{name}: and {summary.rejected - len(summary.errors)} more"


def command(
    options: Mapping[str, Any], *arguments: str, name: str = "dump_data_to_clickhouse", service: str = "cms"
) -> str:
    """The command line with these options ({name: value}; True stands alone, None and False are left out).

    ``service``: where the command is run unless the settings say which service this is.
    """
    words = ["python", "manage.py", getattr(settings, "SERVICE_VARIANT", None) or service, name, *arguments]
    for option, value in options.items():
        if value is None or value is False or value == []:
            continue
        words.append(f"--{option}")
        if isinstance(value, list):
            words += map(str, value)
        elif value is not True:
            words.append(str(value))
    return shlex.join(words)


def _numbers(summaries: Sequence[Summary]) -> tuple[str, ...]:
    objects = sum(summary.objects for summary in summaries)
    seconds = sum(summary.seconds for summary in summaries)
    return (
        f"{objects:,}",
        f"{sum(summary.skipped for summary in summaries):,}",
        f"{sum(summary.rejected for summary in summaries):,}",
        f"{seconds:,.1f}",
        f"{objects / seconds:,.0f}" if seconds else "",
        f"{sum(sum(summary.rows.values()) for summary in summaries):,}",
    )
