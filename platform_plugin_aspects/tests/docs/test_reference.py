"""The reference names every setting, flag, command, option, sink, table, column and system check; pages are reached."""

from __future__ import annotations

import ast
import re
from argparse import Action
from pathlib import Path
from typing import Any

import pytest
from aspects_reference import (
    PARTS,
    annotated,
    boards,
    command_names,
    commands,
    is_long,
    metrics,
    parser_of,
    reports,
    settings,
    system_checks,
    tables,
)

import platform_plugin_aspects
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.dashboards.boards.catalog import ALL
from platform_plugin_aspects.delivery.triggers import TRIGGERS
from platform_plugin_aspects.load_test.tables import all_tables
from platform_plugin_aspects.operations import checks
from platform_plugin_aspects.operations.checks.check import check
from platform_plugin_aspects.operations.metrics import exposition
from platform_plugin_aspects.reporting.relation import relations
from platform_plugin_aspects.settings.common import defaults
from platform_plugin_aspects.sinks.registry import BUILT_IN

DOCS = Path(platform_plugin_aspects.__file__).parents[1] / "docs"
SWITCH = "EVENT_SINK_CLICKHOUSE_<MODEL>_ENABLED"
FLAG = "event_sink_clickhouse.<model>.enabled"
OPTIONS = [
    pytest.param(name, action, id=f"{name} {'/'.join(action.option_strings) or action.dest}")
    for name in command_names()
    for action in parser_of(name)._actions
]


def test_every_setting_is_annotated_and_nothing_else() -> None:
    assert list(annotated()) == [*defaults(), SWITCH, FLAG]


@pytest.mark.parametrize(("name", "default"), defaults().items())
def test_annotations_name_the_real_defaults(name: str, default: Any) -> None:
    try:
        said = ast.literal_eval(annotated()[name]["default"])
    except SyntaxError:
        # In words: the reference shows the value itself.
        assert is_long(default)
    else:
        assert (said, type(said)) == (default, type(default))


@pytest.mark.parametrize("name", [*defaults(), SWITCH, FLAG])
def test_every_setting_has_an_entry_with_its_description(name: str) -> None:
    annotation = annotated()[name]
    entry = settings().split(f".. confval:: {name}\n")[1].split(".. confval::")[0]
    assert " ".join(annotation["description"].split()) in entry
    assert len(annotation["description"]) > 20
    assert annotation["default"] in entry or "code-block" in entry


@pytest.mark.parametrize("name", [name for name, default in defaults().items() if is_long(default)])
def test_long_defaults_are_shown_as_they_are(name: str) -> None:
    entry = settings().split(f".. confval:: {name}\n")[1].split(".. confval::")[0]
    shown = re.search(r"code-block:: python\n\n((?: {6}.*\n|\n)+)", entry)
    assert shown is not None
    assert ast.literal_eval(shown[1].strip()) == defaults()[name]


@pytest.mark.parametrize("name", [SWITCH, FLAG, *(name for name, value in defaults().items() if value is True)])
def test_switches_are_annotated_as_toggles(name: str) -> None:
    assert annotated()[name]["implementation"] == (["WaffleFlag"] if name == FLAG else ["DjangoSetting"])


@pytest.mark.parametrize("name", command_names())
def test_every_command_has_a_section_with_its_help(name: str) -> None:
    assert len(parser_of(name).description or "") > 20
    assert f"\n{name}\n{'-' * len(name)}\n" in f"\n{commands()}"
    assert f".. program:: {name}\n" in commands()


@pytest.mark.parametrize(("command", "action"), OPTIONS)
def test_every_option_has_an_entry_with_its_help(command: str, action: Action) -> None:
    assert action.help
    section = commands().split(f".. program:: {command}\n")[1].split(".. program::")[0]
    name = action.option_strings[0] if action.option_strings else str(action.metavar or action.dest)
    entry = re.search(rf"^\.\. option:: {re.escape(name)}.*\n\n   (\S.*)", section, re.MULTILINE)
    assert entry is not None
    if action.default not in (None, False, []) and "default" not in action.help:
        assert entry[1].endswith(f" (default: {action.default})")


def test_help_is_no_markup() -> None:
    assert '(default: "lt\\_")' in commands()


