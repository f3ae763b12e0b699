"""The act in which learners learn: their tracking events become xAPI statements in ClickHouse."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from common.djangoapps.student.models import CourseEnrollment
from django.contrib.sessions.models import Session
from django.test import override_settings
from opaque_keys.edx.keys import CourseKey
from xmodule.modulestore.django import modulestore

from platform_plugin_aspects.clickhouse.client import close_clients
from platform_plugin_aspects.models import TrackingEvent
from platform_plugin_aspects.tasks import deliver_pending
from test_utils.demo.paper import shown
from test_utils.demo.site import ROOT, TRACKING_LOG, save_settings
from test_utils.factories import publish_course

if TYPE_CHECKING:
    from test_utils.demo.day import Day

ON = {"EVENT_SINK_CLICKHOUSE_XAPI_ENABLED": True}
TABLE = "xapi.xapi_events_all"
LEARNERS = 20
DRAFT = CourseKey.from_string("course-v1:Hesperus+AST102+2026_T2")
DRAFT_TREE = {
    "type": "course",
    "id": "course",
    "fields": {"display_name": "Stars and Galaxies"},
    "children": [
        {
            "type": "chapter",
            "id": "week_1",
            "fields": {"display_name": "Week 1"},
            "children": [
                {
                    "type": "sequential",
                    "id": "colours",
                    "fields": {"display_name": "The colours of stars"},
                    "children": [{"type": "html", "id": "html_colours", "fields": {"display_name": "Red and blue"}}],
                }
            ],
        }
    ],
}
LAST_PART = "splitByChar('/', {})[-1]"
VERB = LAST_PART.format("JSONExtractString(event, 'verb', 'id')")
ACTOR = "JSONExtractString(event, 'actor', 'account', 'name')"
PATIENCE_SECS = 120


class Learning:
    """The act, on the site of a day; ``events`` and ``statements`` are counted for the headline.

    ``users`` are the ids of those who learn, in order.
    """

    def __init__(self, day: Day):
        self.day = day
        self.say = day.paper.say
        self.expect = day.expect
        self.events = self.statements = 0
        self.users: list[int] = []

    @contextlib.contextmanager
    def switched_on(self) -> Iterator[None]:
        """The sink is on, for this process and for those that start from now on."""
        save_settings(self.day.folder, **ON)
        with override_settings(**ON):
            yield

    def live(self) -> None:
        """Learn, lose a worker, keep a broken event, load the log."""
        self.day.paper.heading("Learners learn")
        self.say(
            "Learning events are off by default. The operator has turned the sink xapi on and restarted the LMS. "
            "There is no Ralph, no Vector and no second queue."
        )
        self.learn()
        self.deliver()
        self.fix()
        self.load_the_log()

    def learn(self) -> None:
        """The LMS, whose worker is killed between insert and confirmation."""
        modulestore().create_course(DRAFT, DRAFT_TREE)
        course = self.day.demo.course_key
        newcomers = CourseEnrollment.objects.filter(
            course_id=course, is_active=True, user__username__startswith="newcomer_"
        )
        self.users = list(newcomers.order_by("user_id").values_list("user_id", flat=True)[:LEARNERS])
        # The engine is for one process at a time.
        close_clients()
        words = [self.day.folder, course, DRAFT, *self.users]
        lms = subprocess.run(
            [sys.executable, "-m", "test_utils.demo.lms", *map(str, words)],
            cwd=ROOT,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_SECS,
        )
        self.expect(lms.returncode == -signal.SIGKILL, f"the LMS ended with {lms.returncode}: {lms.stderr[-2000:]}")
        self.events = int(lms.stdout)
        kept = TrackingEvent.objects.count()
        written = self.count()
        self.expect(kept == self.events, f"the LMS stored {self.events} events, and {kept} are left")
        self.expect(written == kept - 1, f"{written} statements of {kept} events are in ClickHouse, not all but one")
        self.say(
            f"{LEARNERS} learners watch a video and answer a problem. The LMS logs {self.events} tracking events, and "
            "stores each in the transaction of its request."
        )
        self.say(
            f"A worker inserts their statements and is killed with -9 before it confirms: {written} statements are in "
            f"ClickHouse, and all {kept} events are kept."
        )

    def deliver(self) -> None:
        """Another worker delivers all but the broken event."""
        deliver_pending.delay()
        tasks = self.day.worker.run_until_quiet()
        (broken,) = TrackingEvent.objects.all()
        self.statements = self.count()
        self.expect(self.statements == self.events - 1, f"{self.events} events became {self.statements} statements")
        self.say("Another worker finds the events and inserts them again, under the same ids:")
        self.day.paper.table(
            ("events", "statements", "twice", "kept"),
            [(self.events, self.statements, self.statements - self.ids(), TrackingEvent.objects.count())],
        )
        self.say(f"Tasks: {', '.join(tasks)}.", indent=2, hang=7)
        self.say(f"One event is broken. It is kept with its reason, and holds up no other: {shown(broken.error)}.")
        self.day.tell_log()

    def fix(self) -> None:
        """The course of the broken event is published, and the event is replayed."""
        self.say("A learner clicked in a course that is not published. The author publishes it, the operator retries:")
        publish_course(DRAFT)
        self.day.worker.run_until_quiet()
        self.day.run("aspects_deliver", "--object", "xapi", "--retry-failed")
        self.statements = self.count()
        self.expect(self.statements == self.events, f"{self.events} events became {self.statements} statements")
        self.day.settle()

    def load_the_log(self) -> None:
        """The log of the LMS adds nothing."""
        self.say("The tracking log of the LMS has the same events. The operator loads it, too:")
        before = self.checksum()
        with contextlib.chdir(self.day.folder):
            self.day.run("aspects_load_tracking_logs", TRACKING_LOG)
        self.expect(self.checksum() == before, "the tracking log has changed the statements")
        self.expect(self.ids() == self.count(), "a statement is there twice")
        self.say("That changes nothing: the same statements under the same ids, byte for byte.")

    def account(self) -> None:
        """Statements by verb, and one learner's way."""
        paper = self.day.paper
        paper.line()
        paper.line(f"xapi_events_all: {self.statements} statements of {self.events} events")
        paper.table(
            ("verb", "statements", "learners"),
            self.select(f"SELECT {VERB} AS verb, count(), uniqExact({ACTOR}) {{}} GROUP BY verb ORDER BY 2 DESC, verb"),
        )
        sessions = list(Session.objects.values_list("session_key", flat=True))
        asked = "SELECT count() {} WHERE multiSearchAny(event, {{keys:Array(String)}})"
        told = self.select(asked, {"keys": sessions})
        self.expect(bool(sessions) and told == [(0,)], "the key of a session has come to ClickHouse")
        paper.line()
        paper.line("One learner's way through a unit:")
        paper.table(("", "verb", "object", "result"), self.way())
        self.say(
            "A statement names its learner by an external id, and has a keyed hash of the session instead of its key."
        )

    def way(self) -> Iterator[tuple[Any, ...]]:
        """(number, verb, object, result) of each statement of the learner with the most answers."""
        blocks = "SELECT location, argMax(display_name, time_last_dumped) FROM event_sink.course_blocks GROUP BY 1"
        names = dict(self.day.clickhouse.select(blocks))
        who = f"SELECT {ACTOR} AS who {{}} WHERE {VERB} = 'evaluated' GROUP BY who ORDER BY count() DESC, who LIMIT 1"
        found = self.select(f"SELECT {VERB}, event {{}} WHERE {ACTOR} = ({who}) ORDER BY emission_time")
        for number, (verb, text) in enumerate(found, start=1):
            statement = json.loads(text)
            about = statement["object"]
            name = about["definition"].get("name", {}).get("en") or names[about["id"].rpartition("/xblock/")[2]]
            yield number, verb, name, result_of(statement)

    def headline(self) -> str:
        """The figure to remember."""
        return f"{self.events} learning events, one worker killed: {self.statements} statements, none twice."

    def count(self) -> int:
        """Statements as readers see them."""
        return int(self.select("SELECT count() {}")[0][0])

    def ids(self) -> int:
        """Different ids."""
        return int(self.select("SELECT uniqExact(event_id) {}")[0][0])

    def checksum(self) -> tuple[Any, ...]:
        """A sum over all statements."""
        return self.select("SELECT count(), sum(cityHash64(event_id, emission_time, event)) {}")[0]

    def select(self, sql: str, params: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query in which {} stands for FROM the table."""
        return self.day.clickhouse.select(sql.format(*[f"FROM {TABLE} FINAL"] * sql.count("{}")), params or {})


def result_of(statement: Mapping[str, Any]) -> str:
    """The result of a statement in a few words, or "-"."""
    result = statement.get("result", {})
    details = {**statement["context"].get("extensions", {}), **result.get("extensions", {})}
    told = {key.rpartition("/")[2]: value for key, value in details.items()}
    if "time-from" in told:
        return f"from {clock(told['time-from'])} to {clock(told['time-to'])}"
    if "time" in told:
        return f"at {clock(told['time'])}"
    if "response" in result:
        return f"{result['response']}: {'right' if result['success'] else 'wrong'}"
    if "score" in result:
        return f"{result['score']['raw']:.0f} of {result['score']['max']:.0f} points"
    if "starting-position" in told:
        return f"to the {told['ending-point']}"
    return f"{told['progress']:.0f} %" if "progress" in told else "-"


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
