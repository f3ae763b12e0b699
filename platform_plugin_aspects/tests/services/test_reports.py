"""Reports over HTTP: a whole class in all ways, and a rebuild that is killed while statements flow."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Unavailable
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.reporting.state import Status
from platform_plugin_aspects.sinks import StatementSink
from platform_plugin_aspects.tests.reporting.conftest import go_on
from platform_plugin_aspects.tests.reporting.site import Class, empty, insert, make_class, merge, tables, with_clock
from platform_plugin_aspects.tests.reporting.ways import WAYS, Way, assert_shown, known_answers
from platform_plugin_aspects.xapi.transform import Statement
from test_utils.processes import ADMIN, Process, until

from .conftest import Site, deliver_all

pytestmark = pytest.mark.services

LEARNERS = 100
SMALLEST_GROUP = 5
#: One statement in so many comes by itself; to send each by itself takes minutes.
SINGLES = 20
#: How long a rebuild may take on a busy machine.
REBUILD_SECS = 300
GHOST = UUID("11111111-2222-4333-8444-555555555555")
OTHER_COURSE = "course-v1:Org+Old+2025"


def one_by_one(school: Class, _folder: Path) -> None:
    """Statements one by one, each after some of the others that are older."""
    for start in range(0, len(school.statements), SINGLES * 20):
        some = school.statements[start : start + SINGLES * 20]
        insert(some[::SINGLES], 1)
        insert(some, len(some))


@pytest.fixture(scope="module")
def school(demo: Any, django_db_blocker: Any) -> Iterator[Class]:
    """A class on MariaDB, whose learners reach ClickHouse like others."""
    with django_db_blocker.unblock():
        made = make_class(LEARNERS, verticals=1)
        deliver_all()
        yield made


@pytest.fixture
def reports(site: Site, school: Class, xapi_events: ClickHouse) -> Iterator[Reports]:
    """The reports, created by the administrator, without rows."""
    reports = Reports(administrator(), with_clock(smallest_group=SMALLEST_GROUP))
    reports.create(go_on)
    yield reports
    reports.client.command(f"DROP DATABASE {reports.layout.database} SYNC")


def administrator() -> ClickHouse:
    """The administrator, who waits long enough for ClickHouse to drop hundreds of parts."""
    given = {"username": ADMIN[0], "password": ADMIN[1], "timeout_secs": REBUILD_SECS}
    return get_client(Connection.from_settings(given))


def test_a_whole_class_has_the_known_answers_in_all_ways(reports: Reports, school: Class, tmp_path: Path) -> None:
    known = known_answers(school, SMALLEST_GROUP)
    assert all(known.values())
    ways: dict[str, Way] = {**WAYS, "one by one, and again in batches": one_by_one}
    for way, load in ways.items():
        empty(reports)
        load(school, tmp_path)
        assert_shown(reports, known, f"{way}, before merges")
        merge(reports)
        assert_shown(reports, known, f"{way}, after merges")


class Rebuild(Process):
    """``aspects_reports rebuild --relation events`` as the administrator."""

    def __init__(self, folder: Path):
        command = [sys.executable, "manage.py", "lms", "aspects_reports", "rebuild", "--relation", "events"]
        super().__init__("rebuild", folder, [*command, "--username", ADMIN[0], "--password", ADMIN[1]])

    @property
    def ended(self) -> int | None:
        """Its exit code, once it has ended."""
        return None if self.process is None else self.process.poll()


class Flow:
    """Statements that arrive two by two, each once, however often ClickHouse goes away."""

    def __init__(self, statements: list[Statement]):
        self._statements = statements
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Flow:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def has_ended(self) -> bool:
        """Whether all have arrived."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        sink = StatementSink()
        for start in range(0, len(self._statements), 2):
            while not self._sent(sink, self._statements[start : start + 2]):
                if self._stop.wait(0.1):
                    return

    @staticmethod
    def _sent(sink: StatementSink, statements: list[Statement]) -> bool:
        try:
            sink.insert(statements)
        except Unavailable:
            return False
        return True


