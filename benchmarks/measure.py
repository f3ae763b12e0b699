"""One step of the benchmark in a process of its own: ``measure.py <step> <object or number>``; prints a line of JSON.

Steps: ``refuse-used`` (a database that holds something), ``seed``, ``tables`` (make them in ClickHouse); and those that
are measured, ``read`` and ``insert`` (the two limits) and ``backfill`` on an empty table, ``compare`` on what it wrote.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import django

from benchmarks.memory import peak_mb


def read(name: str) -> Callable[[], int]:
    """Only read: the columns of the backfill in its portions, with a raw cursor and SQL written by hand."""
    from django.db import connection

    from platform_plugin_aspects.sinks.registry import sinks

    columns, source = SOURCES[name]
    size = sinks()[name].batch_size
    sql = f"SELECT {columns} FROM {source} WHERE t.id > %s ORDER BY t.id LIMIT %s"

    def run() -> int:
        rows, last = 0, 0
        with connection.cursor() as cursor:
            while True:
                cursor.execute(sql, (last, size))
                portion = cursor.fetchall()
                rows += len(portion)
                if len(portion) < size:
                    return rows
                last = portion[-1][0]

    return run


def insert(name: str) -> Callable[[], int]:
    """Only insert: objects that were read and converted before, as often and as many as the backfill inserts.

    Ids differ from insert to insert, as in the backfill: ClickHouse would merge equal rows into one.
    """
    from platform_plugin_aspects.delivery.backfill.walk import next_insert
    from platform_plugin_aspects.delivery.sink_lock import take_stamp
    from platform_plugin_aspects.sinks import Selection
    from platform_plugin_aspects.sinks.registry import sinks

    sink = sinks()[name]()
    stamp = take_stamp(name)
    number = sink.manager.count()
    bounds, end = [], 0
    while end < number:
        start, end = end, min(end + next_insert(sink, end), number)
        bounds.append((start, end))
    batch = sink.read(Selection(limit=max(end - start for start, end in bounds)))
    data = sink.prepared(batch, stamp, uuid.uuid4())
    columns = sink.table.types
    client = sink.clickhouse
    fresh = {
        "id": lambda start, end: list(range(start + 1, end + 1)),
        "user_id": lambda start, end: list(range(start + 1, end + 1)),
        "external_user_id": lambda start, end: [uuid.uuid4().hex for _ in range(start, end)],
    }
    ids = [{column: make(*each) for column, make in fresh.items()} for each in bounds]

    def run() -> int:
        for (start, end), made in zip(bounds, ids, strict=True):
            portion = [
                made.get(column) or values[: end - start] for (column, _type), values in zip(columns, data, strict=True)
            ]
            client.insert(name, columns, portion)
        return number

    return run


def backfill(name: str) -> Callable[[], int]:
    """The work of ``dump_data_to_clickhouse``."""
    from platform_plugin_aspects.delivery.backfill.ranges import Summary, Walk
    from platform_plugin_aspects.delivery.backfill.walk import backfill as run_backfill
    from platform_plugin_aspects.sinks.registry import sinks

    sink = sinks()[name]()

    def run() -> int:
        summary = Summary()
        run_backfill(sink, Walk(), summary)
        return summary.objects

    return run


def compare(name: str) -> Callable[[], int]:
    """The work of ``aspects_compare``."""
    from platform_plugin_aspects.delivery import compare
    from platform_plugin_aspects.delivery.backfill.ranges import key_range
    from platform_plugin_aspects.sinks.registry import sinks

    sink = sinks()[name]()

    def run() -> int:
        found = compare.compare(sink)
        if found.inspected:
            raise SystemExit(f"{found.inspected} of {found.ranges} ranges of {name} differ")
        return found.objects

    compare.compare(sink, upto=key_range(sink)[0])
    return run


#: Per object the columns and joins of its rows.
SOURCES = {
    "user_profile": (
        "t.id, t.user_id, t.name, u.username, u.email, t.meta, t.courseware, t.language, t.location, t.year_of_birth, "
        "t.gender, t.level_of_education, t.mailing_address, t.city, t.country, t.state, t.goals, t.bio, "
        "t.profile_image_uploaded_at, t.phone_number",
        "auth_userprofile t JOIN auth_user u ON u.id = t.user_id",
    ),
    "course_enrollment": (
        "t.id, t.course_id, t.created, t.is_active, t.mode, u.username, t.user_id",
        "student_courseenrollment t JOIN auth_user u ON u.id = t.user_id",
    ),
    "external_id": (
        "t.id, t.external_user_id, y.name, u.username, t.user_id",
        "external_user_ids_externalid t JOIN auth_user u ON u.id = t.user_id "
        "JOIN external_user_ids_externalidtype y ON y.id = t.external_id_type_id",
    ),
}
#: Measured on a table that is empty.
EMPTY = {"read": read, "insert": insert, "backfill": backfill}
MEASUREMENTS = {**EMPTY, "compare": compare}


def warm_up(name: str) -> None:
    """Write one object and empty the table again, so that imports and connections are not measured."""
    from platform_plugin_aspects.delivery.isolate import write_and_clean_up
    from platform_plugin_aspects.delivery.sink_lock import take_stamp
    from platform_plugin_aspects.sinks import Selection
    from platform_plugin_aspects.sinks.registry import sinks

    sink = sinks()[name]()
    write_and_clean_up(sink, sink.read(Selection(limit=1)), take_stamp(name))
    sink.clickhouse.command(f"TRUNCATE TABLE {sink.clickhouse.qualified(name)}")


def measured(run: Callable[[], int]) -> dict[str, Any]:
    """Rows, seconds of wall and processor time (all threads), and the process's peak memory in MB since its start."""
    wall, processor = time.perf_counter(), time.process_time()
    rows = run()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    # Not getrusage: its peak also counts the process that started this one.
    return {"rows": rows, "wall": wall, "processor": processor, "memory": peak_mb()}


def prepare(step: str, argument: str) -> None:
    """A step that is not measured."""
    from django.core.management import call_command
    from django.db import connection

    from benchmarks.seed import seed
    from platform_plugin_aspects.clickhouse.client import get_client
    from platform_plugin_aspects.clickhouse.connection import Connection
    from platform_plugin_aspects.clickhouse.schema import create_missing
    from platform_plugin_aspects.load_test.tables import all_tables

    if step == "refuse-used":
        if connection.introspection.table_names():
            raise SystemExit("The database holds tables: the benchmark fills only an empty one")
    elif step == "seed":
        call_command("migrate", verbosity=0)
        seed(int(argument))
    else:
        create_missing(get_client(Connection.from_settings()), all_tables())


def main(step: str, argument: str) -> None:
    """Run a step."""
    django.setup()
    if step in EMPTY:
        warm_up(argument)
    if step in MEASUREMENTS:
        print(json.dumps(measured(MEASUREMENTS[step](argument))))
    else:
        prepare(step, argument)


if __name__ == "__main__":
    main(*sys.argv[1:])
