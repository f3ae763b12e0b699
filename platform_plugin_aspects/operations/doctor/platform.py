"""The platform's database: whether it answers, and has the plugin's tables and waffle's."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from waffle import get_waffle_flag_model

from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, manage

APP = "platform_plugin_aspects"


def examine(_examination: Examination) -> Iterator[Finding]:
    """The database, then the tables that must be in it."""
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        text = f"The platform's database does not answer ({type(error).__name__})"
        yield Mark.PROBLEM(text, "See that it runs, and correct DATABASES")
        return
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes(APP))
    if plan:
        names = ", ".join(migration.name for migration, _backwards in plan if migration.app_label == APP)
        yield Mark.PROBLEM(f"Not migrated: {APP} {names}", f"Run {manage(f'migrate {APP}')}")
    else:
        yield Mark.OK("The plugin's migrations are applied")
    try:
        get_waffle_flag_model().objects.exists()
    except DatabaseError as error:
        text = f"The waffle flags, which may turn sinks on, cannot be read ({type(error).__name__})"
        yield Mark.PROBLEM(text, f"Run {manage('migrate waffle')}")
