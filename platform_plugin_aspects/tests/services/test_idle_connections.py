"""Commands wait for longer than MariaDB keeps idle connections: "MySQL server has gone away" must end none of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from common.djangoapps.student.models import UserProfile
from django.db import connection

from platform_plugin_aspects.clickhouse.client import get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.commands import ended, run

from .conftest import Site

pytestmark = pytest.mark.services

#: The server ends a connection that is idle for so long; every wait below is longer.
WAIT_TIMEOUT_SECS = 1
WAIT_SECS = 1.6


@pytest.fixture
def impatient_database(site: Site) -> Iterator[None]:
    """New connections to MariaDB end when they are idle for a second."""

    def set_timeout(seconds: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET GLOBAL wait_timeout = {seconds}")
        connection.close()

    set_timeout(WAIT_TIMEOUT_SECS)
    yield
    connection.close()
    set_timeout(28_800)


@pytest.mark.usefixtures("impatient_database")
class TestIdleConnections:
    @pytest.mark.parametrize("chosen", ["--limit", "--ids", "--force"])
    def test_pauses_of_a_backfill(self, chosen: str) -> None:
        keys = list(UserProfile.objects.order_by("pk").values_list("pk", flat=True))
        wanted: list[Any] = {"--limit": [2], "--ids": keys[:2], "--force": []}[chosen]
        start = keys[-3] if chosen == "--force" else keys[0] - 1
        pace = ("--batch_size", 1, "--sleep_time", WAIT_SECS, "--no-progress", "--start_pk", start)
        said = run("dump_data_to_clickhouse", "--object", "user_profile", chosen, *wanted, *pace)
        assert "user_profile: 2 objects written (2 rows in user_profile)" in said

    @pytest.mark.parametrize("fault", ["slow", "503"])
    def test_waiting_for_clickhouse(self, fault: str, site: Site) -> None:
        keys = list(UserProfile.objects.order_by("pk").values_list("pk", flat=True))
        assert len(keys) > 3
        if fault == "slow":
            site.clickhouse.fail("slow", times=None, seconds=WAIT_SECS, match="INSERT")
        else:
            # Two waits of a backfill: of a second or two, and of two to four.
            site.clickhouse.fail("slow", times=1, seconds=0, match="INSERT")
            site.clickhouse.fail("503", times=2, match="INSERT")
        options = ("--object", "user_profile", "--limit", 3, "--batch_size", 1, "--no-progress")
        said = run("dump_data_to_clickhouse", *options)
        assert "user_profile: 3 objects written (3 rows in user_profile)" in said
        assert f"last id {keys[2]}" in said

    @pytest.mark.parametrize("name", ["user_profile", "external_id", "course_overviews"])
    def test_comparing_and_repairing(self, name: str, site: Site) -> None:
        run("dump_data_to_clickhouse", "--object", name, "--force", "--no-progress")
        table, key = sinks()[name]().table, sinks()[name].key()
        (stale,) = site.select(f"SELECT any({key.name}) FROM {table.name}")[0]
        client = get_client(Connection.from_settings())
        client.delete(table.name, key.name, key.type, [stale])
        site.clickhouse.fail("slow", times=None, seconds=WAIT_SECS, match="fingerprint")
        said = ended("aspects_compare", "--object", name, "--batch_size", 500, "--repair").out
        assert f"{name}: 1 written, 0 deleted" in said
        assert said.splitlines()[-1] == "equal"

    def test_watching_the_status(self) -> None:
        def interrupt(*_args: Any) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 2.5 * WAIT_SECS)
        try:
            said = ended("aspects_status", "--watch", WAIT_SECS).out
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert said.count("per hour") >= 2
