"""aspects_check reports nothing as ok that it did not see, or that is broken."""

# The fixtures of other modules.
# ruff: noqa: F811

from __future__ import annotations

from typing import Any

import pytest
from common.djangoapps.student.models import CourseEnrollment
from django.utils import timezone

from platform_plugin_aspects.extensions.filters import LEGACY, NEW
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.operations.doctor.clickhouse import compare_clocks
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark
from platform_plugin_aspects.sinks import BaseSink, ModelBaseSink
from platform_plugin_aspects.sinks.column import Column
from platform_plugin_aspects.tests.operations.test_aspects_check import (
    Site,
    all_off,
    check,
    clickhouse_is_away,
    marked,
    no_model,
    not_migrated,
    site,  # noqa: F401
    texts,
)
from platform_plugin_aspects.tests.operations.test_aspects_check_reports import Reports, reports  # noqa: F401
from test_utils import factories
from test_utils.superset_endpoint import EMBEDDED_API, Reply, SupersetEndpoint


def of(said: dict[str, Any], title: str, *marks: str) -> list[str]:
    """The texts of a section's findings with these marks."""
    return [text for mark in marks for section, text, _remedy in marked(said, mark) if section == title]


@pytest.mark.parametrize("earlier", [None, [], [Mark.OK], [Mark.NOTE, Mark.OK]])
def test_a_section_that_did_not_see_the_cause_is_no_reason_to_skip(earlier: list[Mark] | None) -> None:
    examination = Examination()
    if earlier is not None:
        examination.found["ClickHouse"] = [Finding(mark, "seen") for mark in earlier]
    finding = examination.because_of("ClickHouse", "Not examined", "ClickHouse fails")
    assert (finding.mark, finding.text) == (Mark.PROBLEM, "ClickHouse fails")
    assert finding.remedy.endswith("aspects_check --only ClickHouse")


@pytest.mark.parametrize("mark", [Mark.PROBLEM, Mark.SKIPPED, Mark.CRASHED])
def test_what_a_section_reported_is_reported_once(mark: Mark) -> None:
    examination = Examination()
    examination.found["ClickHouse"] = [Finding(Mark.OK, "seen"), Finding(mark, "the cause")]
    finding = examination.because_of("ClickHouse", "Not examined", "ClickHouse fails")
    assert (finding.mark, finding.text) == (Mark.SKIPPED, "Not examined: see ClickHouse")


# Freshness


def test_the_newest_object_is_not_in_clickhouse_while_it_is_pending(site: Site) -> None:
    newest = factories.make_enrollment(factories.make_user(), CourseEnrollment.objects.get().course_id)
    Change.objects.filter(sink="course_enrollment").delete()
    Change.objects.create(sink="course_enrollment", object_id=str(newest.pk))
    code, said = check("--only", "freshness")
    assert code == 0
    assert f"course_enrollment: {newest.pk}, the newest object, is pending: see Delivery (last dump: 2" in texts(
        said, "note"
    )
    assert "course_enrollment" not in texts(said, "ok")


def test_an_object_whose_older_state_is_in_clickhouse_is_pending_all_the_same(site: Site) -> None:
    Change.objects.create(sink="course_enrollment", object_id=str(CourseEnrollment.objects.get().pk))
    said = check("--only", "freshness")[1]
    assert f"course_enrollment: {CourseEnrollment.objects.get().pk}, the newest object, is pending" in texts(
        said, "note"
    )
    assert "course_enrollment" not in texts(said, "ok")


def test_a_first_object_that_is_pending_is_told(site: Site) -> None:
    first = CourseEnrollment.objects.get()
    second = factories.make_enrollment(factories.make_user(), first.course_id)
    site.alter("TRUNCATE TABLE {db}.course_enrollment")
    site.alter(
        "INSERT INTO {db}.course_enrollment (id, course_key, user_id, time_last_dumped) "
        f"VALUES ({second.pk}, 'x', 2, '2026-11-26 00:00:00.000000+00:00')"
    )
    Change.objects.filter(sink="course_enrollment").delete()
    Change.objects.create(sink="course_enrollment", object_id=str(first.pk))
    said = check("--only", "freshness")[1]
    assert f"course_enrollment: {first.pk}, the first object, is pending" in texts(said, "note")
    assert "course_enrollment" not in texts(said, "ok")


def test_an_object_that_cannot_be_written_is_told(site: Site) -> None:
    pk = CourseEnrollment.objects.get().pk
    Change.objects.create(sink="course_enrollment", object_id=str(pk), attempts=3, error="No", retry_at=timezone.now())
    said = check("--only", "freshness")[1]
    assert f"course_enrollment: {pk}, the newest object, cannot be written: see Delivery" in texts(said, "note")
    assert "course_enrollment" not in texts(said, "ok")


class UnaskableSink(BaseSink):
    """A third party's sink that does not write a model's rows."""

    name = "unaskable"
    model = "user_preference"

    def parse_key(self, text: str) -> Any:
        raise NotImplementedError

    def read(self, selection: Any) -> Any:
        raise NotImplementedError

    def write(self, batch: Any, stamp: Any) -> Any:
        raise NotImplementedError


