"""`make demo`, run as a user runs it; its paper; and that its comparison finds what is wrong."""

from __future__ import annotations

import fcntl
import html
import json
import os
import re
import signal
import subprocess
import sys
from io import StringIO
from itertools import takewhile
from pathlib import Path

import pytest
import requests

from platform_plugin_aspects.clickhouse.client import close_clients, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.schema import create_missing
from platform_plugin_aspects.delivery.sink_lock import take_stamp
from platform_plugin_aspects.load_test.tables import all_tables
from platform_plugin_aspects.sinks import Selection, TaxonomySink
from test_utils.comparison import compare
from test_utils.demo import command
from test_utils.demo.paper import WIDTH, Paper, fitted, shown, width
from test_utils.factories import make_taxonomy

ROOT = Path(__file__).resolve().parents[2]
TABLES = (
    *("course_overviews", "course_blocks", "user_profile", "external_id"),
    *("course_enrollment", "tag", "taxonomy", "object_tag"),
)


def run_demo(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo as the Makefile does, writing into a pipe that takes ASCII only."""
    return subprocess.run(
        [sys.executable, "-m", "test_utils.demo", "--folder", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )


def test_the_day_ends_with_all_as_it_should_be(tmp_path: Path) -> None:
    folder = tmp_path / "a demo"
    (folder / "left").mkdir(parents=True)
    (folder / "made-by-the-demo").touch()
    done = run_demo(folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert not (folder / "left").exists()
    lines = done.stdout.splitlines()
    # Paths are as long as they are.
    assert [line for line in lines if width(line) > WIDTH and str(folder) not in line] == []
    words = [line.split() for line in lines]
    for table in TABLES:
        assert any(line.startswith(f"{table}: ") for line in lines), table
        assert [table] in [[row[0]] for row in words if len(row) == 2 and row[1].isdecimal()], table
    # 50 saves of one profile and 100 logins.
    assert ["user_profile", "150", "101", "101", "1"] in words
    assert "The port is closed: 51 changes are kept." in lines
    assert ["(before)", "1", "2", "1"] in words
    assert ["complete", "0", "0", "0"] in words
    assert "Nothing is pending, nothing failed, and every latest row equals the source." in lines
    learning = lines[lines.index("Learners learn") :]
    assert ["253", "252", "0", "1"] in [line.split() for line in learning]
    assert "  tracking.log: 253 lines, 253 events, 253 statements written, " in "\n".join(learning)
    assert "That changes nothing: the same statements under the same ids, byte for byte." in learning
    assert ["evaluated", "27", "20"] in words
    assert "   9  evaluated    Check yourself: Weekly rhythm  No: wrong" in learning
    readme = (ROOT / "README.rst").read_text(encoding="utf-8").partition("$ make demo\n")[2].partition("\n\n")[0]
    promised = [line.strip() for line in readme.splitlines() if line.strip() != "..."]
    assert len(promised) >= 6
    told = iter([line.strip() for line in lines])
    assert [line for line in promised if line not in told] == []
    (headline,) = [line for line in lines if line.endswith(" inserts. Source and ClickHouse: equal.")]
    assert re.fullmatch(r"[1-9]\d\d changes became [1-9]\d inserts\. Source and ClickHouse: equal\.", headline)
    team = lines[lines.index("The course team asks") :]
    assert any(re.fullmatch(r"  \d+ relations created", line) for line in team)
    answers = [re.split(" {2,}", line.strip()) for line in team]
    assert ["no visit for 7 days; behind the others"] in [row[3:] for row in answers]
    assert sum(row[2:] == ["0.38", "no visit for 7 days; low grade"] for row in answers) == 4
    assert ["Check yourself: Grading", "15", "4", "Only the exam counts", "11"] in answers
    assert ["Grading", "35", "Getting help", "11"] in answers
    assert ["Video: Grading", "02:00", "660"] in answers
    assert lines[-8:-4] == [
        "253 learning events, one worker killed: 253 statements, none twice.",
        "A course team's 4 questions, answered by reports. Scripts and reports: equal.",
        headline,
        "",
    ]
    assert "\x1b" not in done.stdout
    assert json.loads((folder / "env.json").read_text())["EVENT_SINK_CLICKHOUSE_TAG_ENABLED"] is True
    # The suggested commands work in a new shell.
    suggested = [line for line in lines if str(folder) in line]
    assert [line.rpartition("' ")[2] for line in suggested] == [
        "cms aspects_status",
        "cms aspects_compare --object all",
        "cms dump_data_to_clickhouse --object taxonomy",
    ]
    said = [in_a_new_shell(line).stdout for line in suggested]
    assert "user_profile" in said[0]
    assert said[1].endswith("\nequal\n")
    assert "6 rows in taxonomy" in said[2]


@pytest.mark.usefixtures("signals_are_heard")
def test_served_pages(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "test_utils.demo", "--folder", str(tmp_path / "demo"), "--serve"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as demo:
        try:
            lines = [line.strip() for line in takewhile(lambda line: "Ctrl-C" not in line, demo.stdout)]
            dashboard, admin = (line for line in lines if re.fullmatch(r"http://127\.0\.0\.1:\d+/\S+", line))
            assert "user staff, password staff" in lines
            session = requests.Session()
            login = f"{dashboard.partition('/courses/')[0]}/login"
            session.get(f"{dashboard.partition('/courses/')[0]}/admin/login/")
            who = {"username": "staff", "password": "staff", "csrfmiddlewaretoken": session.cookies["csrftoken"]}
            assert session.post(login, who, headers={"Referer": login}).ok
            page = session.get(dashboard)
            assert "<aspects-dashboards" in page.text
            config = html.unescape(page.text)
            path = re.search(r'"guestTokenUrl": "([^"]+)"', config)[1]
            token = session.get(login.replace("/login", path))
            assert (token.status_code, token.json()["code"]) == (404, "superset_off")
            path = re.search(r'"summaryUrl": "([^"]+)"', config)[1]
            summary = session.get(login.replace("/login", path)).json()
            numbers = {number["name"]: number["value"] for number in summary["numbers"]}
            assert list(numbers) == ["active", "enrolled", "progress", "grade", "at_risk"]
            assert "–" not in numbers.values()
            assert "Backfill" in session.get(admin).text
        finally:
            demo.send_signal(signal.SIGINT)
            try:
                rest, errors = demo.communicate(timeout=60)
            finally:
                demo.kill()
    assert (demo.returncode, rest.split(), errors) == (0, ["Stopped."], "")


def in_a_new_shell(line: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["sh", "-c", line],
        cwd="/",
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("held", ["clickhouse/status", "."], ids=["the engine", "the folder"])
def test_a_folder_that_is_in_use_is_not_wiped(held: str, tmp_path: Path) -> None:
    (tmp_path / "clickhouse").mkdir()
    for name in ("made-by-the-demo", "database.sqlite3"):
        (tmp_path / name).touch()
    (tmp_path / "clickhouse" / "status").write_text("PID: 4711\n")
    descriptor = os.open(tmp_path / held, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        done = run_demo(tmp_path)
    finally:
        os.close(descriptor)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()[1:]
    assert {
        "clickhouse/status": f"The demo failed: The embedded ClickHouse engine in {tmp_path}/clickhouse is in use by "
        "process 4711: wait until it ends or stop it (`ps -fp 4711` shows it), because one process at a time can open "
        "the folder; a site of several processes needs a ClickHouse server",
        ".": f"The demo failed: Another demo, or a command on its site, is running in {tmp_path}: wait until it ends, "
        "or stop it",
    }[held] == line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clickhouse", "database.sqlite3", "made-by-the-demo"]


def test_commands_wait_for_the_end_of_a_demo(tmp_path: Path) -> None:
    script = command.write(tmp_path)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        done = subprocess.run([script, "cms", "check"], capture_output=True, encoding="utf-8", timeout=60)
    finally:
        os.close(descriptor)
    assert (done.returncode, done.stderr) == (
        1,
        f"{script}: A demo is running in {tmp_path}: wait until it ends, or stop it\n",
    )


def test_a_folder_that_no_demo_made_is_not_wiped(tmp_path: Path) -> None:
    mine = tmp_path / "thesis.txt"
    mine.write_text("years of work")
    done = run_demo(tmp_path)
    assert done.returncode == 1
    assert "holds files that no demo made" in done.stderr
    assert mine.read_text() == "years of work"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("out", "no_color", "coloured"), [(Terminal, "", True), (Terminal, "1", False), (StringIO, "", False)]
)
def test_colours_are_for_terminals(
    out: type[StringIO], no_color: str, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", no_color)
    written = out()
    Paper(written).headline("equal")
    assert written.getvalue() == ("\x1b[1;32mequal\x1b[0m\n" if coloured else "equal\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("", "''"),
        (" blank ends ", "' blank ends '"),
        ("line\nbreak\r\ttab\x1b[31m", r"line\nbreak\r\ttab\x1b[31m"),
        ("back\\slash", r"back\\slash"),
        ("\u202eright to left", r"\u202eright to left"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\\u200d\U0001f469"),
        ("\u0645\u0631\u062d\u0628\u0627", "\u0645\u0631\u062d\u0628\u0627"),
        (None, "None"),
        (7, "7"),
    ],
)
def test_awkward_values_are_shown_on_one_line_and_nothing_invisible(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("ab", 4, "ab  "),
        ("a long sentence", 8, "a lon..."),
        ("block-v1:Org+C+R+type@html+block@intro", 13, "block...intro"),
        ("\U0001f52d\U0001f52d\U0001f52d x", 6, "\U0001f52d... "),
        ("e\u0301e\u0301", 3, "e\u0301e\u0301 "),
    ],
)
def test_texts_are_cut_and_filled_to_their_columns(text: str, columns: int, expected: str) -> None:
    assert fitted(text, columns) == expected
    assert width(fitted(text, columns)) == columns


@pytest.mark.django_db
def test_the_comparison_finds_what_is_missing_different_and_too_much(
    clickhouse_engine_path: Path, clickhouse_database: str, settings: object
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {
        "url": f"chdb://{clickhouse_engine_path}",
        "database": clickhouse_database,
    }
    settings.EVENT_SINK_CLICKHOUSE_TAXONOMY_ENABLED = True
    create_missing(get_client(Connection.from_settings()), all_tables())
    same, changed, gone, new = (make_taxonomy(name) for name in ("same", "changed", "gone", "new"))
    sink = TaxonomySink()
    keys = [same.pk, changed.pk, gone.pk]
    sink.write(sink.read(Selection(keys=keys)), take_stamp(sink.name))
    type(changed).objects.filter(pk=changed.pk).update(name="changed since")
    type(gone).objects.filter(pk=gone.pk).delete()
    gone_pk = keys[-1]
    found = compare()["taxonomy"]
    close_clients()
    # openedx_tagging has taxonomies of its own, which were never written.
    assert [line for line in found.different if not line.startswith("-")] == [
        f"{changed.pk}: name is 'changed' in ClickHouse and 'changed since' in the source",
        f"{new.pk} is missing",
        f"{gone_pk} is in ClickHouse and not in the source",
    ]
