"""The examples of README.rst and the how-tos can be typed, and work."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from aspects_reference import command_names
from crum import impersonate
from django.core.checks import run_checks
from django.core.management import call_command, get_commands, load_command_class
from django.db.models.signals import post_delete, post_save
from django.utils.translation import override
from openedx.core.djangoapps.user_api.models import UserPreference
from openedx_filters.learning.filters import InstructorDashboardRenderStarted, InstructorDashboardTabsRequested

import platform_plugin_aspects
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.dashboards.access.author_filters import parse_filter
from platform_plugin_aspects.dashboards.bundle.bundle import bundle
from platform_plugin_aspects.dashboards.bundle.database import DatabaseConnection
from platform_plugin_aspects.delivery import triggers
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.operations.checks.sinks import check_extra_sinks
from platform_plugin_aspects.reporting.rules import Rules
from platform_plugin_aspects.tests.conftest import latest, rows
from test_utils.factories import make_course_key, make_user
from test_utils.retirement import retire

ROOT = Path(platform_plugin_aspects.__file__).parents[1]
HOW_TOS = ROOT / "docs" / "how-tos"
ADD_A_SINK = HOW_TOS / "add_a_sink.rst"
ADD_A_BOARD = HOW_TOS / "add_a_board.rst"
DASHBOARDS = HOW_TOS / "dashboards.rst"
README = ROOT / "README.rst"
#: Those that show what to type.
PAGES = (README, *(ROOT / "docs").glob("*.rst"), *(ROOT / "docs" / "concepts").glob("*.rst"), *HOW_TOS.glob("*.rst"))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8").replace("\\\n", "")


def shown(pattern: str) -> list[Any]:
    """The matches of the pattern on the pages, each once."""
    return sorted({found for page in PAGES for found in re.findall(pattern, text_of(page), re.MULTILINE)})


SHOWN = shown(r"^ +(?:\$ )?(?:(?:python|\S*/python) manage\.py|\.demo/manage) (?:lms|cms) (\S+) ?(.*)$")

#: Commands of edx-platform that its stand-in lacks.
PLATFORM_COMMANDS = {"delete_course"}


@pytest.mark.parametrize("name", command_names())
def test_every_command_has_an_example(name: str) -> None:
    assert name in [command for command, _arguments in SHOWN]


@pytest.mark.parametrize(("command", "arguments"), [line for line in SHOWN if line[0] not in PLATFORM_COMMANDS])
def test_every_command_line_shown_can_be_parsed(command: str, arguments: str) -> None:
    app = get_commands()[command]
    app_name = app if isinstance(app, str) else app.__module__.rpartition(".management.")[0]
    words = shlex.split(arguments.partition(" > ")[0])
    load_command_class(app_name, command).create_parser("manage.py", command).parse_args(words)


@pytest.mark.parametrize("target", shown(r"(?:``|^ +(?:\$ )?)make ([a-z0-9-]+)"))
def test_every_make_target_shown_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_make_says_every_target() -> None:
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"^  make (\S+) ", said, re.MULTILINE) == re.findall(r"^\.PHONY: (\S+)", makefile, re.MULTILINE)


@pytest.mark.parametrize("target", re.findall(r"<(\S+)>`_", README.read_text(encoding="utf-8")))
def test_links_of_the_readme_lead_to_files(target: str) -> None:
    assert (ROOT / target).exists()


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(rf"^ *\.\. code-block:: {language}\n\n((?: +.*\n|\n)+)", text_of(page), re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


@pytest.fixture
def example(settings: Any, monkeypatch: pytest.MonkeyPatch, all_on: None) -> Iterator[None]:
    """The how-to's sink at the path, and with the settings, that the how-to gives."""
    sink, wanted, _test = blocks(ADD_A_SINK, "python")
    module = ModuleType("my_plugin.sinks")
    monkeypatch.setitem(sys.modules, "my_plugin", ModuleType("my_plugin"))
    monkeypatch.setitem(sys.modules, "my_plugin.sinks", module)
    exec(compile(sink, ADD_A_SINK, "exec"), vars(module))
    values: dict[str, Any] = {}
    exec(compile(wanted, ADD_A_SINK, "exec"), values)
    for name, value in values.items():
        if name.isupper():
            setattr(settings, name, value)
    triggers.connect()
    yield
    for trigger in triggers.all_triggers():
        if trigger.sink == "user_preference":
            signal = post_save if trigger.signal == triggers.POST_SAVE else post_delete
            for sender in triggers.senders(trigger):
                assert signal.disconnect(sender=sender, dispatch_uid=trigger.uid)


