"""aspects_load_tracking_logs, and what it says."""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import zstandard
from common.djangoapps.student.models import CourseEnrollment
from django.core.management import CommandError, call_command

from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.models import LoadedLog, TrackingEvent
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.learners import Learner, all_acts

from .conftest import COURSE, rows

pytestmark = pytest.mark.usefixtures("xapi_on")

JUNK = b"""Mar  1 10:00:00 lms-1 systemd: started

{"event_type": "/courses/x", "name": "/courses/x", "event": ""}
{"name": "play_video", "time": "2026-03-01T10:00:00+00:00", "event_type": "play_video", "username": "ghost"}
"""


def load(*args: Any) -> list[str]:
    """The lines that the command prints, without seconds."""
    out = StringIO()
    call_command("aspects_load_tracking_logs", *map(str, args), "--no-progress", stdout=out)
    return without_seconds(out.getvalue())


def load_fails(*args: Any) -> tuple[str, list[str]]:
    """The message with which the command fails, and what it says before."""
    out = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("aspects_load_tracking_logs", *map(str, args), "--no-progress", stdout=out)
    return str(caught.value), without_seconds(out.getvalue())


def without_seconds(text: str) -> list[str]:
    return [re.sub(r", [\d.]+ s$", "", line) for line in text.splitlines()]


@pytest.fixture
def logged(learner: Learner, lines: list[bytes]) -> list[bytes]:
    """The lines of one act of every kind; nothing of it is stored."""
    for act in all_acts(COURSE, 7):
        learner.does(act)
    TrackingEvent.objects.all().delete()
    return lines


@pytest.mark.django_db
def test_what_came_in_live_is_loaded_again_without_doubles(
    learner: Learner, lines: list[bytes], tmp_path: Path
) -> None:
    for act in all_acts(COURSE, 7):
        learner.does(act)
    CourseEnrollment.enroll(factories.make_user("ada"), COURSE)
    assert deliver_changes("xapi").error == ""
    live = rows()
    # The problem of two questions has a statement for each of them, besides its own.
    assert len(live) == len(lines) + 2 == 54
    log = tmp_path / "tracking.log"
    log.write_bytes(b"".join(lines))

    said = load(log)
    load(log)

    assert said[0] == f"{log}: 52 lines, 52 events, 54 statements written"
    assert rows() == live
    # They were sent: the same rows collapse.
    assert len(rows(final=False)) >= len(live)


@pytest.mark.django_db
def test_the_log_alone_gives_what_would_have_come_in_live(logged: list[bytes], tmp_path: Path, settings: Any) -> None:
    log = tmp_path / "tracking.log"
    log.write_bytes(b"".join(logged))
    load(log)
    assert len(rows()) == 53
    assert rows(final=False) == rows()


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["plain", "gzip", "zstandard", "standard input", "gzip on standard input"])
def test_logs_of_every_kind(logged: list[bytes], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"".join(logged)
    stored = gzip.compress(text) if "gzip" in kind else text
    stored = zstandard.ZstdCompressor().compress(text) if kind == "zstandard" else stored
    log = tmp_path / "log"
    log.write_bytes(stored)
    if "input" in kind:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(stored))))  # type: ignore[arg-type]
    load("-" if "input" in kind else log)
    assert len(rows()) == 53


@pytest.mark.django_db
def test_lines_without_events_are_counted_and_events_that_fail_are_named(logged: list[bytes], tmp_path: Path) -> None:
    log = tmp_path / "tracking.log"
    log.write_bytes(JUNK + logged[0] + logged[1][:90])

    message, said = load_fails(log)

    assert message == "1 event could not be transformed; the first ones are named above"
    assert said == [
        f"{log}: 6 lines, 1 event, 1 statement written, 1 not transformed",
        "event                            events  statements",
        "edx.course.enrollment.activated       1           1",
        "left out                                   lines",
        "without a JSON object                          1",
        "blank                                          1",
        "an event that does not become a statement      1",
        "cut off at the end of the log                  1",
        "not transformed  events  why",
        "play_video            1  the platform has no account of its learner",
        f"{log}, line 4: play_video cannot be transformed: the platform has no account of its learner",
    ]
    assert len(rows()) == 1


@pytest.mark.django_db
def test_two_events_in_one_line_are_both_written(logged: list[bytes], tmp_path: Path) -> None:
    """The platform was killed before it ended the first line."""
    log = tmp_path / "tracking.log"
    log.write_bytes(logged[0].rstrip() + logged[1] + logged[2])
    said = load(log)
    assert said[0] == f"{log}: 2 lines, 3 events, 3 statements written"
    assert len(rows()) == 3


