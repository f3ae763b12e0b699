"""The keys of each file that are kept, and the types of their values. All others are left out.

Superset knows more keys. One of them, ``data`` of a dataset, makes it load a file from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from platform_plugin_aspects.dashboards.own_boards.problems import UnusableBoard

JSON = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """A key of a file. ``inner``: the keys of each dict in the list that is its value."""

    types: tuple[type, ...]
    required: bool = False
    inner: Mapping[str, Key] | None = None


TEXT, NUMBER, TRUTH, TREE = Key((str,)), Key((int,)), Key((bool,)), Key((dict,))
NEEDED, NEEDED_TREE = Key((str,), required=True), Key((dict,), required=True)

COLUMN = {
    "column_name": NEEDED,
    **dict.fromkeys(("verbose_name", "type", "expression", "description", "python_date_format"), TEXT),
    **dict.fromkeys(("is_dttm", "is_active", "groupby", "filterable"), TRUTH),
}
METRIC = {
    "metric_name": NEEDED,
    "expression": NEEDED,
    **dict.fromkeys(("verbose_name", "metric_type", "description", "d3format", "warning_text"), TEXT),
}
DATASET = {
    **dict.fromkeys(("table_name", "uuid", "database_uuid"), NEEDED),
    **dict.fromkeys(("main_dttm_col", "description", "schema", "sql", "fetch_values_predicate"), TEXT),
    **dict.fromkeys(("filter_select_enabled", "normalize_columns", "always_filter_main_dttm"), TRUTH),
    **dict.fromkeys(("offset", "cache_timeout"), NUMBER),
    "columns": Key((list,), required=True, inner=COLUMN),
    "metrics": Key((list,), inner=METRIC),
}
CHART = {
    **dict.fromkeys(("slice_name", "viz_type", "uuid", "dataset_uuid"), NEEDED),
    **dict.fromkeys(("description", "certified_by", "certification_details", "query_context"), TEXT),
    "params": NEEDED_TREE,
    "cache_timeout": NUMBER,
}
DASHBOARD = {
    **dict.fromkeys(("dashboard_title", "uuid"), NEEDED),
    **dict.fromkeys(("slug", "description", "css", "certified_by", "certification_details"), TEXT),
    "position": NEEDED_TREE,
    "metadata": TREE,
}
DATABASE = dict.fromkeys(("database_name", "sqlalchemy_uri", "uuid"), NEEDED)


def taken(path: str, content: JSON, shape: Mapping[str, Key]) -> JSON:
    """The known keys of a file's content; missing ones are left out, and so is None. Raises UnusableBoard."""
    found: JSON = {}
    for name, key in shape.items():
        value: Any = content.get(name)
        if value is None:
            if key.required:
                raise UnusableBoard([f"{path} has no {name}. Export the dashboard anew, from Superset 6.1."])
            continue
        # Exactly, because True is an int, too.
        if type(value) not in key.types:
            raise UnusableBoard([f"{path}: the value of {name} has another type than in Superset's exports."])
        if key.inner is not None:
            if not all(isinstance(entry, dict) for entry in value):
                raise UnusableBoard([f"{path}: an entry of {name} has another type than in Superset's exports."])
            value = [taken(f"{path} ({name})", entry, key.inner) for entry in value]
        found[name] = _uuid(path, name, value) if name == "uuid" or name.endswith("_uuid") else value
    return found


def _uuid(path: str, name: str, value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise UnusableBoard([f"{path}: {name} is {value!r}, which is not a UUID."]) from None
