"""The how-tos on setting up, followed from top to bottom on MariaDB, Redis, Celery workers and ClickHouse over TLS."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from platform_plugin_aspects.dashboards import shown
from test_utils.clickhouse_endpoint import ALL, ClickHouseEndpoint
from test_utils.clickhouse_endpoint.limits import Limits
from test_utils.how_tos import Operator, PageFailed, read_page
from test_utils.processes import REPOSITORY, until
from test_utils.services.processes import Worker
from test_utils.services.servers import Servers
from test_utils.superset_endpoint import GRANT, READ, SupersetEndpoint

pytestmark = pytest.mark.services

PAGES = REPOSITORY / "docs" / "how-tos"
#: The tables of a site with Aspects and the other package, and rows that the package has written.
OLD_TABLES = (Path(__file__).parent / "aspects_tables.sql").read_text()
OLD_STAMP = "2025-01-01 00:00:00.000000+00:00"
DATABASE = "how_tos"
ADMINISTRATOR = ("default", "admin-secret")
PLUGIN, REPORTS = ("ch_cms", "cms-secret"), ("reports", "reports-secret")
PATIENCE_SECS = 60
# The sections of without_tutor.rst, by when they are followed.
PREPARE = ("Install", "Settings", "Superset's configuration", "Provision")
START = ("Start", "Check")
MORE = ("Sinks and flags", "Personal data and retirement")
LATER = ("Without administrators' passwords", "A read replica", "A cluster", "Backup")
#: The output of provisioning Superset.
OF_SUPERSET = """
  create the role 'Aspects Service' with 13 rights
  ...
Superset: ... changes in ... s"""
UPGRADE, GO_BACK = ("Before the restart", "After the restart"), "Go back to version 2"
COURSE = "course-v1:Hesperus+AST101+2026_T1"
# Actions of people on the site.
CHANGE_MODE = """
from common.djangoapps.student.models import CourseEnrollment
CourseEnrollment.objects.get(pk={key}).change_mode({mode!r})
"""
# A learner's event in a course, which the platform may not have.
EVENT = """
from eventtracking import tracker
data = {{"current_url": "http://lms.standin.invalid/", "target_url": "https://example.com/"}}
context = {{"user_id": {user}, "course_id": {course!r}, "org_id": "Hesperus", "event_source": "browser", "session": ""}}
with tracker.get_tracker().context("edx.request", context):
    tracker.emit("edx.ui.lms.link_clicked", data)
"""
MAKE_OVERVIEW = """
from test_utils.factories import make_overview
make_overview({course!r}, display_name="A new course")
"""
BROKEN_EVENTS = """
from platform_plugin_aspects.models import TrackingEvent
print(TrackingEvent.objects.exclude(error="").count())
"""
BROKEN = """
from platform_plugin_aspects.models import TrackingEvent
print(TrackingEvent.objects.exclude(error="").values_list("pk", flat=True).get())
"""
RENAME_COURSE = f"""
from opaque_keys.edx.keys import CourseKey
from test_utils.factories import publish_course
from xmodule.modulestore.django import modulestore
key = CourseKey.from_string({COURSE!r})
modulestore().edit_course(key, display_name={{name!r}})
publish_course(key)
"""
OUR_TABLES = """
from django.db import connection
print([name for name in connection.introspection.table_names() if name.startswith("platform_plugin_aspects")])
"""
# The settings of a site on version 2.
OLD_SETTINGS = """
EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG:
  url: {url}
  username: ch_cms
  password: cms-secret
  database: event_sink
  timeout_secs: 5
