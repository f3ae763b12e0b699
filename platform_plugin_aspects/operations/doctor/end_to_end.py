"""From the platform to a board: an event is emitted, and looked for at each stage of its way to a guest of Superset.

View and board show the moment at which a learner last did something in the course: that of the event, or a later one.
A moment of the future hides the event: mobile apps send their own time.

Only on request, because everything else that the doctor does writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.client import ClickHouse, quote
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.clickhouse.grants import SETTING
from platform_plugin_aspects.dashboards.superset.config import is_configured
from platform_plugin_aspects.dashboards.superset.errors import SupersetError
from platform_plugin_aspects.models import TrackingEvent
from platform_plugin_aspects.operations.doctor import guest_chart
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, capitalized, manage
from platform_plugin_aspects.operations.doctor.probe_event import NotEmitted, Probe, emit
from platform_plugin_aspects.reporting.layout import ENABLED_SETTING, Layout, reports_are_on
from platform_plugin_aspects.sinks import StatementSink

TITLE = "End to end"
#: How long a delivery is waited for, and then a view, which reads another replica maybe; how often they are looked at.
PATIENCE_SECS = 60.0
VIEW_SECS = 10.0
LOOK_SECS = 0.5


class _Stop(Exception):
    """The event is lost here. ``finding`` says where, and what to do."""

    def __init__(self, text: str, remedy: str):
        super().__init__(text)
        self.finding = Mark.PROBLEM(text, remedy)


@dataclass(frozen=True)
class EndToEnd:
    """The event is emitted in the course, as the user with this name; without one, as the oldest active superuser."""

    course_id: str
    username: str = ""
    patience_secs: float = PATIENCE_SECS
    view_secs: float = VIEW_SECS

    def examine(self, examination: Examination) -> Iterator[Finding]:
        """A finding for each stage, until one fails."""
        try:
            yield from self._stages(examination)
        except _Stop as stop:
            yield stop.finding
        except NotEmitted as error:
            yield Mark.PROBLEM(error.problem, capitalized(error.remedy))
        except Failure as failure:
            yield examination.because_of("ClickHouse", "The event cannot be looked for", str(failure))
        except SupersetError as error:
            yield Mark.PROBLEM(error.problem, capitalized(error.remedy) or "Look into Superset's log")

    def _stages(self, examination: Examination) -> Iterator[Finding]:
        course_key, user = self._course(), self._user()
        began = time.monotonic()
        probe = emit(user, course_key)
        yield Mark.OK(f"An event of {user.username} in {course_key} is stored: the statement {probe.statement}")
        _wait(self.patience_secs, lambda: self._is_delivered(probe), self._undelivered)
        yield Mark.OK(f"It was delivered after {time.monotonic() - began:.1f} s")
        self._written(examination, probe)
        yield Mark.OK(f"Its statement is in {_table(examination)}")
        if not reports_are_on():
            yield Mark.NOTE("It goes no further: reports are off", f"Set {ENABLED_SETTING} to True")
            return
        yield from self._in_view(examination, probe, course_key)
        if not is_configured():
            yield Mark.NOTE("It goes no further: SUPERSET_CONFIG is not set")
            return
        seen = self._on_board(user, course_key, probe)
        yield _seen(
            "a guest of Superset sees it in the Course board",
            Mark.OK("A guest of Superset sees it in the Course board, as the last activity in the course"),
            seen,
        )

    def _course(self) -> CourseKey:
        try:
            course_key = CourseKey.from_string(self.course_id)
        except InvalidKeyError:
            raise _Stop(
                f"{self.course_id!r} is not the id of a course", "Give one, such as course-v1:edX+DemoX+2026"
            ) from None
        if not edx_platform.course_exists(course_key):
            raise _Stop(f"The platform has no course {course_key}", "Give the id of a course that it has")
        return course_key

    def _user(self) -> Any:
        users = get_user_model().objects.filter(is_active=True)
        if self.username:
            found = users.filter(username=self.username).first()
            if found is None:
                raise _Stop(f"The platform has no active user {self.username}", "Name another one by --as_user")
            return found
        found = users.filter(is_superuser=True).order_by("pk").first()
        if found is None:
            raise _Stop("The platform has no active superuser", "Name a user by --as_user")
        return found

    def _is_delivered(self, probe: Probe) -> bool:
        row = TrackingEvent.objects.filter(pk=probe.row).first()
        if row is not None and row.error:
            raise _Stop(
                f"The event waits in the outbox, because it failed: {row.error}", f"See {manage('aspects_status')}"
            )
        return row is None

    def _undelivered(self) -> _Stop:
        return _Stop(
            f"The event still waits in the outbox after {self.patience_secs:.0f} s",
            f"See the sections Workers and Delivery; {manage('aspects_deliver')} delivers what waits",
        )

    def _written(self, examination: Examination, probe: Probe) -> None:
        """Raise _Stop unless the xAPI table has the statement."""
        sql = (
            f"SELECT count() FROM {_table(examination)} WHERE event_id = {{id:UUID}} "
            # By which the table is sorted.
            "AND emission_time >= fromUnixTimestamp64Milli({moment:Int64} - 60000)"
        )
        moment = int(probe.moment.timestamp() * 1000)
        found = examination.clickhouse.select(sql, {"id": str(probe.statement), "moment": moment})
        if not found[0][0]:
            raise _Stop(
                f"The statement was delivered, and is not in {_table(examination)}",
                "See that the workers have the settings of this service, above all "
                "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG",
            )

    def _in_view(self, examination: Examination, probe: Probe, course_key: CourseKey) -> Iterator[Finding]:
        """The view course_summary, as Superset's user reads it. Raises _Stop."""
        reader = examination.reader
        if not reader.password:
            yield Mark.SKIPPED(f"The reports are not looked at: {SETTING} has no password")
            return
        theirs = replace(
            examination.connection,
            url=examination.connection.place,
            username=reader.username,
            password=reader.password,
        )
        if examination.connection.embedded_path is not None:
            theirs = examination.connection
        client = ClickHouse(theirs)
        view = Layout.from_settings(examination.connection).qualified("course_summary")
        sql = f"SELECT last_act FROM {view} WHERE course_key = {{course:String}}"
        try:
            rows = client.select(sql, {"course": str(course_key)})
            if not rows:
                raise _Stop(
                    f"The reports do not have the course {course_key}",
                    f"Run {manage('dump_data_to_clickhouse --object course_overviews')}",
                )

            last: datetime | None = None

            def is_there() -> bool:
                nonlocal last
                found = client.select(sql, {"course": str(course_key)})[0][0]
                last = found and found.replace(tzinfo=UTC)
                return last is not None and last >= probe.moment

            _wait(
                self.view_secs,
                is_there,
                lambda: _Stop(
                    f"The statement is in the xAPI table, and {view} does not show it",
                    f"Run {manage('aspects_reports status')}, and the command that it names",
                ),
            )
        finally:
            if examination.connection.embedded_path is None:
                client.close()
        yield _seen(f"{view} shows it", Mark.OK(f"{view} shows it, as {reader.username} reads it"), last)

    def _on_board(self, user: Any, course_key: CourseKey, probe: Probe) -> datetime | None:
        """The last activity that a guest of Superset sees: the event's moment, or a later one. Raises _Stop."""
        # Superset sends no more than milliseconds.
        moment = probe.moment.replace(microsecond=probe.moment.microsecond // 1000 * 1000)
        seen: datetime | None = None

        def is_there() -> bool:
            nonlocal seen
            seen = guest_chart.last_act(user, course_key)
            return seen is not None and seen >= moment

        def lost() -> _Stop:
            shows = f"its last activity is of {seen:%Y-%m-%d %H:%M:%S} UTC" if seen else "it shows no activity"
            return _Stop(
                f"The Course board in Superset does not show the event: {shows}",
                "See in Superset that the dataset course_summary reads the ClickHouse of the plugin",
            )

        _wait(self.view_secs, is_there, lost)
        return seen


def _wait(seconds: float, is_there: Callable[[], bool], otherwise: Callable[[], _Stop]) -> None:
    """Look until it is there. Raises what ``otherwise`` gives, when the seconds are over."""
    end = time.monotonic() + seconds
    while not is_there():
        if time.monotonic() > end:
            raise otherwise()
        time.sleep(LOOK_SECS)


def _seen(fact: str, ok: Finding, last: datetime | None) -> Finding:
    """``ok`` where the last activity shows a fact, and a note where it is of the future and shows nothing."""
    if last is None or last <= datetime.now(UTC):
        return ok
    return Mark.NOTE(
        f"Whether {fact} is not known: the course has an event of the future, of {last:%Y-%m-%d %H:%M:%S} UTC",
        "Give a course without such events",
    )


def _table(examination: Examination) -> str:
    place = StatementSink.place(examination.connection)
    return f"{quote(place.database)}.{quote(place.xapi_table)}"
