"""load_test_tracking_events makes people and events, records the run, and refuses wrong options."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from io import StringIO
from typing import Any

import pytest
from common.djangoapps.student.models import CourseAccessRole, CourseEnrollment
from common.djangoapps.student.signals import ENROLL_STATUS_CHANGE
from django.contrib.auth.models import User
from django.core.management import CommandError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from openedx_events.learning.signals import COURSE_ENROLLMENT_CHANGED
from xmodule.modulestore.django import modulestore

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Unavailable
from platform_plugin_aspects.load_test import platform, runs
from platform_plugin_aspects.load_test.traffic import make_course
from platform_plugin_aspects.tests.commands import run
from platform_plugin_aspects.tests.conftest import rows
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.properties import examples

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]

#: The statements that insert rows, not those that try whether it may be done.
OF_ROWS = "INSERT.*FORMAT Native"
#: Studio makes courses in this module.
STUDIO = "cms.djangoapps.contentstore.views.course"


send_events = partial(run, "load_test_tracking_events", "--yes", "--sleep_time", "0")


def sending_fails(*args: Any) -> tuple[str, int]:
    """The message and the exit code of the command."""
    with pytest.raises(CommandError) as caught:
        send_events(*args)
    return str(caught.value), caught.value.returncode


def only_run(client: ClickHouse) -> runs.Run:
    (found,) = runs.latest(client, 10)
    return found


@pytest.fixture
def on_change() -> Iterator[Callable[[Callable[[int], Any]], None]]:
    """``on_change(do)`` calls ``do(number)`` at each enrollment and its end; number 0 is the instructor's."""
    connected = []

    def connect(do: Callable[[int], Any]) -> None:
        numbers = iter(range(1_000_000))

        def receiver(**_sent: Any) -> None:
            do(next(numbers))

        ENROLL_STATUS_CHANGE.connect(receiver, weak=False)
        connected.append(receiver)

    yield connect
    for receiver in connected:
        ENROLL_STATUS_CHANGE.disconnect(receiver)


def test_learners_enroll_and_unenroll_and_the_run_is_recorded(clickhouse: ClickHouse) -> None:
    heard: list[tuple[int, bool]] = []

    def hear(enrollment: Any, **_: Any) -> None:
        heard.append((enrollment.user.id, enrollment.is_active))

    COURSE_ENROLLMENT_CHANGED.connect(hear)
    try:
        said = send_events(
            "--num_users", 3, "--num_events", 80, "--username_prefix", "load-", "--tags", "nightly", "2 workers"
        )
    finally:
        COURSE_ENROLLMENT_CHANGED.disconnect(hear)
    found = only_run(clickhouse)
    assert (found.tags, found.num_users, found.username_prefix) == (["nightly", "2 workers"], 3, "load-")
    assert found.sent_event_count == 80
    assert found.ended_at > found.started_at
    assert said.splitlines()[0] == f"run {found.run_id}: 3 learners of {found.course_id}"
    assert said.splitlines()[1].startswith("80 events sent in ")

    key = CourseKey.from_string(found.course_id)
    assert key.org == "AspectsLoadTest"
    assert modulestore().get_course(key).display_name == CourseOverview.objects.get(id=key).display_name
    instructor, *learners = User.objects.order_by("pk")
    short = found.run_id[:8]
    assert [learner.username for learner in learners] == [f"load-{short}_{number}" for number in (1, 2, 3)]
    assert set(CourseAccessRole.objects.values_list("user", "course_id", "role")) == {
        (instructor.pk, key, "instructor"),
        (instructor.pk, key, "staff"),
    }
    assert [user.is_active for user in (instructor, *learners)] == [True, False, False, False]
    for user in (instructor, *learners):
        assert not user.has_usable_password()
        assert user.profile.name.startswith(f"Load test {short}")
        assert user.email == f"{user.username}@load-test.invalid"

    assert heard.pop(0) == (instructor.pk, True)
    assert len(heard) == 80
    for learner in learners:
        changes = [active for user, active in heard if user == learner.pk]
        # In turns, the first an enrollment.
        assert changes == [number % 2 == 0 for number in range(len(changes))]
        assert CourseEnrollment.is_enrolled(learner, key) is changes[-1]


