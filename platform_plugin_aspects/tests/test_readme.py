"""README.rst names every setting, command, option, sink and table; what it shows can be typed, and its sink works."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from crum import impersonate
from django.core.checks import run_checks
from django.core.management import call_command, get_commands, load_command_class
from django.db.models.signals import post_delete, post_save
from openedx.core.djangoapps.user_api.models import UserPreference
from openedx_filters.learning.filters import InstructorDashboardRenderStarted, InstructorDashboardTabsRequested

import platform_plugin_aspects
from platform_plugin_aspects import checks, delivery, signals
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.settings import common
from platform_plugin_aspects.sinks.registry import BUILT_IN, tables
from platform_plugin_aspects.superset.rls import parse_filter
from platform_plugin_aspects.tests.conftest import latest, rows
from test_utils.factories import make_course_key, make_user
from test_utils.retirement import retire

PACKAGE = Path(platform_plugin_aspects.__file__).parent
README = (PACKAGE.parent / "README.rst").read_text(encoding="utf-8")
MAKEFILE = (PACKAGE.parent / "Makefile").read_text(encoding="utf-8")
COMMANDS = sorted(path.stem for path in (PACKAGE / "management" / "commands").glob("*.py") if path.stem != "__init__")
SHOWN = re.findall(r"^ +(?:python|\S*/python) manage\.py (?:lms|cms) (\S+) ?(.*)$", README, re.MULTILINE)


def defaults() -> list[str]:
    settings = SimpleNamespace()
    common.plugin_settings(settings)
    return sorted(vars(settings))


def parser_of(command: str) -> Any:
    return load_command_class("platform_plugin_aspects", command).create_parser("manage.py", command)


def options_of(command: str) -> list[str]:
    django = {"--help", "--version", "--settings", "--pythonpath", "--traceback", "--no-color", "--force-color"}
    found = {option for action in parser_of(command)._actions for option in action.option_strings}
    return sorted(option for option in found - django - {"--skip-checks"} if option.startswith("--"))


@pytest.mark.parametrize("name", [*defaults(), "EVENT_SINK_CLICKHOUSE_<MODEL>_ENABLED"])
def test_every_setting_is_described(name: str) -> None:
    assert re.search(rf"^``{name}``\n    \S", README, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_section_with_an_example(name: str) -> None:
    assert f"\n{name}\n{'~' * len(name)}\n" in README
    assert name in [command for command, _arguments in SHOWN]


@pytest.mark.parametrize(("command", "option"), [(name, option) for name in COMMANDS for option in options_of(name)])
def test_every_option_is_named(command: str, option: str) -> None:
    assert re.search(rf"``{option}(?: 2)?``", README)


@pytest.mark.parametrize("sink", BUILT_IN, ids=lambda sink: sink.__name__)
def test_every_sink_has_a_row(sink: Any) -> None:
    name = f"``{sink.name}``" if sink.has_objects else "none"
    assert re.search(rf"^{name} +``{sink.model}`` +\S", README, re.MULTILINE)


@pytest.mark.parametrize("table", [table.name for table in tables()])
def test_every_table_is_named(table: str) -> None:
    assert f"``{table}``" in README


@pytest.mark.parametrize(
    "code", sorted(set(re.findall(r"(?<=platform_plugin_aspects\.)[EW]\d{3}", Path(checks.__file__).read_text())))
)
def test_every_system_check_is_named(code: str) -> None:
    assert code in README


@pytest.mark.parametrize(("command", "arguments"), SHOWN)
def test_every_command_line_shown_can_be_parsed(command: str, arguments: str) -> None:
    app = get_commands()[command]
    app_name = app if isinstance(app, str) else app.__module__.rpartition(".management.")[0]
    words = shlex.split(arguments)
    load_command_class(app_name, command).create_parser("manage.py", command).parse_args(words)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:``|^    )make ([a-z0-9]+)", README, re.MULTILINE))))
def test_every_make_target_shown_exists(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def test_make_says_every_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=PACKAGE.parent, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make (\S+) ", shown, re.MULTILINE) == re.findall(r"^\.PHONY: (\S+)", MAKEFILE, re.MULTILINE)


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^ *\.\. code-block:: {language}\n\n((?: +.*\n|\n)+)", README, re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


@pytest.fixture
def example(settings: Any, monkeypatch: pytest.MonkeyPatch, all_on: None) -> Iterator[None]:
    """The README's sink at the path, and with the settings, that the README gives."""
    sink, wanted = blocks("python")
    module = ModuleType("my_plugin.sinks")
    monkeypatch.setitem(sys.modules, "my_plugin", ModuleType("my_plugin"))
    monkeypatch.setitem(sys.modules, "my_plugin.sinks", module)
    exec(compile(sink, "README.rst", "exec"), vars(module))
    values: dict[str, Any] = {}
    exec(compile(wanted, "README.rst", "exec"), values)
    for name, value in values.items():
        if name.isupper():
            setattr(settings, name, value)
    signals.connect()
    yield
    for concern in signals.concerns():
        if concern.sink == "user_preference":
            signal = post_save if concern.signal == signals.POST_SAVE else post_delete
            assert signal.disconnect(sender=UserPreference, dispatch_uid=concern.uid)


@pytest.mark.django_db
def test_the_sink_of_the_readme_works(example: None, clickhouse: ClickHouse) -> None:
    assert checks.check_extra_sinks(None) == []
    user, other = make_user("grace"), make_user("ada")
    kept = UserPreference.objects.create(user=user, key="pref-lang", value="é" * 2000)
    gone = UserPreference.objects.create(user=user, key="time_zone", value="UTC")
    others = UserPreference.objects.create(user=other, key="pref-lang", value="ar")
    delivered = delivery.deliver("user_preference")
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
    delivery.deliver("user_preference")
    assert set(latest(clickhouse, "user_preference")) == {kept.pk, others.pk} - {gone_pk}
    retire(user)
    delivery.deliver("auth_user")
    kept.save()
    delivery.deliver("user_preference")
    assert set(latest(clickhouse, "user_preference")) == {others.pk}


@pytest.mark.django_db
def test_the_sink_of_the_readme_is_an_object_of_the_backfill(
    example: None, clickhouse: ClickHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    UserPreference.objects.bulk_create([UserPreference(user=make_user(), key="a", value="b") for _ in range(3)])
    call_command("dump_data_to_clickhouse", "--object", "user_preference")
    assert len(rows(clickhouse, "user_preference")) == 3
    assert "user_preference: 3 objects written (3 rows in user_preference)" in capsys.readouterr().out


def yaml_settings() -> dict[str, Any]:
    """All that the README writes into env tokens."""
    return {name: value for block in blocks("yaml") for name, value in yaml.safe_load(block).items()}


@pytest.mark.django_db
def test_the_settings_of_the_readme_bring_the_reports(settings: Any, lms: None) -> None:
    for name, value in yaml_settings().items():
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


def test_the_filter_of_the_readme_is_accepted() -> None:
    (example,) = re.findall(r"filters that narrow what it\nshows::\n\n    (.+)\n", README)
    assert parse_filter(example)
