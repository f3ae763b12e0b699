"""The site of the benchmark of reports: 200 courses with their learners and statements, written inside ClickHouse.

Course 0 is the large one. Its learners, blocks and statements are the same however many the site has in all.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from benchmarks.reporting_statements import STEPS, Shapes
from platform_plugin_aspects.clickhouse.client import ClickHouse

#: The year of the statements, and the current moment of the reports.
YEAR, MONTHS = 2025, 12
CLOCK = "toDateTime64('2026-01-01 00:00:00', 6, 'UTC')"
COURSES = 200
LEARNERS = 5_000
LEAVES = ("html", "problem", "video", "problem", "html")
#: The marks of a unit's leaves in their ids.
MARKS = ("t", "p", "v", "q", "r")
#: How often each course was published.
PUBLISHED = 3
#: Rows that are made at once: their statements are texts of 1 KB.
BLOCK = "max_block_size = 8192, min_insert_block_size_rows = 200000, min_insert_block_size_bytes = 268435456"


@dataclass(frozen=True)
class Outline:
    """A course of chapters, sequentials in each, and verticals in each of these, with LEAVES; and further pages."""

    chapters: int
    sequentials: int
    verticals: int
    pages: int = 0

    @property
    def units(self) -> int:
        """All verticals."""
        return self.chapters * self.sequentials * self.verticals

    @property
    def blocks(self) -> int:
        """All blocks, the course included."""
        return 1 + self.chapters * (1 + self.sequentials) + self.units * (1 + len(LEAVES)) + self.pages


#: 1,500 blocks.
LARGE = Outline(8, 6, 5, pages=3)
SMALL = Outline(4, 3, 3)


@dataclass(frozen=True)
class Size:
    """How many statements the site has, and how many of them are the large course's."""

    statements: int
    of_course: int

    @property
    def learners(self) -> int:
        """Learners of each of the other courses, by their share of the statements."""
        others = self.statements - self.of_course
        return max(5, round(others / (COURSES - 1) * LEARNERS / self.of_course))

    @property
    def enrolled(self) -> int:
        """Learners of all courses."""
        return LEARNERS + (COURSES - 1) * self.learners

    @property
    def visits(self) -> int:
        """All visits."""
        return (self.statements - self.enrolled) // STEPS

    @property
    def visits_of_course(self) -> int:
        """The visits of the large course."""
        return (self.of_course - LEARNERS) // STEPS

    @property
    def users(self) -> int:
        """Accounts on the platform: twice as many as learners."""
        return 2 * self.enrolled


def course_key(number: int) -> str:
    """The key of a course."""
    return f"course-v1:Org{number % 20}+Course{number}+2025"


