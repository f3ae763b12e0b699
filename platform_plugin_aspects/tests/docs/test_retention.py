"""The statements of the how-to on growth and retention: superseded states go, and nothing else."""

from __future__ import annotations

import re
from collections import Counter

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.tests.docs.test_examples import HOW_TOS
from test_utils.how_tos.page import read_page

KEYS = {
    "course_overviews": "course_key",
    "course_blocks": "location",
    "user_profile": "id",
    "external_id": "external_user_id",
    "course_enrollment": "id",
    "tag": "id",
    "taxonomy": "id",
    "object_tag": "id",
}


def statements(section: str, client: ClickHouse) -> list[str]:
    """The SQL of a section, for the test's database."""
    blocks = read_page(HOW_TOS / "growth_and_retention.rst")
    texts = [block.text for block in blocks if (block.section, block.language) == (section, "sql")]
    assert texts
    return [
        re.sub(r"\bevent_sink\b", client.connection.database, statement)
        for text in texts
        for statement in text.split(";")
    ]


def test_the_newest_state_of_each_object_stays(clickhouse: ClickHouse) -> None:
    # Object 1 did not change for years; object 2 did, also after the date.
    states = [
        *((1, "2020-01-01"), (1, "2021-01-01")),
        *((2, "2021-01-01"), (2, "2026-02-01"), (2, "2026-03-01")),
    ]
    uuid = "00000000-0000-0000-0000-00000000000"
    for table, key in KEYS.items():
        for number, day in states:
            value = f"'{uuid}{number}'" if table == "external_id" else f"'{number}'"
            clickhouse.command(
                f"INSERT INTO {clickhouse.qualified(table)} ({key}, time_last_dumped) "
                f"VALUES ({value}, '{day} 00:00:00.000000+00:00')"
            )
    found = statements("Delete superseded states", clickhouse)
    assert Counter(re.findall(r"ALTER TABLE \w+\.(\w+) DELETE", " ".join(found))) == Counter(list(KEYS))
    for statement in found:
        clickhouse.command(f"{statement} SETTINGS mutations_sync = 2")
    for table, key in KEYS.items():
        left = clickhouse.select(
            f"SELECT right(toString({key}), 1), left(time_last_dumped, 10) FROM {clickhouse.qualified(table)} "
            "ORDER BY ALL"
        )
        # The sorting key of course_blocks has no time, so ClickHouse may have merged the states of an object.
        expected = [("1", "2021-01-01"), ("2", "2026-02-01"), ("2", "2026-03-01")]
        assert left == expected or (table == "course_blocks" and set(left) <= set(expected)), table


def test_measurements_may_have_a_ttl(clickhouse: ClickHouse) -> None:
    clickhouse.command(
        f"INSERT INTO {clickhouse.qualified('load_test_runs')} (run_id, timestamp) "
        "VALUES ('old', now() - 40000000), ('new', now())"
    )
    for statement in statements("Why a TTL deletes too much", clickhouse):
        clickhouse.command(f"{statement} SETTINGS mutations_sync = 2")
    assert clickhouse.select(f"SELECT run_id FROM {clickhouse.qualified('load_test_runs')}") == [("new",)]


def test_the_sizes_can_be_asked_for(clickhouse: ClickHouse) -> None:
    clickhouse.command(f"INSERT INTO {clickhouse.qualified('tag')} (id) VALUES (1)")
    (statement,) = statements("How the tables grow", clickhouse)
    assert [row[:2] for row in clickhouse.select(statement)] == [("tag", 1)]
