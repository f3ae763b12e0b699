"""Settings of LMS and CMS that boards need and that are missing, as YAML to paste."""

from __future__ import annotations

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.grants import SETTING, Reader
from platform_plugin_aspects.dashboards.superset.config import is_configured
from platform_plugin_aspects.extensions.filters import PAGES
from platform_plugin_aspects.operations.provision.users import CONFIG
from platform_plugin_aspects.reporting.layout import ENABLED_SETTING, reports_are_on
from platform_plugin_aspects.sinks import CourseEnrollmentSink, CourseOverviewSink, StatementSink
from platform_plugin_aspects.sinks.registry import is_on

#: The sinks without which the boards of a course have no numbers.
SINKS = (CourseOverviewSink, CourseEnrollmentSink, StatementSink)


def missing() -> list[str]:
    """The lines; none where nothing is missing. Passwords are for the reader to choose."""
    found: list[str] = []
    connection = Connection.from_settings()
    if connection.embedded_path is None and not connection.credentials[1]:
        found += [
            f"{CONFIG}:",
            f"  url: {connection.place}",
            f"  username: {connection.credentials[0]}",
            "  password: choose one",
            f"  database: {connection.database}",
        ]
    found += [f"{sink.setting()}: true" for sink in SINKS if not is_on(sink)]
    if not reports_are_on():
        found.append(f"{ENABLED_SETTING}: true")
    reader = Reader.from_settings(())
    if not reader.password:
        found += [f"{SETTING}:", f"  username: {reader.username}", "  password: choose one"]
    if not is_configured():
        found += [
            "SUPERSET_CONFIG:",
            "  service_url: https://superset.example.com/",
            "  username: aspects",
            "  password: choose one",
        ]
    if not any(page.step in page.steps() for page in PAGES):
        found.append("OPEN_EDX_FILTERS_CONFIG:")
        for page in PAGES:
            found += [f"  {page.filter_type}:", "    fail_silently: true", "    pipeline:", f"      - {page.step}"]
    return found
