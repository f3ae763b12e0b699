"""Retirement and reports: rows that a hash of an e-mail address ties to a learner."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from django.conf import settings

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client, in_parameters
from platform_plugin_aspects.clickhouse.errors import Unavailable
from platform_plugin_aspects.xapi.addresses import actor_ids_of, has_addresses

#: The learner of a row, in each table of the reports.
ACTOR = "actor_id"
#: The tables of one relation differ after its name.
_RELATION = re.compile(r"(.+)_v[0-9a-f]+_\d+")


def forget_in_reports(user_ids: Collection[int], clickhouse: ClickHouse) -> bool:
    """Delete the rows of these learners from the tables of the reports, and look whether any is left.

    Only where statements name learners by their addresses; external ids, which are the default, map to nobody after
    the retirement. Returns whether a rebuild is under way, which may still write what it has read before.
    Raises Unavailable and Misconfigured.
    """
    if not has_addresses():
        return False
    tables = _tables(clickhouse)
    if not tables:
        return False
    _usernames, addresses = edx_platform.names_of(user_ids)
    actors = actor_ids_of(sorted(addresses))
    reports = get_client(replace(clickhouse.connection, database=settings.ASPECTS_REPORTING_DATABASE))
    for table in tables:
        reports.delete(table, ACTOR, "String", actors)
        if left := sum(_count(reports, table, some) for some in in_parameters(actors)):
            raise Unavailable(f"{left} rows of retired learners are still in {table}: deleting goes on")
    of_relation = Counter(found[1] for table in tables if (found := _RELATION.fullmatch(table)))
    return any(number > 1 for number in of_relation.values())


def _count(reports: ClickHouse, table: str, actors: list[str]) -> int:
    sql = f"SELECT count() FROM {reports.qualified(table)} WHERE {ACTOR} IN {{actors:Array(String)}}"
    return int(reports.select(sql, {"actors": actors})[0][0])


def _tables(clickhouse: ClickHouse) -> list[str]:
    """The tables of the reports with a learner, those of rebuilds among them; none without reports.

    Raises Misconfigured when the user may not see them.
    """
    database = settings.ASPECTS_REPORTING_DATABASE
    sql = (
        "SELECT name FROM system.tables WHERE database = {database:String} AND engine LIKE '%MergeTree' AND name IN "
        "(SELECT table FROM system.columns WHERE database = {database:String} AND name = {actor:String}) ORDER BY name"
    )
    found = [name for (name,) in clickhouse.select(sql, {"database": database, "actor": ACTOR})]
    if not found and (refusal := clickhouse.refusal("events", database)):
        raise refusal
    return found
