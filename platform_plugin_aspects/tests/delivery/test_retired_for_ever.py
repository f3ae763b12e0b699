"""A retired learner is never written again, even after the platform has cleaned up its record of the retirement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from openedx.core.djangoapps.user_api.models import UserPreference, UserRetirementRequest, UserRetirementStatus

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.delivery.backfill.ranges import Summary, Walk
from platform_plugin_aspects.delivery.backfill.walk import backfill
from platform_plugin_aspects.delivery.compare import compare, repair
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.models import Change
from platform_plugin_aspects.sinks import (
    CourseEnrollmentSink,
    ExternalIdSink,
    ModelBaseSink,
    Selection,
    TaxonomySink,
    UserProfileSink,
)
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tasks import dump_data_to_clickhouse
from platform_plugin_aspects.tests.conftest import rows
from test_utils import factories, retirement

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("all_on")]

PERSONAL = ("user_profile", "external_id", "course_enrollment")


@pytest.fixture(autouse=True)
def _personal(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = [*PERSONAL, "auth_user"]


def learner(name: str = "the_learner") -> User:
    """A learner with an object in each of the tables with personal data."""
    user = factories.make_user(name, profile={"goals": "to be forgotten", "state": "MA", "level_of_education": "hs"})
    factories.make_external_id(user)
    factories.make_enrollment(user)
    return user


def cleaned_up(user: User) -> None:
    """The retirement is over, and the platform has deleted its status."""
    retirement.retire(user)
    retirement.clean_up()
    assert not UserRetirementStatus.objects.exists()


def only_renamed(user: User) -> None:
    """The remains of an old retirement, before there were requests: the retired username."""
    cleaned_up(user)
    UserRetirementRequest.objects.all().delete()
    assert User.objects.get(pk=user.pk).username.startswith("retired__user_")


def between_the_saves(user: User) -> None:
    """The profile is cleared, the user not yet renamed, and somebody has deleted the status."""
    for step in retirement.retirement_steps(user):
        if step == "clear_profile":
            break
    UserRetirementStatus.objects.all().delete()
    assert User.objects.get(pk=user.pk).username == "the_learner"


def in_progress(user: User) -> None:
    """The retirement has been asked for."""
    retirement.request_retirement(user)


def save(user: User, sink: type[ModelBaseSink]) -> None:
    for changed in sink().manager.filter(user_id=user.pk):
        changed.save()
        outbox.record(sink.name, [changed.pk])
    assert deliver_changes(sink.name).status == "delivered"
    assert not Change.objects.filter(sink=sink.name).exists()


def bring_all(user: User, sink: type[ModelBaseSink]) -> None:
    backfill(sink(), Walk(force=True), Summary())


def bring_by_key(user: User, sink: type[ModelBaseSink]) -> None:
    keys = list(sink().manager.filter(user_id=user.pk).values_list("pk", flat=True))
    backfill(sink(), Walk(keys=keys), Summary())


def compare_and_repair(user: User, sink: type[ModelBaseSink]) -> None:
    found = compare(sink())
    assert found.missing == found.stale == {}
    repair(sink(), found)


def by_the_task_of_version_2(user: User, sink: type[ModelBaseSink]) -> None:
    for key in sink().manager.filter(user_id=user.pk).values_list("pk", flat=True):
        overrides = {"timeout_secs": 9}
        dump_data_to_clickhouse("platform_plugin_aspects.sinks", sink.__name__, key, overrides)


Way = Callable[[User, type[ModelBaseSink]], None]


@pytest.mark.parametrize("forgotten", [cleaned_up, only_renamed, between_the_saves, in_progress])
def test_a_retired_learner_is_not_read(forgotten: Callable[[User], None]) -> None:
    leaving, staying = learner(), learner("retired_teacher")
    forgotten(leaving)
    for sink in (UserProfileSink, ExternalIdSink, CourseEnrollmentSink):
        assert sink().read(Selection()).columns["user_id"] == [staying.pk], sink


@pytest.mark.parametrize("way", [save, bring_all, bring_by_key, compare_and_repair, by_the_task_of_version_2])
@pytest.mark.parametrize("sink", [UserProfileSink, ExternalIdSink])
def test_a_retired_learner_is_never_written_again(clickhouse: ClickHouse, sink: type[ModelBaseSink], way: Way) -> None:
    leaving, staying = learner(), learner("retired_teacher")
    cleaned_up(leaving)
    bring_all(staying, sink)
    assert [row["user_id"] for row in rows(clickhouse, sink.name)] == [staying.pk]
    way(leaving, sink)
    assert {row["user_id"] for row in rows(clickhouse, sink.name)} == {staying.pk}


@pytest.mark.parametrize("prefix", ["", None])
def test_without_a_prefix_nobody_is_retired_by_name(clickhouse: ClickHouse, settings: Any, prefix: str | None) -> None:
    settings.RETIRED_USERNAME_PREFIX = prefix
    user = factories.make_user("retired__user_but_no")
    assert UserProfileSink().read(Selection()).keys == [user.profile.pk]
    del settings.RETIRED_USERNAME_PREFIX
    assert UserProfileSink().read(Selection()).keys == [user.profile.pk]


def test_the_prefix_is_text_and_not_a_pattern(clickhouse: ClickHouse) -> None:
    user = factories.make_user("retiredXYuserZ1")
    assert UserProfileSink().read(Selection()).keys == [user.profile.pk]


def test_a_retirement_that_is_cancelled_while_pending_brings_the_learner_back(clickhouse: ClickHouse) -> None:
    user = learner()
    retirement.request_retirement(user)
    save(user, UserProfileSink)
    assert rows(clickhouse, "user_profile") == []
    retirement.cancel_retirement(user)
    save(user, UserProfileSink)
    (row,) = rows(clickhouse, "user_profile")
    assert (row["username"], row["email"]) == ("the_learner", "the_learner@example.invalid")


class PreferenceSink(ModelBaseSink):
    """A third party's sink whose rows do not hold the username."""

    name = "preference"
    model = "user_preference"
    columns = TaxonomySink.columns[:1]
    learner = "user_id"


def test_a_retired_learner_stays_out_of_a_table_without_the_username(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{__name__}.PreferenceSink"]
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["preference"]
    assert "preference" in sinks()
    leaving, staying = learner(), learner("retired_teacher")
    preferences = [UserPreference.objects.create(user=user, key="pref-lang", value="sw") for user in (leaving, staying)]
    only_renamed(leaving)
    assert PreferenceSink().read(Selection()).keys == [preferences[1].pk]


def test_one_query_reads_a_batch_and_joins_the_user_once(django_assert_num_queries: Any) -> None:
    learner()
    with django_assert_num_queries(1) as queries:
        UserProfileSink().read(Selection())
    assert queries[0]["sql"].count('JOIN "auth_user"') == 1
