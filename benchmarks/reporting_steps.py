"""One step of the benchmark of reports in a process of its own: ``reporting_steps.py STEP ARGUMENTS`` (as JSON).

It prints what it found as a line of JSON. Memory is the peak of the whole process, with Python and the engine.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import django

from benchmarks.memory import peak_mb, reset_peak

USERNAME = "learner"
BARE = "bare"


def fill(statements: int, of_course: int) -> dict[str, Any]:
    """Write the site, and let the plugin make and fill the reports; seconds of each, and bytes on disk."""
    from django.core.management import call_command

    from test_utils import factories

    call_command("migrate", run_syncdb=True, verbosity=0)
    factories.make_overview("course-v1:Org+Course+Run", display_name="Course Run")
    factories.make_external_id(factories.make_user(USERNAME))
    call_command("aspects_create_tables", stdout=sys.stderr)
    site = _site(statements, of_course)
    started = time.perf_counter()
    site.fill()
    written = time.perf_counter()
    _reports(site).create(_watch)
    filled = time.perf_counter()
    number = site.client.select(f"SELECT count() FROM {site.xapi}")[0][0]
    return {
        "statements": number,
        "write_secs": written - started,
        "fill_secs": filled - written,
        "peak_mb": peak_mb(),
        "bytes": dict(
            site.client.select(
                "SELECT if(database = 'aspects_reports', replaceRegexpOne(table, '_v[0-9a-f]{10}_[0-9]+$', ''), "
                "'statements') AS name, sum(bytes_on_disk) FROM system.parts "
                "WHERE active AND database IN ('xapi', 'aspects_reports') GROUP BY name"
            )
        ),
    }


def views(statements: int, of_course: int, rounds: int) -> dict[str, Any]:
    """The rows of each view, for the large course, its best milliseconds of wall and of processor time, and peak MB.

    Also those of the two queries of the numbers on a page: once a minute, and once an hour those of a week ago.
    """
    from benchmarks.reporting_site import course_key
    from platform_plugin_aspects.dashboards.pages.summary_reading import BEFORE, NOW, query

    site = _site(statements, of_course)
    reports = _reports(site)
    here = f"org = 'Org0' AND course_key = '{course_key(0)}'"
    queries = {
        relation.name: f"SELECT * FROM {reports.layout.qualified(relation.name)} WHERE {here}"
        for relation in reports.relations
        if relation.is_for_boards
    }
    for name, view in (("page, each minute", NOW), ("page, each hour", BEFORE)):
        sql = query(reports.layout.database, view)
        queries[name] = sql.replace("{org:String}", "'Org0'").replace("{course_key:String}", f"'{course_key(0)}'")
    found = {}
    for name, sql in queries.items():
        site.client.command("SYSTEM JEMALLOC PURGE")
        reset_peak()
        walls, processors = [], []
        for _ in range(rounds + 1):
            wall, processor = time.perf_counter(), time.process_time()
            site.client._client.raw_query(sql, fmt="Null")
            walls.append(time.perf_counter() - wall)
            processors.append(time.process_time() - processor)
        peak = peak_mb()
        found[name] = {
            "rows": site.client.select(f"SELECT count() FROM ({sql})")[0][0],
            "best_ms": 1e3 * min(walls[1:]),
            "processor_ms": 1e3 * min(processors[1:]),
            "peak_mb": peak,
        }
        print(name, found[name], file=sys.stderr, flush=True)
    return found


def inserts(statements: int, of_course: int, batches: dict[str, int]) -> dict[str, Any]:
    """The best seconds of an insert into the bare table and with reports, by size of a batch; the two take turns."""
    from platform_plugin_aspects.clickhouse.driver import encode

    site = _site(statements, of_course)
    client = site.client
    connection = client.connection
    client.command(f"CREATE DATABASE IF NOT EXISTS {BARE}")
    client.command(f"CREATE TABLE {BARE}.`{connection.xapi_table}` AS {site.xapi}")
    tables = {"bare": f"{BARE}.`{connection.xapi_table}`", "reports": site.xapi}
    columns = (("event_id", "UUID"), ("emission_time", "DateTime64(6)"), ("event", "String"))
    first = site.size.visits * 20
    found: dict[str, Any] = {}
    for size, number in batches.items():
        walls: dict[str, list[float]] = {name: [] for name in tables}
        for _ in range(number + 1):
            rows = client.select(site.statements(first, int(size)))
            first += int(size)
            data = encode(connection, columns, list(zip(*rows, strict=True)))
            for name, table in tables.items():
                begun = time.perf_counter()
                client._client.raw_insert(table, [column for column, _type in columns], data, fmt="Native")
                walls[name].append(time.perf_counter() - begun)
        found[size] = {name: {"best_secs": min(walls[name][1:])} for name in tables}
        print(size, found[size], file=sys.stderr, flush=True)
    return found


def _site(statements: int, of_course: int) -> Any:
    """The site; its platform has one user, whom ERB's statements are about."""
    from django.contrib.auth.models import User
    from openedx.core.djangoapps.external_user_ids.models import ExternalId

    from benchmarks.reporting_site import Site, Size
    from benchmarks.reporting_statements import Shapes
    from platform_plugin_aspects.clickhouse.client import get_client
    from platform_plugin_aspects.clickhouse.connection import Connection

    user = User.objects.get(username=USERNAME)
    shapes = Shapes(user.pk, USERNAME, str(ExternalId.objects.get(user=user).external_user_id))
    return Site(get_client(Connection.from_settings()), Size(statements, of_course), shapes)


def _reports(site: Any) -> Any:
    from dataclasses import replace

    from benchmarks.reporting_site import CLOCK
    from platform_plugin_aspects.reporting.layout import Layout
    from platform_plugin_aspects.reporting.migrate import Reports

    layout = Layout.from_settings(site.client.connection, personal=True)
    return Reports(site.client, replace(layout, clock=CLOCK))


def _watch(relation: str, month: int, _number: int, _months: int) -> bool:
    print(f"{time.perf_counter():.1f} {relation} {month}, peak {peak_mb():.0f} MB", file=sys.stderr, flush=True)
    return True


STEPS: dict[str, Callable[..., dict[str, Any]]] = {"fill": fill, "views": views, "inserts": inserts}

if __name__ == "__main__":
    django.setup()
    print(json.dumps(STEPS[sys.argv[1]](**json.loads(sys.argv[2]))))
