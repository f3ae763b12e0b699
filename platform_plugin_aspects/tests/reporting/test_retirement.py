"""A learner who asked to be forgotten leaves the reports, too, where statements name learners by their addresses."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.errors import Misconfigured, Unavailable
from platform_plugin_aspects.reporting.layout import table_name
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.reporting.relation import Relation, relations
from platform_plugin_aspects.sinks import Selection, UserRetirementSink
from platform_plugin_aspects.tests.reporting.site import rows, tables
from platform_plugin_aspects.tests.reporting.test_hostile_statements import insert, statement
from test_utils.clickhouse_endpoint import READ_WRITE, ClickHouseEndpoint
from test_utils.factories import make_user
from test_utils.retirement import request_retirement

pytestmark = pytest.mark.django_db

#: printf mailto:ada@example.com | sha256sum, and of grace@example.com
ADA = "54227d3dd5035a07ce15d989ef3b744f70a021ff5a09796a684b7829e787934d"
GRACE = "be78ccb8874a9ab350c58705716c4ba258313d4a03648e0e6e88159ca016b68a"
#: printf ada@example.com | sha1sum, and of grace@example.com
ADA_SHA1 = "3ca93ad87e0bb737e653b66ad67731e86bbc050f"
GRACE_SHA1 = "0c4d35a12f58282925d5240fa4ad85bdbc7c5e41"


def of_both(key: str, ada: str, grace: str) -> list[dict[str, Any]]:
    """The acts of each: played a video, posted, and completed a block."""
    acts = ("played", "completed", "progressed")
    return [statement(act, actor={key: name}) for act in acts for name in (ada, grace)]


def names_learner(relation: Relation) -> bool:
    return "actor_id" in [column.name for column in relation.columns]


def retire(*users: Any) -> None:
    sink = UserRetirementSink()
    sink.write(sink.read(Selection(keys=[user.pk for user in users])), timezone.now())


def actors(reports: Reports) -> set[str]:
    """The learners in any table of the reports, as it is stored."""
    found = set()
    stored = {state.table: state.relation for state in reports.states() if state.table}
    for table in tables(reports):
        if not names_learner(stored[table]):
            continue
        found |= set(reports.client.select(f"SELECT DISTINCT actor_id FROM {reports.layout.qualified(table)}"))
    return {actor for (actor,) in found}


@pytest.mark.parametrize(
    ("kind", "ada", "grace", "before", "after"),
    [
        ("mbox", "mailto:Ada@example.com", "mailto:grace@example.com", {ADA, GRACE}, {GRACE}),
        ("mbox_sha1sum", ADA_SHA1, GRACE_SHA1, {ADA_SHA1, GRACE_SHA1}, {GRACE_SHA1}),
    ],
)
def test_rows_of_an_address_leave_all_tables(
    reports: Reports, settings: Any, kind: str, ada: str, grace: str, before: set[str], after: set[str]
) -> None:
    settings.XAPI_AGENT_IFI_TYPE = kind
    user = make_user("ada", email="ada@example.com")
    make_user("grace", email="grace@example.com")
    insert(reports, *of_both(kind, ada, grace))
    assert actors(reports) == before
    assert {row["actor_id"] for row in rows(reports, "learner_status")} == before
    # The account has the retired address from now on.
    request_retirement(user)
    retire(user)
    assert actors(reports) == after
    assert {row["actor_id"] for row in rows(reports, "learner_status")} == after


def test_rows_of_external_ids_stay(reports: Reports, settings: Any) -> None:
    user = make_user("ada", email="ada@example.com")
    insert(reports, statement())
    retire(user)
    assert actors(reports) == {"a1"}


def test_a_site_without_reports_retires(clickhouse: ClickHouse, reporting_database: str, settings: Any) -> None:
    settings.XAPI_AGENT_IFI_TYPE = "mbox"
    retire(make_user("ada", email="ada@example.com"))


def test_a_retirement_counts_as_done_only_after_a_rebuild_that_is_under_way(reports: Reports, settings: Any) -> None:
    """It may have read the learner's statements before they were deleted, and write them afterwards."""
    settings.XAPI_AGENT_IFI_TYPE = "mbox"
    user = make_user("ada", email="ada@example.com")
    help_ = next(relation for relation in reports.relations if relation.name == "marks")
    second = table_name(help_, reports.hashes["marks"], 2)
    reports.client.command(reports.layout.create_table(help_, second))
    insert(reports, *of_both("mbox", "mailto:ada@example.com", "mailto:grace@example.com"))
    with pytest.raises(Unavailable, match="Reports are being rebuilt"):
        retire(user)
    assert actors(reports) == {GRACE}
    reports.client.command(f"DROP TABLE {reports.layout.qualified(second)}")
    retire(user)


def test_without_the_right_the_retirement_is_kept(
    clickhouse: ClickHouse,
    clickhouse_http: ClickHouseEndpoint,
    reporting_database: str,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.XAPI_AGENT_IFI_TYPE = "mbox"
    clickhouse_http.engine.query(f"CREATE DATABASE {reporting_database}")
    events = f"{reporting_database}.events"
    clickhouse_http.engine.query(f"CREATE TABLE {events} (actor_id String) ENGINE = MergeTree ORDER BY actor_id")
    clickhouse_http.engine.query(f"INSERT INTO {events} VALUES ('{ADA}')")
    user = make_user("ada", email="ada@example.com")
    for rights in ({}, {reporting_database: ("SHOW TABLES", "SELECT")}):
        users = {"event_sink*": READ_WRITE, "xapi*": READ_WRITE, **rights}
        monkeypatch.setitem(clickhouse_http.users, "ch_cms", ("password", users))
        with pytest.raises(Misconfigured):
            retire(user)
        assert clickhouse_http.engine.query(f"SELECT count() FROM {events}") == [(1,)]


@pytest.mark.parametrize(("key", "ada"), [("mbox", "mailto:ada@example.com"), ("mbox_sha1sum", ADA_SHA1)])
def test_relations_with_learners_in_sets_know_none_by_an_address(reports: Reports, key: str, ada: str) -> None:
    """A retirement finds rows by their column, and can take nobody out of a set."""
    sets = [relation.name for relation in relations() if relation.is_stored and not names_learner(relation)]
    assert sets == ["run_days"]
    insert(reports, *of_both(key, ada, ada))
    assert rows(reports, "events") != []
    days = f"SELECT count() FROM {reports.layout.qualified('run_days')}"
    assert reports.client.select(days) == [(0,)]
    insert(reports, statement())
    assert reports.client.select(days) == [(1,)]
