"""The files that Superset imports."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from platform_plugin_aspects.dashboards.boards.catalog import ALL
from platform_plugin_aspects.dashboards.boards.parts import Aggregate, Condition, Kind, Measure, Tab
from platform_plugin_aspects.dashboards.bundle.bundle import Bundle, bundle, languages
from platform_plugin_aspects.reporting.relation import relations
from platform_plugin_aspects.tests.dashboards.bundle.small_board import DATABASE, LANGUAGES, SMALL, TRACKS

GOLDEN = Path(__file__).parent / "small_board.yaml"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@cache
def made(language: str = "en") -> Bundle:
    """All boards in a language."""
    return bundle(ALL, language, DATABASE)


def parts(found: Bundle, folder: str) -> list[dict[str, Any]]:
    """The contents of a folder's files."""
    return [content for path, content in found.contents.items() if path.startswith(f"{folder}/")]


def text_of(found: Bundle) -> str:
    """All files, one below the other."""
    return "".join(f"# {path}\n---\n{text}" for path, text in found.files.items())


def test_there_is_a_bundle_for_english_and_each_catalog() -> None:
    assert languages() == LANGUAGES


def test_the_zip_holds_the_files_in_one_folder() -> None:
    found = made()
    with zipfile.ZipFile(io.BytesIO(found.zip)) as archive:
        held = {name: archive.read(name).decode() for name in archive.namelist()}
    assert held == {f"aspects/{path}": text for path, text in found.files.items()}
    assert yaml.safe_load(held["aspects/metadata.yaml"])["type"] == "assets"


def test_superset_reads_the_contents_from_the_files() -> None:
    found = made("ar")
    assert {path: yaml.safe_load(text) for path, text in found.files.items()} == found.contents


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_boards_are_the_same_bytes(language: str) -> None:
    again = bundle(ALL, language, DATABASE)
    assert again.zip == made(language).zip
    assert again.hash == made(language).hash


def test_the_files_of_a_small_board_are_as_reviewed() -> None:
    """RENEW_GOLDEN=1 writes the file anew: review it as a diff."""
    found = bundle([SMALL], "en", DATABASE)
    unused = {f"datasets/aspects_reports/{view}.yaml" for view in set(found.datasets) - set(SMALL.views)}
    text = text_of(replace(found, contents={path: it for path, it in found.contents.items() if path not in unused}))
    if os.environ.get("RENEW_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        {"question": "How many are there?"},
        {"about": "Learners."},
        {"empty": "Nobody."},
        {"kind": Kind.BARS},
        {"where": (Condition("mode", "==", "audit"),)},
        {"limit": 10},
        {"height": 51},
        {"measures": (Measure("enrolled", Aggregate.AVG),)},
    ],
    ids=str,
)
def test_each_part_of_a_chart_is_in_the_hash(change: dict[str, Any]) -> None:
    changed = replace(SMALL, tabs=(Tab("learners", "Learners", ((replace(TRACKS, **change),),)),))
    same = replace(SMALL, tabs=(Tab("learners", "Learners", ((TRACKS,),)),))
    assert bundle([changed], "en", DATABASE).hash != bundle([same], "en", DATABASE).hash


def test_the_hash_changes_with_the_connection_and_the_language() -> None:
    hashes = [bundle([SMALL], language, DATABASE).hash for language in LANGUAGES]
    others = [replace(DATABASE, host="other"), replace(DATABASE, username="other"), replace(DATABASE, secure=True)]
    hashes += [bundle([SMALL], "en", database).hash for database in others]
    assert len(set(hashes)) == len(hashes)


def test_uuids_never_change() -> None:
    found = bundle([SMALL], "es-419", DATABASE)
    assert found.dashboards == {"aspects-small-es-419": "d1ccbf66-115e-502c-95d4-f28077241b7a"}
    assert found.charts["small-tracks"] == "73454c0f-0d28-5168-939f-5f21291e7c3b"
    assert found.datasets["enrollment_by_track"] == "e5ce78e5-43ba-5d81-8ba2-12c94ee1c628"
    assert DATABASE.uuid == "b5aacc31-6314-5ec2-9c55-99e0107b03ce"


def test_the_row_of_a_board_is_what_a_page_needs() -> None:
    found = bundle([SMALL], "fr", DATABASE)
    [row] = found.rows
    assert (row.slug, row.superset_slug, row.title, row.block_type, row.position) == (
        "small",
        "aspects-small-fr",
        "A “small” board: 100 %",
        "",
        0,
    )
    assert row.dashboard_uuid == found.dashboards["aspects-small-fr"]
    assert len(row.charts) == 6
    assert set(row.datasets) == set(found.datasets.values())


def test_every_view_that_superset_may_read_has_a_dataset() -> None:
    """The row rule closes datasets, so a view without one would be open. No board shows these three."""
    without_names = [board for board in ALL if not board.is_personal]
    for boards in (ALL, without_names):
        assert {"course_structure", "enrollment_by_track", "learner_status"} <= set(
            bundle(boards, "en", DATABASE).datasets
        )
    views = {relation.name: relation.is_personal for relation in relations() if relation.is_for_boards}
    assert set(bundle(ALL, "en", DATABASE).datasets) == set(views)
    assert set(bundle(without_names, "en", DATABASE).datasets) == {view for view, names in views.items() if not names}


def test_every_reference_is_to_a_file() -> None:
    found = made()
    [database] = parts(found, "databases")
    datasets = {part["uuid"] for part in parts(found, "datasets")}
    charts = {part["uuid"]: part for part in parts(found, "charts")}
    assert {part["database_uuid"] for part in parts(found, "datasets")} == {database["uuid"]}
    assert {chart["dataset_uuid"] for chart in charts.values()} <= datasets
    shown = set()
    for dashboard in parts(found, "dashboards"):
        position = dashboard["position"]
        for name, part in position.items():
            if name == "DASHBOARD_VERSION_KEY":
                continue
            assert part["id"] == name
            assert all(name in position[child].get("parents", [name]) for child in part.get("children", []))
            if part["type"] == "CHART":
                shown.add(part["meta"]["uuid"])
        for chosen in dashboard["metadata"]["native_filter_configuration"]:
            assert {target["datasetUuid"] for target in chosen["targets"] if target} <= datasets
    assert shown == set(charts)


def test_no_dataset_has_sql_and_each_has_the_columns_of_the_clauses() -> None:
    for dataset in parts(made(), "datasets"):
        assert dataset["sql"] is None
        assert dataset["schema"] == "aspects_reports"
        assert {"org", "course_key"} <= {column["column_name"] for column in dataset["columns"]}


def test_uuids_are_version_5_and_of_one_object_each() -> None:
    uuids = []
    for language in LANGUAGES:
        found = made(language)
        assert all(UUID.fullmatch(uuid) for uuid in [*found.charts.values(), *found.datasets.values()])
        uuids += [*found.charts.values(), *found.dashboards.values()]
    assert len(uuids) == len(set(uuids))


def test_languages_share_their_datasets() -> None:
    assert {json.dumps(parts(made(language), "datasets")) for language in LANGUAGES} == {
        json.dumps(parts(made(), "datasets"))
    }


def test_the_saved_query_asks_for_what_the_form_says() -> None:
    for chart in parts(made(), "charts"):
        context = json.loads(chart["query_context"])
        assert context["form_data"] == chart["params"]
        assert len(context["queries"]) == 1
