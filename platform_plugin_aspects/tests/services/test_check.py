"""aspects_check with MariaDB, Redis and Celery workers."""

from __future__ import annotations

import json
import time
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from .conftest import Site

pytestmark = pytest.mark.services

#: The doctor's longest wait, and a margin for a busy machine.
LIMIT_SECS = 20


def check() -> tuple[int, list[tuple[str, str]], str]:
    """The exit code, (section, text) of the problems, and all that is said."""
    out = StringIO()
    code = 0
    try:
        call_command("aspects_check", "--json", stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    found: list[dict[str, Any]] = json.loads(out.getvalue())["sections"]
    problems = [
        (section["title"], finding["text"])
        for section in found
        for finding in section["findings"]
        if finding["mark"] == "problem"
    ]
    return code, problems, out.getvalue()


def test_workers_that_come_and_go_and_a_broker_that_is_dead(site: Site) -> None:
    site.start_workers(window=1, sweep=0)
    code, problems, said = check()
    assert problems == [], said
    assert (code, "Celery workers that take tasks from edx.cms.core.default: 2" in said) == (0, True)

    site.workers[0].kill()
    assert check()[0] == 0
    site.workers[1].kill()
    code, problems, _said = check()
    assert (code, problems) == (1, [("Workers", "No Celery worker answers within 2 s")])

    site.broker.kill()
    started = time.monotonic()
    code, ((section, text),), _said = check()
    assert time.monotonic() - started < LIMIT_SECS
    assert (code, section) == (1, "Workers")
    assert text.startswith("Celery's broker does not answer at redis://")