def in_another_course(statements: list[Statement], months: int) -> list[Statement]:
    """The same acts so many months earlier, in another course."""
    return [
        Statement(
            uuid5(statement.event_id, f"{months}"),
            statement.emission_time - timedelta(days=30 * months),
            statement.text.replace("Org+Sky+2026", "Org+Old+2025"),
        )
        for statement in statements
    ]


def of_a_ghost(school: Class) -> list[Statement]:
    """The acts of some learners, done by somebody else."""
    made = []
    for statement in school.statements:
        for pupil in school.pupils[:7]:
            if pupil.actor in statement.text:
                text = statement.text.replace(pupil.actor, str(GHOST))
                made.append(Statement(uuid5(statement.event_id, "ghost"), statement.emission_time, text))
    return made


def rebuild_up_to(site: Site, statement: str) -> Rebuild:
    """Start a rebuild; returns while ClickHouse holds the statement that matches."""
    site.clickhouse.fail("slow", match=statement, seconds=REBUILD_SECS)
    rebuild = Rebuild(site.servers.folder)
    rebuild.launch()
    until(lambda: rebuild.ended is not None or not site.clickhouse.pending_faults(), REBUILD_SECS, statement)
    assert rebuild.ended is None, rebuild.tail()
    return rebuild


def ghosts(reports: Reports) -> int:
    """How many learners of the board of learners are the ghost."""
    sql = f"SELECT count() FROM {reports.layout.qualified('learner_status')} WHERE actor_id = '{GHOST}'"
    return int(reports.client.select(sql)[0][0])


def all_tables(reports: Reports) -> list[str]:
    """All tables of states, those of rebuilds among them."""
    sql = "SELECT name FROM system.tables WHERE database = {database:String} AND match(name, '_v[0-9a-f]{10}_[0-9]+$')"
    return [name for (name,) in reports.client.select(sql, {"database": reports.layout.database})]


def test_a_rebuild_that_is_killed_twice_while_statements_flow_ends_with_the_right_answers(
    site: Site, reports: Reports, school: Class
) -> None:
    known = known_answers(school, SMALLEST_GROUP)
    flowing = random.Random(14).sample(list(school.statements), len(school.statements) // 4)
    flow_later = set(flowing)
    before = [statement for statement in school.statements if statement not in flow_later]
    elsewhere = [made for months in (1, 2, 3, 4) for made in in_another_course(before[:150], months)]
    insert([*before, *of_a_ghost(school), *elsewhere], 1_000)
    # The ghost's acts leave the source. Only a rebuild takes them out of the reports.
    reports.client.command(
        f"ALTER TABLE xapi.xapi_events_all DELETE WHERE position(event, '{GHOST}') > 0 SETTINGS mutations_sync = 2"
    )
    former = set(tables(reports))

    with Flow(flowing) as flow:
        # In the middle of a month, and ClickHouse goes with it.
        rebuild_up_to(site, r"INSERT INTO \S+events_v.*= 202601").kill()
        site.clickhouse.kill()
        site.clickhouse.start()
        assert ghosts(reports) == 1
        assert len(all_tables(reports)) == len(former) + 1
        # When some boards read the new tables already.
        rebuild_up_to(site, r"CREATE OR REPLACE VIEW \S+`answers`").kill()
        site.clickhouse.heal()
        assert len(all_tables(reports)) == 2 * len(former)
        rebuild = Rebuild(site.servers.folder)
        rebuild.launch()
        until(lambda: rebuild.ended is not None, REBUILD_SECS, "the rebuild has ended", rebuild.tail)
        assert rebuild.ended == 0, rebuild.tail()
        until(lambda: flow.has_ended, REBUILD_SECS, "all statements have flown")

    assert ghosts(reports) == 0
    assert_shown(reports, known, "after the rebuild")
    merge(reports)
    assert_shown(reports, known, "after merges")
    states = reports.states()
    assert {state.status for state in states} == {Status.CURRENT}
    assert not any(state.begun for state in states)
    assert not former & set(tables(reports))
    assert sorted(tables(reports)) == sorted(all_tables(reports))
    sql = f"SELECT uniqExact(event_id) FROM {reports.layout.qualified('events')} WHERE course_key = '{OTHER_COURSE}'"
    assert reports.client.select(sql) == [(600,)]