@pytest.mark.django_db
def test_the_sink_of_the_how_to_works(example: None, clickhouse: ClickHouse) -> None:
    assert check_extra_sinks(None) == []
    user, other = make_user("grace"), make_user("ada")
    kept = UserPreference.objects.create(user=user, key="pref-lang", value="é" * 2000)
    gone = UserPreference.objects.create(user=user, key="time_zone", value="UTC")
    others = UserPreference.objects.create(user=other, key="pref-lang", value="ar")
    delivered = deliver_changes("user_preference")
    assert (delivered.status, delivered.objects) == ("delivered", 3)
    row = latest(clickhouse, "user_preference")[kept.pk]
    assert {name: row[name] for name in ("id", "user_id", "username", "key", "value")} == {
        "id": kept.pk,
        "user_id": user.pk,
        "username": "grace",
        "key": "pref-lang",
        "value": "é" * 1000,
    }
    gone_pk = gone.pk
    gone.delete()
    deliver_changes("user_preference")
    assert set(latest(clickhouse, "user_preference")) == {kept.pk, others.pk} - {gone_pk}
    retire(user)
    deliver_changes("auth_user")
    kept.save()
    deliver_changes("user_preference")
    assert set(latest(clickhouse, "user_preference")) == {others.pk}


@pytest.mark.django_db
@pytest.mark.parametrize("expected", ["ar", "es"])
def test_the_test_of_the_how_to_passes_with_its_rows_only(example: None, tmp_path: Path, expected: str) -> None:
    objects, expected_rows = blocks(ADD_A_SINK, "json")
    (tmp_path / "preferences.json").write_text(objects, encoding="utf-8")
    (tmp_path / "preference_rows.json").write_text(expected_rows.replace("ar", expected), encoding="utf-8")
    _sink, _settings, test = blocks(ADD_A_SINK, "python")
    names: dict[str, Any] = {"__file__": str(tmp_path / "test_sinks.py")}
    exec(compile(test, ADD_A_SINK, "exec"), names)
    with nullcontext() if expected == "ar" else pytest.raises(AssertionError):
        names["test_rows_of_preferences"]()


@pytest.mark.django_db
def test_the_sink_of_the_how_to_is_an_object_of_the_backfill(
    example: None, clickhouse: ClickHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    UserPreference.objects.bulk_create([UserPreference(user=make_user(), key="a", value="b") for _ in range(3)])
    call_command("dump_data_to_clickhouse", "--object", "user_preference")
    assert len(rows(clickhouse, "user_preference")) == 3
    assert "user_preference: 3 objects written (3 rows in user_preference)" in capsys.readouterr().out
    call_command("aspects_compare", "--object", "user_preference")
    assert capsys.readouterr().out.splitlines()[-1] == "equal"


@pytest.mark.django_db
def test_the_settings_shown_bring_the_reports(settings: Any, lms: None) -> None:
    for block in [*blocks(README, "yaml"), *blocks(DASHBOARDS, "yaml")]:
        for name, value in yaml.safe_load(block).items():
            setattr(settings, name, value)
    user, course_key = make_user(is_staff=True), make_course_key()
    with impersonate(user):
        context, _template = InstructorDashboardRenderStarted.run_filter(
            context={"course": SimpleNamespace(id=course_key), "sections": []}, template_name="any"
        )
    tabs, _user, _key = InstructorDashboardTabsRequested.run_filter(tabs=[], user=user, course_key=course_key)
    assert [section["section_key"] for section in context["sections"]] == ["aspects"]
    assert [tab["tab_id"] for tab in tabs] == ["aspects"]
    assert [message for message in run_checks() if message.id.startswith("platform_plugin_aspects")] == []


def test_the_board_of_the_how_to_is_valid() -> None:
    example, _values = blocks(ADD_A_BOARD, "python")
    names: dict[str, Any] = {}
    exec(example, names)
    board = names["LABS"]
    made = bundle([board], "en", DatabaseConnection("clickhouse", 8123, "reports", "aspects_reports"))
    assert sorted(made.charts) == ["labs-busy-days", "labs-units"]
    assert [row.superset_slug for row in made.rows] == ["aspects-labs-en"]


def test_the_values_of_the_how_to_are_translated() -> None:
    _board, example = blocks(ADD_A_BOARD, "python")
    names: dict[str, Any] = {}
    exec(example, names)
    with override("es-419"):
        shown = {column: values.translated(Rules(away_days=14)) for column, values in names["VALUES"].items()}
    assert shown == {
        "flags": {"many attempts": "muchos intentos"},
        "reason": {"no visit for 14 days": "sin visitas desde hace 14 días"},
    }


def test_the_filter_shown_is_accepted() -> None:
    (example,) = blocks(DASHBOARDS, "sql")
    assert parse_filter(example.strip())
