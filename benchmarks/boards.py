"""Measure our boards in Superset and Chromium: ``make benchmark-boards``.

    python -m benchmarks.boards FOLDER [--statements N] [--course N] [--rounds N] [--table FILE]

The shown site (test_utils/show) gets the site of the benchmark of reports: 200 courses with N statements (1,000,000),
of which a large course has its share (500,000), 5,000 learners and 1,500 blocks.

open
    seconds from the click on a link to the tab Reports until the last chart of the Course board's first tab is drawn,
    in a new browser. *Cold*: Superset has just been started, and its cache is empty. *Warm*: by the next browser;
queries
    each chart of the Course board, asked as a guest past Superset's cache; the best of the rounds after a first.

The end names each missed target, and the exit code is then 1. `test_utils/e2e/run.sh --benchmark` calls it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import django

from benchmarks.report import Table, as_rst, as_text, machine
from test_utils.processes import ADMIN
from test_utils.show.people import TEAM
from test_utils.show.site import Site

MOST_MS = 300
MEMBER = next(iter(TEAM))
OPEN = ("Course board", "first number of the strip, s", "last chart, s")
QUERIES = ("chart", "view", "rows", "ms")
FILL_SECS = 3_600


def main() -> int:
    """Measure, print the tables and what misses its target; return 1 when something does."""
    options = parse()
    site = Site(options.folder)
    site.configure()
    django.setup()
    try:
        site.start(say)
        # The course is made for its page only: ClickHouse has another one of that key.
        site.worker.kill()
        say(f"{options.statements:,} statements")
        course = fill(site, options)
        say("Opening the Course board")
        opened: Table = [OPEN, *open_board(site, course)]
        say("Asking each chart")
        asked = list(ask(site, course, options.rounds))
    finally:
        site.kill()
    slow = [f"{chart}: {found:.0f} ms, more than {MOST_MS}" for chart, _view, _rows, found in asked if found > MOST_MS]
    queries = [(chart, view, f"{rows:,}", f"{found:.0f}") for chart, view, rows, found in asked]
    tables: list[Table] = [opened, [QUERIES, *queries]]
    head = f"{machine(f'{options.statements:,} statements; queries: best of {options.rounds}')}."
    print(head, *(f"\n{as_text(table)}" for table in tables), *slow, sep="\n")
    if options.table:
        lines = ["Misses its target:", "", *(f"* {line}" for line in slow)] if slow else ["All is within its targets."]
        text = "\n".join([head, "", *(as_rst(table) for table in tables), *lines, ""])
        options.table.write_text(text, encoding="utf-8")
    return 1 if slow else 0


def fill(site: Site, options: argparse.Namespace) -> str:
    """Write the courses and their statements, and make the large one known to the platform; return its key."""
    from common.djangoapps.student.roles import CourseStaffRole
    from django.contrib.auth.models import User
    from opaque_keys.edx.keys import CourseKey

    from benchmarks.reporting_site import Site as Statements
    from benchmarks.reporting_site import Size, course_key
    from benchmarks.reporting_statements import Shapes
    from platform_plugin_aspects.clickhouse.client import get_client
    from platform_plugin_aspects.clickhouse.connection import Connection
    from test_utils.factories import make_course, make_overview

    # The course of the statements that are multiplied.
    make_overview("course-v1:Org+Course+Run", display_name="Course Run")
    pupil = site.school.current.pupils[0]
    username = User.objects.get(pk=pupil.user_id).username
    account = {"username": ADMIN[0], "password": ADMIN[1], "timeout_secs": FILL_SECS}
    client = get_client(Connection.from_settings(account))
    shapes = Shapes(pupil.user_id, username, pupil.actor)
    Statements(client, Size(options.statements, options.course), shapes).fill()
    key = CourseKey.from_string(course_key(0))
    make_course(key)
    CourseStaffRole(key).add_users(User.objects.get(username=MEMBER))
    return str(key)


def open_board(site: Site, course: str) -> Iterator[tuple[str, ...]]:
    """The lines of opening the board."""
    site.superset.stop()
    site.superset.start()
    for name in ("cold", "warm"):
        numbers, charts = _opened(site, course)
        yield name, f"{numbers:.1f}", f"{charts:.1f}"


def _opened(site: Site, course: str) -> tuple[float, float]:
    """Seconds until the strip has its first number, and until the last chart is drawn."""
    from test_utils.e2e.board_page import TALL, BoardPage
    from test_utils.e2e.browser import Browser
    from test_utils.e2e.charts import all_boards
    from test_utils.e2e.dashboards import Dashboards

    charts = len(list(all_boards()[0].tabs[0].charts))
    with Browser(site.lms.url, site.folder / "screenshots") as browser:
        browser.resize(TALL)
        browser.log_in(MEMBER, site.passwords[MEMBER])
        started = time.perf_counter()
        browser.open(f"/courses/{course}/instructor#view-aspects")
        reports = Dashboards(browser)
        browser.until(lambda: any(reports.texts(".strip dd.value")), "the strip has a number")
        numbers = time.perf_counter() - started
        page = BoardPage(browser, reports.shown_frame())
        with page.inside():
            page.wait_until_drawn(charts)
        return numbers, time.perf_counter() - started


def ask(site: Site, course: str, rounds: int) -> Iterator[tuple[str, str, int, float]]:
    """(chart, view, rows, best milliseconds) of each chart of the Course board."""
    from django.contrib.auth.models import User
    from opaque_keys.edx.keys import CourseKey

    from platform_plugin_aspects.dashboards.access import tokens
    from platform_plugin_aspects.models import ProvisionedDashboard
    from test_utils.e2e.charts import all_boards, read_stored
    from test_utils.show.superset import ask_as_guest, rows_of

    board, stored = all_boards()[0], read_stored(site.superset)
    embedded = ProvisionedDashboard.objects.get(slug=board.slug, language="en").embedded_uuid
    user = User.objects.get(username=MEMBER)
    token = tokens.guest_token(user, CourseKey.from_string(course), [str(embedded)])
    for chart in board.charts:
        context: dict[str, Any] = stored.context(board, chart, "en")
        walls, rows = [], 0
        for _ in range(rounds + 1):
            started = time.perf_counter()
            answer = ask_as_guest(site.superset, token, context)
            walls.append(time.perf_counter() - started)
            rows = len(rows_of(answer))
        yield chart.name, chart.view, rows, 1e3 * min(walls[1:])


def say(line: str) -> None:
    """Say how far it is; the tables alone are standard output."""
    print(line, file=sys.stderr, flush=True)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to work")
    parser.add_argument("--statements", type=int, default=1_000_000, metavar="N", help="statements (1,000,000)")
    parser.add_argument("--course", type=int, default=500_000, metavar="N", help="of the large course (500,000)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of each chart, after a first (5)")
    parser.add_argument("--table", type=Path, metavar="FILE", help="also write the tables there, as reStructuredText")
    options = parser.parse_args(argv)
    if not 10_000 <= options.course < options.statements or options.rounds < 1:
        parser.error("--course must be at least 10,000 and less than --statements")
    return options


if __name__ == "__main__":
    sys.exit(main())