EVENT_SINK_CLICKHOUSE_PII_MODELS: [user_profile, external_id]
EVENT_SINK_CLICKHOUSE_COURSE_OVERVIEWS_ENABLED: true
EVENT_SINK_CLICKHOUSE_COURSE_ENROLLMENT_ENABLED: true
EVENT_SINK_CLICKHOUSE_EXTERNAL_ID_ENABLED: true
EVENT_SINK_CLICKHOUSE_TAG_ENABLED: true
"""
OLD_ROWS = (
    "INSERT INTO event_sink.course_enrollment (id, course_key, mode, user_id, time_last_dumped)"
    f" VALUES (1, '{COURSE}', 'stale', 1, '{OLD_STAMP}')",
    f"INSERT INTO event_sink.tag (id, value, time_last_dumped) VALUES (9999, 'deleted long ago', '{OLD_STAMP}')",
)
# Tasks that version 2 has queued and its workers have not run.
OLD_TASKS = f"""
from celery import current_app
from openedx.core.djangoapps.external_user_ids.models import ExternalId
send = current_app.send_task
send("platform_plugin_aspects.tasks.dump_course_to_clickhouse", [{COURSE!r}])
send(
    "platform_plugin_aspects.tasks.dump_data_to_clickhouse",
    kwargs={{
        "sink_module": "platform_plugin_aspects.sinks.external_id_sink",
        "sink_name": "ExternalIdSink",
        "object_id": str(ExternalId.objects.last().pk),
    }},
)
"""
RETIRE = """
from django.contrib.auth.models import User
from test_utils.retirement import retire
retire(User.objects.get(pk={key}))
"""


class Host(Operator):
    """A site on the suite's MariaDB and Redis, with a ClickHouse, a Superset and workers of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], clickhouse: ClickHouseEndpoint, superset: Any):
        names = {
            "https://clickhouse.example.com:8443": clickhouse.url,
            "https://superset.example.com": superset.url,
            # The Superset of this suite has no boards: tests/e2e follows the page with a real one.
            "aspects_provision\n": "aspects_provision --clickhouse\n",
            OF_SUPERSET: "",
            f" --end_to_end {COURSE}": "",
        }
        more = {
            "CLICKHOUSE_URL": clickhouse.url,
            "ASPECTS_CLICKHOUSE_ADMIN_USERNAME": ADMINISTRATOR[0],
            "ASPECTS_CLICKHOUSE_ADMIN_PASSWORD": ADMINISTRATOR[1],
        }
        super().__init__(folder, {**environment, **more}, names, ADMINISTRATOR)
        self.clickhouse = clickhouse
        self.workers: list[Worker] = []

    def restart(self) -> None:
        """Restart the workers of LMS and CMS, with the settings of now; returns when they consume."""
        self.stop()
        self.workers = [
            Worker(f"how-to-{service}", self.folder, self.environment, service) for service in ("lms", "cms")
        ]
        for worker in self.workers:
            worker.launch()
        for worker in self.workers:
            worker.wait_until_ready()

    def stop(self) -> None:
        """Stop the workers."""
        for worker in self.workers:
            worker.kill()

    def as_user(self, user: tuple[str, str], statement: str) -> str:
        """ClickHouse's answer to a user; raises PageFailed when it refuses."""
        return self.run(f"clickhouse-client --user {user[0]} --password {user[1]}", given=statement).strip()

    def wait_until(self, table: str, expression: str, where: str, value: Any, database: str = "event_sink") -> None:
        """Poll ClickHouse until the expression has this value."""
        asked = f"SELECT {expression} FROM {database}.{table} WHERE {where}"
        until(
            lambda: self.clickhouse.engine.query(asked) == [(value,)],
            PATIENCE_SECS,
            f"{value!r} is what ClickHouse says to {asked}",
            lambda: "\n".join(worker.tail() for worker in self.workers),
        )


