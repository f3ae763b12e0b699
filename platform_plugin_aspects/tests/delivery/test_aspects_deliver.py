"""``aspects_deliver``: delivering by hand, retrying failed objects, and discarding their changes."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.sinks import BaseSink, Batch, Selection, Written
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.commands import ended, run
from platform_plugin_aspects.tests.conftest import latest
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

LATER = timedelta(hours=5)


def deliver_by_hand(*args: Any) -> list[str]:
    """The lines that the command prints."""
    return [line.rstrip() for line in run("aspects_deliver", *args).splitlines()]


def delivery_fails(*args: Any) -> tuple[str, list[str]]:
    """The message with which the command fails, and the lines that it prints before."""
    code, out, err = ended("aspects_deliver", *args)
    assert code == 1
    return err, [line.rstrip() for line in out.splitlines()]


def waiting_profile() -> int:
    """A profile that could not be written, and is not to be tried before long."""
    profile = factories.make_user().profile
    Change.objects.update(attempts=3, error="it was bad", retry_at=datetime.now(UTC) + LATER)
    return int(profile.pk)


@pytest.mark.django_db
def test_everything_that_is_pending_is_delivered_sink_by_sink(all_on: None, clickhouse: ClickHouse) -> None:
    profiles = [factories.make_user().profile.pk for _ in range(2)]
    taxonomies = [factories.make_taxonomy() for _ in range(3)]
    deliver_changes("taxonomy")
    taxonomies[0].delete()
    lines = deliver_by_hand()
    assert [line.split()[0] for line in lines] == list(sinks())
    assert "user_profile       2 objects delivered" in lines
    assert "taxonomy           0 objects delivered, 1 deleted" in lines
    assert set(latest(clickhouse, "user_profile")) == set(profiles)
    assert not Change.objects.exists()


@pytest.mark.django_db
def test_what_one_sink_records_for_another_is_delivered_in_the_same_run(all_on: None, clickhouse: ClickHouse) -> None:
    tag = factories.make_tag()
    factories.make_object_tag("course-v1:a+b+c", tag)
    deliver_by_hand()
    tag.value = "renamed"
    tag.save()
    assert "object_tag         1 object delivered" in deliver_by_hand()
    assert not Change.objects.exists()


@pytest.mark.django_db
def test_only_the_sinks_that_are_named(all_on: None, clickhouse: ClickHouse) -> None:
    factories.make_user()
    factories.make_taxonomy()
    factories.make_tag()
    assert deliver_by_hand("--object", "tag", "user_profile") == [
        "tag           1 object delivered",
        "user_profile  1 object delivered",
    ]
    assert set(Change.objects.values_list("sink", flat=True)) == {"taxonomy"}


@pytest.mark.django_db
def test_changes_of_a_sink_that_is_off_are_kept(settings: Any, clickhouse: ClickHouse) -> None:
    Change.objects.create(sink="tag", object_id="1")
    assert deliver_by_hand("--object", "tag") == ["tag  off; what is recorded is kept"]
    assert Change.objects.count() == 1


@pytest.mark.django_db
def test_the_command_delivers_before_the_back_off_is_over(all_on: None, clickhouse: ClickHouse) -> None:
    factories.make_user()
    SinkState.objects.create(sink="user_profile", failures=9, retry_at=datetime.now(UTC) + LATER)
    assert deliver_by_hand("--object", "user_profile") == ["user_profile  1 object delivered"]
    state = SinkState.objects.get(sink="user_profile")
    assert (state.failures, state.retry_at) == (0, None)


@pytest.mark.django_db
def test_clickhouse_is_away(all_on: None, clickhouse_http: ClickHouseEndpoint) -> None:
    factories.make_user()
    SinkState.objects.create(sink="user_profile", failures=9)
    clickhouse_http.fail("503", times=None)
    message, lines = delivery_fails("--object", "tag", "user_profile")
    assert message == "Not all is delivered of user_profile"
    assert lines[0] == "tag           0 objects delivered"
    assert lines[1].startswith("user_profile  failed, all is kept: ClickHouse ")
    assert "HTTP 503" in lines[1]
    state = SinkState.objects.get(sink="user_profile")
    # Workers go on as if one of them had tried.
    assert state.failures == 10
    assert state.retry_at is not None
    assert Change.objects.count() == 1


@pytest.mark.django_db
def test_the_remedy_for_a_wrong_configuration_is_told(all_on: None, clickhouse_http: Any, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG["password"] = "wrong"
    factories.make_user()
    _message, lines = delivery_fails("--object", "user_profile")
    assert 'correct "username" and "password" in EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG' in lines[0]


@pytest.mark.django_db
def test_objects_that_cannot_be_written_are_named_with_the_reason(all_on: None, clickhouse: ClickHouse) -> None:
    factories.make_taxonomy()
    outbox.record("taxonomy", ["x\x1b[2J1", "x2"])
    message, lines = delivery_fails("--object", "taxonomy")
    assert message.startswith("Not all is delivered of taxonomy; ")
    assert "--retry-failed tries them too, --forget gives one up" in message
    assert lines == [
        "taxonomy  1 object delivered, 2 cannot be written",
        "          x [2J1 cannot be written: 'x\\x1b[2J1' is not a key of taxonomy",
        "          x2 cannot be written: 'x2' is not a key of taxonomy",
    ]


@pytest.mark.django_db
def test_objects_that_wait_are_left_alone_unless_asked_for(all_on: None, clickhouse: ClickHouse) -> None:
    pk = waiting_profile()
    message, lines = delivery_fails("--object", "user_profile", "tag")
    assert message.startswith("Not all is delivered of user_profile; ")
    assert "user_profile  0 objects delivered" in lines
    assert deliver_by_hand("--object", "user_profile", "tag", "--retry-failed") == [
        "tag           0 objects delivered",
        "user_profile  1 object delivered",
    ]
    assert set(latest(clickhouse, "user_profile")) == {pk}
    assert not Change.objects.exists()


@pytest.mark.django_db
def test_attempts_add_up_over_retries(all_on: None, clickhouse: ClickHouse) -> None:
    outbox.record("taxonomy", ["x"])
    for attempts in (1, 2, 3):
        delivery_fails("--object", "taxonomy", "--retry-failed")
        change = Change.objects.get()
        assert (change.attempts, change.retry_at > datetime.now(UTC)) == (attempts, True)


@pytest.mark.django_db
def test_a_newer_change_of_a_failing_object_adds_to_the_older(all_on: None, clickhouse: ClickHouse) -> None:
    outbox.record("taxonomy", ["x"])
    deliver_changes("taxonomy")
    (first,) = Change.objects.all()
    outbox.record("taxonomy", ["x"])
    deliver_changes("taxonomy")
    (kept,) = Change.objects.all()
    assert (kept.pk, kept.recorded_at, kept.attempts) == (first.pk, first.recorded_at, 2)


@pytest.mark.django_db
def test_failed_objects_of_one_sink_or_of_all_are_tried_again() -> None:
    for sink, object_id in (("tag", "1"), ("tag", "2"), ("taxonomy", "3")):
        Change.objects.create(sink=sink, object_id=object_id, attempts=1, retry_at=datetime.now(UTC) + LATER)
    Change.objects.create(sink="tag", object_id="4")
    assert outbox.retry_failed("tag") == 2
    due = Change.objects.filter(retry_at__lt=datetime.now(UTC) + LATER / 2)
    assert sorted(due.values_list("object_id", flat=True)) == ["1", "2"]
    assert (outbox.retry_failed(), due.count(), outbox.retry_failed()) == (1, 3, 0)


class Interrupted(BaseSink):
    """A sink during whose delivery somebody presses Ctrl-C."""

    name = "interrupted"
    model = "user_preference"

    def parse_key(self, text: str) -> str:
        return text

    def read(self, selection: Selection) -> Batch:
        raise KeyboardInterrupt

    def write(self, batch: Batch, stamp: datetime) -> Written:
        raise NotImplementedError


@pytest.mark.django_db
def test_ctrl_c_keeps_what_is_not_delivered(settings: Any, clickhouse: ClickHouse) -> None:
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{__name__}.Interrupted"]
    settings.EVENT_SINK_CLICKHOUSE_USER_PREFERENCE_ENABLED = True
    outbox.record("interrupted", ["a"])
    with pytest.raises(CommandError, match="what is not delivered is kept") as caught:
        deliver_by_hand("--object", "interrupted")
    assert caught.value.returncode == 130
    assert Change.objects.count() == 1


# Giving up


@pytest.mark.django_db
def test_an_object_is_given_up_with_all_its_changes(all_on: None) -> None:
    for sink, object_id in (("tag", "7"), ("tag", "7"), ("tag", "77"), ("taxonomy", "7")):
        Change.objects.create(sink=sink, object_id=object_id)
    said, done = deliver_by_hand("--forget", "tag", "7")
    assert said.startswith("Giving up the changes of tag 7: ")
    assert said.endswith("you run: python manage.py cms dump_data_to_clickhouse --object tag --ids 7")
    assert done == "2 changes deleted"
    assert sorted(Change.objects.values_list("sink", "object_id")) == [("tag", "77"), ("taxonomy", "7")]


@pytest.mark.django_db
@pytest.mark.parametrize(("sink", "meaning"), [("auth_user", "no backfill deletes it"), ("gone", "no sink of this")])
def test_discarding_a_change_that_no_backfill_repeats_says_so(sink: str, meaning: str) -> None:
    Change.objects.create(sink=sink, object_id="7")
    said, _done = deliver_by_hand("--forget", sink, "7")
    assert meaning in said
    assert "dump_data_to_clickhouse" not in said
    assert not Change.objects.exists()


class GivenUp(Interrupted):
    """A sink whose objects cannot be read, and are given up while that is tried."""

    name = "given_up"

    def read(self, selection: Selection) -> Batch:
        assert outbox.discard(self.name, "a") == 1
        raise ValueError("about somebody")


@pytest.mark.django_db
def test_a_change_discarded_during_its_delivery_stays_discarded(settings: Any, clickhouse: ClickHouse) -> None:
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{__name__}.GivenUp"]
    settings.EVENT_SINK_CLICKHOUSE_USER_PREFERENCE_ENABLED = True
    outbox.record("given_up", ["a"])
    (reason,) = deliver_changes("given_up").outcome.rejected.values()
    # The message of an exception may hold a learner's data.
    assert re.fullmatch(r"ValueError in test_aspects_deliver\.py, line \d+", reason)
    assert not Change.objects.exists()


@pytest.mark.django_db
def test_there_must_be_something_to_give_up() -> None:
    Change.objects.create(sink="tag", object_id="77")
    message, lines = delivery_fails("--forget", "tag", "7")
    assert message.startswith("Nothing is recorded of tag 7; ")
    message, _lines = delivery_fails("--forget", "nope", "1")
    assert message.startswith("There is no sink 'nope', and nothing is recorded of one: choose among taxonomy, tag, ")
    # A terminal passes bytes that are not text so.
    message, _lines = delivery_fails("--forget", "tag", "\udcff")
    assert message.startswith("Nothing is recorded of tag \ufffd; ")
    assert (lines, Change.objects.count()) == ([], 1)


# Invalid options, and database faults


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--object", "tag", "tags"), "There is no sink 'tags': choose among taxonomy, tag, "),
        (("--forget", "tag", "7", "--object", "tag"), "--forget delivers nothing"),
        (("--forget", "tag", "7", "--retry-failed"), "--forget delivers nothing"),
    ],
)
def test_invalid_options_are_refused(args: tuple[str, ...], told: str) -> None:
    message, lines = delivery_fails(*args)
    assert message.startswith(told)
    assert lines == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("sqlite" not in connection.settings_dict["ENGINE"], reason="how SQLite locks; see make services")
def test_a_database_fault_is_one_error_message(all_on: None, clickhouse: ClickHouse) -> None:
    factories.make_user()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
    try:
        with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            message, _lines = delivery_fails("--object", "user_profile")
            other.execute("ROLLBACK")
    finally:
        connection.close()
    assert message.startswith("The platform's database failed (OperationalError): ")
    assert Change.objects.count() == 1
