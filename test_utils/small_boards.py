"""Small boards for tests of provisioning: a bundle of a few objects, whose files a real Superset takes."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import NAMESPACE_URL, uuid5

MASK = "XXXXXXXXXX"
COUNT = {"expressionType": "SQL", "sqlExpression": "COUNT(*)", "label": "Learners"}


def uuid_of(kind: str, name: str) -> str:
    """The UUID of an object of a small board."""
    return str(uuid5(NAMESPACE_URL, f"https://small-boards.invalid/{kind}/{name}"))


@dataclass(frozen=True)
class SmallDatabase:
    """Superset's connection to ClickHouse at ``place`` (host:port)."""

    place: str = "clickhouse.invalid:8123"
    username: str = "reader"
    schema: str = "aspects_reports"
    name: str = "Small reports"
    uuid: str = uuid_of("database", "reports")

    @property
    def uri(self) -> str:
        return f"clickhousedb://{self.username}:{MASK}@{self.place}/{self.schema}"


@dataclass(frozen=True)
class SmallRow:
    """A board of a bundle."""

    slug: str
    language: str
    title: str
    chart_names: tuple[str, ...]
    dataset_names: tuple[str, ...]
    position: int = 0
    block_type: str = ""

    @property
    def superset_slug(self) -> str:
        return f"aspects-{self.slug}-{self.language}"

    @property
    def dashboard_uuid(self) -> str:
        return uuid_of("dashboard", f"{self.slug}/{self.language}")

    @property
    def charts(self) -> tuple[str, ...]:
        return tuple(uuid_of("chart", f"{name}/{self.language}") for name in self.chart_names)

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(uuid_of("dataset", name) for name in self.dataset_names)


@dataclass(frozen=True)
class SmallBundle:
    """Boards in one language: slug -> {chart: dataset}. Every dataset has the columns org and course_key."""

    boards: Mapping[str, Mapping[str, str]]
    database: SmallDatabase = field(default_factory=SmallDatabase)
    language: str = "en"
    #: Stands in the title of each chart.
    edition: str = ""

    @cached_property
    def rows(self) -> tuple[SmallRow, ...]:
        return tuple(
            SmallRow(slug, self.language, slug.title(), tuple(charts), tuple(sorted(set(charts.values()))), place)
            for place, (slug, charts) in enumerate(self.boards.items())
        )

    @property
    def dashboards(self) -> dict[str, str]:
        return {row.superset_slug: row.dashboard_uuid for row in self.rows}

    @property
    def charts(self) -> dict[str, str]:
        return {name: uuid for row in self.rows for name, uuid in zip(row.chart_names, row.charts, strict=True)}

    @property
    def datasets(self) -> dict[str, str]:
        return {name: uuid for row in self.rows for name, uuid in zip(row.dataset_names, row.datasets, strict=True)}

    @cached_property
    def files(self) -> dict[str, str]:
        contents: dict[str, Any] = {
            "metadata.yaml": {"version": "1.0.0", "type": "assets", "timestamp": "2026-01-01T00:00:00+00:00"},
            "databases/reports.yaml": _database(self.database),
        }
        for name, uuid in self.datasets.items():
            contents[f"datasets/reports/{name}.yaml"] = _dataset(name, uuid, self.database)
        for charts in self.boards.values():
            for name, dataset in charts.items():
                title = f"{name} {self.edition}".strip()
                contents[f"charts/{name}.yaml"] = _chart(title, self.charts[name], self.datasets[dataset])
        for row in self.rows:
            contents[f"dashboards/{row.slug}.yaml"] = _dashboard(row)
        # JSON is YAML.
        return {path: json.dumps(content) for path, content in contents.items()}

    @cached_property
    def zip(self) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for path, text in self.files.items():
                archive.writestr(f"small/{path}", text)
        return packed.getvalue()

    @cached_property
    def hash(self) -> str:
        return hashlib.sha256(json.dumps(self.files, sort_keys=True).encode()).hexdigest()


def _database(database: SmallDatabase) -> dict[str, Any]:
    closed = ("expose_in_sqllab", "allow_run_async", "allow_ctas", "allow_cvas", "allow_dml", "allow_csv_upload")
    return {
        "database_name": database.name,
        "sqlalchemy_uri": database.uri,
        "cache_timeout": None,
        **dict.fromkeys(closed, False),
        "extra": {"metadata_params": {}, "engine_params": {}, "schemas_allowed_for_csv_upload": []},
        "uuid": database.uuid,
        "version": "1.0.0",
    }


def _dataset(name: str, uuid: str, database: SmallDatabase) -> dict[str, Any]:
    columns = [{"column_name": column, "type": "String"} for column in ("org", "course_key")]
    return {
        "table_name": name,
        "schema": database.schema,
        "sql": None,
        "main_dttm_col": None,
        "columns": columns,
        "metrics": [],
        "database_uuid": database.uuid,
        "uuid": uuid,
        "version": "1.0.0",
    }


def _chart(title: str, uuid: str, dataset: str) -> dict[str, Any]:
    query = {"columns": ["course_key"], "metrics": [COUNT], "orderby": []}
    params = {"viz_type": "table", "query_mode": "aggregate", "groupby": ["course_key"], "metrics": [COUNT]}
    context = {"datasource": {"id": 0, "type": "table"}, "queries": [query], "form_data": params}
    return {
        "slice_name": title,
        "viz_type": "table",
        "params": params,
        "query_context": json.dumps(context),
        "dataset_uuid": dataset,
        "uuid": uuid,
        "version": "1.0.0",
    }


def _dashboard(row: SmallRow) -> dict[str, Any]:
    places = [f"CHART-{name}" for name in row.chart_names]
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": ["ROW-0"], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": row.title}},
        "ROW-0": _part("ROW", "ROW-0", places, {"background": "BACKGROUND_TRANSPARENT"}),
    }
    for place, name, uuid in zip(places, row.chart_names, row.charts, strict=True):
        meta = {"uuid": uuid, "chartId": 0, "sliceName": name, "width": 4, "height": 40}
        position[place] = _part("CHART", place, [], meta)
    return {
        "dashboard_title": row.title,
        "slug": row.superset_slug,
        "position": position,
        "metadata": {"native_filter_configuration": []},
        "published": True,
        "uuid": row.dashboard_uuid,
        "version": "1.0.0",
    }


def _part(kind: str, name: str, children: Sequence[str], meta: Mapping[str, Any]) -> dict[str, Any]:
    parents = ["ROOT_ID", "GRID_ID", *(["ROW-0"] if kind == "CHART" else [])]
    return {"type": kind, "id": name, "children": list(children), "parents": parents, "meta": dict(meta)}
