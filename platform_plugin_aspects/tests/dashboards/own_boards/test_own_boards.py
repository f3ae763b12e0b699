"""A site's own boards: checked by name, kept, and bundled under UUIDs of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from platform_plugin_aspects.dashboards.boards.catalog import boards
from platform_plugin_aspects.dashboards.bundle.bundle import Bundle
from platform_plugin_aspects.dashboards.bundle.database import DatabaseConnection
from platform_plugin_aspects.dashboards.bundle.identity import uuid_of
from platform_plugin_aspects.dashboards.own_boards import own_boards
from platform_plugin_aspects.dashboards.own_boards.own_boards import UnusableBoard, add, own_bundles
from test_utils.own_board import BUSY_DAYS, DASHBOARD, DATABASE, MOST, OUTLINE, UNITS, archive, exported

# A switch of a sink may be in the database.
pytestmark = pytest.mark.django_db

Files = dict[str, dict[str, Any]]
CLICKHOUSE = DatabaseConnection("clickhouse", 8123, "ch_report", "aspects_reports")
UUID_TEXT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.ASPECTS_BOARDS_DIR = str(tmp_path)
    return tmp_path


def refused(change: Callable[[Files], Any]) -> list[str]:
    files = exported()
    change(files)
    with pytest.raises(UnusableBoard) as found:
        add(archive(files))
    return list(found.value.problems)


def bundles() -> list[Bundle]:
    return own_bundles(own_boards.own_boards(), CLICKHOUSE)


# Keeping


def test_an_export_is_kept_and_bundled_with_new_uuids_on_the_connection_of_the_reports(folder: Path) -> None:
    board = add(archive(exported()))
    assert (board.slug, board.title, board.path) == ("own-labs", "Labs of Physics", folder / "labs.zip")
    assert [path.name for path in folder.iterdir()] == ["labs.zip"]
    (bundle,) = bundles()
    (row,) = bundle.rows
    assert (row.slug, row.superset_slug, row.title, row.block_type, row.position) == (
        *("own-labs", "aspects-own-labs", "Labs of Physics", "", 1000),
    )
    assert (bundle.language, bundle.dashboards) == ("", {"aspects-own-labs": row.dashboard_uuid})
    assert sorted(bundle.datasets) == ["own-labs 06790068: course_outline", "own-labs 46926354: busy_days"]
    assert (set(row.datasets), set(row.charts)) == (set(bundle.datasets.values()), set(bundle.charts.values()))
    assert bundle.contents["databases/aspects_reports.yaml"] == CLICKHOUSE.content()
    # Nothing is left of the export's UUIDs, and all references are to what is in the bundle.
    # It was drawn on the plugin's own connection.
    old = {content["uuid"] for content in exported().values() if "uuid" in content} - {CLICKHOUSE.uuid}
    written = set(UUID_TEXT.findall("".join(bundle.files.values())))
    assert len(old) == 5
    assert not written & old
    assert written == {CLICKHOUSE.uuid, row.dashboard_uuid, *row.datasets, *row.charts}


def test_datasets_read_their_relation_by_sql_so_that_a_table_may_have_two() -> None:
    add(archive(exported()))
    (bundle,) = bundles()
    sql = {content["table_name"]: content["sql"] for content in bundle.contents.values() if "table_name" in content}
    assert sql == {
        "own-labs 46926354: busy_days": "SELECT org, course_key, day, learners\n"
        "FROM aspects_reports.engagement_by_day WHERE learners > 0",
        "own-labs 06790068: course_outline": "SELECT * FROM `aspects_reports`.`course_outline`",
    }


def test_a_board_that_is_added_again_keeps_its_uuids_and_its_name(folder: Path) -> None:
    add(archive(exported()))
    (before,) = bundles()
    files = exported()
    files[DASHBOARD] |= {"dashboard_title": "Experiments", "slug": None}
    assert add(archive(files)).slug == "own-labs"
    (after,) = bundles()
    assert (after.dashboards, after.charts) == (before.dashboards, before.charts)
    assert after.rows[0].title == "Experiments"
    assert after.hash != before.hash
    assert [path.name for path in folder.iterdir()] == ["labs.zip"]


def test_only_known_keys_are_kept(folder: Path) -> None:
    files = exported()
    files[BUSY_DAYS] |= {"data": "http://169.254.169.254/", "template_params": {"a": 1}, "extra": {"a": 1}}
    files[DASHBOARD] |= {"theme_uuid": "11111111-1111-4111-8111-111111111111", "tags": ["x"], "owners": [1]}
    files["themes/x.yaml"] = {"theme_name": "x"}
    add(archive(files))
    (bundle,) = bundles()
    text = "".join(bundle.files.values())
    assert not [word for word in ("169.254", "template_params", "theme", "tags", "owners") if word in text]
    assert "clickhouse.example.com" not in text


@pytest.mark.parametrize(
    ("slug", "title", "name"),
    [
        ("Labs 2", "x", "labs-2"),
        (None, "Physics: Labs!", "physics-labs"),
        (None, "Économie", "economie"),
        (None, "مختبر", "553694b3"),
        ("../../etc/passwd", "x", "etcpasswd"),
        (None, "x" * 300, "x" * 80),
    ],
)
def test_the_name_of_a_board_is_safe_whatever_its_title(slug: Any, title: str, name: str, folder: Path) -> None:
    files = exported()
    files[DASHBOARD] |= {"slug": slug, "dashboard_title": title}
    assert add(archive(files)).path == folder / f"{name}.zip"


def test_another_dashboard_with_the_same_slug_is_refused(folder: Path) -> None:
    add(archive(exported()))
    before = (folder / "labs.zip").read_bytes()
    problems = refused(lambda files: files[DASHBOARD].update(uuid="11111111-1111-4111-8111-111111111111"))
    assert problems == [
        f"Another dashboard is kept as {folder / 'labs.zip'}. Give this one another URL slug in Superset, or remove "
        "that file."
    ]
    assert (folder / "labs.zip").read_bytes() == before


def test_boards_stand_in_the_order_of_their_names() -> None:
    for number, slug in enumerate(("zoo", "art")):
        files = exported()
        files[DASHBOARD] |= {"slug": slug, "uuid": f"{number}1111111-1111-4111-8111-111111111111"}
        add(archive(files))
    rows = [row for bundle in bundles() for row in bundle.rows]
    assert [(row.slug, row.position) for row in rows] == [("own-art", 1000), ("own-zoo", 1001)]
    # The charts of both have the same UUIDs in the export, and not here.
    assert not set(rows[0].charts) & set(rows[1].charts)
    assert not set(rows[0].datasets) & set(rows[1].datasets)


# The folder


def test_without_a_folder_there_are_no_boards_and_none_can_be_added(settings: Any) -> None:
    settings.ASPECTS_BOARDS_DIR = ""
    assert bundles() == []
    assert refused(lambda files: None) == [
        "ASPECTS_BOARDS_DIR is ''. Set it to a folder that stays, such as '/openedx/data/boards', and create it."
    ]


def test_a_folder_that_is_not_there_is_named(settings: Any, folder: Path) -> None:
    settings.ASPECTS_BOARDS_DIR = str(folder / "lost")
    expected = f"ASPECTS_BOARDS_DIR is '{folder}/lost', which is not a folder. Create it, or correct the setting."
    assert refused(lambda files: None) == [expected]
    with pytest.raises(UnusableBoard, match="is not a folder"):
        bundles()


def test_a_kept_board_is_checked_again(folder: Path, settings: Any) -> None:
    add(archive(exported()))
    settings.ASPECTS_REPORTING_DATABASE = "elsewhere"
    kept = own_boards.own_boards()
    assert (kept.usable, kept.standing) == ({}, {"own-labs"})
    assert [text.partition(", which")[0] for text in kept.problems] == [
        f"{folder}/labs.zip: Dataset 'busy_days' reads aspects_reports.engagement_by_day",
        f"{folder}/labs.zip: Dataset 'course_outline' reads aspects_reports.course_outline",
    ]
    assert kept.problems[0].endswith("(Add it anew, or remove the file.)")


def test_files_that_somebody_else_put_there_are_named(folder: Path) -> None:
    (folder / "odd.zip").write_bytes(b"odd")
    with pytest.raises(UnusableBoard) as found:
        add(archive(exported()))
    kept = own_boards.own_boards()
    assert kept.standing == {"own-odd"}
    for (text,) in (found.value.problems, kept.problems):
        assert text.startswith(f"{folder}/odd.zip: The file is not a zip that can be read")


def test_the_same_dashboard_under_two_names_is_named(folder: Path) -> None:
    board = add(archive(exported()))
    (folder / "more.zip").write_bytes(board.path.read_bytes())
    assert own_boards.own_boards().problems == [
        f"{folder}/more.zip: It is the same dashboard as {folder}/labs.zip. (Add it anew, or remove the file.)"
    ]


def test_a_faulty_board_leaves_the_others_where_they_are(folder: Path) -> None:
    add(archive(exported()))
    (folder / "art.zip").write_bytes(b"broken")
    (row,) = [row for bundle in bundles() for row in bundle.rows]
    # "art" has the place before it.
    assert (row.slug, row.position) == ("own-labs", 1001)


@pytest.mark.parametrize(
    "changed",
    [
        {"table_name": "learner_status_with_names"},
        {"sql": "SELECT org, course_key, username FROM aspects_reports.learner_status_with_names"},
    ],
)
def test_a_board_with_names_does_not_stay_in_superset_without_the_sinks_of_names(
    changed: dict[str, str], settings: Any
) -> None:
    files = exported()
    files[OUTLINE] |= changed
    settings.EVENT_SINK_CLICKHOUSE_USER_PROFILE_ENABLED = True
    settings.EVENT_SINK_CLICKHOUSE_EXTERNAL_ID_ENABLED = True
    add(archive(files))
    assert [board.slug for board in own_boards.own_boards().usable.values()] == ["own-labs"]
    settings.EVENT_SINK_CLICKHOUSE_USER_PROFILE_ENABLED = False
    kept = own_boards.own_boards()
    assert (kept.usable, len(kept.problems), kept.standing) == ({}, 1, set())


def test_a_file_that_cannot_be_written_leaves_no_trace(folder: Path) -> None:
    (folder / "labs.zip").mkdir()
    files = exported()
    # A folder of that name cannot be read either.
    with pytest.raises(UnusableBoard, match="cannot be read"):
        add(archive(files))
    assert [path.name for path in folder.iterdir()] == ["labs.zip"]


# Whose dashboard


def test_dashboards_of_the_plugin_and_of_aspects_are_refused() -> None:
    course = boards(personal=False)[0]
    for uuid, owner in (
        (uuid_of("dashboard", course.slug, "fr"), "the plugin's"),
        ("C0E64194-33D1-4D5A-8C10-4F51530C5EE9", "Aspects'"),
        ("735d0451-0ff9-5157-93db-b748c814550f", "Aspects'"),
        ("98ff33ff-18dd-48f9-8c58-629ae4f4194b", "Aspects'"),
    ):
        assert refused(lambda files, uuid=uuid: files[DASHBOARD].update(uuid=uuid)) == [
            f"The dashboard is {owner} own. In Superset, save it as a dashboard of your own, and export that."
        ]


# Faults, by name


def columns(files: Files, path: str) -> list[dict[str, Any]]:
    return files[path]["columns"]


def without_column(path: str, *names: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files[path]["columns"] = [column for column in columns(files, path) if column["column_name"] not in names]

    return change


def calculated(files: Files) -> None:
    next(column for column in columns(files, OUTLINE) if column["column_name"] == "org")["expression"] = "'Org'"


def query(files: Files, **values: Any) -> None:
    context = json.loads(files[UNITS]["query_context"])
    context["queries"][0] |= values
    files[UNITS]["query_context"] = json.dumps(context)


def of_another_database(files: Files) -> None:
    files[OUTLINE]["database_uuid"] = "11111111-1111-4111-8111-111111111111"


def with_second_database(files: Files) -> None:
    files["databases/x.yaml"] = {
        "database_name": "Superset Metadata",
        "sqlalchemy_uri": "mysql://x",
        "uuid": "11111111-1111-4111-8111-111111111111",
    }


def with_second_dashboard(files: Files) -> None:
    files["dashboards/x.yaml"] = {
        **files[DASHBOARD],
        "dashboard_title": "Other",
        "uuid": "11111111-1111-4111-8111-111111111111",
    }


FAULTS: dict[str, tuple[Callable[[Files], Any], str]] = {
    "a column of the scope is missing": (
        without_column(OUTLINE, "course_key"),
        "Dataset 'course_outline' has no column course_key, by which guests are limited to their course.",
    ),
    "both are missing": (
        without_column(OUTLINE, "course_key", "org"),
        "Dataset 'course_outline' has no column org and no column course_key, by which",
    ),
    "a column of the scope is calculated": (calculated, "Dataset 'course_outline' has no column org, by which"),
    "the database is not ClickHouse": (
        lambda files: files[DATABASE].update(sqlalchemy_uri="postgresql+psycopg2://u:XXXXXXXXXX@h/db"),
        "The database 'Aspects reports' is 'postgresql+psycopg2'. Boards read ClickHouse",
    ),
    "two databases": (
        with_second_database,
        "The export reads 2 databases ('Aspects reports', 'Superset Metadata'). A board reads ClickHouse",
    ),
    "a dataset of a database that is not there": (
        of_another_database,
        "Dataset 'course_outline' reads another database than 'Aspects reports'.",
    ),
    "a table that the reader may not read": (
        lambda files: files[OUTLINE].update(schema="event_sink", table_name="user_profile"),
        "Dataset 'user_profile' reads event_sink.user_profile, which Superset's reader may not. It may read: ",
    ),
    "a table with usernames": (
        lambda files: files[OUTLINE].update(schema="event_sink", table_name="course_enrollment"),
        "Dataset 'course_enrollment' reads event_sink.course_enrollment, which Superset's reader may not.",
    ),
    "a view of names": (
        lambda files: files[OUTLINE].update(table_name="learner_status_with_names"),
        "Dataset 'learner_status_with_names' reads aspects_reports.learner_status_with_names, which Superset's reader",
    ),
    "SQL of a dataset": (
        lambda files: files[BUSY_DAYS].update(sql="SELECT * FROM event_sink.user_profile"),
        "Dataset 'busy_days' reads event_sink.user_profile, which Superset's reader may not.",
    ),
    "an alias in SQL of a dataset": (
        lambda files: files[BUSY_DAYS].update(sql="SELECT 'A' AS org, course_key FROM engagement_by_day"),
        "Dataset 'busy_days' gives the name org to something else.",
    ),
    "Jinja in SQL of a dataset": (
        lambda files: files[BUSY_DAYS].update(sql="SELECT * FROM engagement_by_day WHERE {{ filter_values('org') }}"),
        "Dataset 'busy_days' has a Jinja template. Boards have none.",
    ),
    "a metric": (
        lambda files: files[BUSY_DAYS]["metrics"][0].update(expression="max((SELECT 1))"),
        "Dataset 'busy_days': its metric 'most' has a subquery or a statement",
    ),
    "a calculated column": (
        lambda files: columns(files, OUTLINE)[0].update(expression="dictGet('event_sink.user_pii', 'name', 1)"),
        "calls dictGet, which does more than compute with its row.",
    ),
    "a predicate of values": (
        lambda files: files[OUTLINE].update(fetch_values_predicate="unit IN event_sink.t"),
        "Dataset 'course_outline': its filter of values has IN with something else than values.",
    ),
    "SQL of a chart": (
        lambda files: files[UNITS]["params"]["adhoc_filters"][0].update(sqlExpression="{% if 1 %}1{% endif %}"),
        "Chart 'Units of the course': its SQL '{% if 1 %}1{% endif %}' has a Jinja template.",
    ),
    "SQL of a saved query": (
        lambda files: query(files, extras={"where": "unit IN (SELECT 1)"}),
        "Chart 'Units of the course': its SQL 'unit IN (SELECT 1)' has IN with something else than values.",
    ),
    "SQL of a saved column": (
        lambda files: query(files, columns=[{"label": "x", "sqlExpression": "joinGet('a', 'b', 1)"}]),
        "Chart 'Units of the course': its SQL \"joinGet('a', 'b', 1)\" calls joinGet",
    ),
    "a chart without its query": (
        lambda files: files[MOST].update(query_context=None),
        "Chart 'Most active learners on a day' was never saved with its query, which guests need.",
    ),
    "a chart with a broken query": (
        lambda files: files[MOST].update(query_context="{"),
        "Chart 'Most active learners on a day' has a query that cannot be read.",
    ),
    "a chart without its dataset": (
        lambda files: files.pop(BUSY_DAYS),
        "Chart 'Most active learners on a day' has a dataset that is not in the export.",
    ),
    "a chart with layers of others": (
        lambda files: files[UNITS]["params"].update(annotation_layers=[{"annotationType": "EVENT", "value": 3}]),
        "Chart 'Units of the course' shows other charts or annotations by their number",
    ),
    "a chart that is not in the export": (
        lambda files: files.pop(UNITS),
        "The dashboard has a chart that is not in the export (fd5cc2c5-69a8-4146-bc77-cdc2742557f8).",
    ),
    "no chart": (
        lambda files: files[DASHBOARD].update(position={"ROOT_ID": {"type": "ROOT"}}),
        "The dashboard has no chart.",
    ),
    "SQL of a filter": (
        lambda files: files[DASHBOARD]["metadata"]["native_filter_configuration"][0].update(
            adhoc_filters=[{"sqlExpression": "1) OR (1 = 1"}]
        ),
        "A filter of the dashboard: its SQL '1) OR (1 = 1' cannot be read as SQL of ClickHouse",
    ),
    "a filter of another dataset": (
        lambda files: files[DASHBOARD]["metadata"]["native_filter_configuration"][0]["targets"][0].update(
            datasetUuid="11111111-1111-4111-8111-111111111111"
        ),
        "The filter 'unit' reads a dataset that is not in the export.",
    ),
    "two dashboards": (
        with_second_dashboard,
        "The export has 2 dashboards ('Labs of Physics', 'Other'). Export one at a time.",
    ),
    "no dashboard": (lambda files: files.pop(DASHBOARD), "The export has 0 dashboards (none). Export one at a time."),
    "an export of charts": (
        lambda files: files["metadata.yaml"].update(type="Slice"),
        "The file is an export of the type 'Slice'. Export a dashboard: in Superset's list of dashboards, Export.",
    ),
    "another zip": (lambda files: files.pop("metadata.yaml"), "The file is a zip without metadata.yaml."),
    "another version": (
        lambda files: files["metadata.yaml"].update(version="2.0.0"),
        "The export has the version '2.0.0', and only '1.0.0' is known.",
    ),
    "a missing key": (
        lambda files: files[UNITS].pop("viz_type"),
        "charts/Units_of_the_course_38.yaml has no viz_type. Export the dashboard anew, from Superset 6.1.",
    ),
    "a value of another type": (
        lambda files: files[UNITS].update(params="x"),
        "charts/Units_of_the_course_38.yaml: the value of params has another type than in Superset's exports.",
    ),
    "a broken UUID": (
        lambda files: files[UNITS].update(uuid="x"),
        "charts/Units_of_the_course_38.yaml: uuid is 'x', which is not a UUID.",
    ),
    "the same UUID twice": (
        lambda files: files[UNITS].update(uuid=files[MOST]["uuid"]),
        "has the UUID b0fc7762-5e47-4f7b-bf66-2caaa943b020 of another file in charts/.",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named_and_nothing_is_kept(fault: str, folder: Path) -> None:
    change, words = FAULTS[fault]
    assert any(words in problem for problem in refused(change)), refused(change)
    assert list(folder.iterdir()) == []


def test_all_faults_are_named_together() -> None:
    def change(files: Files) -> None:
        without_column(OUTLINE, "org")(files)
        files[BUSY_DAYS]["sql"] = "SELECT 1"
        files[MOST]["query_context"] = None

    assert [problem.partition("' ")[0] for problem in refused(change)] == [
        "Dataset 'busy_days",
        "Dataset 'course_outline",
        "Chart 'Most active learners on a day",
    ]


def test_a_board_may_read_what_the_setting_of_the_reader_lists(settings: Any) -> None:
    files = exported()
    files[OUTLINE] |= {"schema": "site", "table_name": "labs"}
    settings.ASPECTS_SUPERSET_READER = {"relations": ["site.labs"]}
    add(archive(files))
    (bundle,) = bundles()
    assert "SELECT * FROM `site`.`labs`" in "".join(bundle.files.values())


def test_every_new_uuid_is_a_uuid_of_version_five() -> None:
    add(archive(exported()))
    (bundle,) = bundles()
    (row,) = bundle.rows
    assert {UUID(uuid).version for uuid in (row.dashboard_uuid, *row.charts, *row.datasets)} == {5}
    assert own_boards.own_boards().usable[1000].title == "Labs of Physics"
