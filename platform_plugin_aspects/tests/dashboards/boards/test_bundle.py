"""The files that Superset imports."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any

import pytest
import yaml

from platform_plugin_aspects.dashboards.boards.bundle import Bundle, bundle, languages
from platform_plugin_aspects.dashboards.boards.catalog import ALL
from platform_plugin_aspects.dashboards.boards.database import DatabaseConnection

DATABASE = DatabaseConnection("clickhouse.example.com", 8123, "ch_report", "aspects_reports")
LANGUAGES = ("en", "ar", "es-419", "fr")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def made(language: str = "en") -> Bundle:
    """All boards in a language."""
    return bundle(ALL, language, DATABASE)


def parts(found: Bundle, folder: str) -> list[dict[str, Any]]:
    """The contents of a folder's files, as Superset reads them."""
    return [yaml.safe_load(text) for path, text in found.files.items() if path.startswith(f"{folder}/")]


def test_there_is_a_bundle_for_english_and_each_catalog() -> None:
    assert languages() == LANGUAGES


def test_the_zip_holds_the_files_in_one_folder() -> None:
    found = made()
    with zipfile.ZipFile(io.BytesIO(found.zip)) as archive:
        held = {name: archive.read(name).decode() for name in archive.namelist()}
    assert held == {f"aspects/{path}": text for path, text in found.files.items()}
    assert yaml.safe_load(held["aspects/metadata.yaml"])["type"] == "assets"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_boards_are_the_same_bytes(language: str) -> None:
    assert made(language).zip == made(language).zip
    assert made(language).hash == made(language).hash


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


def test_the_connection_has_a_mask_for_its_password_and_no_rights() -> None:
    [database] = parts(made(), "databases")
    assert (
        database["sqlalchemy_uri"] == "clickhousedb://ch_report:XXXXXXXXXX@clickhouse.example.com:8123/aspects_reports"
    )
    assert not any(value for name, value in database.items() if name.startswith(("allow", "expose")))
