"""``aspects_deliver`` beside a worker: row locks, which SQLite does not have."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from platform_plugin_aspects.models import Change, SinkState
from test_utils.factories import make_user

from .conftest import PATIENCE_SECS, Site

pytestmark = pytest.mark.services


class Output(StringIO):
    """The output of the command; ``waits`` is set when it says that it waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = threading.Event()

    def write(self, text: str) -> int:
        if "waiting" in text:
            self.waits.set()
        return super().write(text)


def test_what_a_worker_is_delivering_is_waited_for(site: Site) -> None:
    make_user()
    output = Output()
    locked = threading.Event()

    def be_a_worker() -> None:
        try:
            with transaction.atomic():
                SinkState.objects.select_for_update().get(sink="user_profile")
                locked.set()
                assert output.waits.wait(PATIENCE_SECS)
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        worker = pool.submit(be_a_worker)
        assert locked.wait(PATIENCE_SECS)
        call_command("aspects_deliver", "--object", "user_profile", stdout=output)
        worker.result()
    assert output.getvalue().splitlines() == [
        "user_profile: a worker is delivering it; waiting for that",
        "user_profile  1 object delivered",
    ]
    assert not Change.objects.filter(sink="user_profile").exists()