@pytest.mark.parametrize("sink", BUILT_IN, ids=lambda sink: sink.__name__)
def test_every_sink_has_a_section(sink: Any) -> None:
    section = tables().split(f"{sink.__name__}\n----")[1].split("\n----")[0]
    assert f"* Turned on by: ``{sink.setting()}`` or the flag ``{sink.flag()}``" in section
    assert (f"* Object (``--object``): ``{sink.name}``" in section) == sink.has_objects
    heard = {trigger.signal for trigger in TRIGGERS if trigger.sink == sink.name}
    assert set(re.findall(r"^  \* ``(\S+)``", section, re.MULTILINE)) == heard


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_every_column_has_a_row(table: Any) -> None:
    section = tables().split(f"\n{table.name}\n~~~")[1].split("\n~~~")[0]
    for column in table.columns:
        row = re.search(rf"^   \* - ``{column.name}``\n     - ``(.+)``\n     -(.*)\n     -(.*)$", section, re.MULTILINE)
        assert row is not None, column.name
        assert (row[1], row[2].strip()) == (column.type, "yes" if getattr(column, "personal", False) else "")
    assert f"* Sorting key: ``{', '.join(table.order_by)}``" in section


@pytest.mark.parametrize("relation", relations(), ids=lambda relation: relation.name)
def test_every_column_of_a_report_has_a_row_with_its_definition(relation: Any) -> None:
    section = " ".join(reports().split(f"\n{relation.name}\n~~~")[1].split("\n~~~")[0].split()).replace("\\", "")
    keys = ("One row", "From", "Key", "Freshness", *(["Population"] if relation.is_for_boards else []))
    for key in keys:
        assert f"{key}: {relation.head[key]}" in section
    for column in relation.columns:
        assert f"``{column.name}`` - {column.definition}" in section


@pytest.mark.parametrize("board", ALL, ids=lambda board: board.slug)
def test_every_chart_of_a_board_has_a_row_with_its_definition(board: Any) -> None:
    section = boards().split(f"{board.title} ({board.slug})\n---")[1].split("\n---")[0].replace("\\", "")
    for chart in board.charts:
        assert f"   * - {chart.question}\n     - {chart.about} {chart.empty}\n     - ``{chart.view}``" in section


def test_columns_say_where_their_values_come_from() -> None:
    assert "   * - ``username``\n     - ``String``\n     - yes\n     - ``user__username``\n" in tables()


def test_every_system_check_has_an_entry() -> None:
    sources = [path.read_text(encoding="utf-8") for path in Path(checks.__file__).parent.glob("*.py")]
    ids = [id_ for source in sources for id_ in re.findall(r'^@check\(\s*"([EW]\d{3})"', source, re.MULTILINE)]
    assert set(re.findall(r"^``platform_plugin_aspects\.([EW]\d{3})``\n   \S", system_checks(), re.MULTILINE)) == set(
        ids
    )
    assert len(ids) == len(set(ids)) > 20


def test_each_id_is_of_one_system_check() -> None:
    with pytest.raises(ValueError, match="E001 is the id of another check"):
        check("E001")(lambda: [])


def test_names_at_the_beginning_of_an_entry_stay_as_they_are() -> None:
    assert re.findall(r"^   [A-Z][a-z]+_\w+", system_checks(), re.MULTILINE) == []


@pytest.mark.django_db
def test_every_metric_has_a_row(clickhouse: ClickHouse, settings: Any) -> None:
    settings.ASPECTS_REPORTING_ENABLED = True
    scraped = re.findall(r"^# TYPE (\S+) (\S+)$", exposition().decode(), re.MULTILINE)
    assert re.findall(r"^   \* - ``(\S+)``\n     - (\S+)\n     - \S", metrics(), re.MULTILINE) == scraped


@pytest.mark.parametrize("part", PARTS)
def test_every_generated_part_is_on_a_page(part: str) -> None:
    pages = [page.read_text(encoding="utf-8") for page in DOCS.glob("*/*.rst")]
    assert sum(f".. generated:: {part}\n" in page for page in pages) == 1


def reached_from(page: Path) -> set[Path]:
    """The pages of the toctrees of a page, and theirs."""
    found: set[Path] = set()
    for tree in re.findall(r"^\.\. toctree::\n((?:   .*\n|\n)+)", page.read_text(encoding="utf-8"), re.MULTILINE):
        entries = [line.strip() for line in tree.splitlines() if line.strip() and not line.strip().startswith(":")]
        for entry in entries:
            found |= {path for path in page.parent.glob(f"{entry}.rst") if path != page}
    return found.union(*map(reached_from, found))


def test_every_page_is_in_a_toctree() -> None:
    index = DOCS / "index.rst"
    pages = {path for path in DOCS.rglob("*.rst") if "_build" not in path.parts}
    assert pages - reached_from(index) == {index}
