"""Any bytes can be loaded, and a load that is cut in two gives what one gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_plugin_aspects.clickhouse.client import get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.delivery.replay.chunks import Choice, Counts
from platform_plugin_aspects.delivery.replay.load import LoadWatcher, in_this_process, load
from platform_plugin_aspects.delivery.replay.positions import open_where_loaded
from platform_plugin_aspects.models import LoadedLog
from platform_plugin_aspects.sinks.statement_sink import StatementSink
from test_utils.learners import Learner
from test_utils.properties import examples

from .conftest import COURSE, rows
from .test_lines import ENTRY

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("xapi_on", "learner")]

several = settings(max_examples=examples(40))


def event(second: int, username: str = "mira") -> bytes:
    """A line with an event of its own moment; that of a stranger cannot be transformed."""
    moment = f"2026-03-01T10:00:{second:02}+00:00"
    entry = {**ENTRY, "context": {"course_id": str(COURSE)}, "username": username, "time": moment}
    return json.dumps(entry).encode()


lines = st.one_of(
    st.integers(0, 59).map(event),
    st.just(event(0, "ghost")),
    st.sampled_from([b"", b"junk", b'{"name": "x", "event_type": "x"}', b"\xff\x00", b"prefix: " + event(7)]),
    st.binary(max_size=20),
)
logs = st.lists(lines, max_size=12).map(b"\n".join) | st.binary()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "tracking.log"


def forget() -> None:
    connection = Connection.from_settings()
    get_client(connection).command(f"TRUNCATE TABLE `{connection.xapi_database}`.`{connection.xapi_table}`")
    LoadedLog.objects.all().delete()


def load_all(path: Path) -> Counts:
    """Load a log from where the last load ended, as --resume does."""
    counts = Counts()
    with open_where_loaded(str(path), Choice(), lambda line: None) as found:
        load(found, Choice(), StatementSink(), LoadWatcher(), in_this_process, counts)
    return counts


def counted(counts: Counts) -> int:
    return sum(sum(counter.values()) for counter in (counts.left, counts.events, counts.rejected))


@several
@given(stored=logs)
def test_each_line_of_any_log_is_counted_once(log: Path, stored: bytes) -> None:
    forget()
    log.write_bytes(stored)

    counts = load_all(log)

    assert counted(counts) == counts.lines
    if not stored.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        assert counts.lines == stored.count(b"\n") + (stored != b"" and not stored.endswith(b"\n"))
    # The same event twice is the same row twice.
    assert len(rows()) <= sum(counts.statements.values())


@several
@given(stored=logs, data=st.data())
def test_any_cut_of_a_log_gives_the_same_rows(log: Path, stored: bytes, data: st.DataObject) -> None:
    forget()
    log.write_bytes(stored)
    load_all(log)
    whole = rows()
    forget()

    for end in sorted(data.draw(st.lists(st.integers(0, len(stored)), max_size=3))):
        log.write_bytes(stored[:end])
        load_all(log)
    log.write_bytes(stored)
    load_all(log)

    assert rows() == whole


def test_a_cut_within_a_line_is_no_problem(log: Path, learner: Learner) -> None:
    first, second = event(1), event(2)
    log.write_bytes(first + b"\n" + second[:40])
    assert load_all(log).left == {"cut off at the end of the log": 1}
    log.write_bytes(first + b"\n" + second + b"\n")
    counts = load_all(log)
    assert (counts.lines, counts.events, counts.left) == (1, {"play_video": 1}, {})