@pytest.mark.django_db
def test_a_dry_run_counts_and_writes_nothing(logged: list[bytes], tmp_path: Path) -> None:
    factories.ExternalId.objects.all().delete()
    log = tmp_path / "tracking.log"
    log.write_bytes(JUNK + b"".join(logged))

    message, said = load_fails(log, "--dry-run")

    assert said[0] == f"{log}: 55 lines, 51 events, 53 statements would be written, 1 not transformed"
    assert any(re.fullmatch(r"problem_check +4 +6", line) for line in said)
    assert message.startswith("1 event could not be transformed")
    assert rows() == []
    assert not factories.ExternalId.objects.exists()
    assert not LoadedLog.objects.exists()


@pytest.mark.django_db
def test_only_events_of_a_span_of_time(logged: list[bytes], tmp_path: Path) -> None:
    moments = [json.loads(line)["time"] for line in logged[:30]]
    log = tmp_path / "tracking.log"
    log.write_bytes(b"".join(logged[:30]))

    said = load(log, "--since", moments[3], "--until", moments[7])

    assert said[0] == f"{log}: 30 lines, 4 events, 4 statements written"
    assert "outside of --since and --until     26" in said
    assert sorted(json.loads(text)["timestamp"] for _, text in rows()) == moments[3:7]


@pytest.mark.django_db
def test_a_log_that_grows_is_continued(logged: list[bytes], tmp_path: Path) -> None:
    log = tmp_path / "tracking.log"
    log.write_bytes(b"".join(logged[:10]) + logged[10][:50])
    first = load(log, "--resume")
    log.write_bytes(b"".join(logged[:20]))
    second = load(log, "--resume")
    third = load(log, "--resume")

    assert first[0] == f"{log}: 11 lines, 10 events, 10 statements written"
    assert second[:2] == [f"{log} continues after line 10", f"{log}: 10 lines, 10 events, 10 statements written"]
    assert third[:2] == [f"{log} continues after line 20", f"{log}: 0 lines, 0 events, 0 statements written"]
    assert len(rows(final=False)) == 20


@pytest.mark.django_db
def test_a_log_that_was_rotated_is_known_under_its_new_name(logged: list[bytes], tmp_path: Path) -> None:
    log, rotated = tmp_path / "tracking.log", tmp_path / "tracking.log.1.gz"
    log.write_bytes(b"".join(logged[:10]))
    load(log, "--resume")
    rotated.write_bytes(gzip.compress(b"".join(logged[:20])))
    log.write_bytes(b"".join(logged[20:]))

    said = load(log, rotated, "--resume")

    assert said[:4] == [
        f"{log} is another log than the last time: it begins at its first line",
        f"{log}: 31 lines, 31 events, 33 statements written",
        f"{rotated} continues after line 10",
        f"{rotated}: 10 lines, 10 events, 10 statements written",
    ]
    assert len(rows(final=False)) == 53


@pytest.mark.django_db
def test_a_log_that_was_changed_begins_at_its_first_line(logged: list[bytes], tmp_path: Path) -> None:
    log = tmp_path / "tracking.log"
    log.write_bytes(b"".join(logged[:10]))
    load(log, "--resume")
    log.write_bytes(logged[0] + b"".join(logged[5:20]))

    said = load(log, "--resume")

    assert said[:2] == [
        f"{log} has changed since 10 lines of it were loaded: it begins at its first line",
        f"{log}: 16 lines, 16 events, 16 statements written",
    ]
    assert len(rows()) == 20


@pytest.mark.django_db
def test_another_span_of_time_is_not_continued(logged: list[bytes], tmp_path: Path) -> None:
    log = tmp_path / "tracking.log"
    log.write_bytes(b"".join(logged[:5]))
    load(log, "--until", "2026-01-01")
    assert load(log, "--resume")[0] == f"{log}: 5 lines, 5 events, 5 statements written"


