"""A sink that is off writes nothing, by whatever way it is asked; retirement's deletions go on."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import pytest
from common.djangoapps.student.models import UserProfile
from django.core.management import CommandError

from platform_plugin_aspects import tasks
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery.backfill import ranges
from platform_plugin_aspects.models import BackfillRange, Change
from platform_plugin_aspects.tests.broker import Broker
from platform_plugin_aspects.tests.commands import dump, dump_fails, profiles, run
from platform_plugin_aspects.tests.conftest import rows
from test_utils import factories

pytestmark = pytest.mark.django_db

SETTING = "EVENT_SINK_CLICKHOUSE_USER_PROFILE_ENABLED"
FLAG = "event_sink_clickhouse.user_profile.enabled"
OFF = (
    f"user_profile is off: {SETTING} is not True, and the waffle flag {FLAG} is not on for everyone. "
    "Turn one of them on, or add --even_if_off to write its rows all the same"
)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--batch_size", "1000", "--sleep_time", "5"),
        ("--ids", "1"),
        ("--dry-run",),
        ("--resume",),
        ("--workers", "2"),
    ],
)
def test_a_backfill_of_it_is_refused_with_flag_and_setting(clickhouse: ClickHouse, options: tuple[str, ...]) -> None:
    profiles(2)
    message, said = dump_fails("--object", "user_profile", *options)
    assert (message, said) == (OFF, [])
    assert rows(clickhouse, "user_profile") == []
    assert not BackfillRange.objects.exists()


def test_who_means_it_says_so(clickhouse: ClickHouse) -> None:
    keys = profiles(2)
    lines = dump("--object", "user_profile", "--even_if_off")
    assert lines[0] == "user_profile is off: later changes will not reach ClickHouse"
    assert sorted(row["id"] for row in rows(clickhouse, "user_profile")) == keys


def test_who_means_all_says_so(clickhouse: ClickHouse, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_TAXONOMY_ENABLED = True
    factories.make_taxonomy()
    profiles(1)
    lines = dump("--object", "all", "--even_if_off")
    assert "user_profile is off: later changes will not reach ClickHouse" in lines
    assert "taxonomy is off: later changes will not reach ClickHouse" not in lines
    assert len(rows(clickhouse, "user_profile")) == 1
    # With that of the languages, which a migration makes.
    assert len(rows(clickhouse, "taxonomy")) == 2


def test_all_of_none_is_refused(clickhouse: ClickHouse) -> None:
    message, said = dump_fails("--object", "all")
    assert message == (
        "No sink is on: turn one on by its setting EVENT_SINK_CLICKHOUSE_<MODEL>_ENABLED or its waffle flag "
        "event_sink_clickhouse.<model>.enabled, or add --even_if_off to take all of them"
    )
    assert said == []


def test_how_to_resume_one_that_was_meant_says_so_too(clickhouse: ClickHouse, settings: Any) -> None:
    factories.make_taxonomy()
    profiles(1)
    dump("--object", "user_profile", "--even_if_off")
    clickhouse.command(f"DROP TABLE {clickhouse.qualified('user_profile')} SYNC")
    message, _said = dump_fails("--object", "all", "--even_if_off")
    assert "--object all --resume --even_if_off" in message


def test_a_range_in_a_worker_where_it_is_off_is_not_walked(clickhouse: ClickHouse, settings: Any) -> None:
    """It was turned off meanwhile, or the worker belongs to the other service."""
    profiles(1)
    row = BackfillRange.objects.create(sink="user_profile")
    tasks.backfill_range(row.pk, "")
    row.refresh_from_db()
    assert (row.status, row.message) == (ranges.Status.FAILED, OFF)
    assert rows(clickhouse, "user_profile") == []

    row.options, row.status = {"even_if_off": True}, ranges.Status.WAITING
    row.save()
    tasks.backfill_range(row.pk, "")
    row.refresh_from_db()
    assert row.status == ranges.Status.DONE
    assert len(rows(clickhouse, "user_profile")) == 1


# Comparing


compare = partial(run, "aspects_compare")


def test_comparing_only_reads(clickhouse: ClickHouse) -> None:
    profiles(1)
    with pytest.raises(SystemExit) as ended:
        compare("--object", "user_profile")
    assert ended.value.code == 1
    assert rows(clickhouse, "user_profile") == []


def test_comparing_all_of_none_does_not_say_equal(clickhouse: ClickHouse) -> None:
    with pytest.raises(CommandError, match=r"^No sink is on: ") as caught:
        compare("--object", "all")
    assert caught.value.returncode == 2


def test_a_repair_is_refused_unless_it_is_meant(clickhouse: ClickHouse) -> None:
    profiles(1)
    with pytest.raises(CommandError) as caught:
        compare("--object", "user_profile", "--repair")
    assert (str(caught.value), caught.value.returncode) == (OFF, 2)
    assert rows(clickhouse, "user_profile") == []

    assert compare("--object", "user_profile", "--repair", "--even_if_off").splitlines()[-1] == "equal"
    assert len(rows(clickhouse, "user_profile")) == 1


# Earlier versions' tasks


@pytest.mark.parametrize("overrides", [None, {"timeout_secs": 5}])
def test_a_dump_of_an_object_is_refused(
    clickhouse: ClickHouse, broker: Broker, caplog: pytest.LogCaptureFixture, overrides: Any
) -> None:
    (key,) = profiles(1)
    tasks.dump_data_to_clickhouse.delay("platform_plugin_aspects.sinks", "UserProfileSink", key, overrides)
    assert len(broker.work()) == 1
    (error,) = [record for record in caplog.records if record.name.startswith("platform_plugin_aspects")]
    assert error.levelno == logging.ERROR
    assert error.getMessage() == (
        f"user_profile {key} is not written: user_profile is off: {SETTING} is not True, and the waffle flag {FLAG} is "
        "not on for everyone"
    )
    assert rows(clickhouse, "user_profile") == []
    assert not Change.objects.exists()


@pytest.mark.parametrize("overrides", [None, {"timeout_secs": 5}])
def test_a_dump_of_a_course_is_refused(
    clickhouse: ClickHouse, broker: Broker, caplog: pytest.LogCaptureFixture, overrides: Any
) -> None:
    course_key = factories.make_course()
    tasks.dump_course_to_clickhouse.delay(str(course_key), overrides)
    assert len(broker.work()) == 1
    assert f"course_overviews {course_key} is not written: course_overviews is off" in caplog.text
    assert rows(clickhouse, "course_overviews") == rows(clickhouse, "course_blocks") == []


@pytest.mark.parametrize("overrides", [None, {"timeout_secs": 5}])
def test_a_retired_learners_rows_are_deleted_all_the_same(
    clickhouse: ClickHouse, broker: Broker, overrides: Any
) -> None:
    profiles(2)
    dump("--object", "user_profile", "--even_if_off")
    first, second = UserProfile.objects.order_by("pk").values_list("user_id", flat=True)
    tasks.dump_data_to_clickhouse.delay("platform_plugin_aspects.sinks", "UserRetirementSink", first, overrides)
    broker.work()
    assert [row["user_id"] for row in rows(clickhouse, "user_profile")] == [second]
