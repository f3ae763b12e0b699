"""An entry of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS may be anything: a bad sink costs itself, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.core.checks import WARNING, run_checks

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import outbox, triggers
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.operations.checks import TAG
from platform_plugin_aspects.operations.status import sink_statuses
from platform_plugin_aspects.sinks import BaseSink, ModelBaseSink
from platform_plugin_aspects.sinks.column import Column
from platform_plugin_aspects.sinks.registry import BUILT_IN, sinks
from platform_plugin_aspects.tests.broker import Broker
from platform_plugin_aspects.tests.commands import run
from platform_plugin_aspects.tests.conftest import rows
from test_utils import factories

pytestmark = pytest.mark.django_db

MODULES = {
    "raises": "raise ValueError('no such thing')",
    "exits": "import sys; sys.exit(3)",
    "gives_up": "class GivenUp(BaseException): pass\nraise GivenUp('no more')",
    "is_not_python": "def (:",
    "asserts": "assert False, 'never'",
    "recurses": "def again(): again()\nagain()",
    "needs_another": "import nowhere_to_be_found",
    "raises_what_cannot_be_shown": (
        "class Odd(Exception):\n    def __str__(self):\n        raise TypeError('odd')\nraise Odd()"
    ),
    "has_odd_classes": (
        "from platform_plugin_aspects.sinks import BaseSink, Column, ModelBaseSink\n"
        "class Numbered(BaseSink):\n    name, model = 5, 'tag'\n"
        "class OfNumber(BaseSink):\n    name, model = 'of_number', 5\n"
        "class Long(BaseSink):\n    name, model = 'x' * 65, 'tag'\n"
        "class OddTables(BaseSink):\n    name, model, tables = 'odd_tables', 'tag', None\n"
        "class NamedTables(BaseSink):\n    name, model, tables = 'named_tables', 'tag', ('a', 'b')\n"
        "class NoColumns(ModelBaseSink):\n    name, model = 'no_columns', 'tag'\n"
        "class OnlyReads(BaseSink):\n    name, model = 'only_reads', 'tag'\n    def read(self, selection): pass\n"
        "class OwnWrite(ModelBaseSink):\n    name, model, columns = 'own_write', 'tag', (Column('id', 'Int32'),)\n"
        "    def write(self, batch, stamp): pass\n"
    ),
}

#: Value of the setting -> what is said, in order.
WRONG: dict[str, tuple[Any, list[str]]] = {
    "a null among others": ([None], ["None cannot be used: it is not text with a dotted path"]),
    "a mapping among others": ([{"path": "x"}], ["{'path': 'x'} cannot be used: it is not text with a dotted path"]),
    "a list in a list": ([["a.B"]], ["['a.B'] cannot be used: it is not text with a dotted path"]),
    "a number": (5, ["5 cannot be used: it is not text with a dotted path"]),
    "True": (True, ["True cannot be used: it is not text with a dotted path"]),
    "a mapping": ({"a": "b"}, ["{'a': 'b'} cannot be used: it is not text with a dotted path"]),
    "text": ("nowhere", ["nowhere cannot be used: nowhere doesn't look like a module path"]),
    "empty text": ([""], ["'' cannot be used: it is not text with a dotted path"]),
    "a module that raises": (["raises.Sink"], ["raises.Sink cannot be used: ValueError: no such thing"]),
    "a module that exits": (["exits.Sink"], ["exits.Sink cannot be used: SystemExit: 3"]),
    "a module that gives up": (["gives_up.Sink"], ["gives_up.Sink cannot be used: GivenUp: no more"]),
    "a module that is not Python": (["is_not_python.Sink"], ["is_not_python.Sink cannot be used: SyntaxError: "]),
    "a module that asserts": (["asserts.Sink"], ["asserts.Sink cannot be used: AssertionError: never"]),
    "a module that recurses": (["recurses.Sink"], ["recurses.Sink cannot be used: RecursionError: "]),
    "a module that needs another": (["needs_another.Sink"], ["No module named 'nowhere_to_be_found'"]),
    "an error that cannot be shown": (["raises_what_cannot_be_shown.Sink"], ["cannot be used: Odd"]),
    "a number as name": (["has_odd_classes.Numbered"], ["its name and its model must be text"]),
    "a number as model": (["has_odd_classes.OfNumber"], ["its name and its model must be text"]),
    "a long name": (["has_odd_classes.Long"], ["its name is longer than 64 characters"]),
    "tables that are not a tuple": (["has_odd_classes.OddTables"], ["its tables must be a tuple of Table"]),
    "tables that are names": (["has_odd_classes.NamedTables"], ["its tables must be a tuple of Table"]),
    "no columns": (["has_odd_classes.NoColumns"], ["it has no columns"]),
    "no method to write": (["has_odd_classes.OnlyReads"], ["it does not override parse_key, write"]),
    "a write of its own alone": (["has_odd_classes.OwnWrite"], ["it must override encode, too, and return None"]),
}


class Broken(ModelBaseSink):
    """A sink of others whose every method raises."""

    name = "broken"
    model = "user_preference"
    columns = (Column("id", "Int32"),)
    calls: ClassVar[list[str]] = []

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        raise KeyError("a value of ada's")


class Undecided(Broken):
    """It does not even say whether it is on."""

    name = "undecided"

    @classmethod
    def is_enabled(cls) -> bool:
        raise AttributeError("nobody knows")


@pytest.fixture(autouse=True)
def _modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, source in MODULES.items():
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture(params=WRONG)
def wrong(request: pytest.FixtureRequest, settings: Any) -> list[str]:
    """The setting has a bad value; what is said of it."""
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS, said = WRONG[request.param]
    return said


def test_it_is_a_warning_that_says_why(wrong: list[str]) -> None:
    found = run_checks(tags=[TAG])
    assert [message.level for message in found] == [WARNING] * len(wrong)
    for message, words in zip(found, wrong, strict=True):
        assert message.id == "platform_plugin_aspects.W020"
        assert message.msg.startswith("EVENT_SINK_CLICKHOUSE_EXTRA_SINKS: ")
        assert words in message.msg


def test_the_other_sinks_are_there_and_the_other_entry_too(wrong: list[str], settings: Any) -> None:
    assert list(sinks().values()) == list(BUILT_IN)
    configured = settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS
    if isinstance(configured, list):
        settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [*configured, f"{__name__}.Broken"]
        assert list(sinks().values()) == [*BUILT_IN, Broken]


def test_commands_run(wrong: list[str]) -> None:
    for command in ("check", "migrate", "aspects_status"):
        # As on the command line, where Django's checks come first; errors of theirs would end it.
        checked: dict[str, Any] = {} if command == "check" else {"skip_checks": False}
        run(command, stderr=StringIO(), verbosity=0, **checked)


def test_changes_of_the_others_are_recorded(wrong: list[str], all_on: None) -> None:
    profile = factories.make_user().profile
    assert list(Change.objects.values_list("sink", "object_id")) == [("user_profile", str(profile.pk))]


def test_a_null_for_all_of_it_is_nothing(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = None
    assert run_checks(tags=[TAG]) == []
    assert list(sinks().values()) == list(BUILT_IN)


def test_an_interrupt_is_not_kept_from_anybody(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "interrupted.py").write_text("raise KeyboardInterrupt")
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = ["interrupted.Sink"]
    with pytest.raises(KeyboardInterrupt):
        sinks()


def test_a_module_that_fails_is_run_once_in_a_process_and_said_once(
    settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "log"
    (tmp_path / "counts.py").write_text(
        f"with open({str(log)!r}, 'a') as file: file.write('x')\nraise ValueError('no such thing')"
    )
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = ["counts.Sink"]
    for _ in range(3):
        assert list(sinks().values()) == list(BUILT_IN)
    assert log.read_text() == "x"
    (error,) = caplog.records
    assert (error.levelno, error.exc_info) == (logging.ERROR, None)
    assert (
        error.getMessage() == "EVENT_SINK_CLICKHOUSE_EXTRA_SINKS: counts.Sink cannot be used: ValueError: no such thing"
    )


@pytest.mark.parametrize("module", ["raises", "exits", "gives_up", "is_not_python"])
def test_a_models_module_that_fails_turns_its_sink_off(module: str, settings: Any, all_on: None) -> None:
    """The same of the other setting that names modules."""
    settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = {
        **settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG,
        "external_id": {"module": module, "model": "ExternalId"},
    }
    assert edx_platform.get_model("external_id") is None
    assert not sinks()["external_id"].is_enabled()
    assert sinks()["user_profile"].is_enabled()
    assert edx_platform.get_signal(f"{module}.SIGNAL") is None


# Sinks that are sinks, and fail at what they do


@pytest.fixture(params=[Broken, Undecided])
def failing(request: pytest.FixtureRequest, settings: Any, all_on: None) -> type[BaseSink]:
    """A sink of others that fails, in front of others: connected, as when the platform starts, and on."""
    sink: type[BaseSink] = request.param
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{__name__}.{sink.__name__}"]
    settings.EVENT_SINK_CLICKHOUSE_USER_PREFERENCE_ENABLED = True
    return sink


COMMANDS: dict[str, Callable[[], Any]] = {
    "status": lambda: run("aspects_status"),
    "tables": lambda: run("aspects_create_tables", "--dry-run"),
    "check": lambda: run("check"),
    "statuses": sink_statuses,
    "all_triggers": lambda: list(triggers.all_triggers()),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_it_stops_no_command(failing: type[BaseSink], clickhouse: ClickHouse, name: str) -> None:
    COMMANDS[name]()


def test_it_is_asked_for_with_the_others(failing: type[BaseSink], broker: Broker) -> None:
    for name in ("user_profile", failing.name):
        Change.objects.create(sink=name, object_id="1")
    # One that does not say whether it is on is off.
    assert outbox.request_pending() == (["user_profile"] if failing is Undecided else ["broken", "user_profile"])


def test_its_delivery_fails_waits_and_says_where(
    failing: type[BaseSink], clickhouse: ClickHouse, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    Change.objects.create(sink=failing.name, object_id="1")
    result = deliver_changes(failing.name)
    if failing is Undecided:
        assert result.status == "off"
        assert "treated as off, because it does not say whether it is on: AttributeError: nobody knows" in caplog.text
    else:
        assert (result.status, result.wait is not None) == ("failed", True)
        assert result.error.startswith("The sink's own code failed: KeyError in test_bad_extra_sinks.py, line ")
        assert SinkState.objects.get(sink="broken").failures == 1
    assert "ada" not in caplog.text
    assert Change.objects.count() == 1


def test_the_others_are_delivered_by_hand(failing: type[BaseSink], clickhouse: ClickHouse) -> None:
    profile = factories.make_user().profile
    Change.objects.create(sink=failing.name, object_id="1")
    out = StringIO()
    if failing is Broken:
        with pytest.raises(Exception, match="Not all is delivered of broken"):
            run("aspects_deliver", stdout=out)
    else:
        run("aspects_deliver", stdout=out)
    assert [row["id"] for row in rows(clickhouse, "user_profile")] == [profile.pk]
    assert f"{failing.name} " in out.getvalue()