@pytest.fixture(scope="module")
def clickhouse(servers: Servers, certificate: tuple[Path, Path]) -> Iterator[ClickHouseEndpoint]:
    """A ClickHouse whose certificate an authority of the site has signed."""
    with ClickHouseEndpoint(servers.folder / "how-tos-clickhouse", tls=certificate) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def superset() -> Iterator[SupersetEndpoint]:
    with SupersetEndpoint() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def platform(servers: Servers, django_db_setup: None, django_db_blocker: Any) -> str:
    """JSON of the env tokens of an edx-platform with a database of its own, which is empty."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
    database = {**settings.DATABASES["default"], "NAME": DATABASE}
    tokens = {
        "DATABASES": {"default": database, "read_replica": database},
        "CELERY_BROKER_URL": f"{servers.broker.url.removesuffix('/0')}/1",
        "CACHES": {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": f"{servers.cache.url.removesuffix('/0')}/1",
            }
        },
        "EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS": 0.5,
        # Requests get through by themselves: a lost one is seen.
        "EVENT_SINK_CLICKHOUSE_SWEEP_SECS": 3600,
        "STATIC_ROOT": str(servers.folder / "how-tos-static"),
    }
    return json.dumps(tokens)


@pytest.fixture(scope="module")
def demo(
    platform: str, servers: Servers, certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The demo's course and learners, as they were before the plugin came; the environment that leads there."""
    environment = {
        "STANDIN_DATA_DIR": str(servers.folder / "how-tos"),
        "STANDIN_COURSES_DIR": str(servers.folder / "how-tos-courses"),
        # As a site does that has an authority of its own.
        "SSL_CERT_FILE": str(certificate[0]),
    }
    operator = Operator(tmp_path_factory.mktemp("demo"), environment, {}, ADMINISTRATOR)
    operator.set_tokens(platform)
    operator.run("python manage.py cms migrate")
    operator.python("from test_utils.demo_data import load_demo; load_demo()")
    return environment


@pytest.fixture
def host(
    demo: dict[str, str],
    platform: str,
    clickhouse: ClickHouseEndpoint,
    superset: SupersetEndpoint,
    servers: Servers,
    tmp_path: Path,
) -> Iterator[Host]:
    """The site, where nobody has set anything up, and a fresh ClickHouse with nobody but its administrator."""
    for database in ("aspects_reports", "event_sink", "xapi"):
        clickhouse.engine.query(f"DROP DATABASE IF EXISTS {database} SYNC")
    clickhouse.users = {ADMINISTRATOR[0]: (ADMINISTRATOR[1], ALL)}
    clickhouse.limits = Limits()
    superset.reset()
    superset.accounts = {"aspects": ("superset-secret", {GRANT, READ})}
    superset.dashboards |= set(shown.token_uuids_for(None))
    pages = (settings.LMS_ROOT_URL, settings.CMS_ROOT_URL, settings.INSTRUCTOR_MICROFRONTEND_URL)
    superset.framing["Content-Security-Policy"] = f"frame-ancestors {' '.join(pages)}"
    host = Host(tmp_path, demo, clickhouse, superset)
    host.set_tokens(platform)
    host.run("python manage.py cms migrate platform_plugin_aspects zero")
    yield host
    host.stop()
    servers.broker.clear()
    servers.cache.clear()


def refused(host: Host, user: tuple[str, str], statement: str) -> bool:
    """Whether ClickHouse says that this user may not do that."""
    with pytest.raises(PageFailed) as error:
        host.as_user(user, statement)
    return "Not enough privileges" in str(error.value)


