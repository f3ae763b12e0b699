"""The table of the boards that are in Superset."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from platform_plugin_aspects.dashboards.provision.provisioned import Provisioned, forget, provisioned, record
from platform_plugin_aspects.models import ProvisionedDashboard

pytestmark = pytest.mark.django_db

COURSE = Provisioned(
    slug="course",
    language="en",
    title="Course",
    dashboard_uuid="11111111-1111-5111-8111-111111111111",
    embedded_uuid="22222222-2222-4222-8222-222222222222",
    hash="a" * 64,
    position=1,
    datasets=("33333333-3333-5333-8333-333333333333",),
    charts=("44444444-4444-5444-8444-444444444444", "55555555-5555-5555-8555-555555555555"),
)
KURS = replace(COURSE, language="fr", title="Cours · مساق", dashboard_uuid="66666666-6666-5666-8666-666666666666")
PROBLEM = Provisioned(
    slug="in-context-problem",
    language="en",
    title="Problem",
    dashboard_uuid="77777777-7777-5777-8777-777777777777",
    embedded_uuid="",
    hash="",
    block_type="problem",
    is_closed=False,
)


def test_boards_are_read_as_they_were_recorded_in_order_by_one_query(django_assert_num_queries: Any) -> None:
    record([KURS, COURSE, PROBLEM])
    with django_assert_num_queries(1):
        assert provisioned() == (PROBLEM, COURSE, KURS)
    assert str(ProvisionedDashboard.objects.get(slug="course", language="fr")) == "course (fr)"


def test_a_board_that_is_recorded_again_replaces_its_row() -> None:
    record([COURSE])
    before = ProvisionedDashboard.objects.get()
    changed = replace(COURSE, title="The course", hash="c" * 64, datasets=(), position=3)
    record([changed])
    after = ProvisionedDashboard.objects.get()
    assert (provisioned(), after.pk) == ((changed,), before.pk)
    assert after.updated_at > before.updated_at


def test_boards_are_recorded_all_or_none() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        record([COURSE, replace(PROBLEM, title=None)])  # type: ignore[arg-type]
    assert provisioned() == ()


def test_forgetting_removes_exactly_the_boards_that_are_named() -> None:
    record([COURSE, KURS, PROBLEM])
    forget([KURS, replace(PROBLEM, language="ar")])
    assert provisioned() == (PROBLEM, COURSE)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("before", "after"),
    [("begun", ("", True)), ("begun, not closed", ("", False)), ("a" * 64, ("a" * 64, True))],
)
def test_the_migration_gives_each_fact_its_own_column(before: str, after: tuple[str, bool]) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([("platform_plugin_aspects", "0006_provisioned_dashboard")])
    try:
        former = executor.loader.project_state(("platform_plugin_aspects", "0006_provisioned_dashboard")).apps
        former.get_model("platform_plugin_aspects", "ProvisionedDashboard").objects.create(slug="course", hash=before)
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes("platform_plugin_aspects"))
    (row,) = provisioned()
    assert (row.hash, row.is_closed) == after


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("now", "former"),
    [
        (("", True), "begun"),
        (("", False), "begun, not closed"),
        # A run without an administrator leaves this.
        (("a" * 64, False), "begun, not closed"),
        (("a" * 64, True), "a" * 64),
    ],
)
def test_the_migration_backwards_keeps_which_datasets_are_open(now: tuple[str, bool], former: str) -> None:
    record([replace(COURSE, hash=now[0], is_closed=now[1])])
    executor = MigrationExecutor(connection)
    try:
        executor.migrate([("platform_plugin_aspects", "0006_provisioned_dashboard")])
        with connection.cursor() as cursor:
            cursor.execute("SELECT hash FROM platform_plugin_aspects_provisioneddashboard")
            assert cursor.fetchall() == [(former,)]
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes("platform_plugin_aspects"))
    assert provisioned()[0].is_closed == now[1]


def test_a_board_has_one_row_in_a_language() -> None:
    record([COURSE])
    with pytest.raises(IntegrityError), transaction.atomic():
        ProvisionedDashboard.objects.create(slug="course", language="en", dashboard_uuid="x", hash="x")