class UnkeyedSink(ModelBaseSink):
    """A third party's sink whose rows do not tell their object."""

    name = "unkeyed"
    model = "user_preference"
    columns = (Column("key", "String"),)
    deletes = False


@pytest.mark.parametrize("sink", [UnaskableSink, UnkeyedSink])
def test_a_sink_that_cannot_be_asked_for_one_object_is_told(sink: type[BaseSink], site: Site) -> None:
    site.settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{__name__}.{sink.__name__}"]
    site.settings.EVENT_SINK_CLICKHOUSE_USER_PREFERENCE_ENABLED = True
    assert f"{sink.name}: its rows do not tell their objects: not examined" in of(
        check("--only", "freshness")[1], "Freshness", "note"
    )


# A section that cannot look says why itself, where the section that knows why is not asked


def test_freshness_alone_says_that_clickhouse_is_away(site: Site) -> None:
    clickhouse_is_away(site)
    code, said = check("--only", "freshness")
    ((_section, text, remedy),) = marked(said, "problem")
    assert code == 1
    assert "cannot be reached while connecting" in text
    assert remedy == "Run python manage.py cms aspects_check --only ClickHouse"


def test_freshness_alone_says_that_no_sink_is_on(site: Site) -> None:
    all_off(site)
    code, said = check("--only", "freshness")
    assert (code, of(said, "Freshness", "problem")) == (1, ["No sink is on"])


def test_freshness_alone_says_that_a_table_cannot_be_read(site: Site) -> None:
    site.alter("DROP TABLE {db}.tag")
    code, said = check("--only", "freshness")
    ((_section, text, _remedy),) = marked(said, "problem")
    assert code == 1
    assert text.startswith("tag: its table cannot be read: ClickHouse refused reading")
    code, said = check("--only", "clickhouse", "freshness")
    assert of(said, "Freshness", "skipped") == ["tag: its table cannot be read: see ClickHouse"]


def test_a_clickhouse_that_goes_away_in_between_is_a_problem(site: Site) -> None:
    site.serve()
    site.endpoint.fail("503", times=None, match=r"max\(time_last_dumped\)")
    code, said = check("--only", "clickhouse", "freshness")
    assert code == 1
    ((section, text, _remedy),) = marked(said, "problem")
    assert section == "Freshness"
    assert text.startswith("taxonomy: ClickHouse stopped answering: ")


def test_clickhouse_alone_says_that_its_settings_are_invalid(site: Site) -> None:
    site.configure_clickhouse(url="clickhouse:8123")
    code, said = check("--only", "clickhouse", "freshness")
    assert code == 1
    ((section, text, _remedy),) = marked(said, "problem")
    assert section == "ClickHouse"
    assert "The ClickHouse url 'clickhouse:8123' is neither" in text
    assert of(said, "Freshness", "skipped") == ["ClickHouse cannot be queried: see ClickHouse"]


def test_sinks_alone_say_that_a_model_is_missing(site: Site) -> None:
    no_model(site)
    code, said = check("--only", "sinks")
    assert (code, of(said, "Sinks", "problem")) == (1, ["external_id: off, because its model cannot be imported"])


def test_a_crash_that_follows_from_the_database_is_a_problem_where_nothing_else_says_so(site: Site) -> None:
    not_migrated(site)
    code, said = check("--only", "delivery")
    ((_section, text, remedy),) = marked(said, "problem")
    assert code == 1
    assert text.startswith("The platform's database fails (OperationalError in ")
    assert remedy == "Run python manage.py cms aspects_check --only Platform"


def test_filters_alone_say_that_no_page_has_a_step(reports: Reports) -> None:
    reports.configure_filters()
    code, said = check("--only", "filters")
    assert code == 1
    assert of(said, "Filters", "problem") == ["No instructor dashboard has the reports"]


# ClickHouse


def test_a_column_that_an_insert_does_not_find_is_a_problem(site: Site) -> None:
    site.serve()
    site.endpoint.fail("exception", times=None, match=r"INSERT INTO `\w+`\.`tag`", code=47)
    code, said = check("--only", "clickhouse")
    assert code == 1
    ((_section, text, _remedy),) = marked(said, "problem")
    assert text == "ClickHouse refuses INSERT on tag (code 47)"
    assert "The user has the rights that the plugin needs" not in texts(said, "ok")


def test_rights_on_a_missing_table_are_not_said_to_be_there(site: Site) -> None:
    site.alter("DROP TABLE {db}.tag")
    said = check("--only", "clickhouse")[1]
    assert "The user has the rights that the plugin needs" not in texts(said, "ok")
    assert "The rights on tag cannot be examined" in texts(said, "skipped")


def test_a_table_that_the_user_cannot_see_is_not_said_to_be_as_it_should(site: Site) -> None:
    site.forget_a_grant()
    assert "are as they should be" not in texts(check("--only", "clickhouse")[1], "ok")