def test_defaults(clickhouse: ClickHouse, settings: Any) -> None:
    settings.DEBUG = True
    started = time.monotonic()
    run("load_test_tracking_events", "--num_events", 2)
    assert time.monotonic() - started >= 0.75
    found = only_run(clickhouse)
    assert (found.num_users, found.username_prefix, found.tags, found.sent_event_count) == (10, "lt_", [], 2)


def test_each_run_has_a_course_and_people_of_its_own(clickhouse: ClickHouse) -> None:
    for _ in range(2):
        assert "10 events sent" in send_events("--num_users", 1)
    one, two = runs.latest(clickhouse, 10)
    assert one.course_id != two.course_id
    assert User.objects.count() == 4


def lms(settings: Any, **_: Any) -> None:
    settings.SERVICE_VARIANT = "lms"


def no_platform(monkeypatch: pytest.MonkeyPatch, **_: Any) -> None:
    monkeypatch.setitem(sys.modules, STUDIO, None)


def clickhouse_away(clickhouse_http: ClickHouseEndpoint, **_: Any) -> None:
    clickhouse_http.fail("refuse", times=None)


def no_table(clickhouse: ClickHouse, **_: Any) -> None:
    clickhouse.command(f"DROP TABLE {clickhouse.qualified('load_test_runs')}")


def no_accounts(settings: Any, **_: Any) -> None:
    settings.FEATURES = {**settings.FEATURES, "ALLOW_PUBLIC_ACCOUNT_CREATION": False}


def other_emails(settings: Any, **_: Any) -> None:
    settings.REGISTRATION_EMAIL_PATTERNS_ALLOWED = [r".*@example\.com"]


