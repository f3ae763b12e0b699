"""Courses, with their blocks."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.utils import timezone

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.sinks.batch import Batch, Written
from platform_plugin_aspects.sinks.column import Column, Value
from platform_plugin_aspects.sinks.formats import iso_utc, iso_with_offset, json_text, stamp_text
from platform_plugin_aspects.sinks.model_sink import ModelBaseSink
from platform_plugin_aspects.sinks.tag_sink import tags_in_course
from platform_plugin_aspects.sinks.xblock_sink import XBlockSink

log = logging.getLogger(__name__)

#: Keys of course_data_json, in order; all but the last are fields of the overview.
DATA_KEYS = (
    "advertised_start",
    "announcement",
    "lowest_passing_grade",
    "invitation_only",
    "max_student_enrollments_allowed",
    "effort",
    "enable_proctored_exams",
    "entrance_exam_enabled",
    "external_id",
    "language",
    "tags",
)
_SHOWN_PROBLEMS = 5


def _course_data(*values: Any) -> str:
    return json_text(dict(zip(DATA_KEYS, values, strict=True)), default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso_with_offset(value)
    if isinstance(value, Decimal):
        return float(value)
    return str(value)


class CourseOverviewSink(ModelBaseSink):
    """A row: the state of a course when it was dumped; its blocks share the row's dump_id and time.

    Trigger: something in the course is published, or tags in it change. Courses made from it (CCX) follow. The rows of
    a deleted course stay, because the events of its learners stay, too; ``aspects_compare`` reports it as extra, and
    with ``--repair --prune`` deletes it with its blocks. No personal data.
    """

    name = "course_overviews"
    model = "course_overviews"
    columns = (
        Column("org", "String"),
        Column("course_key", "String", Value("id")),
        Column("display_name", "String"),
        Column("course_start", "String", Value("start")),
        Column("course_end", "String", Value("end")),
        Column("enrollment_start", "String", Value(convert=iso_utc)),
        Column("enrollment_end", "String", Value(convert=iso_utc)),
        Column("self_paced", "Bool"),
        Column("course_data_json", "String", Value(DATA_KEYS, _course_data)),
        Column("created", "String", Value(convert=iso_utc)),
        Column("modified", "String", Value(convert=iso_utc)),
    )
    further_tables = (XBlockSink.table,)
    computed = ("tags",)
    # Blocks and tags are read while writing: a course is too large to have two in memory.
    writes_only_to_clickhouse = False
    date = "modified"
    order_by = ("org", "course_key", "modified", "time_last_dumped")
    key_column = "course_key"
    # A course has up to 10,000 blocks.
    batch_size = 10

    def write(self, batch: Batch, stamp: datetime) -> Written:
        """Two inserts: the blocks first, because the course's own row says that it has been dumped."""
        if not len(batch):
            return Written()
        dump_id = uuid.uuid4()
        courses, blocks, warnings = self.with_content(batch)
        for warning in warnings:
            log.warning(warning)
        if len(blocks):
            XBlockSink(self.connection).insert(blocks, stamp, dump_id)
        self.insert(courses, stamp, dump_id)
        return Written({self.table.name: len(courses), XBlockSink.table.name: len(blocks)}, warnings)

    def rehearse(self, batch: Batch) -> Written:
        """The result of ``write``, which reads the content of the courses, with nothing sent."""
        courses, blocks, warnings = self.with_content(batch)
        super().encode(courses, timezone.now(), uuid.uuid4())
        return Written({self.table.name: len(courses), **XBlockSink(self.connection).rehearse(blocks).rows}, warnings)

    def encode(self, batch: Batch, stamp: datetime, dump_id: uuid.UUID) -> None:
        """None, because ``write`` reads the content of the courses."""
        return None

    def delete(self, keys: Sequence[Any]) -> None:
        """Delete the blocks first: until they are gone, the course's row says that there is something left."""
        block_sink = XBlockSink(self.connection)
        self.clickhouse.delete(block_sink.table.name, "course_key", "String", list(map(str, keys)))
        super().delete(keys)

    def with_content(self, batch: Batch) -> tuple[Batch, Batch, list[str]]:
        """The courses of a batch with their tags, all their blocks, and a warning per course not read whole."""
        block_sink = XBlockSink(self.connection)
        blocks = []
        tags_of_courses = []
        warnings = []
        for course_key, grade in zip(batch.keys, batch.columns["lowest_passing_grade"], strict=True):
            tags = tags_in_course(course_key)
            rows, problems = block_sink.rows_of(course_key, tags)
            if grade is None:
                problems.append("its lowest_passing_grade is null (malformed grading policy)")
            if problems:
                warnings.append(_warning(course_key, problems))
            blocks += rows
            tags_of_courses.append(tags.get(str(course_key), []))
        return Batch(batch.keys, {**batch.columns, "tags": tags_of_courses}), block_sink.batch(blocks), warnings

    def dependents(self, keys: Sequence[Any]) -> Sequence[Any]:
        """The custom courses (CCX) made from these."""
        return edx_platform.ccx_keys(keys)

    def skip_reasons(self, batch: Batch) -> list[str | None]:
        """Courses are due when they were published since their last dump, or never dumped."""
        reasons: list[str | None] = []
        for course_key, modified in zip(batch.keys, batch.columns["modified"], strict=True):
            published = stamp_text(modified)
            dumped = self._last_dumps.get(str(course_key), "")
            reasons.append(f"published {published}, dumped {dumped}" if published <= dumped else None)
        return reasons

    @cached_property
    def _last_dumps(self) -> dict[str, str]:
        """{course key: time of its last dump}, all of them in one query."""
        table = self.clickhouse.qualified(self.table.name)
        query = f"SELECT course_key, max(time_last_dumped) FROM {table} GROUP BY course_key"
        return dict(map(tuple, self.clickhouse.select(query)))


def _warning(course_key: Any, problems: Sequence[str]) -> str:
    shown = "; ".join(problems[:_SHOWN_PROBLEMS])
    more = f"; and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
    return f"Course {course_key} is written as far as it can be: {shown}{more}"