def test_tables_are_not_said_to_be_complete_while_one_is_missing(site: Site) -> None:
    site.alter("DROP TABLE {db}.load_test_runs")
    said = check("--only", "clickhouse")[1]
    assert "load_test_runs" in texts(said, "note")
    assert "are as they should be" not in texts(said, "ok")


@pytest.mark.parametrize(
    ("before", "theirs", "after", "mark", "text"),
    [
        (100.0, 101.0, 102.0, Mark.OK, "The clocks agree"),
        (100.0, 91.0, 102.0, Mark.OK, "The clocks agree"),
        (100.0, 61.0, 102.0, Mark.PROBLEM, "ClickHouse's clock is 40 s behind that of this host"),
        (100.0, 141.0, 102.0, Mark.PROBLEM, "ClickHouse's clock is 40 s ahead of that of this host"),
        (100.0, 115.0, 130.0, Mark.NOTE, "The clocks cannot be compared: ClickHouse took 30 s to answer"),
    ],
)
def test_clocks_are_compared_as_closely_as_the_answer_allows(
    before: float, theirs: float, after: float, mark: Mark, text: str
) -> None:
    found = compare_clocks(before, theirs, after)
    assert (found.mark, found.text) == (mark, text)


# Delivery


def test_changes_of_a_sink_that_there_is_not_are_told(site: Site) -> None:
    Change.objects.create(sink="theirs", object_id="1")
    code, said = check("--only", "delivery")
    assert code == 1
    ((_section, text, remedy),) = marked(said, "problem")
    assert text.startswith("theirs: 1 changes wait, the oldest for ")
    assert text.endswith("; there is no sink of this name")
    assert "EVENT_SINK_CLICKHOUSE_EXTRA_SINKS" in remedy


def test_deliveries_that_fail_are_told_though_nothing_waits_any_more(site: Site) -> None:
    SinkState.objects.update_or_create(sink="tag", defaults={"failures": 3, "last_error": "ClickHouse was away"})
    said = check("--only", "delivery")[1]
    assert "tag: 3 deliveries failed, the last with: ClickHouse was away; nothing is pending" in texts(said, "note")
    assert "Nothing is pending" not in texts(said, "ok")


# Filters and Superset


def test_a_step_without_the_micro_frontend_adds_nothing(reports: Reports) -> None:
    reports.settings.INSTRUCTOR_MICROFRONTEND_URL = None
    said = check("--only", "filters")[1]
    assert "The reports are added to the new instructor dashboard" not in texts(said, "ok")


def test_superset_alone_says_that_its_settings_are_invalid(reports: Reports) -> None:
    reports.settings.SUPERSET_CONFIG = {"service_url": "nonsense"}
    code, said = check("--only", "superset")
    ((_section, text, remedy),) = marked(said, "problem")
    assert code == 1
    assert "service_url in SUPERSET_CONFIG is 'nonsense'" in text
    assert remedy == "Run python manage.py lms aspects_check --only Settings"


def test_a_dashboard_that_is_shown_but_for_which_no_token_is_granted(reports: Reports) -> None:
    not_found = Reply(400, {"message": "EmbeddedDashboard not found."})
    reports.superset.plan("guest_token/", *[not_found] * 21)
    code, said = check("--only", "superset")
    assert code == 1
    ((_section, text, _remedy),) = marked(said, "problem")
    assert text.startswith("Superset grants no guest token for 21 dashboards that it embeds, among them Course Dashb")


@pytest.mark.parametrize("status", [401, 404, 500])
def test_an_answer_to_guests_that_nobody_knows_is_a_problem(status: int, reports: Reports) -> None:
    uuid = "c0e64194-33d1-4d5a-8c10-4f51530c5ee9"
    reports.superset.plan(f"{EMBEDDED_API}{uuid}", *[Reply(status, {"message": "?"})] * 3)
    code, said = check("--only", "superset")
    assert code == 1
    ((_section, text, _remedy),) = marked(said, "problem")
    assert text.startswith("Guests cannot open Course Dashboard in Superset: GET ")
    assert text.endswith(f" was answered with HTTP {status}")


def test_a_proxy_that_forbids_everything_does_not_accept_guests(reports: Reports) -> None:
    reports.share_secret()
    reports.superset.plan("me/", *[Reply(403, {"message": "Forbidden"})] * 7)
    code, said = check("--only", "superset")
    assert code == 1
    assert "Superset accepts guest tokens" not in texts(said, "ok")


def test_where_the_way_of_browsers_was_not_seen_nothing_is_said_to_be_well_of_it(reports: Reports) -> None:
    with SupersetEndpoint() as gone:
        url = gone.url
    reports.configure_superset(service_url=url, internal_service_url=reports.superset.url)
    code, said = check("--only", "superset")
    assert code == 0
    assert "Browsers may show Superset" not in texts(said, "ok")
    assert f"Superset itself may be shown in pages of {reports.settings.LMS_ROOT_URL}" in texts(said, "note")


def test_both_steps_are_still_found(reports: Reports) -> None:
    reports.configure_filters(legacy=LEGACY.step, new=NEW.step)
    assert len(of(check("--only", "filters")[1], "Filters", "ok")) == 2