@pytest.mark.parametrize(
    ("break_it", "args", "said"),
    [
        (lms, (), "manage.py cms load_test_tracking_events"),
        (no_platform, (), "manage.py cms load_test_tracking_events"),
        (None, ("--num_users", 0), "--num_users 0: it must be at least 1"),
        (None, ("--num_events", 0), "--num_events 0: it must be at least 1"),
        (None, ("--sleep_time", -1), "--sleep_time -1.0: it must be at least 0"),
        (None, ("--sleep_time", "nan"), "--sleep_time nan: it must be at least 0"),
        (None, ("--url", "ftp://x"), "ftp://x"),
        (None, ("--username_prefix", "a b"), "email and username of an account: give another --username_prefix"),
        (None, ("--username_prefix", "far_too_long"), "username of an account: give another --username_prefix"),
        (other_emails, (), "REGISTRATION_EMAIL_PATTERNS_ALLOWED must allow addresses at load-test.invalid"),
        (no_accounts, (), "ALLOW_PUBLIC_ACCOUNT_CREATION must be on"),
        (clickhouse_away, (), "; nothing was made"),
        (no_table, (), "aspects_create_tables"),
    ],
)
def test_refusals_make_nothing(
    break_it: Callable[..., None] | None,
    args: tuple[Any, ...],
    said: str,
    clickhouse: ClickHouse,
    clickhouse_http: ClickHouseEndpoint,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if break_it is not None:
        break_it(clickhouse=clickhouse, clickhouse_http=clickhouse_http, settings=settings, monkeypatch=monkeypatch)
    message, code = sending_fails(*args)
    assert said in message
    assert code == 1
    assert not User.objects.exists()
    assert not modulestore().get_courses()
    if break_it is not no_table:
        assert rows(clickhouse, "load_test_runs", order="1") == []


def test_the_lms_does_not_load_studio(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SERVICE_VARIANT = "lms"
    monkeypatch.delitem(sys.modules, STUDIO, raising=False)
    sending_fails()
    assert STUDIO not in sys.modules


def test_without_yes_it_says_what_stays(clickhouse: ClickHouse) -> None:
    with pytest.raises(CommandError, match=r"makes a course, 4 users and events .* stay\. If you mean it, add --yes"):
        run("load_test_tracking_events", "--num_users", 3)
    assert not User.objects.exists()


def test_a_username_that_is_taken(clickhouse: ClickHouse) -> None:
    make_course("0123456789", "lt_", 1)
    with pytest.raises(platform.AccountRefused, match="email"):
        make_course("0123456789", "lt_", 1)
    User.objects.update(email="other@example.invalid")
    with pytest.raises(platform.AccountRefused, match="username"):
        make_course("0123456789", "lt_", 1)


@settings(max_examples=examples(25))
@given(prefix=st.text(max_size=13) | st.text("aZ0-_ .", max_size=13))
@example(prefix="00000000000")
@example(prefix="000000000000")
@example(prefix="")
@example(prefix="A-b_9")
@example(prefix=" a")
@example(prefix="a ")
def test_any_prefix_is_used_or_refused(db: None, prefix: str) -> None:
    User.objects.all().delete()
    modulestore().clear()
    try:
        made = make_course("0123456789", prefix, 1)
    except platform.AccountRefused as refused:
        refused_fields, usernames = refused.fields, []
    else:
        refused_fields, usernames = [], [learner.username for learner in made.learners]
    # The form strips space around a username, not within it. A username has 30 characters at most, and
    # "01234567_instructor" takes 19.
    usable = re.fullmatch(r"[-A-Za-z0-9_]{0,11}", prefix.lstrip())
    assert usernames == ([f"{prefix.lstrip()}01234567_1"] if usable else [])
    assert ("username" in refused_fields) is not bool(usable)
    assert User.objects.count() == (2 if usable else 0)


@pytest.mark.usefixtures("signals_are_heard")
class TestEnds:
    @pytest.fixture
    def restricted(self, clickhouse_http: ClickHouseEndpoint) -> ClickHouse:
        return get_client(Connection.from_settings())

    def test_a_start_that_cannot_be_written(
        self, clickhouse: ClickHouse, clickhouse_http: ClickHouseEndpoint, on_change: Callable[..., None]
    ) -> None:
        heard: list[int] = []
        on_change(heard.append)
        clickhouse_http.fail("503", match=OF_ROWS)
        message, _code = sending_fails()
        assert "; no event was sent, but course-v1:AspectsLoadTest+" in message
        assert heard == [0]
        assert runs.latest(clickhouse, 1) == []

    @pytest.mark.parametrize(
        ("number", "event", "args", "code"),
        [
            (signal.SIGINT, 3, ("--num_events", 10), 130),
            (signal.SIGTERM, 3, ("--num_events", 10), 130),
            (signal.SIGHUP, 3, ("--num_events", 10), 130),
            (signal.SIGINT, 3, ("--num_events", 3), 0),
            (signal.SIGINT, 3, ("--run_until_killed", "--num_events", 2), 0),
            (signal.SIGTERM, 3, ("--run_until_killed", "--num_events", 10), 0),
            # It is in a pause at once.
            (signal.SIGINT, 1, ("--run_until_killed", "--sleep_time", 3600), 0),
        ],
    )
    def test_signals_end_it_after_the_current_event(
        self,
        number: signal.Signals,
        event: int,
        args: tuple[Any, ...],
        code: int,
        clickhouse: ClickHouse,
        on_change: Callable[..., None],
    ) -> None:
        before = signal.getsignal(number)
        on_change(lambda now: now == event and signal.raise_signal(number))
        if code:
            assert sending_fails(*args) == ("Stopped before 10 events were sent", code)
        else:
            assert f"{event} events sent" in send_events(*args)
        assert only_run(clickhouse).sent_event_count == event
        assert signal.getsignal(number) is before

    def test_the_terminal_is_gone(self, clickhouse: ClickHouse, on_change: Callable[..., None]) -> None:
        reader, writer = os.pipe()
        stderr = os.dup(2)

        def hang_up(event: int) -> None:
            if event == 3:
                os.close(reader)
                os.dup2(writer, 2)
                signal.raise_signal(signal.SIGHUP)

        on_change(hang_up)
        # Closing it fails as well.
        with suppress(BrokenPipeError), open(writer, "w", buffering=1) as terminal:
            try:
                with pytest.raises(BrokenPipeError):
                    send_events(stdout=terminal)
            finally:
                os.dup2(stderr, 2)
                os.close(stderr)
        assert only_run(clickhouse).sent_event_count == 3

    def test_ctrl_c_while_people_are_made(self, clickhouse: ClickHouse, on_change: Callable[..., None]) -> None:
        on_change(lambda _instructor: signal.raise_signal(signal.SIGINT))
        message, code = sending_fails()
        (instructor,) = User.objects.filter(username__startswith="lt_")
        prefix = instructor.username.removesuffix("instructor")
        assert message == f"Stopped before the run started; users whose names begin with {prefix} may have been made"
        assert code == 130
        assert runs.latest(clickhouse, 1) == []

    def test_an_event_that_fails(self, clickhouse: ClickHouse, on_change: Callable[..., None]) -> None:
        def fail(event: int) -> None:
            if event == 4:
                raise RuntimeError("about somebody")

        on_change(fail)
        message, code = sending_fails("--num_events", 10)
        assert (message, code) == ("Event 4 failed (RuntimeError); --traceback says where", 1)
        assert only_run(clickhouse).sent_event_count == 3

    def test_clickhouse_is_away_for_a_moment(
        self, clickhouse: ClickHouse, clickhouse_http: ClickHouseEndpoint, on_change: Callable[..., None]
    ) -> None:
        on_change(lambda event: event == 2 and clickhouse_http.fail("503", match=OF_ROWS))
        err = StringIO()
        send_events("--num_events", 2, stderr=err, stdout=err)
        assert "HTTP status 503" not in err.getvalue()
        assert "; trying again in 1 s" in err.getvalue()
        assert only_run(clickhouse).sent_event_count == 2

    def test_an_end_that_cannot_be_written_is_told_as_a_statement(
        self, clickhouse: ClickHouse, clickhouse_http: ClickHouseEndpoint, on_change: Callable[..., None]
    ) -> None:
        def fail(event: int) -> None:
            if event == 3:
                clickhouse_http.fail("exception", match=OF_ROWS, code=497)
                raise RuntimeError

        on_change(fail)
        failed, not_recorded, statement = sending_fails()[0].splitlines()
        assert failed.startswith("Event 3 failed (RuntimeError)")
        assert not_recorded.endswith("; the end of the run is not recorded. Do it with:")
        assert only_run(clickhouse).ended_at is None
        clickhouse.command(statement)
        clickhouse.command(f"OPTIMIZE TABLE {clickhouse.qualified('load_test_runs')} FINAL")
        found = only_run(clickhouse)
        assert found.sent_event_count == 2
        # However late the operator is.
        assert found.ended_at is not None
        assert (found.ended_at - found.started_at).total_seconds() in (1, 2)

    def test_the_end_is_when_the_last_event_was_sent(
        self, clickhouse: ClickHouse, clickhouse_http: ClickHouseEndpoint, on_change: Callable[..., None]
    ) -> None:
        on_change(lambda event: event == 2 and clickhouse_http.fail("503", match=OF_ROWS, times=2))
        # Three seconds of waiting.
        send_events("--num_events", 2)
        found = only_run(clickhouse)
        assert found.ended_at is not None
        assert (found.ended_at - found.started_at).total_seconds() in (1, 2)

    def test_clickhouse_is_away_for_longer(self, restricted: ClickHouse, clickhouse_http: ClickHouseEndpoint) -> None:
        clickhouse_http.fail("refuse", times=None)
        told: list[str] = []
        waited: list[float] = []
        with pytest.raises(Unavailable):
            runs.end(restricted, "one", 7, tell=told.append, sleep=waited.append)
        assert waited == [1, 2, 4, 8, 16]
        assert [line[-20:] for line in told] == [f"; trying again in {wait} s"[-20:] for wait in waited]

    def test_an_end_that_may_have_been_written(
        self, restricted: ClickHouse, clickhouse_http: ClickHouseEndpoint
    ) -> None:
        runs.start(restricted, "one", tags=[], course_id="", num_users=1, username_prefix="")
        clickhouse_http.fail("reset_after_execute", match=OF_ROWS)
        runs.end(restricted, "one", 7, sleep=lambda _secs: None)
        found = runs.load(restricted, "one")
        assert found is not None
        assert found.sent_event_count == 7
