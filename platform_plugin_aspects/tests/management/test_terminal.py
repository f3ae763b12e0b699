"""The output of commands on a terminal of 80 columns."""

from __future__ import annotations

import fcntl
import logging
import os
import pty
import re
import struct
import sys
import termios
import warnings
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, load_command_class
from django.core.management.base import BaseCommand, OutputWrapper
from django.utils import timezone

import platform_plugin_aspects
from platform_plugin_aspects.delivery.backfill import ranges
from platform_plugin_aspects.delivery.backfill.ranges import Status
from platform_plugin_aspects.management.command import quiet_drivers
from platform_plugin_aspects.management.commands.aspects_check import Command as CheckCommand
from platform_plugin_aspects.management.progress import Progress
from platform_plugin_aspects.models import BackfillRange, Change
from platform_plugin_aspects.operations.doctor import diagnose
from platform_plugin_aspects.operations.doctor.findings import Examination, Mark
from platform_plugin_aspects.operations.text import fit, table
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.processes import manage
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

COMMANDS = sorted(
    path.stem
    for path in (Path(platform_plugin_aspects.__file__).parent / "management" / "commands").glob("*.py")
    if path.stem != "__init__"
)
every_command = pytest.mark.parametrize("name", COMMANDS)


# Width


def test_long_lines_are_broken_between_words() -> None:
    assert list(fit("one two three four", 10)) == ["one two", "  three", "  four"]
    assert list(fit("  indented lines stay\nshort\n\n", 12)) == ["  indented", "    lines", "    stay", "short", "", ""]
    assert list(fit("one two  three", 20)) == ["one two  three"]
    assert list(fit("  ok       one two three", 20)) == ["  ok       one two", "           three"]


def test_command_lines_stay_whole_to_be_copied() -> None:
    text = "Stopped; resume with: python manage.py cms dump_data_to_clickhouse --object tag --resume"
    assert list(fit(text, 40)) == [
        "Stopped; resume with:",
        "  python manage.py cms dump_data_to_clickhouse --object tag --resume",
    ]


