"""Load test: make people enroll and unenroll, and record when that was and how often."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.load_test import platform, runs
from platform_plugin_aspects.load_test.traffic import EMAIL_DOMAIN, SHORT, Course, Traffic, make_course
from platform_plugin_aspects.management.command import AspectsCommand
from platform_plugin_aspects.management.options import add_connection_arguments, connection_from, require_at_least
from platform_plugin_aspects.stopping import INTERRUPTED, Stoppable

#: The advice about a field of the registration that edx-platform refuses.
REMEDIES = {
    "username": "give another --username_prefix: a short one of ASCII letters, digits, - and _",
    "email": f"REGISTRATION_EMAIL_PATTERNS_ALLOWED must allow addresses at {EMAIL_DOMAIN}",
}
ALLOW = "the feature ALLOW_PUBLIC_ACCOUNT_CREATION must be on"


class Command(AspectsCommand):
    """The people and their course are made first; then the run starts."""

    help = (
        "Load test of the way from tracking events to ClickHouse: make a course, an instructor and learners, and have "
        "learners chosen at random enroll and unenroll. When the run started, when it ended and how many events were "
        "sent is written to ClickHouse, for monitor_load_test_tracking and aspects_load_test_report. Ctrl-C ends it "
        "after the current event. The course and the users stay. Only in Studio: manage.py cms."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--num_users", type=int, default=10, metavar="N", help="learners to make (default: 10)")
        parser.add_argument(
            "--username_prefix", default="lt_", metavar="TEXT", help='beginning of all usernames (default: "lt_")'
        )
        parser.add_argument(
            "--num_events", type=int, default=10, metavar="N", help="events to send, in all (default: 10)"
        )
        parser.add_argument(
            "--run_until_killed",
            action="store_true",
            help="send events until Ctrl-C, SIGTERM or SIGHUP, whatever --num_events",
        )
        parser.add_argument(
            "--sleep_time", type=float, default=0.75, metavar="SECONDS", help="pause between events (default: 0.75)"
        )
        parser.add_argument(
            "--tags", nargs="*", default=[], metavar="TAG", help="words that tell this run from others in reports"
        )
        parser.add_argument("--yes", action="store_true", help="yes, make users and events that stay on this site")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        _refuse(options)
        with failures_with("; nothing was made"):
            client = get_client(connection_from(options))
            runs.check(client)
        run_id = str(uuid.uuid4())
        course = _make_course(run_id, options)
        # Between the start and the end nothing is written to the terminal: that may be gone, and the end is recorded.
        self.stdout.write(f"run {run_id}: {options['num_users']} learners of {course.key}")
        with Stoppable("the current event") as stop:
            with failures_with(f"; no event was sent, but {course.key} and its users were made"):
                runs.start(
                    client,
                    run_id,
                    tags=options["tags"],
                    course_id=str(course.key),
                    num_users=options["num_users"],
                    username_prefix=options["username_prefix"],
                )
                started_at = runs.clock(client)
            self._run(client, run_id, started_at, Traffic(course), stop, options)

    def _run(
        self,
        client: ClickHouse,
        run_id: str,
        started_at: datetime,
        traffic: Traffic,
        stop: Stoppable,
        options: Mapping[str, Any],
    ) -> None:
        """Send the events and record the end, whatever happens; CommandError unless all were sent and recorded.

        ``started_at``: what ClickHouse's clock shows now.
        """
        failed = None
        problems = []
        started = stop.now()
        try:
            _send(traffic, stop, options)
        except Exception as error:
            failed = error
            problems.append(f"Event {traffic.sent + 1} failed ({type(error).__name__}); --traceback says where")
        seconds = stop.now() - started
        # Not in the second of the start: of two rows of one second, the table keeps one.
        ended_at = started_at + timedelta(seconds=max(seconds, 1))
        try:
            runs.end(client, run_id, traffic.sent, ended_at, self.stderr.write)
        except Failure as failure:
            statement = runs.end_statement(client, run_id, traffic.sent, ended_at)
            problems.append(f"{failure}; the end of the run is not recorded. Do it with:\n{statement}")
        self.stdout.write(f"{traffic.sent} events sent in {seconds:.1f} s")
        if problems:
            raise CommandError("\n".join(problems)) from failed
        if traffic.sent < options["num_events"] and not options["run_until_killed"]:
            raise CommandError(f"Stopped before {options['num_events']} events were sent", returncode=INTERRUPTED)


@contextmanager
def failures_with(advice: str) -> Iterator[None]:
    """Add advice to the message of a failure of ClickHouse."""
    try:
        yield
    except Failure as failure:
        raise CommandError(f"{failure}{advice}") from None


def _refuse(options: Mapping[str, Any]) -> None:
    """Raise CommandError outside of Studio, for invalid options, and without --yes on a real site."""
    if not platform.is_studio():
        raise CommandError(
            "The load test makes a course: run it in edx-platform's Studio, `manage.py cms load_test_tracking_events`"
        )
    require_at_least(options, num_users=1, num_events=1, sleep_time=0)
    if not (settings.DEBUG or options["yes"]):
        raise CommandError(
            f"This makes a course, {options['num_users'] + 1} users and events of theirs on this site, and all of them "
            "stay. If you mean it, add --yes"
        )


def _make_course(run_id: str, options: Mapping[str, Any]) -> Course:
    try:
        return make_course(run_id, options["username_prefix"], options["num_users"])
    except platform.AccountRefused as refused:
        # The first of them: email addresses are made of usernames.
        remedies = [remedy for field, remedy in REMEDIES.items() if field in refused.fields] or [ALLOW]
        raise CommandError(f"{refused}: {remedies[0]}") from None
    except KeyboardInterrupt:
        prefix = f"{options['username_prefix']}{run_id[:SHORT]}_"
        raise CommandError(
            f"Stopped before the run started; users whose names begin with {prefix} may have been made",
            returncode=INTERRUPTED,
        ) from None


def _send(traffic: Traffic, stop: Stoppable, options: Mapping[str, Any]) -> None:
    """Send the requested number of events, or events until the command is to stop."""
    while not stop.wants_to_stop():
        traffic.send()
        if traffic.sent == options["num_events"] and not options["run_until_killed"]:
            return
        stop.wait(options["sleep_time"])
