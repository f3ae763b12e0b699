"""ClickHouse away or misconfigured, objects that cannot be written, processes killed, learners retired on the way."""

from __future__ import annotations

import itertools
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.contrib.auth.models import User
from django.db import connection

import platform_plugin_aspects
from platform_plugin_aspects.clickhouse.client import ClickHouse, close_clients
from platform_plugin_aspects.delivery import outbox, pending
from platform_plugin_aspects.delivery.deliver import Delivery, deliver_changes
from platform_plugin_aspects.delivery.isolate import write_and_clean_up
from platform_plugin_aspects.delivery.sink_lock import take_stamp, wait_after
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.sinks import ModelBaseSink, Selection, UserProfileSink
from platform_plugin_aspects.sinks.column import Column, Value
from platform_plugin_aspects.tests.broker import Broker
from platform_plugin_aspects.tests.conftest import latest, rows
from test_utils import factories, retirement
from test_utils.clickhouse_endpoint import ClickHouseEndpoint, Fault

REPOSITORY = Path(platform_plugin_aspects.__file__).resolve().parents[1]
PASSWORD = "a-secret-password-7f3a"
UNREACHABLE = "http://127.0.0.1:1"


def time_passes(sink: str) -> None:
    """The waits of a sink and of its bad objects are over."""
    now = datetime.now(UTC)
    SinkState.objects.filter(sink=sink, retry_at__isnull=False).update(retry_at=now)
    Change.objects.filter(sink=sink, retry_at__isnull=False).update(retry_at=now)


# ClickHouse is away


def stops(endpoint: ClickHouseEndpoint) -> None:
    endpoint.stop()


def fails(kind: str, **options: Any) -> Callable[[ClickHouseEndpoint], None]:
    def fail(endpoint: ClickHouseEndpoint) -> None:
        endpoint.fail(kind, match="INSERT" if kind != "refuse" else None, times=None, **options)

    return fail