@pytest.mark.django_db
def test_a_damaged_log_is_loaded_up_to_the_damage(logged: list[bytes], tmp_path: Path) -> None:
    log = tmp_path / "tracking.log.gz"
    whole = gzip.compress(b"".join(logged))
    log.write_bytes(whole[: len(whole) - 10])

    message, said = load_fails(log)

    assert re.fullmatch(rf"{log} is damaged after line \d+ \(its compressed data ends too early\)", message)
    loaded = len(rows())
    assert 30 < loaded <= 53
    assert said[0].endswith(f"{loaded} statements written")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["x", "--workers", "0"], "--workers 0: it must be at least 1"),
        (["x", "--max_rate", "0"], "--max_rate 0.0: it must be more than 0"),
        (["x", "--since", "yesterday"], "--since yesterday: it must be an ISO 8601 date"),
        (["x", "--since", "2026-02-01", "--until", "2026-02-01"], "--since must be before --until"),
        (["-", "--resume"], "--resume cannot be used with standard input"),
        (["x", "--resume", "--dry-run"], "--resume cannot be used with --dry-run"),
    ],
)
def test_what_is_refused(args: list[str], message: str) -> None:
    assert load_fails(*args)[0].startswith(message)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "is_log"),
    [
        (b'198.51.100.7 - - "GET / HTTP/1.1" 200\n\n{"level": "info"}\n', False),
        (b"\x00" * 1_000_001 + b"\n", False),
        # It may be a log all the same.
        (b"", True),
        (b"\n", True),
        (b'{"name": "play_', True),
        (b'started\n{"event_type": "/courses/x", "name": "/courses/x", "event": ""}\n', True),
        (b'started\n{"event_type": "play_video", "time": "2020-01-01T00:00:00Z"}\n', True),
    ],
)
def test_a_file_that_is_no_tracking_log_is_said(text: bytes, is_log: bool, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(text)
    if is_log:
        load(log, "--since", "2026-01-01")
        return
    message, said = load_fails(log, "--since", "2026-01-01")
    assert message.startswith(f"{log} has no tracking event in any of its lines. A tracking log has an event as a JSON")
    assert ", 0 events, " in said[0]


@pytest.mark.django_db
def test_a_log_to_which_others_wrote_since_is_a_log(logged: list[bytes], tmp_path: Path) -> None:
    log = tmp_path / "tracking.log"
    log.write_bytes(logged[0])
    load(log)
    log.write_bytes(logged[0] + b"systemd: started\n")
    assert load(log, "--resume")[1] == f"{log}: 1 line, 0 events, 0 statements written"


@pytest.mark.django_db
def test_a_log_of_several_names_is_loaded_once(logged: list[bytes], tmp_path: Path) -> None:
    log, link, other = tmp_path / "tracking.log", tmp_path / "link.log", f"{tmp_path}/./tracking.log"
    log.write_bytes(b"".join(logged[:2]))
    link.symlink_to(log)
    assert [line for line in load(log, log, other, link) if str(tmp_path) in line] == [
        f"{log}: 2 lines, 2 events, 2 statements written",
        f"{other} is the same file as {log}: it is loaded once",
        f"{link} is the same file as {log}: it is loaded once",
    ]


@pytest.mark.django_db
def test_a_log_that_is_missing(logged: list[bytes], tmp_path: Path) -> None:
    """There is nothing to continue, unless another log was loaded before."""
    log = tmp_path / "tracking.log"
    log.write_bytes(b"".join(logged))
    missing = "missing cannot be opened (No such file or directory)"
    assert load_fails("missing", log)[0] == missing
    assert load_fails(log, "missing")[0] == (
        f"{missing}; continue with: python manage.py lms aspects_load_tracking_logs {log} missing --resume"
    )


@pytest.mark.django_db
def test_a_sink_that_is_off_is_not_written_by_accident(settings: Any, tmp_path: Path) -> None:
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = False
    log = tmp_path / "tracking.log"
    log.touch()
    assert load_fails(log)[0] == (
        "xapi is off: EVENT_SINK_CLICKHOUSE_XAPI_ENABLED is not True, and the waffle flag "
        "event_sink_clickhouse.xapi.enabled is not on for everyone. Turn one of them on, or add --even_if_off to write "
        "its rows all the same"
    )
    assert load(log, "--even_if_off") == [f"{log}: 0 lines, 0 events, 0 statements written"]
    assert load(log, "--dry-run") == [f"{log}: 0 lines, 0 events, 0 statements would be written"]


@pytest.mark.django_db
def test_erb_that_is_off_is_said(settings: Any) -> None:
    settings.XAPI_EVENTS_ENABLED = False
    assert load_fails("x")[0].startswith("No statements can be made: ")


@pytest.mark.django_db
def test_a_clickhouse_that_is_away_ends_the_load_with_the_command_that_continues(
    logged: list[bytes], tmp_path: Path, clickhouse_http: ClickHouseEndpoint, settings: Any
) -> None:
    log = tmp_path / "tracking.log"
    log.write_bytes(b"".join(logged))
    clickhouse_http.stop()

    message, _ = load_fails(log, "--max_rate", 100000)

    assert "; continue with: python manage.py lms aspects_load_tracking_logs" in message
    assert message.endswith(f" {log} --resume --max_rate 100000.0")
    assert not LoadedLog.objects.exists()