@every_command
def test_help_fits_and_names_the_defaults(name: str, monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command = load_command_class("platform_plugin_aspects", name)
    parser = command.create_parser("manage.py", name)
    assert max(map(len, parser.format_help().splitlines())) <= 80
    of_django = {action.dest for action in BaseCommand().create_parser("manage.py", name)._actions}
    for action in parser._actions:
        if action.dest not in of_django and action.default not in (None, False, "==SUPPRESS=="):
            assert "default" in str(action.help) or action.default == [], action.dest


def on_a_terminal(folder: Path, *args: Any) -> list[str]:
    """The lines that a command writes on a terminal of 80 columns and 24 lines."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = manage(folder, *args, "--no-color", stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    written = b""
    # A terminal whose last writer is gone gives an error, not the end.
    try:
        while chunk := os.read(main, 10_000):
            written += chunk
    except OSError:
        pass
    os.close(main)
    process.wait()
    return written.decode().splitlines()


@pytest.mark.django_db(transaction=True)
def test_an_error_on_a_terminal(clickhouse_http: ClickHouseEndpoint, tmp_path: Path) -> None:
    lines = on_a_terminal(tmp_path, "dump_data_to_clickhouse", "--object", "nonsense")
    assert lines == [
        "CommandError: There is no object 'nonsense': choose one of taxonomy, tag,",
        "  object_tag, course_overviews, user_profile, external_id, course_enrollment,",
        "  or all",
    ]


@pytest.mark.django_db
def test_the_table_of_the_status_fits(all_on: None) -> None:
    Change.objects.create(sink="course_enrollment", object_id="1", attempts=3, retry_at=timezone.now(), error="bad")
    Change.objects.create(sink="course_enrollment", object_id="2")
    Change.objects.filter(object_id="2").update(recorded_at=timezone.now() - timedelta(minutes=90))
    out = StringIO()
    call_command("aspects_status", stdout=out)
    assert max(map(len, out.getvalue().splitlines())) <= 80


def test_wide_tables_end_where_they_end() -> None:
    assert list(table([("a", "b"), ("long", "1")], right=[1])) == ["a     b", "long  1"]


class Screen(StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.django_db
def test_colours_take_no_room(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setenv("COLUMNS", "71")
    settings.EVENT_SINK_CLICKHOUSE_COURSE_ENROLLMENT_ENABLED = True
    screens = [Screen(), Screen()]
    call_command(CheckCommand(stdout=screens[0], force_color=True), "--only", "Sinks", force_color=True)
    call_command(CheckCommand(stdout=screens[1], no_color=True), "--only", "Sinks", no_color=True)
    coloured, plain = (screen.getvalue() for screen in screens)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert (
        "  ok       course_enrollment: on, by\n           EVENT_SINK_CLICKHOUSE_COURSE_ENROLLMENT_ENABLED\n"
    ) in plain


@pytest.mark.django_db
def test_watching_shows_what_the_terminal_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(60):
        Change.objects.create(sink="tag", object_id=str(number), attempts=1, retry_at=timezone.now(), error="bad " * 50)

    class Watched(Screen):
        def flush(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    screen = Watched()
    call_command("aspects_status", "--watch", "--show", 60, stdout=screen)
    *lines, after_ctrl_c = (
        screen.getvalue().replace("\x1b[H", "").replace("\x1b[J", "").replace("\x1b[K", "").splitlines()
    )
    assert after_ctrl_c == ""
    assert len(lines) == 23
    assert lines[-1] == "..."
    assert max(map(len, lines)) <= 80


# What others write


@pytest.mark.django_db
def test_log_lines_begin_on_a_line_of_their_own_beside_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    log = logging.getLogger("test_terminal")
    handler = logging.StreamHandler(screen)
    log.addHandler(handler)
    sink = sinks()["user_profile"]()
    try:
        with Progress(OutputWrapper(StringIO()), bar=True) as progress:
            progress.begin(sink, ranges.plan(sink, ranges.Walk()))
            log.warning("something to know")
            log.warning("more of it")
            assert screen.getvalue().count("user_profile:") == 3
        # Afterwards the handler is as it was.
        assert handler.stream is screen
    finally:
        log.removeHandler(handler)
    assert re.search(r"[\r\n]something to know\n", screen.getvalue())
    assert re.search(r"[\r\n]more of it\n", screen.getvalue())


def test_what_drivers_log_stays_off_the_console_and_in_the_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    screen = StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    handlers: list[logging.Handler] = [logging.StreamHandler(screen), logging.FileHandler(tmp_path / "log")]
    names = ("urllib3.connectionpool", "clickhouse_connect.driver.httpclient", "kombu.connection", "platform.other")
    for handler in handlers:
        logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings(record=True, action="always") as warned, quiet_drivers():
            for name in names:
                logging.getLogger(name).error("%s: Retrying", name)
            for module in ("urllib3.connectionpool", "platform.other"):
                warnings.warn_explicit(f"{module} warns", UserWarning, "x.py", 1, module=module)
        logging.getLogger(names[0]).error("after the command")
    finally:
        for handler in handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()
    assert screen.getvalue() == "platform.other: Retrying\nafter the command\n"
    assert [str(each.message) for each in warned] == ["platform.other warns"]
    assert (tmp_path / "log").read_text().count("Retrying") == len(names)


# Backfills that have not ended


def keep(sink: str, *statuses: str, **values: Any) -> None:
    for status in statuses:
        BackfillRange.objects.create(sink=sink, status=status, objects_written=1_000, **values)


def status_lines() -> list[str]:
    out = StringIO()
    call_command("aspects_status", stdout=out)
    return [line for line in out.getvalue().splitlines() if "backfill" in line or "resume it" in line]


@pytest.mark.django_db
def test_unfinished_backfills_show_in_the_status_and_the_check(all_on: None, clickhouse_http: Any) -> None:
    keep("tag", Status.DONE, Status.DONE)
    assert status_lines() == []
    long_ago = timezone.now() - timedelta(hours=3)
    keep("external_id", Status.WAITING, updated_at=long_ago)
    keep("taxonomy", Status.DONE, Status.RUNNING, Status.QUEUED)
    keep("user_profile", Status.DONE, Status.RUNNING, updated_at=long_ago)
    keep("user_profile", Status.FAILED, message="ClickHouse refused it", updated_at=long_ago)
    resume = "  resume it: python manage.py cms dump_data_to_clickhouse --object"
    assert status_lines() == [
        "external_id: a backfill ended early (1,000 objects so far, last heard of 3 h ago)",
        f"{resume} external_id --resume",
        "taxonomy: a backfill is running (1 of 3 pieces done, 3,000 objects so far, last heard of 0 s ago)",
        "user_profile: a backfill failed (1 of 3 pieces done, 3,000 objects so far, last heard of 3 h ago): "
        "ClickHouse refused it",
        f"{resume} user_profile --resume",
    ]
    ((_title, findings),) = diagnose(Examination(), ["Delivery"])
    told = [(finding.mark, finding.text, finding.remedy) for finding in findings if "backfill" in finding.text]
    remedy = (
        "Begin another one without --resume, or resume it with "
        "python manage.py cms dump_data_to_clickhouse --object {} --resume"
    )
    so_far = "objects so far, last heard of"
    assert told == [
        (
            Mark.NOTE,
            f"external_id: the last backfill ended early (1,000 {so_far} 3 h ago)",
            remedy.format("external_id"),
        ),
        (Mark.NOTE, f"taxonomy: a backfill is running (3,000 {so_far} 0 s ago)", ""),
        (
            Mark.PROBLEM,
            f"user_profile: the last backfill failed (3,000 {so_far} 3 h ago): ClickHouse refused it",
            remedy.format("user_profile"),
        ),
    ]
