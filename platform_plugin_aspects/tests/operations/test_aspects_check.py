"""aspects_check on a healthy site, and on sites with one fault."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from common.djangoapps.student.models import CourseEnrollment
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from openedx.core.djangoapps.external_user_ids.models import ExternalId
from waffle.models import Flag

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.load_test.tables import all_tables
from platform_plugin_aspects.management.commands.aspects_check import Command
from platform_plugin_aspects.management.options import objects
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.sinks import ModelBaseSink, Selection
from platform_plugin_aspects.sinks.column import Column
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.broker import DEAD_BROKER, celery_app, worker
from platform_plugin_aspects.tests.commands import ended
from test_utils import factories
from test_utils.clickhouse_endpoint import READ_WRITE, ClickHouseEndpoint

PASSWORD = "password"
#: A course that the modulestore has not.
ALONE = "course-v1:Org+Course+alone"


@dataclass
class Site:
    """A healthy site, whose methods cause faults."""

    settings: Any
    endpoint: ClickHouseEndpoint
    certificate: tuple[Path, Path]
    #: Ends with the test.
    until_the_end: ExitStack

    def alter(self, statement: str) -> None:
        """Run a statement past ClickHouse's users and grants; ``{db}`` is the plugin's database."""
        database = self.settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG["database"]
        self.endpoint.engine.query(statement.format(db=database))

    def use_broker(self, url: str = "memory://") -> None:
        """Tasks go to workers, but no worker runs."""
        self.until_the_end.enter_context(celery_app(url, fixups=()))

    def start_worker(self) -> None:
        self.use_broker()
        self.settings.EVENT_SINK_CLICKHOUSE_SWEEP_SECS = 0
        self.until_the_end.enter_context(worker())

    def wait_for_delivery(self, failures: int = 0, **columns: Any) -> None:
        """A change has waited for an hour, after so many failed deliveries."""
        change = Change.objects.create(sink="tag", object_id="1", **columns)
        Change.objects.filter(pk=change.pk).update(recorded_at=timezone.now() - timedelta(hours=1))
        SinkState.objects.update_or_create(
            sink="tag", defaults={"failures": failures, "last_error": "ClickHouse was away"}
        )

    def serve(self, **values: Any) -> None:
        """Use a ClickHouse server, as in production; ``values`` replace those of the plugin's settings."""
        server = {"url": self.endpoint.url, "username": "ch_cms", "password": PASSWORD}
        self.configure_clickhouse(**{**server, **values})

    def serve_by_tls(self) -> None:
        """As ``serve``, with a certificate that signs itself."""
        users, path = self.endpoint.users, self.endpoint.engine.path
        server = self.until_the_end.enter_context(ClickHouseEndpoint(path, users=users, tls=self.certificate))
        self.serve(url=server.url)

    def grant(self, *names: str) -> None:
        """The plugin's user has only these rights."""
        self.serve()
        self.endpoint.users["ch_cms"] = (PASSWORD, {"event_sink*": names})

    def forget_a_grant(self) -> None:
        """The plugin's user has all rights on all tables but one, which it does not see."""
        self.serve()
        database = self.settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG["database"]
        granted = {table.name for table in all_tables()} - {"tag"}
        self.endpoint.users["ch_cms"] = (PASSWORD, {f"{database}.{name}": READ_WRITE for name in granted})

    def configure_clickhouse(self, **values: Any) -> None:
        self.settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {
            **self.settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG,
            **values,
        }


