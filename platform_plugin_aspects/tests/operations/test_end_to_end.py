"""aspects_check --end_to_end: one event is followed from the tracker to a board, and it is said where it is lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.dashboards.provision.provisioned import Provisioned, forget, provisioned, record
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured, SupersetRefused
from platform_plugin_aspects.delivery import tracking
from platform_plugin_aspects.models import TrackingEvent
from platform_plugin_aspects.operations.doctor.end_to_end import EndToEnd
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark
from platform_plugin_aspects.operations.doctor.guest_chart import last_act, request_of
from platform_plugin_aspects.tests.broker import worker
from platform_plugin_aspects.tests.commands import ended, run
from platform_plugin_aspects.tests.operations.provision.conftest import bare  # noqa: F401
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.superset_endpoint import Reply, SupersetEndpoint

COURSE = "course-v1:Org+Course+2026"
EMBEDDED = "0a1b2c3d-0000-4000-8000-000000000001"
#: The charts of a dashboard as Superset lists them for a guest.
CHARTS = [
    {"id": 7, "slice_name": "How many are enrolled?", "form_data": {"datasource": "3__table"}},
    {
        "id": 8,
        "slice_name": "When was the last visit?",
        "form_data": {"datasource": "3__table", "viz_type": "big_number_total"},
    },
]


@pytest.fixture
def ready(bare: ClickHouseEndpoint, empty_store: None, settings: Any, broker: Any) -> Iterator[ClickHouseEndpoint]:  # noqa: F811
    """A site whose learning events are on, with a course and an administrator; ClickHouse and reports are set up."""
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = True
    settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS = 0
    tracking.switch.forget()
    assert ended("aspects_provision").code == 0
    factories.make_user("root", is_superuser=True)
    # The platform's migrations make it; an earlier test with transactions has emptied all tables.
    factories.make_external_id_type("xapi")
    yield bare
    TrackingEvent.objects.all().delete()


def deliver_course() -> None:
    run("dump_data_to_clickhouse", "--object", "course_overviews", "--even_if_off")


def found(course: str = COURSE, username: str = "", patience_secs: float = 60) -> list[tuple[Mark, str, str]]:
    """The findings; a view is looked at once."""
    findings: list[Finding] = list(EndToEnd(course, username, patience_secs, 0).examine(Examination()))
    return [(finding.mark, finding.text, finding.remedy) for finding in findings]


@pytest.mark.django_db(transaction=True)
def test_an_event_is_followed_to_the_view_of_the_reports(ready: ClickHouseEndpoint, settings: Any) -> None:
    factories.make_course(COURSE)
    deliver_course()
    with worker():
        code, out, _err = ended("aspects_check", "--json", "--only", "events", "--end_to_end", COURSE)
    assert code == 0
    section = json.loads(out)["sections"][-1]
    assert section["title"] == "End to end"
    texts = [finding["text"] for finding in section["findings"]]
    reports = settings.ASPECTS_REPORTING_DATABASE
    xapi = settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG["xapi_database"]
    assert texts[0].startswith(f"An event of root in {COURSE} is stored: the statement ")
    assert texts[1].startswith("It was delivered after ")
    assert texts[2:] == [
        f"Its statement is in `{xapi}`.`xapi_events_all`",
        f"`{reports}`.`course_summary` shows it, as boards reads it",
        "It goes no further: SUPERSET_CONFIG is not set",
    ]
    ((event,),) = ready.engine.query(f"SELECT event FROM {xapi}.xapi_events_all")
    assert json.loads(event)["verb"]["id"] == "https://w3id.org/xapi/dod-isd/verbs/navigated"
    assert ready.engine.query(f"SELECT active_7_days FROM {reports}.course_summary") == [(1,)]


@pytest.mark.django_db(transaction=True)
def test_it_is_said_where_the_event_is_lost(ready: ClickHouseEndpoint, settings: Any) -> None:
    reports = settings.ASPECTS_REPORTING_DATABASE
    assert found("course-v1:Org") == [
        (
            Mark.PROBLEM,
            "'course-v1:Org' is not the id of a course",
            "Give one, such as course-v1:edX+DemoX+2026",
        )
    ]
    assert found() == [
        (Mark.PROBLEM, f"The platform has no course {COURSE}", "Give the id of a course that it has"),
    ]
    factories.make_course(COURSE)
    assert found(username="nobody") == [
        (Mark.PROBLEM, "The platform has no active user nobody", "Name another one by --as_user")
    ]
    allowed = settings.EVENT_TRACKING_BACKENDS_ALLOWED_XAPI_EVENTS
    settings.EVENT_TRACKING_BACKENDS_ALLOWED_XAPI_EVENTS = []
    assert found()[0][1] == "Events edx.ui.lms.link_clicked do not become statements"
    settings.EVENT_TRACKING_BACKENDS_ALLOWED_XAPI_EVENTS = allowed

    # No worker runs.
    *_passed, lost = found(patience_secs=0)
    assert lost == (
        Mark.PROBLEM,
        "The event still waits in the outbox after 0 s",
        "See the sections Workers and Delivery; python manage.py cms aspects_deliver delivers what waits",
    )
    with worker():
        # The reports do not know the course, which was never delivered.
        *_passed, lost = found()
        assert lost == (
            Mark.PROBLEM,
            f"The reports do not have the course {COURSE}",
            "Run python manage.py cms dump_data_to_clickhouse --object course_overviews",
        )
        # The view is cut off from the statements.
        deliver_course()
        for (table,) in ready.engine.query(f"SHOW TABLES FROM {reports}"):
            if table.startswith("events_v") and table.endswith("_feed"):
                ready.engine.query(f"DROP TABLE {reports}.{table} SYNC")
        *_passed, lost = found()
        assert lost[:2] == (
            Mark.PROBLEM,
            f"The statement is in the xAPI table, and `{reports}`.`course_summary` does not show it",
        )
        settings.ASPECTS_SUPERSET_READER = {"username": "boards"}
        assert (Mark.SKIPPED, "The reports are not looked at: ASPECTS_SUPERSET_READER has no password", "") in found()
        settings.ASPECTS_REPORTING_ENABLED = False
        assert found()[-1] == (
            Mark.NOTE,
            "It goes no further: reports are off",
            "Set ASPECTS_REPORTING_ENABLED to True",
        )
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = False
    assert found()[0][1] == "Learning events are off"


@pytest.mark.django_db(transaction=True)
def test_a_guest_of_superset_sees_the_event_or_a_later_one_and_no_earlier_one(
    ready: ClickHouseEndpoint, request: pytest.FixtureRequest
) -> None:
    factories.make_course(COURSE)
    deliver_course()
    superset = request.getfixturevalue("course_board")
    with worker():
        with answered_now(superset):
            assert found()[-1] == (
                Mark.OK,
                "A guest of Superset sees it in the Course board, as the last activity in the course",
                "",
            )
        plan(superset, {"Last activity": 4_102_444_800_000})
        assert found()[-1] == (
            Mark.NOTE,
            "Whether a guest of Superset sees it in the Course board is not known: the course has an event of the "
            "future, of 2100-01-01 00:00:00 UTC",
            "Give a course without such events",
        )
        remedy = "See in Superset that the dataset course_summary reads the ClickHouse of the plugin"
        for row, shows in (
            ({"Last activity": 1_767_225_661_500}, "its last activity is of 2026-01-01 00:01:01 UTC"),
            ({"Last activity": None}, "it shows no activity"),
        ):
            plan(superset, row)
            text = f"The Course board in Superset does not show the event: {shows}"
            assert found()[-1] == (Mark.PROBLEM, text, remedy)


@pytest.mark.django_db(transaction=True)
def test_an_event_of_the_future_hides_the_event_in_the_view(ready: ClickHouseEndpoint, settings: Any) -> None:
    factories.make_course(COURSE)
    deliver_course()
    table = f"{settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG['xapi_database']}.xapi_events_all"
    view = f"`{settings.ASPECTS_REPORTING_DATABASE}`.`course_summary`"
    with worker():
        assert (Mark.OK, f"{view} shows it, as boards reads it", "") in found()
        # The same act in the year 2090.
        ready.engine.query(
            f"INSERT INTO {table} SELECT * REPLACE (generateUUIDv4() AS event_id, "
            f"toDateTime64('2090-01-01 00:00:00', 6, 'UTC') AS emission_time) FROM {table}"
        )
        note = (
            Mark.NOTE,
            f"Whether {view} shows it is not known: the course has an event of the future, of 2090-01-01 00:00:00 UTC",
            "Give a course without such events",
        )
        assert note in found()


@pytest.mark.django_db
def test_a_course_and_a_user_are_needed(empty_store: None) -> None:
    code, _out, err = ended("aspects_check", "--as_user", "ada")
    assert (code, err) == (1, "--as_user needs --end_to_end")
    factories.make_course(COURSE)
    assert found() == [(Mark.PROBLEM, "The platform has no active superuser", "Name a user by --as_user")]


@pytest.fixture
def course_board(superset_endpoint: SupersetEndpoint, db: None) -> SupersetEndpoint:
    """Superset has the Course board, and lets guests read it."""
    record([Provisioned("course", "en", "Course", "0a1b2c3d-0000-4000-8000-000000000000", EMBEDDED, "hash")])
    superset_endpoint.dashboards.add(EMBEDDED)
    return superset_endpoint


@contextmanager
def answered_now(superset: SupersetEndpoint) -> Iterator[None]:
    """The chart says that somebody was active in the moment in which it is asked."""

    def answer() -> None:
        superset.wait_for_held()
        plan_rows(superset, {"Last activity": time.time_ns() // 1_000_000})
        superset.release()

    plan_board(superset)
    superset.hold("/chart/data")
    other = threading.Thread(target=answer)
    other.start()
    try:
        yield
    finally:
        superset.release()
        other.join()


def plan(superset: SupersetEndpoint, *rows: dict[str, Any], status: int = 200) -> None:
    plan_board(superset)
    plan_rows(superset, *rows, status=status)


def plan_board(superset: SupersetEndpoint) -> None:
    superset.plan("/embedded_dashboard/", Reply(200, {"result": {"uuid": EMBEDDED, "dashboard_id": "5"}}))
    superset.plan("/dashboard/5/charts", Reply(200, {"result": CHARTS}))


def plan_rows(superset: SupersetEndpoint, *rows: dict[str, Any], status: int = 200) -> None:
    superset.plan("/chart/data", Reply(status, {"result": [{"data": list(rows), "is_cached": False}]}))


def test_a_chart_is_asked_for_as_a_guest_in_the_course(course_board: SupersetEndpoint) -> None:
    user, course_key = factories.make_user("ada"), CourseKey.from_string(COURSE)
    plan(course_board, {"Last activity": 1_767_225_661_500})
    assert last_act(user, course_key) == datetime(2026, 1, 1, 0, 1, 1, 500_000, UTC)
    asked = course_board.requests[-1]
    assert asked.body["datasource"] == {"id": 3, "type": "table"}
    assert (asked.body["form_data"]["dashboardId"], asked.body["form_data"]["slice_id"]) == (5, 8)
    assert asked.body["force"] is True
    claims = course_board.read_guest_token(asked.headers["X-GuestToken"])
    assert [rule["clause"] for rule in claims["rls_rules"]] == [
        "COLUMNS('^org$') = 'Org'",
        f"COLUMNS('^course_key$') = '{COURSE}'",
    ]
    plan(course_board)
    assert last_act(user, course_key) is None


@pytest.mark.parametrize("page", ["dashboards.rst", "without_tutor.rst"])
def test_the_how_tos_name_the_chart_that_is_asked_for(page: str) -> None:
    text = (Path(__file__).parents[3] / "docs" / "how-tos" / page).read_text(encoding="utf-8")
    chart = "When was the last visit?"
    assert request_of([{**CHARTS[1], "slice_name": chart}], 5)["form_data"]["slice_id"] == 8
    assert f"*{chart}*" in " ".join(text.split())


def test_a_chart_that_superset_refuses(course_board: SupersetEndpoint) -> None:
    user, course_key = factories.make_user("ada"), CourseKey.from_string(COURSE)
    plan(course_board, status=403)
    with pytest.raises(SupersetRefused) as caught:
        last_act(user, course_key)
    assert str(caught.value).startswith("A guest cannot read a chart: POST ")
    with pytest.raises(SupersetRefused) as caught:
        request_of(CHARTS[:1], 5)
    assert str(caught.value).startswith("The Course board in Superset has no chart 'When was the last visit?': run ")
    forget(provisioned())
    with pytest.raises(SupersetMisconfigured) as caught_too:
        last_act(user, course_key)
    assert str(caught_too.value) == (
        "Superset does not have the plugin's boards: run python manage.py cms aspects_provision"
    )