class Site:
    """Fills one ClickHouse, whose tables exist."""

    def __init__(self, client: ClickHouse, size: Size, shapes: Shapes):
        self.client = client
        self.size = size
        self.shapes = shapes

    def fill(self) -> None:
        """Write all tables of the sinks, and the statements."""
        self._publish()
        self._people()
        self.client.command(
            f"INSERT INTO {self.xapi} SELECT event_id, emission_time, event FROM ({self.enrollments()}) "
            f"SETTINGS {BLOCK}"
        )
        for month in range(MONTHS):
            first, last = (self.size.visits * each // MONTHS for each in (month, month + 1))
            sql = self.statements(first * STEPS, (last - first) * STEPS)
            self.client.command(f"INSERT INTO {self.xapi} {sql} SETTINGS {BLOCK}")

    @property
    def xapi(self) -> str:
        """The table of statements."""
        connection = self.client.connection
        return f"`{connection.xapi_database}`.`{connection.xapi_table}`"

    # Statements.

    def statements(self, first: int, number: int) -> str:
        """SELECT of statements of visits: id, moment and text. Those after all visits are of the last month."""
        size = self.size
        return f"""SELECT event_id, emission_time, {self.shapes.visit} AS event
        FROM (
            SELECT
                intDiv(number, {STEPS}) AS visit,
                number % {STEPS} AS step,
                intDiv(visit * {size.visits_of_course}, {size.visits})
                    != intDiv((visit + 1) * {size.visits_of_course}, {size.visits}) AS is_large,
                if(is_large, 0, 1 + cityHash64(visit, 'course') % {COURSES - 1}) AS number_of_course,
                toUInt32(floor(if(is_large, {LEARNERS}, {size.learners})
                    * pow((cityHash64(visit, 'learner') % 1000000) / 1000000, 1.3))) AS learner,
                if(is_large, 1, {LEARNERS + 1} + (number_of_course - 1) * {size.learners}) + learner AS user,
                toUInt32(floor(if(is_large, {LARGE.units}, {SMALL.units})
                    * pow((cityHash64(visit, 'unit') % 1000000) / 1000000, 1.5))) AS unit,
                intDiv(unit, if(is_large, {LARGE.verticals}, {SMALL.verticals})) AS lesson,
                unit % if(is_large, {LARGE.verticals}, {SMALL.verticals}) + 1 AS unit_here,
                if(unit_here = 1, 2, unit_here - 1) AS unit_before,
                concat('s', toString(lesson)) AS subsection,
                concat('u', toString(unit)) AS block,
                cityHash64(user, 'ability') % 60 AS ability,
                least(3, intDiv(ability + cityHash64(visit, 'points') % 60, 30)) AS points,
                round((ability + cityHash64(visit, 'share') % 41) / 100, 2) AS share,
                cityHash64(visit, 'second') % 100 AS second,
                cityHash64(visit, 'ends') % 100 AS ends,
                least({MONTHS - 1}, intDiv(visit * {MONTHS}, {size.visits})) AS month,
                addSeconds(
                    addMonths(toDateTime64('{YEAR}-01-01 00:00:00', 6, 'UTC'), month),
                    toUInt32(cityHash64(visit, 'moment') % 2332800) + step * 45) AS second_of,
                addMicroseconds(second_of, cityHash64(number) % 1000000) AS emission_time,
                {_names("number")}
            FROM numbers({first}, {number})
        )"""

    def enrollments(self) -> str:
        """SELECT of a statement for each learner."""
        return f"""SELECT *, {self.shapes.enrollment} AS event
        FROM (
            SELECT
                {self._learner()},
                addSeconds(
                    toDateTime64('{YEAR}-01-01 00:00:00', 6, 'UTC'), cityHash64(user, 'enrolled') % 600000
                ) AS emission_time,
                cityHash64(user) AS visit,
                {_names("user, 'enrolled'")}
            FROM numbers({self.size.enrolled})
        )"""

    def _learner(self) -> str:
        return f"""toUInt32(number + 1) AS user,
                toUInt32(if(user <= {LEARNERS}, 0, 1 + intDiv(user - {LEARNERS + 1}, {self.size.learners})))
                    AS number_of_course"""

    # Tables of the sinks.

    def _publish(self) -> None:
        """Write courses and their blocks, once for each time that they were published."""
        for dump in range(PUBLISHED):
            for start in range(0, COURSES, 50):
                numbers = range(start, min(start + 50, COURSES))
                for table, rows in (
                    ("course_overviews", [_overview(number, dump) for number in numbers]),
                    ("course_blocks", [row for number in numbers for row in _blocks(number, dump)]),
                ):
                    columns = self.client.columns()[table]
                    data = list(zip(*([row[name] for name, _type in columns] for row in rows), strict=True))
                    self.client.insert(table, columns, data)

    def _people(self) -> None:
        """Write enrollments, one in four with a second state, accounts and their external ids."""
        written = "concat(toString(toDateTime64('2025-01-10 00:00:00', 6, 'UTC')), '+00:00')"
        dumped = f"generateUUIDv4() AS dump_id, {written} AS time_last_dumped"
        for where, mode in (("1", "audit"), ("user % 4 = 0", "verified")):
            self._insert(
                "course_enrollment",
                f"""SELECT
                    toInt32(user) AS id,
                    concat('course-v1:', {_key()}) AS course_key,
                    '{YEAR}-01-02T10:00:00Z' AS created,
                    user % 20 != 0 AS is_active,
                    '{mode}' AS mode,
                    concat('learner_', toString(user)) AS username,
                    toInt32(user) AS user_id,
                    generateUUIDv4() AS dump_id,
                    '{YEAR}-02-0{1 + (mode == "verified")} 00:00:00.000000+00:00' AS time_last_dumped
                FROM (SELECT {self._learner()} FROM numbers({self.size.enrolled}))
                WHERE {where}""",
            )
        self._insert(
            "external_id",
            f"""SELECT toUUID({_actor("number + 1")}) AS external_user_id, 'xapi' AS external_id_type,
                concat('learner_', toString(number + 1)) AS username, toInt32(number + 1) AS user_id, {dumped}
            FROM numbers({self.size.users})""",
        )
        empty = (
            "courseware language location year_of_birth gender level_of_education mailing_address city country state"
        )
        nothing = ", ".join(
            f"'' AS {name}" for name in f"{empty} goals bio profile_image_uploaded_at phone_number".split()
        )
        self._insert(
            "user_profile",
            f"""SELECT toInt32(number + 1) AS id, toInt32(number + 1) AS user_id,
                concat('Learner number ', toString(number + 1)) AS name,
                concat('learner_', toString(number + 1)) AS username,
                concat(username, '@example.invalid') AS email, '' AS meta, {nothing}, {dumped}
            FROM numbers({self.size.users})""",
        )

    def _insert(self, table: str, select: str) -> None:
        columns = ", ".join(f"`{name}`" for name, _type in self.client.columns()[table])
        self.client.command(
            f"INSERT INTO {self.client.qualified(table)} ({columns}) SELECT {columns} FROM ({select}) "
            "SETTINGS max_partitions_per_insert_block = 200"
        )


def _key() -> str:
    return "concat('Org', toString(number_of_course % 20), '+Course', toString(number_of_course), '+2025')"


def _actor(user: str) -> str:
    return f"toString(reinterpretAsUUID(sipHash128(toUInt64({user}), 'actor')))"


def _names(of: str) -> str:
    """Columns that all statements have; ``of``: what the statement's id is made of."""
    return f"""concat(replaceOne(toString(emission_time), ' ', 'T'), '+00:00') AS iso,
                {_key()} AS course,
                concat('Course number ', toString(number_of_course)) AS course_name,
                {_actor("user")} AS actor,
                lower(hex(sipHash128(visit, 'session'))) AS session,
                reinterpretAsUUID(sipHash128({of})) AS event_id"""


def _overview(number: int, dump: int) -> dict[str, Any]:
    return {
        "org": f"Org{number % 20}",
        "course_key": course_key(number),
        "display_name": f"Course number {number}",
        "course_start": f"{YEAR}-01-01 00:00:00+00:00",
        "course_end": "",
        "enrollment_start": "",
        "enrollment_end": "",
        "self_paced": False,
        "course_data_json": "{}",
        "created": f"{YEAR}-01-01T00:00:00Z",
        "modified": _dumped(dump),
        "dump_id": uuid.uuid4(),
        "time_last_dumped": _dumped(dump),
    }


def _dumped(dump: int) -> str:
    return str(datetime(YEAR, 2 + dump, 1, 0, 0, 0, 1, tzinfo=UTC))


def _blocks(number: int, dump: int) -> Iterator[dict[str, Any]]:
    """The rows of a course's blocks."""
    outline = SMALL if number else LARGE
    for order, (type_, name, place) in enumerate(_tree(outline), 1):
        section, subsection, unit = place
        data = {
            "course": f"Course{number}",
            "run": "2025",
            "block_type": type_,
            "detached": int(type_ == "static_tab"),
            "graded": int(subsection > 0),
            "completion_mode": "completable" if type_ in LEAVES else "aggregator",
            "section": section,
            "subsection": subsection,
            "unit": unit,
            "tags": "[]",
        }
        yield {
            "org": f"Org{number % 20}",
            "course_key": course_key(number),
            "location": f"{course_key(number).replace('course-v1', 'block-v1')}+type@{type_}+block@{name}",
            "display_name": f"{type_} {name}",
            "xblock_data_json": json.dumps(data),
            "order": order,
            "edited_on": f"{YEAR}-01-01 00:00:00+00:00",
            "dump_id": uuid.uuid4(),
            "time_last_dumped": _dumped(dump),
        }


def _tree(outline: Outline) -> Iterator[tuple[str, str, tuple[int, int, int]]]:
    """(type, id, (section, subsection, unit)) of all blocks, in order."""
    yield "course", "course", (0, 0, 0)
    for chapter in range(outline.chapters):
        yield "chapter", f"c{chapter}", (chapter + 1, 0, 0)
        for sequential in range(outline.sequentials):
            lesson = chapter * outline.sequentials + sequential
            yield "sequential", f"s{lesson}", (chapter + 1, sequential + 1, 0)
            for vertical in range(outline.verticals):
                unit = lesson * outline.verticals + vertical
                place = (chapter + 1, sequential + 1, vertical + 1)
                yield "vertical", f"u{unit}", place
                yield from ((type_, f"u{unit}{mark}", place) for type_, mark in zip(LEAVES, MARKS, strict=True))
    for page in range(outline.pages):
        yield "static_tab", f"page{page}", (0, 0, 0)
