"""Faults of the platform's databases while a batch is read or written: no object is blamed for them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import (
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
)
from django.db.transaction import TransactionManagementError
from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError
from xmodule.modulestore.blocks import Block

from platform_plugin_aspects import tasks
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.delivery.isolate import write_what_can_be
from platform_plugin_aspects.errors import PLATFORM_FAULTS
from platform_plugin_aspects.models import BackfillRange, Change, SinkState
from platform_plugin_aspects.sinks import ModelBaseSink, Written
from platform_plugin_aspects.sinks.column import Column, Value
from platform_plugin_aspects.tests.broker import Broker
from platform_plugin_aspects.tests.conftest import latest
from test_utils import factories

FAULTS = [
    OperationalError(2006, "MySQL server has gone away"),
    InterfaceError(0, ""),
    DataError("out of range"),
    IntegrityError("duplicate"),
    TransactionManagementError("the transaction is broken"),
    AutoReconnect("the primary stepped down"),
    ServerSelectionTimeoutError("no servers found"),
]


@pytest.fixture(params=FAULTS, ids=lambda fault: type(fault).__name__)
def fault(request: pytest.FixtureRequest) -> Exception:
    return request.param  # type: ignore[no-any-return]


@contextmanager
def gone(table: str) -> Iterator[None]:
    """A table of the platform's cannot be read, as in trouble of its database."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_gone")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table}_gone RENAME TO {table}")


def test_a_batch_that_meets_a_database_fault_is_not_halved(fault: Exception) -> None:
    written: list[Sequence[int]] = []

    def write(numbers: Sequence[int]) -> Written:
        written.append(list(numbers))
        raise fault

    with pytest.raises(type(fault)) as caught:
        write_what_can_be([1, 2, 3, 4], write)
    assert caught.value is fault
    assert written == [[1, 2, 3, 4]]


def test_a_database_fault_ends_the_search_for_a_bad_object(fault: Exception) -> None:
    written: list[Sequence[int]] = []

    def write(numbers: Sequence[int]) -> Written:
        written.append(list(numbers))
        raise ValueError("a bad object") if len(numbers) == 4 else fault

    with pytest.raises(type(fault)):
        write_what_can_be([1, 2, 3, 4], write)
    assert written == [[1, 2, 3, 4], [1, 2]]


# Delivered


@pytest.fixture
def courses(all_on: None, clickhouse: ClickHouse, empty_store: None, broker: Broker) -> list[str]:
    """Four published courses, recorded."""
    keys = [str(factories.make_course()) for _ in range(4)]
    Change.objects.all().delete()
    outbox.record("course_overviews", keys)
    broker.take()
    return keys


def assert_nobody_is_blamed(keys: Sequence[str], caplog: pytest.LogCaptureFixture) -> None:
    kept = Change.objects.filter(sink="course_overviews")
    assert set(kept.values_list("object_id", "attempts", "error", "retry_at")) == {(key, 0, "", None) for key in keys}
    # Not ClickHouse's either.
    assert set(SinkState.objects.values_list("failures", "last_error")) <= {(0, "")}
    assert [record.levelno for record in caplog.records if "cannot be written" in record.getMessage()] == []


@pytest.mark.django_db(transaction=True)
# The overviews are read; their tags are, and their blocks, while the batch is written.
@pytest.mark.parametrize("table", ["course_overviews_courseoverview", "oel_tagging_objecttag"])
def test_a_table_that_cannot_be_read_blames_no_course(
    table: str, courses: list[str], clickhouse: ClickHouse, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    with gone(table):
        with pytest.raises(OperationalError):
            deliver_changes("course_overviews")
        assert_nobody_is_blamed(courses, caplog)
        tasks.deliver.apply_async(("course_overviews",))
        (sent,) = broker.take()
        sent.run()
        assert_nobody_is_blamed(courses, caplog)
    (warning,) = [record for record in caplog.records if record.name == "platform_plugin_aspects.tasks"]
    assert (warning.levelno, warning.getMessage()) == (
        logging.WARNING,
        "Delivery of course_overviews starts again in 2 s: OperationalError",
    )
    # It comes again, and then all arrives.
    broker.work()
    assert set(latest(clickhouse, "course_overviews", "course_key")) == set(courses)
    assert not Change.objects.filter(sink="course_overviews").exists()


def raising(fault: Exception) -> Callable[[Any], Any]:
    def read(_block: Any) -> Any:
        raise fault

    return read


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["get_children", "display_name_with_default"])
def test_a_block_that_meets_a_database_fault_blames_no_course(
    what: str,
    fault: Exception,
    courses: list[str],
    clickhouse: ClickHouse,
    broker: Broker,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the course would be written without the block, and count as delivered."""
    with monkeypatch.context() as patch:
        read = raising(fault)
        patch.setattr(Block, what, read if what == "get_children" else property(read))
        tasks.deliver.apply_async(("course_overviews",))
        (sent,) = broker.take()
        sent.run()
    assert_nobody_is_blamed(courses, caplog)
    assert latest(clickhouse, "course_overviews", "course_key") == {}
    broker.work()
    assert set(latest(clickhouse, "course_overviews", "course_key")) == set(courses)
    assert len(latest(clickhouse, "course_blocks", "location")) == 4 * 8


class Asking(ModelBaseSink):
    """A sink of others whose converter asks the database."""

    name = "asking"
    table_name = "taxonomy"
    model = "user_preference"

    @staticmethod
    def ask(_value: str) -> str:
        raise OperationalError(2006, "MySQL server has gone away")

    columns = (Column("id", "Int32"), Column("name", "String", Value("value", ask)))


@pytest.mark.django_db(transaction=True)
def test_a_conversion_that_meets_a_database_fault_blames_no_object(settings: Any, clickhouse: ClickHouse) -> None:
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{__name__}.Asking"]
    settings.EVENT_SINK_CLICKHOUSE_USER_PREFERENCE_ENABLED = True
    preference = factories.make_user().preferences.create(key="pref-lang", value="sw")
    Change.objects.create(sink="asking", object_id=str(preference.pk))
    with pytest.raises(OperationalError):
        deliver_changes("asking")
    assert Change.objects.get(sink="asking").attempts == 0


# By commands and earlier tasks


@pytest.mark.django_db(transaction=True)
def test_commands_report_a_database_fault_and_blame_no_object(
    courses: list[str], fault: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Block, "get_children", raising(fault))
    name = type(fault).__name__
    for command in (
        ("dump_data_to_clickhouse", "--object", "course_overviews", "--force"),
        ("aspects_compare", "--object", "course_overviews", "--repair"),
        ("aspects_deliver", "--object", "course_overviews"),
    ):
        with pytest.raises(CommandError, match=rf"The platform's database failed \({name}\)"):
            call_command(*command)
    assert_nobody_is_blamed(courses, caplog)
    # The backfill never began.
    assert not BackfillRange.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_earlier_versions_task_is_retried(
    courses: list[str], fault: Exception, broker: Broker, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Block, "get_children", raising(fault))
        tasks.dump_course_to_clickhouse.delay(courses[0], {"timeout_secs": 5})
        (sent,) = broker.take()
        sent.run()
    (again,) = broker.take()
    assert again.message.headers["retries"] == 1
    again.run()
    assert set(latest(clickhouse, "course_overviews", "course_key")) == {courses[0]}


def test_the_drivers_errors_are_platform_faults() -> None:
    assert all(isinstance(fault, PLATFORM_FAULTS) for fault in FAULTS)