def test_without_tutor(host: Host) -> None:
    page = read_page(PAGES / "without_tutor.rst")
    assert [block.section for block in page if block.not_run] == [
        *("Install", "Superset's configuration", "Backup", "Before the restart", "Go back to version 2")
    ]
    assert {block.section for block in page} == {*PREPARE, *START, *MORE, *LATER, *UPGRADE, GO_BACK}
    host.follow(page, *PREPARE)
    host.restart()
    host.follow(page, *START)
    host.follow(page, *MORE)
    host.restart()

    # Changes arrive from both services, and the rows of a retired learner are deleted.
    host.python(CHANGE_MODE.format(key=1, mode="verified-today"), "lms")
    host.wait_until("course_enrollment", "argMax(mode, time_last_dumped)", "id = 1", "verified-today")
    host.python(RENAME_COURSE.format(name="Another name"), "cms")
    host.wait_until(
        "course_overviews", "argMax(display_name, time_last_dumped)", f"course_key = '{COURSE}'", "Another name"
    )
    enrolled = "SELECT user_id FROM event_sink.course_enrollment"
    asked = f"SELECT min(user_id) FROM event_sink.external_id WHERE user_id IN ({enrolled})"
    ((learner,),) = host.clickhouse.engine.query(asked)
    host.python(RETIRE.format(key=learner), "lms")
    for table in ("user_profile", "external_id", "course_enrollment"):
        host.wait_until(table, "count()", f"user_id = {learner}", 0)

    # The change of the mode was an event, too.
    host.python(EVENT.format(user=1, course=COURSE), "lms")
    host.wait_until("xapi_events_all FINAL", "count()", "1", 2, database="xapi")

    # Nobody can do more than they need to.
    assert refused(host, PLUGIN, "CREATE TABLE event_sink.mine (a Int8) ENGINE = Memory")
    assert refused(host, PLUGIN, "DROP TABLE event_sink.tag")
    assert refused(host, PLUGIN, "SELECT * FROM system.parts")
    assert refused(host, REPORTS, "INSERT INTO event_sink.taxonomy (id) VALUES (1)")
    assert refused(host, REPORTS, "ALTER TABLE event_sink.taxonomy DELETE WHERE 1")
    assert refused(host, REPORTS, "SELECT count() FROM event_sink.user_profile")
    summary = "aspects_reports.course_summary"
    assert refused(host, REPORTS, f"SELECT count(), 'x' IN event_sink.external_id FROM {summary}")
    assert host.as_user(REPORTS, f"SELECT active_7_days FROM {summary} WHERE course_key = '{COURSE}'") == "1"

    host.follow(page, *LATER)


def test_upgrade_from_an_old_version_and_the_way_back(host: Host) -> None:
    page = read_page(PAGES / "without_tutor.rst")
    host.ask_clickhouse(OLD_TABLES)
    host.set_tokens(OLD_SETTINGS.format(url=host.clickhouse.url))
    for statement in OLD_ROWS:
        host.clickhouse.engine.query(statement)
    host.python(OLD_TASKS)

    host.follow(page, UPGRADE[0])
    host.restart()
    host.wait_until("course_overviews", "count()", f"course_key = '{COURSE}'", 1)
    host.wait_until("external_id", "count() > 0", "user_id > 0", True)
    host.follow(page, UPGRADE[1])
    host.wait_until("course_enrollment", "argMax(mode, time_last_dumped) != 'stale'", "id = 1", True)
    host.wait_until("tag", "count()", "id = 9999", 0)
    # Earlier states stay.
    host.wait_until("course_enrollment", "count()", "id = 1", 2)

    host.stop()
    host.python(CHANGE_MODE.format(key=2, mode="changed-last"), "lms")
    host.follow(page, GO_BACK)
    host.wait_until("course_enrollment", "argMax(mode, time_last_dumped)", "id = 2", "changed-last")
    assert host.python(OUR_TABLES).strip() == "[]"


def test_tutor(host: Host) -> None:
    page = read_page(PAGES / "tutor.rst")
    # The e2e suite puts boards into Superset.
    boards = "Boards of the plugin"
    assert [block.section for block in page if block.not_run] == ["Install"] * 4 + [boards] * 2
    host.ask_clickhouse(OLD_TABLES)
    prepare, start = ("Install", "Settings"), "Backfill existing data, and check"
    assert {block.section for block in page} == {*prepare, start, boards}
    host.follow(page, *prepare)
    host.restart()
    host.follow(page, start)
    host.python(CHANGE_MODE.format(key=3, mode="with-tutor"), "lms")
    host.wait_until("course_enrollment", "argMax(mode, time_last_dumped)", "id = 3", "with-tutor")


