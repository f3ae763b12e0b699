"""The cost of a guest token of a running Superset: ``make benchmark-tokens``.

    python benchmarks/guest_token.py --url URL --username NAME --uuid UUID [--rounds N] [--table FILE]

Names a Superset, its service account and an embedded dashboard; the environment holds SUPERSET_PASSWORD and, to measure
minting too, GUEST_TOKEN_SECRET. ``make e2e ARGS=--wait`` starts such a Superset and says all of it.

In each round a token is had once in each way, one directly after the other, so that whatever else the machine does at
the time weighs on all. The time is the median of the rounds, and so is the ratio to the reference: to log in, to ask
for the CSRF token and then for the guest token, every time anew.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import django
import requests
from report import Table, as_rst, as_text, machine

ROOT = Path(__file__).resolve().parents[1]
HEADINGS = ("way", "requests", "ms", "ratio")
REFERENCE = "log in every time"
CLAUSES = ["org = 'Org'", "course_key = 'course-v1:Org+Course+Run'"]


class Requests(logging.Handler):
    """Counts the requests of a process, which urllib3 logs one by one."""

    number = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count an answer."""
        self.number += '"%s %s %s"' in str(record.msg)


def log_in_every_time(options: argparse.Namespace) -> None:
    """A guest token with nothing kept from the one before."""
    api = f"{options.url}api/v1/security/"
    account = {"username": options.username, "password": os.environ["SUPERSET_PASSWORD"], "provider": "db"}
    guest = {
        "user": {"username": "ada"},
        "resources": [{"type": "dashboard", "id": options.uuid}],
        "rls": [{"clause": clause} for clause in CLAUSES],
    }
    with requests.Session() as http:
        access_token = http.post(f"{api}login", json=account).json()["access_token"]
        http.headers["Authorization"] = f"Bearer {access_token}"
        http.headers["X-CSRFToken"] = http.get(f"{api}csrf_token/").json()["result"]
        http.post(f"{api}guest_token/", json=guest, headers={"Referer": options.url}).raise_for_status()


def ways(options: argparse.Namespace) -> dict[str, Callable[[], object]]:
    """The ways to get a token that are measured, by name, in the order of the table."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from opaque_keys.edx.keys import CourseKey

    from platform_plugin_aspects.dashboards.access.tokens import guest_token
    from platform_plugin_aspects.dashboards.superset import session
    from platform_plugin_aspects.dashboards.superset.guest_tokens import get_guest_token

    course, user = CourseKey.from_string("course-v1:Org+Course+Run"), User(pk=1, username="ada")
    account = {"username": options.username, "password": os.environ["SUPERSET_PASSWORD"]}
    asking: dict[str, Any] = {"service_url": options.url, **account}
    minting = {**asking, "guest_token_secret": os.environ.get("GUEST_TOKEN_SECRET")}

    def token(config: dict[str, Any]) -> None:
        settings.SUPERSET_CONFIG = config
        get_guest_token("ada", [options.uuid], CLAUSES)

    def first() -> None:
        session.sessions.clear()
        token(asking)

    found: dict[str, Callable[[], object]] = {
        REFERENCE: lambda: log_in_every_time(options),
        "first of a process": first,
        "every other": lambda: token(asking),
        "the same page again": lambda: guest_token(user, course, [options.uuid]),
    }
    if minting["guest_token_secret"]:
        found["minted"] = lambda: token(minting)
    return found


def measure(options: argparse.Namespace) -> Table:
    """The table, without headings."""
    counter = Requests()
    logger = logging.getLogger("urllib3.connectionpool")
    logger.addHandler(counter)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    seconds = defaultdict(list)
    asked: Counter[str] = Counter()
    measured = ways(options)
    for way in measured.values():  # imports, and Superset's own first time
        way()
    for _ in range(options.rounds):
        for name, way in measured.items():
            before, start = counter.number, time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
            asked[name] += counter.number - before
    return [
        (
            name,
            f"{asked[name] / options.rounds:g}",
            f"{statistics.median(times) * 1000:.2f}",
            f"{statistics.median(map(float.__truediv__, times, seconds[REFERENCE])):.4f}",
        )
        for name, times in seconds.items()
    ]


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="Superset's base URL, with / at its end")
    parser.add_argument("--username", required=True, help="of the service account")
    parser.add_argument("--uuid", required=True, help="of an embedded dashboard")
    parser.add_argument("--rounds", type=int, default=200, metavar="N", help="rounds (200)")
    parser.add_argument("--table", type=Path, metavar="FILE", help="also write the table there, as reStructuredText")
    options = parser.parse_args(argv)
    if "SUPERSET_PASSWORD" not in os.environ:
        parser.error("The environment must hold SUPERSET_PASSWORD")
    return options


def main() -> None:
    """Measure, and print the table."""
    options = parse()
    sys.path[:0] = [str(ROOT), str(ROOT / "test_utils" / "edx_platform")]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lms.envs.test")
    django.setup()
    rows = [HEADINGS, *measure(options)]
    taken_on = machine("Superset and client share them")
    print(taken_on, as_text(rows), sep="\n")
    if options.table:
        options.table.write_text(f"{taken_on}.\n\n{as_rst(rows)}", encoding="utf-8")


if __name__ == "__main__":
    main()