PASSING = {
    "port closed": (stops, "cannot be reached"),
    "refuse": (fails("refuse"), "cannot be reached"),
    "reset": (fails("reset"), "cannot be reached"),
    "reset after execute": (fails("reset_after_execute"), "cannot be reached"),
    "502": (fails("502"), "HTTP 502"),
    "503": (fails("503"), "HTTP 503"),
    "504": (fails("504"), "HTTP 504"),
    "too many parts": (fails("too_many_parts"), "252 TOO_MANY_PARTS"),
    "timeout of the server": (fails("exception", code=159), "159 TIMEOUT_EXCEEDED"),
    "memory": (fails("exception", code=241), "241 MEMORY_LIMIT_EXCEEDED"),
    "read only": (fails("exception", code=242), "242 TABLE_IS_READ_ONLY"),
    "keeper": (fails("exception", code=999), "999 KEEPER_EXCEPTION"),
    "slow": (fails("slow", seconds=60), "cannot be reached"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", PASSING)
def test_what_clickhouse_does_not_take_is_kept_and_delivered_afterwards(
    all_on: None,
    clickhouse_http: ClickHouseEndpoint,
    clickhouse: ClickHouse,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    fault, told = PASSING[name]
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG["timeout_secs"] = 1
    profile = factories.make_user().profile
    earlier = datetime.now(UTC)
    fault(clickhouse_http)

    failed = deliver_changes("user_profile")
    assert (failed.status, failed.changes) == ("failed", 0)
    assert told in failed.error
    state = SinkState.objects.get(sink="user_profile")
    assert (state.failures, state.last_error, state.last_success_at) == (1, failed.error, None)
    # The wait begins when the attempt ends.
    assert state.last_error_at >= earlier + timedelta(seconds=1 if name == "slow" else 0)
    assert failed.wait is not None
    assert state.retry_at == state.last_error_at + timedelta(seconds=failed.wait)
    (error,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert failed.error in error.getMessage()
    # The fault is not the object's.
    (change,) = Change.objects.all()
    assert (change.attempts, change.error, change.retry_at) == (0, "", None)

    assert deliver_changes("user_profile") == Delivery("user_profile", status="waiting")
    profile.city = "changed meanwhile"
    profile.save()
    clickhouse_http.heal()
    clickhouse_http.start()
    clickhouse_http.wait_until_idle()
    time_passes("user_profile")
    assert deliver_changes("user_profile").changes == 2
    assert latest(clickhouse, "user_profile")[profile.pk]["city"] == "changed meanwhile"
    assert not Change.objects.exists()
    state.refresh_from_db()
    assert (state.failures, state.retry_at) == (0, None)
    assert state.last_success_at is not None


@pytest.mark.django_db
def test_an_insert_whose_answer_is_lost_is_repeated_and_the_latest_row_is_right(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse
) -> None:
    profile = factories.make_user().profile
    # The driver repeats a request once when the connection is reset.
    clickhouse_http.fail("reset_after_execute", times=2, match="INSERT")
    assert deliver_changes("user_profile").status == "failed"
    assert {row["city"] for row in rows(clickhouse, "user_profile")} == {""}
    profile.city = "newer"
    profile.save()
    time_passes("user_profile")
    assert deliver_changes("user_profile").status == "delivered"
    assert {row["city"] for row in rows(clickhouse, "user_profile")} == {"", "newer"}
    assert latest(clickhouse, "user_profile")[profile.pk]["city"] == "newer"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("failures", [1, 22])
def test_an_unenrollment_arrives_though_clickhouse_is_away(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, broker: Broker, failures: int
) -> None:
    """For one request, and for an hour: 22 waits are longer, whatever the jitter."""
    enrollment = CourseEnrollment.enroll(factories.make_user(), factories.make_course_key())
    broker.work()
    assert latest(clickhouse, "course_enrollment")[enrollment.pk]["is_active"] is True
    clickhouse_http.fail("503", times=failures)
    CourseEnrollment.unenroll(enrollment.user, enrollment.course_id)

    waits = []
    for _ in range(failures):
        (sent,) = broker.take()
        sent.run()
        state = SinkState.objects.get(sink="course_enrollment")
        waits.append((state.retry_at - state.last_error_at).total_seconds())
        assert Change.objects.exists()
        time_passes("course_enrollment")
    if failures > 1:
        assert sum(waits) > 3600
    (sent,) = broker.take()
    assert waits[-1] - 10 < sent.wait <= waits[-1]
    sent.run()
    assert latest(clickhouse, "course_enrollment")[enrollment.pk]["is_active"] is False
    assert not Change.objects.exists()
    assert broker.take() == []


def test_waits_grow_are_jittered_and_end_at_ten_minutes() -> None:
    def bounds(failures: int) -> tuple[float, float]:
        waits = {wait_after(failures).total_seconds() for _ in range(200)}
        assert len(waits) > 100
        return min(waits), max(waits)

    for failures in range(1, 9):
        full = 2.0**failures
        low, high = bounds(failures)
        assert full / 2 <= low < high <= full
    for failures in (10, 11, 50, 10_000):
        low, high = bounds(failures)
        assert 300 <= low < high <= 600


@pytest.mark.django_db
def test_an_earlier_request_does_not_shorten_the_back_off(
    all_on: None, clickhouse_http: ClickHouseEndpoint, broker: Broker
) -> None:
    factories.make_user()
    clickhouse_http.fail("503", match="INSERT")
    deliver_changes("user_profile")
    clickhouse_http.clear()
    outbox.request_delivery("user_profile")
    broker.work()
    assert clickhouse_http.requests == []
    assert broker.take() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"password": PASSWORD}, ("EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG", '"password"')),
        ({"username": "nobody", "password": PASSWORD}, ('"username"', "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG")),
        ({"database": "event_sink_gone"}, ("the database is missing", "aspects_create_tables")),
        ({"username": "reader"}, ("lacks a grant", "INSERT, SELECT and DELETE")),
        ({"url": "ftp://clickhouse:21"}, ("ftp://clickhouse:21", "http(s)://host:port")),
        ({"url": f"http://user:{PASSWORD}@127.0.0.1:1"}, ("cannot be reached", UNREACHABLE)),
        ({"url": UNREACHABLE, "password": PASSWORD}, ("cannot be reached", UNREACHABLE)),
        ({"timeout_secs": "soon"}, ("timeout_secs", "'soon'")),
    ],
)
def test_a_wrong_configuration_keeps_the_changes_and_says_what_to_do(
    all_on: None,
    clickhouse_http: ClickHouseEndpoint,
    clickhouse: ClickHouse,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, str],
    told: tuple[str, ...],
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setitem(clickhouse_http.users, "reader", ("password", {"event_sink*": ("SELECT",)}))
    right = settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {**right, **config}
    profile = factories.make_user().profile

    failed = deliver_changes("user_profile")
    assert failed.status == "failed"
    assert failed.wait is not None
    (error,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    for part in told:
        assert part in error.getMessage()
        assert part in SinkState.objects.get().last_error
    assert error.exc_info is None
    assert Change.objects.count() == 1
    for text in (caplog.text, failed.error, str(failed), SinkState.objects.get().last_error):
        assert PASSWORD not in text

    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = right
    time_passes("user_profile")
    assert deliver_changes("user_profile").status == "delivered"
    assert set(latest(clickhouse, "user_profile")) == {profile.pk}


@pytest.mark.django_db
def test_a_missing_table_keeps_the_changes_and_names_the_command(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse
) -> None:
    factories.make_user()
    clickhouse.command(f"DROP TABLE {clickhouse.qualified('user_profile')} SYNC")
    failed = deliver_changes("user_profile")
    assert failed.status == "failed"
    assert "aspects_create_tables" in failed.error
    assert Change.objects.count() == 1


# An object that cannot be written


class Refusing(ModelBaseSink):
    """A third party's sink whose converter raises for some values, on a table of the plugin's."""

    name = "preference"
    table_name = "taxonomy"
    model = "user_preference"

    @staticmethod
    def refuse(value: str) -> str:
        if value == "bad":
            raise RuntimeError("this is a bad value")
        return value

    columns = (Column("id", "Int32"), Column("name", "String", Value("value", refuse)))


@pytest.fixture
def refusing(settings: Any, clickhouse_http: ClickHouseEndpoint) -> User:
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{__name__}.Refusing"]
    settings.EVENT_SINK_CLICKHOUSE_USER_PREFERENCE_ENABLED = True
    return factories.make_user()


def _preferences(user: User, *values: str) -> list[Any]:
    made = [user.preferences.create(key=f"key {number}", value=value) for number, value in enumerate(values)]
    outbox.record("preference", [each.pk for each in made])
    return made


@pytest.mark.django_db
@pytest.mark.parametrize("bad", [(), (0,), (7,), (15,), (3, 4), (0, 5, 10, 15), tuple(range(16))])
def test_bad_objects_are_isolated_and_delay_no_others(
    refusing: User, clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture, bad: tuple[int, ...]
) -> None:
    made = _preferences(refusing, *("bad" if number in bad else "good" for number in range(16)))
    earlier = datetime.now(UTC)
    result = deliver_changes("preference")
    assert result.status == "delivered"
    assert (result.objects, len(result.outcome.rejected)) == (16 - len(bad), len(bad))
    # Halving: at most all levels above each bad one.
    assert result.outcome.writes <= max(1, 4 * len(bad))
    wrong = {made[number].pk for number in bad}
    assert set(latest(clickhouse, "taxonomy")) == {each.pk for each in made} - wrong
    kept = list(Change.objects.all())
    assert {int(change.object_id) for change in kept} == wrong
    for change in kept:
        assert change.attempts == 1
        assert "taxonomy.name" in change.error
        assert change.retry_at >= earlier + pending.FIRST_OBJECT_WAIT / 2
    # The value may be a learner's.
    assert "this is a bad value" not in caplog.text
    assert SinkState.objects.get(sink="preference").failures == 0


@pytest.mark.django_db
def test_a_bad_object_is_tried_again_with_growing_waits(refusing: User, clickhouse: ClickHouse) -> None:
    (preference,) = _preferences(refusing, "bad")
    outbox.record("preference", [preference.pk] * 3)
    waits = []
    for attempts in range(1, 16):
        moment = datetime.now(UTC)
        deliver_changes("preference")
        (change,) = Change.objects.all()
        assert change.attempts == attempts
        waits.append(change.retry_at - moment)
        # Not before its time.
        deliver_changes("preference")
        assert Change.objects.get().attempts == attempts
        time_passes("preference")
    for number, wait in enumerate(waits):
        full = min(timedelta(minutes=1) * 2**number, timedelta(days=1))
        assert full / 2 <= wait <= full + timedelta(seconds=10)

    preference.value = "good"
    preference.save()
    deliver_changes("preference")
    assert not Change.objects.exists()
    assert latest(clickhouse, "taxonomy")[preference.pk]["name"] == "good"


@pytest.mark.django_db
def test_a_newer_change_of_a_bad_object_is_tried_at_once_and_takes_the_older_along(
    refusing: User, clickhouse: ClickHouse
) -> None:
    bad, _good = _preferences(refusing, "bad", "good")
    deliver_changes("preference")
    bad.value = "good now"
    bad.save()
    outbox.record("preference", [bad.pk])
    assert deliver_changes("preference").objects == 1
    assert not Change.objects.exists()
    assert latest(clickhouse, "taxonomy")[bad.pk]["name"] == "good now"


@pytest.mark.django_db
def test_an_id_beyond_the_columns_type_is_a_bad_object(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse
) -> None:
    good, large = factories.make_taxonomy(), factories.make_taxonomy(id=2**31)
    Change.objects.create(sink="taxonomy", object_id="no number")
    result = deliver_changes("taxonomy")
    assert result.status == "delivered"
    assert set(latest(clickhouse, "taxonomy")) == {good.pk}
    assert set(Change.objects.values_list("object_id", "attempts")) == {(str(large.pk), 1), ("no number", 1)}
    assert "'no number' is not a key of taxonomy" in Change.objects.get(object_id="no number").error


@pytest.mark.django_db
def test_a_value_that_cannot_be_encoded_is_a_bad_object_and_stays_out_of_messages(
    refusing: User, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    no_text = Column("name", "String", Value("value", lambda text: [text] if "x" in text else text))
    monkeypatch.setattr(Refusing, "columns", (Refusing.columns[0], no_text))
    bad, good = _preferences(refusing, "secret x", "good")
    deliver_changes("preference")
    assert set(latest(clickhouse, "taxonomy")) == {good.pk}
    (change,) = Change.objects.all()
    assert change.object_id == str(bad.pk)
    assert "cannot be encoded" in change.error
    assert "secret" not in change.error
    # The database's own logger shows the statements of the platform.
    shown = [record.getMessage() for record in caplog.records if not record.name.startswith("django.db")]
    assert not any("secret" in message for message in shown)


@pytest.mark.django_db
def test_while_clickhouse_is_away_no_object_is_blamed(
    refusing: User, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse
) -> None:
    _preferences(refusing, "good", "bad", "good", "good")
    clickhouse_http.fail("503", match="INSERT")
    assert deliver_changes("preference").status == "failed"
    assert set(Change.objects.values_list("attempts", flat=True)) == {0}
    assert Change.objects.count() == 4
    time_passes("preference")
    deliver_changes("preference")
    assert len(latest(clickhouse, "taxonomy")) == 3


@pytest.mark.django_db
def test_rows_that_clickhouse_refuses_are_isolated_too(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse
) -> None:
    first, second = (factories.make_user().profile for _ in range(2))
    # The insert of both, then that of the first.
    clickhouse_http.fail("exception", times=2, match="INSERT", code=27)
    result = deliver_changes("user_profile")
    assert result.status == "delivered"
    assert set(latest(clickhouse, "user_profile")) == {second.pk}
    change = Change.objects.get()
    assert change.object_id == str(first.pk)
    assert "code 27" in change.error


# A process is killed


class Held(Fault):
    """A statement that is not executed before ``goes_on``; ``arrived`` when it has come."""

    def __init__(self, match: str) -> None:
        super().__init__("slow", match=match)
        self.arrived = threading.Event()
        self.goes_on = threading.Event()

    @property
    def seconds(self) -> float:
        self.arrived.set()
        assert self.goes_on.wait(60)
        return 0


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_between_insert_and_delete_delivers_again(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, settings: Any, tmp_path: Path
) -> None:
    profiles = [factories.make_user().profile for _ in range(3)]
    held = Held("INSERT")
    clickhouse_http.faults.add(held)
    tokens = {
        "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": {**settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG, "timeout_secs": 60},
        "EVENT_SINK_CLICKHOUSE_USER_PROFILE_ENABLED": True,
    }
    (tmp_path / "tokens.json").write_text(json.dumps(tokens))
    child = subprocess.Popen(
        [
            sys.executable,
            str(REPOSITORY / "manage.py"),
            "cms",
            "shell",
            "-c",
            "from platform_plugin_aspects.tasks import deliver; deliver('user_profile')",
        ],
        env={
            **{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
            "STANDIN_DATA_DIR": str(tmp_path),
            "STANDIN_DATABASE_URL": f"sqlite://{connection.settings_dict['NAME']}",
            "STANDIN_ENV_TOKENS": str(tmp_path / "tokens.json"),
        },
        stdout=subprocess.DEVNULL,
    )
    try:
        assert held.arrived.wait(60)
    finally:
        child.kill()
        child.wait()
        held.goes_on.set()
    clickhouse_http.wait_until_idle()
    assert len(rows(clickhouse, "user_profile")) == 3
    assert Change.objects.count() == 3

    profiles[0].city = "newer"
    profiles[0].save()
    assert deliver_changes("user_profile").changes == 4
    assert len(rows(clickhouse, "user_profile")) == 6
    found = latest(clickhouse, "user_profile")
    assert {key: row["city"] for key, row in found.items()} == {p.pk: p.city or "" for p in profiles}
    assert not Change.objects.exists()


# A learner is retired

STEPS = [name for name, _step, _state in retirement.STEPS]
ORDERS = list(itertools.permutations(["user_profile", "external_id", "auth_user"]))
PII = {"user_profile": "user_id", "external_id": "user_id"}


def _learner() -> User:
    user = factories.make_user("the_learner")
    factories.make_external_id(user)
    factories.make_enrollment(user)
    return user


def _of_learner(clickhouse: ClickHouse, user_id: int) -> dict[str, int]:
    return {table: len(rows(clickhouse, table, f"user_id = {user_id}")) for table in PII}


def _deliver_in(order: tuple[str, ...]) -> None:
    for name in order:
        assert deliver_changes(name).status == "delivered"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("stop", "order"),
    [
        (stop, order)
        for stop in STEPS
        for order in ORDERS
        if order in (ORDERS[0], ORDERS[-1]) or stop in ("retire_misc", "clear_profile")
    ],
)
def test_whenever_a_retirement_stops_and_is_delivered_nothing_of_the_learner_is_left(
    all_on: None, clickhouse: ClickHouse, stop: str, order: tuple[str, ...]
) -> None:
    user, other = _learner(), factories.make_user()
    _deliver_in(order)
    before = _of_learner(clickhouse, user.pk)
    assert before == {"user_profile": 1, "external_id": 1}
    for step in retirement.retirement_steps(user):
        # Whatever saves them meanwhile.
        user.profile.save()
        user.externalid_set.get().save()
        if step == stop:
            _deliver_in(order)
            # While it may be cancelled nothing is erased; but from the request on nothing is written.
            erased = step != "request"
            assert _of_learner(clickhouse, user.pk) == (dict.fromkeys(PII, 0) if erased else before)
    _deliver_in(order)
    assert _of_learner(clickhouse, user.pk) == dict.fromkeys(PII, 0)
    assert set(latest(clickhouse, "user_profile")) == {other.profile.pk}


@pytest.mark.django_db
def test_a_profile_saved_between_clearing_and_renaming_is_not_written(all_on: None, clickhouse: ClickHouse) -> None:
    user = _learner()
    for step in retirement.retirement_steps(user):
        Change.objects.exclude(sink="user_profile").delete()
        if step == "clear_profile":
            assert User.objects.get(pk=user.pk).username == "the_learner"
            assert Change.objects.filter(sink="user_profile").exists()
            deliver_changes("user_profile")
    # The renaming is recorded, too.
    deliver_changes("user_profile")
    assert rows(clickhouse, "user_profile") == []
    assert not Change.objects.filter(sink="user_profile").exists()


@pytest.mark.django_db
@pytest.mark.parametrize("settled", [True, False])
def test_what_was_read_before_and_written_after_a_retirement_began_is_taken_back(
    all_on: None, clickhouse: ClickHouse, settled: bool
) -> None:
    user, other = _learner(), factories.make_user()
    sink = UserProfileSink()
    stamp = take_stamp("user_profile")
    batch = sink.read(Selection())
    retirement.retire(user)
    deliver_changes("auth_user")
    if settled:
        write_and_clean_up(sink, batch, stamp)
    else:
        sink.write(batch, stamp)
    # Without settling it is there: the test can tell.
    assert _of_learner(clickhouse, user.pk)["user_profile"] == (0 if settled else 1)
    assert len(rows(clickhouse, "user_profile", f"user_id = {other.pk}")) == 1


@pytest.mark.django_db
def test_retirement_uses_the_configured_tables_and_skips_missing_ones(
    all_on: None,
    clickhouse_http: ClickHouseEndpoint,
    clickhouse: ClickHouse,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Over HTTP, as the user who may not more than INSERT, SELECT and DELETE."""
    caplog.set_level(logging.INFO, "platform_plugin_aspects")
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["auth_user", "user_profile", "taxonomy", "course_enrollment"]
    user = _learner()
    outbox.record("course_enrollment", CourseEnrollment.objects.values_list("pk", flat=True))
    for sink in ("user_profile", "external_id", "course_enrollment"):
        assert deliver_changes(sink).objects == 1
    retirement.request_retirement(user)
    retirement.retire_misc(user)
    assert deliver_changes("auth_user").status == "delivered"
    assert rows(clickhouse, "user_profile") == rows(clickhouse, "course_enrollment") == []
    assert len(rows(clickhouse, "external_id")) == 1
    skipped = [record for record in caplog.records if "skipped" in record.getMessage()]
    assert [record.levelname for record in skipped] == ["INFO", "INFO"]
    assert "'auth_user'" in skipped[0].getMessage()
    assert "'taxonomy'" in skipped[1].getMessage()
    assert {request.user for request in clickhouse_http.requests} == {"ch_cms"}
    assert not Change.objects.filter(sink="auth_user").exists()


@pytest.mark.django_db
@pytest.mark.parametrize("fault", ["503", "reset", "reset_after_execute"])
def test_a_retirement_waits_for_clickhouse(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, fault: str
) -> None:
    user = _learner()
    _deliver_in(("user_profile", "external_id"))
    retirement.request_retirement(user)
    retirement.retire_misc(user)
    clickhouse_http.fail(fault, match="DELETE")
    assert deliver_changes("auth_user").status == "failed"
    assert Change.objects.filter(sink="auth_user").count() == 1
    time_passes("auth_user")
    assert deliver_changes("auth_user").status == "delivered"
    assert _of_learner(clickhouse, user.pk) == dict.fromkeys(PII, 0)


class Interposed(Fault):
    """Does something of its own just before the statement is executed."""

    def __init__(self, match: str, action: Callable[[], None]) -> None:
        super().__init__("slow", match=match)
        self.action = action

    @property
    def seconds(self) -> float:
        self.action()
        return 0


@pytest.mark.django_db
def test_a_retirement_is_done_only_when_no_row_is_left(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse
) -> None:
    user = _learner()
    _deliver_in(("user_profile", "external_id"))
    retirement.request_retirement(user)
    retirement.retire_misc(user)
    table = clickhouse.qualified("external_id")
    sql = f"INSERT INTO {table} VALUES (generateUUIDv4(), 'xapi', 'x', {user.pk}, generateUUIDv4(), '')"
    # Somebody writes between the deleting and the counting.
    clickhouse_http.faults.add(Interposed("count.*external_id", lambda: clickhouse_http.engine.query(sql) and None))
    failed = deliver_changes("auth_user")
    assert failed.status == "failed"
    assert "1 rows of retired learners are still in external_id" in failed.error
    assert Change.objects.filter(sink="auth_user").count() == 1
    time_passes("auth_user")
    assert deliver_changes("auth_user").status == "delivered"
    assert _of_learner(clickhouse, user.pk) == dict.fromkeys(PII, 0)
    assert not Change.objects.filter(sink="auth_user").exists()


@pytest.mark.django_db
def test_many_retirements_are_one_delivery(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse
) -> None:
    users = factories.make_many_users(10)
    outbox.record("user_profile", UserProfile.objects.values_list("pk", flat=True))
    deliver_changes("user_profile")
    for user in users:
        outbox.record("auth_user", [user.pk])
    clickhouse_http.clear()
    assert deliver_changes("auth_user").objects == 10
    assert sum("DELETE" in request.statement for request in clickhouse_http.requests) == 1
    assert rows(clickhouse, "user_profile") == []


@pytest.fixture(autouse=True)
def _fresh_clients() -> Iterator[None]:
    yield
    close_clients()