@pytest.fixture
def site(
    db: None,
    all_on: None,
    empty_store: None,
    clickhouse: ClickHouse,
    clickhouse_endpoint: ClickHouseEndpoint,
    certificate: tuple[Path, Path],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    """All sinks on but that of statements, objects of each in ClickHouse, nothing pending.

    There is no server and no worker as long as a test does not ask for them: they take their time.
    """
    monkeypatch.setattr(clickhouse_endpoint, "users", dict(clickhouse_endpoint.users))
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = False
    course_key = factories.make_course()
    factories.make_overview(ALONE)
    user = factories.make_user()
    factories.make_enrollment(user, course_key)
    factories.make_external_id(user)
    factories.make_object_tag(course_key, factories.make_tag())
    for sink_class in objects().values():
        sink = sink_class()
        sink.write(sink.read(Selection()), timezone.now())
    Change.objects.all().delete()
    with ExitStack() as until_the_end:
        until_the_end.enter_context(celery_app("memory://")).conf.task_always_eager = True
        yield Site(settings, clickhouse_endpoint, certificate, until_the_end)


def check(*args: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the output of --json."""
    code, out, _err = ended("aspects_check", "--json", *args)
    return code, json.loads(out)


def marked(said: dict[str, Any], mark: str) -> list[tuple[str, str, str]]:
    """(section, text, remedy) of the findings with this mark."""
    return [
        (section["title"], finding["text"], finding["remedy"])
        for section in said["sections"]
        for finding in section["findings"]
        if finding["mark"] == mark
    ]


@pytest.mark.parametrize("served", [False, True], ids=["embedded", "a server"])
def test_nothing_is_wrong_with_a_site_that_is_well(served: bool, site: Site) -> None:
    if served:
        site.serve()
    code, said = check()
    assert marked(said, "problem") == marked(said, "skipped") == []
    assert (code, said["problems"], said["crashed"]) == (0, 0, 0)


def test_a_worker_that_answers_is_counted(site: Site) -> None:
    site.start_worker()
    code, said = check("--only", "workers")
    assert [text for _section, text, _remedy in marked(said, "ok")] == [
        "Celery's broker answers at memory://:**@localhost//",
        "Celery workers that take tasks from edx.cms.core.default: 1",
    ]
    assert (code, len(said["sections"])) == (0, 1)


def set_(name: str, value: Any) -> Callable[[Site], None]:
    return lambda site: setattr(site.settings, name, value)


def not_migrated(site: Site) -> None:
    MigrationRecorder.Migration.objects.filter(app="platform_plugin_aspects").delete()
    with connection.cursor() as cursor:
        for model in (Change, SinkState):
            cursor.execute(f"DROP TABLE {model._meta.db_table}")


def no_model(site: Site, name: str = "external_id") -> None:
    nowhere = {"module": "nowhere.models", "model": "ExternalId"}
    site.settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = {
        **site.settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG,
        name: nowhere,
    }


def flag(**columns: Any) -> Callable[[Site], None]:
    """The sink of external ids has a flag instead of the setting."""

    def set_flag(site: Site) -> None:
        site.settings.EVENT_SINK_CLICKHOUSE_EXTERNAL_ID_ENABLED = False
        Flag.objects.create(name="event_sink_clickhouse.external_id.enabled", **columns)

    return set_flag


def all_off(site: Site) -> None:
    for sink in sinks().values():
        setattr(site.settings, sink.setting(), False)


def clickhouse_is_away(site: Site) -> None:
    site.serve()
    site.endpoint.stop()
    site.wait_for_delivery(failures=7)


def no_worker(site: Site) -> None:
    site.use_broker()
    site.wait_for_delivery()


def other_queue(site: Site) -> None:
    site.start_worker()
    current_app.control.cancel_consumer("edx.cms.core.default", reply=True)


def no_plugin_in_workers(site: Site) -> None:
    site.start_worker()
    current_app.tasks.unregister(outbox.TASK)


def no_signal(site: Site) -> None:
    type_ = factories.make_external_id_type("lti")
    ExternalId.objects.bulk_create([ExternalId(user=User.objects.get(), external_id_type=type_)])


def published(site: Site) -> None:
    # The last to be published is not the last by its key.
    CourseOverview.objects.filter(pk=ALONE).update(modified=timezone.now() + timedelta(minutes=1))


#: A fault -> how to cause it; the section that reports it; words of the finding; words of the remedy.
BROKEN: dict[str, tuple[Callable[[Site], Any], str, str, str]] = {
    "the URL is invalid": (
        lambda site: site.configure_clickhouse(url="clickhouse:8123"),
        "Settings",
        "The ClickHouse url 'clickhouse:8123' is neither http(s)://host:port nor chdb:///folder",
        "Correct EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG",
    ),
    "a number in quotes": (
        lambda site: (
            site.wait_for_delivery(),
            setattr(site.settings, "EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS", "2"),
        ),
        "Settings",
        "EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS must be a number of seconds",
        "Correct EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS",
    ),
    "a model is not there": (
        no_model,
        "Settings",
        "EVENT_SINK_CLICKHOUSE_MODEL_CONFIG['external_id'] does not exist",
        "correct the setting",
    ),
    "a model whose changes others announce is not there": (
        lambda site: no_model(site, "course_overviews"),
        "Settings",
        "EVENT_SINK_CLICKHOUSE_MODEL_CONFIG['course_overviews'] does not exist",
        "correct the setting",
    ),
    "the model of retirements is not there": (
        lambda site: no_model(site, "auth_user"),
        "Settings",
        "EVENT_SINK_CLICKHOUSE_MODEL_CONFIG['auth_user'] does not exist",
        "correct the setting",
    ),
    "a list in the list of tables": (
        set_("EVENT_SINK_CLICKHOUSE_PII_MODELS", [["user_profile"]]),
        "Settings",
        "EVENT_SINK_CLICKHOUSE_PII_MODELS must be a list of tables",
        "Correct EVENT_SINK_CLICKHOUSE_PII_MODELS",
    ),
    "an invalid path": (
        set_("EVENT_SINK_CLICKHOUSE_EXTRA_SINKS", ".Sink"),
        "Settings",
        "EVENT_SINK_CLICKHOUSE_EXTRA_SINKS: .Sink cannot be used",
        "List dotted paths",
    ),
    "not migrated": (
        not_migrated,
        "Platform",
        "Not migrated: platform_plugin_aspects 0001_change_and_sink_state, ",
        "python manage.py cms migrate platform_plugin_aspects",
    ),
    "no sink is on": (
        all_off,
        "Sinks",
        "No sink is on",
        "EVENT_SINK_CLICKHOUSE_COURSE_OVERVIEWS_ENABLED = True",
    ),
    "a flag is on for staff only": (
        # And nothing else is on.
        lambda site: (all_off(site), flag(staff=True)(site)),
        "Sinks",
        "external_id: off, because the flag event_sink_clickhouse.external_id.enabled is not on for everyone",
        "python manage.py cms waffle_flag event_sink_clickhouse.external_id.enabled --everyone",
    ),
    "a model behind a flag is not there": (
        lambda site: (no_model(site), flag(everyone=True)(site)),
        "Sinks",
        "external_id: off, because its model cannot be imported",
        "Correct EVENT_SINK_CLICKHOUSE_MODEL_CONFIG['external_id']",
    ),
    "retirement is off": (
        set_("EVENT_SINK_CLICKHOUSE_AUTH_USER_ENABLED", False),
        "Sinks",
        "user_profile, external_id: on, while retirement is off",
        "EVENT_SINK_CLICKHOUSE_AUTH_USER_ENABLED = True",
    ),
    "ClickHouse is away": (
        clickhouse_is_away,
        "ClickHouse",
        "cannot be reached while connecting",
        "See that it runs",
    ),
    "the password is wrong": (
        lambda site: site.serve(password="wr0ng-s3cret"),
        "ClickHouse",
        "code 516 AUTHENTICATION_FAILED",
        'correct "username" and "password"',
    ),
    "a certificate that nobody trusts": (
        Site.serve_by_tls,
        "ClickHouse",
        "certificate verify failed",
        "or the certificate",
    ),
    "the database is missing": (
        lambda site: site.configure_clickhouse(database="event_sink_not_there"),
        "ClickHouse",
        "There is no database event_sink_not_there",
        "python manage.py cms aspects_create_tables",
    ),
    "a table is missing": (
        lambda site: site.alter("DROP TABLE {db}.tag"),
        "ClickHouse",
        ": tag",
        "python manage.py cms aspects_create_tables",
    ),
    "a column is missing": (
        lambda site: site.alter("ALTER TABLE {db}.tag DROP COLUMN value"),
        "ClickHouse",
        "tag: column value (String) is missing",
        "ALTER TABLE",
    ),
    "no right to INSERT": (
        lambda site: site.grant("SELECT", "ALTER DELETE"),
        "ClickHouse",
        "refuses INSERT on taxonomy, tag, object_tag, course_overviews, course_blocks, user_profile,",
        "GRANT INSERT ON `event_sink_",
    ),
    "no right to SELECT": (
        lambda site: site.grant("INSERT", "ALTER DELETE"),
        "ClickHouse",
        "refuses SELECT on taxonomy, tag, object_tag, course_overviews, course_blocks, user_profile,",
        "GRANT SELECT ON `event_sink_",
    ),
    "no right to DELETE": (
        lambda site: site.grant("SELECT", "INSERT"),
        "ClickHouse",
        "refuses ALTER DELETE on taxonomy, tag, object_tag, user_profile, external_id, course_enrollment (code 497)",
        "GRANT ALTER DELETE ON `event_sink_",
    ),
    "no right on one table": (
        Site.forget_a_grant,
        "ClickHouse",
        "refuses INSERT on tag; SELECT on tag; ALTER DELETE on tag (code 497)",
        "GRANT INSERT, SELECT, ALTER DELETE ON `event_sink_",
    ),
    "the clocks differ": (
        lambda site: (site.serve(), site.endpoint.fail("clock", times=None, seconds=-3600)),
        "ClickHouse",
        "clock is 3,600 s behind that of this host",
        "NTP",
    ),
    "the broker is dead": (
        lambda site: site.use_broker(DEAD_BROKER),
        "Workers",
        "Celery's broker does not answer at redis://:**@127.0.0.1:1/0 (OperationalError)",
        "CELERY_BROKER_URL",
    ),
    "the broker's address is none": (
        lambda site: site.use_broker("nonsense://:s3cret@127.0.0.1"),
        "Workers",
        "Celery's broker does not answer",
        "CELERY_BROKER_URL",
    ),
    "the broker's address lacks something": (
        lambda site: site.use_broker("sentinel://:s3cret@127.0.0.1:1"),
        "Workers",
        "Celery's broker does not answer at sentinel://:**@127.0.0.1:1// (ValueError)",
        "CELERY_BROKER_URL",
    ),
    "the broker's library is missing": (
        lambda site: site.use_broker("sqla+nowhere://:s3cret@127.0.0.1"),
        "Workers",
        "Celery's broker does not answer at the configured address (ModuleNotFoundError)",
        "CELERY_BROKER_URL",
    ),
    "no worker answers": (
        no_worker,
        "Workers",
        "No Celery worker answers",
        "celery --app=cms.celery worker --queues=edx.cms.core.default",
    ),
    "workers serve other queues": (
        other_queue,
        "Workers",
        "None of the 1 Celery workers takes tasks from edx.cms.core.default",
        "celery --app=cms.celery worker --queues=edx.cms.core.default",
    ),
    "workers without the plugin": (
        no_plugin_in_workers,
        "Workers",
        "do not know the plugin's",
        "Install platform-plugin-aspects where they run",
    ),
    "a delivery is stuck": (
        lambda site: site.wait_for_delivery(failures=1),
        "Delivery",
        "tag: 1 changes wait, the oldest for 60 min; 1 deliveries failed, the last with: ClickHouse was away",
        "python manage.py cms aspects_deliver --object tag",
    ),
    "an object cannot be written": (
        lambda site: site.wait_for_delivery(attempts=3, error="No integer", retry_at=timezone.now()),
        "Delivery",
        "tag: 1 object cannot be written, among them 1 after 3 attempts: No integer",
        "python manage.py cms aspects_deliver --object tag --retry-failed",
    ),
    "never filled": (
        lambda site: site.alter("TRUNCATE TABLE {db}.course_enrollment"),
        "Freshness",
        "course_enrollment: 1, the first object, is not in ClickHouse (last dump: never)",
        "python manage.py cms dump_data_to_clickhouse --object course_enrollment",
    ),
    "a change without a signal": (
        no_signal,
        "Freshness",
        "external_id: 2, the newest object, is not in ClickHouse",
        "python manage.py cms aspects_compare --object external_id --repair",
    ),
    "a course published unheard": (
        published,
        "Freshness",
        f"course_overviews: {ALONE}, the newest object, is not in ClickHouse as it is",
        "python manage.py cms aspects_compare --object course_overviews --repair",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_named_with_its_remedy_and_nothing_else(name: str, site: Site) -> None:
    break_it, title, words, remedy_words = BROKEN[name]
    break_it(site)
    only_the_problem(*check(), title, words, remedy_words)


def only_the_problem(code: int, said: dict[str, Any], title: str, words: str, remedy_words: str) -> None:
    """Assert that this is the only problem."""
    ((section, text, remedy),) = marked(said, "problem")
    assert section == title
    assert words in text
    assert remedy_words in remedy
    assert (code, said["problems"], marked(said, "crashed")) == (1, 1, [])
    assert "s3cret" not in json.dumps(said)


# How it is said


def report(*args: str) -> list[str]:
    """The text output of the command."""
    return ended("aspects_check", *args).out.splitlines()


def test_people_read_sections_marks_and_remedies(site: Site) -> None:
    site.alter("TRUNCATE TABLE {db}.course_enrollment")
    site.settings.EVENT_SINK_CLICKHOUSE_TAXONOMY_ENABLED = False
    said = report("--only", "sinks", "FRESHNESS")
    assert [line for line in said if not line.startswith(" ")] == ["Sinks", "Freshness", "1 problem"]
    assert (
        "  note     taxonomy: off, neither EVENT_SINK_CLICKHOUSE_TAXONOMY_ENABLED nor the flag "
        "event_sink_clickhouse.taxonomy.enabled is on"
    ) in said
    at = said.index("  problem  course_enrollment: 1, the first object, is not in ClickHouse (last dump: never)")
    remedy = "           -> Run python manage.py cms dump_data_to_clickhouse --object course_enrollment"
    assert said[at + 1] == remedy


def test_no_problem_is_said_only_of_what_was_examined(site: Site) -> None:
    assert report("--only", "Sinks", "ClickHouse")[-1] == "No problem found"
    site.serve()
    site.endpoint.stop()
    assert report("--only", "Freshness")[-1] == "1 problem"


class UnreadableSink(ModelBaseSink):
    """A third party's sink, with a mistake."""

    name = "unreadable"
    model = "user_preference"
    columns = (Column("id", "Int32"),)

    def queryset(self) -> Any:
        raise TypeError("s3cret")


def test_a_section_that_crashes_leaves_the_others_alone(site: Site) -> None:
    site.settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{__name__}.UnreadableSink"]
    site.settings.EVENT_SINK_CLICKHOUSE_USER_PREFERENCE_ENABLED = True
    code, said = check("--only", "freshness", "superset")
    ((section, text, _remedy),) = marked(said, "crashed")
    assert section == "Freshness"
    assert re.fullmatch(r"TypeError in test_aspects_check\.py, line \d+", text)
    assert (code, said["crashed"], said["sections"][-1]["title"]) == (2, 1, "Superset")
    assert "s3cret" not in json.dumps(said)
    assert report("--only", "freshness")[-1] == "No problem found, but 1 of the sections crashed"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--only", "everything"), "invalid choice: 'everything'"),
        (("--url", "nonsense"), "neither http"),
        (("--timeout_secs", "0"), "timeout_secs"),
    ],
)
def test_invalid_options_are_refused(options: tuple[str, str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("aspects_check", *options)


def test_settings_that_stop_other_commands_do_not_stop_this_one(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": "nonsense"}
    out = StringIO()
    with pytest.raises(SystemExit) as end:
        Command(stdout=out).run_from_argv(["manage.py", "aspects_check", "--only", "settings"])
    assert (end.value.code, out.getvalue().splitlines()[-1]) == (1, "1 problem")


def test_another_clickhouse_may_be_looked_at(site: Site) -> None:
    site.serve()
    site.endpoint.clear()
    code, said = check("--only", "clickhouse", "freshness", "--password", "wr0ng")
    assert len(site.endpoint.requests) == 1, "each section waited for an answer"
    ((section, text, _remedy),) = marked(said, "problem")
    assert (code, section) == (1, "ClickHouse")
    assert "AUTHENTICATION_FAILED" in text
    site.serve(password="wr0ng")
    assert check("--only", "clickhouse", "freshness", "--password", PASSWORD)[0] == 0


# Not a problem, or one that follows from another


def texts(said: dict[str, Any], mark: str) -> str:
    return "\n".join(text for _section, text, _remedy in marked(said, mark))


def test_a_database_that_refuses_is_the_platform_s_problem(site: Site) -> None:
    not_migrated(site)
    code, said = check("--only", "platform", "delivery")
    assert code == 1
    assert [section for section, _text, _remedy in marked(said, "problem")] == ["Platform"]
    assert re.fullmatch(
        r"This cannot be looked at \(OperationalError in .*\): see Platform first", texts(said, "skipped")
    )


def test_what_waits_for_clickhouse_or_workers_is_a_note(site: Site) -> None:
    clickhouse_is_away(site)
    Change.objects.create(sink="tag", object_id="2", attempts=1, error="Rejected", retry_at=timezone.now())
    said = check()[1]
    assert "the last with: ClickHouse was away (see ClickHouse)" in texts(said, "note")
    assert "1 object cannot be written (see ClickHouse), among them 2" in texts(said, "note")
    site.endpoint.start()
    no_worker(site)
    assert "tag: 2 changes wait, the oldest for 60 min" in texts(check("--only", "workers", "delivery")[1], "note")


def test_what_was_just_recorded_is_in_order(site: Site) -> None:
    factories.make_tag()
    site.alter("TRUNCATE TABLE {db}.tag")
    Change.objects.create(sink="tag", object_id="1")
    SinkState.objects.create(sink="tag", failures=1, last_error="Away")
    Change.objects.create(sink="course_enrollment", object_id="1")
    site.settings.EVENT_SINK_CLICKHOUSE_COURSE_ENROLLMENT_ENABLED = False
    code, said = check("--only", "delivery", "freshness")
    assert code == 0
    assert re.fullmatch(
        r"tag: 2 changes wait, the oldest for \d+ s; 1 deliveries failed, the last with: Away\n"
        r"course_enrollment: 1 changes wait, the oldest for \d+ s; they are kept, "
        r"because the sink is off in this service\n"
        r"taxonomy: \d, the newest object, is pending: see Delivery \(last dump: .*\)\n"
        r"tag: 2, the newest object, is pending: see Delivery \(last dump: never\)",
        texts(said, "note"),
    )
    assert "taxonomy: 1 changes wait, the oldest for " in texts(said, "ok")


def test_flags_that_are_on_or_off_for_everyone_say_so(site: Site) -> None:
    flag(everyone=True)(site)
    assert "external_id: on, by event_sink_clickhouse.external_id.enabled" in texts(check("--only", "sinks")[1], "ok")
    Flag.objects.update(everyone=False)
    cache.clear()
    code, said = check("--only", "sinks")
    # The other one is that of statements.
    assert (code, len(marked(said, "note"))) == (0, 2)


def test_tables_that_nothing_needs_may_be_missing_or_differ(site: Site) -> None:
    site.settings.EVENT_SINK_CLICKHOUSE_TAG_ENABLED = site.settings.EVENT_SINK_CLICKHOUSE_TAXONOMY_ENABLED = False
    site.alter("DROP TABLE {db}.load_test_runs")
    site.alter("DROP TABLE {db}.tag")
    site.alter("ALTER TABLE {db}.taxonomy DROP COLUMN name")
    code, said = check("--only", "clickhouse")
    assert code == 0
    assert texts(said, "note").splitlines() == [
        "Missing, but not needed as things are: tag, load_test_runs",
        "taxonomy: column name (String) is missing",
    ]


def test_a_site_without_objects_is_fresh(site: Site) -> None:
    CourseEnrollment.objects.all().delete()
    assert "course_enrollment: there are no objects" in texts(check("--only", "freshness")[1], "ok")


@pytest.mark.parametrize("dumped", ["never", "2099-01-01 00:00:00"])
def test_times_of_dumps_that_others_wrote_are_borne(dumped: str, site: Site) -> None:
    site.alter(
        f"INSERT INTO {{db}}.course_overviews SELECT * REPLACE ('{dumped}' AS time_last_dumped) "
        "FROM {db}.course_overviews"
    )
    assert check("--only", "freshness")[0] == 0


def test_clickhouse_is_left_as_it_was(site: Site) -> None:
    def look(what: str) -> list[Any]:
        database = site.settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG["database"]
        return site.endpoint.engine.query(f"SELECT {what} AND database = '{database}' ORDER BY ALL")

    parts = "table, name FROM system.parts WHERE active"
    site.serve()
    before = look(parts)
    assert check("--only", "clickhouse")[0] == 0
    assert look(parts) == before != []
    assert look("table, command FROM system.mutations WHERE 1") == []
