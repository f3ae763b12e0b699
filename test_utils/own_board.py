"""An export of Superset 6.1: a dashboard of the site's own over views of the reports, and archives made of it."""

from __future__ import annotations

import copy
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

#: The files of an export, unpacked; columns that no chart shows are left out.
FOLDER = Path(__file__).parent / "data" / "own_board"
ROOT = "dashboard_export_20261126T155211"
DASHBOARD = "dashboards/Labs_of_Physics_7.yaml"
DATABASE = "databases/Aspects_reports.yaml"
OUTLINE, BUSY_DAYS = "datasets/Aspects_reports/course_outline_2.yaml", "datasets/Aspects_reports/busy_days_17.yaml"
UNITS, MOST = "charts/Units_of_the_course_38.yaml", "charts/Most_active_learners_on_a_day_39.yaml"


def exported() -> dict[str, dict[str, Any]]:
    """{path: content} of the export, to change."""
    paths = sorted(FOLDER.rglob("*.yaml"))
    return copy.deepcopy({str(path.relative_to(FOLDER)): yaml.safe_load(path.read_text()) for path in paths})


def archive(files: Mapping[str, Any], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of files as Superset makes it. Contents are texts, bytes, or else become YAML."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as target:
        for path, content in files.items():
            text = content if isinstance(content, str | bytes) else yaml.safe_dump(content, sort_keys=False)
            target.writestr(f"{ROOT}/{path}", text)
    return made.getvalue()