def test_learning_events(host: Host) -> None:
    log = host.folder / "tracking.log"
    host.environment["STANDIN_TRACKING_LOG"] = str(log)
    host.names["/var/log/tracking/tracking.log"] = str(log)
    host.follow(read_page(PAGES / "without_tutor.rst"), *PREPARE)
    page = read_page(PAGES / "learning_events.rst")
    assert [block.section for block in page if block.not_run] == ["Turn it on"] * 2
    sections = ("Turn it on", "Check", "Broken events", "Discard an event", "Load tracking logs", "Make test events")
    assert {block.section for block in page} == {*sections}
    host.follow(page, "Turn it on")
    host.restart()
    host.python(EVENT.format(user=1, course=COURSE), "lms")
    host.follow(page, "Check")
    host.wait_until("xapi_events_all FINAL", "count()", "1", 1, database="xapi")

    # An event is broken until its course is there; that of another one stays broken.
    host.python(EVENT.format(user=1, course=f"{COURSE}-new"), "lms")
    until(lambda: host.python(BROKEN_EVENTS).strip() == "1", PATIENCE_SECS, "the event is kept with its reason")
    host.python(MAKE_OVERVIEW.format(course=f"{COURSE}-new"))
    host.follow(page, "Broken events")
    host.wait_until("xapi_events_all FINAL", "count()", "1", 2, database="xapi")
    host.python(EVENT.format(user=1, course=f"{COURSE}-never"), "lms")
    until(lambda: host.python(BROKEN_EVENTS).strip() == "1", PATIENCE_SECS, "the event is kept with its reason")
    host.names["xapi 17"] = f"xapi {host.python(BROKEN).strip()}"
    host.follow(page, "Discard an event")
    assert host.python(BROKEN_EVENTS).strip() == "0"

    # The log has the event without a course as well.
    log.write_text("".join(line for line in log.read_text().splitlines(True) if "-never" not in line))
    (host.folder / "tracking.log.gz").write_bytes(gzip.compress(log.read_bytes()))
    host.follow(page, "Load tracking logs")
    host.wait_until("xapi_events_all FINAL", "count()", "1", 2, database="xapi")

    host.follow(page, "Make test events")
    assert len(json.loads((host.folder / "answers.json").read_text())) > 0
    host.wait_until("xapi_events_all FINAL", "count() > 1000", "1", True, database="xapi")


def test_reports(host: Host) -> None:
    host.follow(read_page(PAGES / "without_tutor.rst"), *PREPARE)
    host.clickhouse.engine.query("DROP DATABASE aspects_reports SYNC")
    host.restart()
    host.follow(read_page(PAGES / "without_tutor.rst"), "Start")
    host.python(EVENT.format(user=1, course=COURSE), "lms")
    host.wait_until("xapi_events_all", "count()", "1", 1, database="xapi")
    page = read_page(PAGES / "reports.rst")
    assert [block.section for block in page if block.not_run] == []
    begin = ("Settings", "Users in ClickHouse", "Create", "Read the views")
    later = ("After an upgrade", "On a cluster")
    assert {block.section for block in page} == {*begin, *later, "Remove them"}
    host.follow(page, *begin)
    host.wait_until("events", "count()", f"course_key = '{COURSE}'", 1, database="aspects_reports")
    host.python(EVENT.format(user=2, course=COURSE), "lms")
    host.wait_until("events", "count()", f"course_key = '{COURSE}'", 2, database="aspects_reports")

    # The reader sees boards, and nobody can do more than they need to.
    reader, owner = ("reports_reader", "reader-secret"), ("ch_reports", "owner-secret")
    assert host.as_user(reader, f"SELECT course_run FROM aspects_reports.course_summary WHERE course_key = '{COURSE}'")
    assert refused(host, reader, "SELECT count() FROM aspects_reports.events")
    assert refused(host, reader, "SELECT count() FROM event_sink.course_overviews")
    assert refused(host, PLUGIN, "SELECT count() FROM aspects_reports.events")
    assert refused(host, owner, "INSERT INTO xapi.xapi_events_all (event) VALUES ('')")
    assert refused(host, owner, "CREATE TABLE event_sink.mine (a Int8) ENGINE = Memory")

    host.follow(page, *later)
    host.wait_until("events FINAL", "count()", f"course_key = '{COURSE}'", 2, database="aspects_reports")
    host.follow(page, "Remove them")
    host.python(EVENT.format(user=3, course=COURSE), "lms")
    host.wait_until("xapi_events_all FINAL", "count()", "1", 3, database="xapi")
