"""Writes the parts of the reference that the code knows, as reStructuredText; needs Django set up, and no Sphinx."""

from __future__ import annotations

import inspect
import re
import textwrap
from argparse import SUPPRESS, Action, HelpFormatter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from pprint import pformat
from typing import Any

from aspects_house import house
from code_annotations.contrib.config import FEATURE_TOGGLE_ANNOTATIONS_CONFIG_PATH, SETTING_ANNOTATIONS_CONFIG_PATH
from code_annotations.contrib.sphinx.extensions.base import find_annotations
from django.core.management import load_command_class
from django.core.management.base import CommandParser
from prometheus_client.core import CounterMetricFamily

import platform_plugin_aspects
from platform_plugin_aspects import sinks
from platform_plugin_aspects.clickhouse.schema import Table
from platform_plugin_aspects.dashboards.boards.catalog import ALL as ALL_BOARDS
from platform_plugin_aspects.delivery import triggers
from platform_plugin_aspects.load_test.tables import load_test_tables
from platform_plugin_aspects.operations.checks import CHECKS
from platform_plugin_aspects.operations.metrics import METRICS, REASONS, REPORT_METRICS
from platform_plugin_aspects.reporting.relation import Relation, relations
from platform_plugin_aspects.settings.common import defaults
from platform_plugin_aspects.sinks import BaseSink, ModelBaseSink
from platform_plugin_aspects.sinks.registry import BUILT_IN

PACKAGE = platform_plugin_aspects.__name__
FOLDER = Path(platform_plugin_aspects.__file__).parent
#: Kinds of annotations: how each begins, and what says which there are.
ANNOTATIONS = (
    ("setting", SETTING_ANNOTATIONS_CONFIG_PATH),
    ("toggle", FEATURE_TOGGLE_ANNOTATIONS_CONFIG_PATH),
)


@cache
def annotated() -> dict[str, dict[str, Any]]:
    """Settings and flags by their names, with their annotations: {name: {"default": ..., "description": ..., ...}}."""
    found: dict[str, dict[str, Any]] = {}
    for kind, config in ANNOTATIONS:
        annotations = find_annotations(str(FOLDER), config, f".. {kind}_name:")
        for name, annotation in annotations.items():
            found[name] = {key.removeprefix(f".. {kind}_").rstrip(":"): value for key, value in annotation.items()}
    order = list(defaults())
    return {name: found[name] for name in [*order, *sorted(found.keys() - set(order))] if name in found}


def settings() -> str:
    """Every setting and flag, with its default as the code has it."""
    return "\n".join(_setting(name, annotation) for name, annotation in annotated().items())


def is_long(default: Any) -> bool:
    """Whether a default is shown as code; its annotation may then have words for it."""
    return isinstance(default, dict | list) and len(repr(default)) > 100


def _setting(name: str, annotation: dict[str, Any]) -> str:
    default = defaults().get(name)
    long = is_long(default)
    lines = [f".. confval:: {name}"]
    if not long:
        lines.append(f"   :default: ``{annotation['default']}``")
    lines += ["", _indented(" ".join(annotation["description"].split()))]
    if "warning" in annotation:
        lines += ["   .. warning:: " + " ".join(annotation["warning"].split()), ""]
    if long:
        shown = pformat(default, width=80, sort_dicts=False)
        lines += ["   Default:", "", "   .. code-block:: python", "", _indented(shown, 6)]
    if "implementation" in annotation:
        kind, since = annotation["implementation"][0], annotation["creation_date"]
        lines += [f"   A toggle ({kind}, {', '.join(annotation['use_cases'])}), since {since}.", ""]
    return "\n".join(lines)


def command_names() -> list[str]:
    """The names of the management commands."""
    return sorted(path.stem for path in (FOLDER / "management" / "commands").glob("[!_]*.py"))


def parser_of(name: str) -> CommandParser:
    """The parser of a command, without the options that Django gives to all."""
    command = load_command_class(PACKAGE, name)
    parser = CommandParser(prog=name, description=command.help, add_help=False)
    command.add_arguments(parser)
    return parser


def commands() -> str:
    """Every command, with every option."""
    return "\n".join(line for name in command_names() for line in _command(name))


def _command(name: str) -> Iterator[str]:
    parser = parser_of(name)
    yield from _title(name, "-")
    yield from (_escaped(parser.description or ""), "")
    usage = re.sub(r"^usage: |^ {7}", "", parser.format_usage(), flags=re.MULTILINE)
    yield from (".. code-block:: text", "", _indented(usage))
    yield from (f".. program:: {name}", "")
    # argparse has no public way to walk through a parser.
    for group in parser._action_groups:
        if group._group_actions and group.description:
            yield from (f"{group.title}: {_escaped(group.description)}", "")
        for action in group._group_actions:
            yield from _option(action)


def _option(action: Action) -> Iterator[str]:
    formatter = HelpFormatter("")
    yield from (f".. option:: {formatter._format_action_invocation(action)}", "")
    text = formatter._expand_help(action) if action.help else ""
    if action.default not in (None, False, SUPPRESS, []) and "default" not in text:
        text += f" (default: {action.default})"
    yield _indented(_escaped(text))


def tables() -> str:
    """Every sink with its tables, then the tables that no sink writes."""
    lines: list[str] = []
    for sink in BUILT_IN:
        lines += _sink(sink)
    lines += _title("Load tests", "-")
    for table in load_test_tables():
        lines += _table(table)
    return "\n".join(lines)


def _sink(sink: type[BaseSink]) -> Iterator[str]:
    yield from _title(sink.__name__, "-")
    yield from (inspect.cleandoc(sink.__doc__ or ""), "")
    if sink.has_objects:
        yield f"* Object (``--object``): ``{sink.name}``"
    yield f"* Turned on by: ``{sink.setting()}`` or the flag ``{sink.flag()}``"
    yield from ("* Listens to:", "")
    for trigger in triggers.TRIGGERS:
        if trigger.sink == sink.name:
            sender = f" of the model ``{trigger.sender}``" if trigger.sender else ""
            yield f"  * ``{trigger.signal}``{sender}"
    yield ""
    for table in sink.tables:
        yield from _table(table)


def _table(table: Table) -> Iterator[str]:
    yield from _title(table.name, "~")
    writer = _writers().get(table.name)
    if writer is not None and not writer.has_objects:
        yield from (inspect.cleandoc(writer.__doc__ or ""), "")
    yield f"* Sorting key: ``{', '.join(table.order_by)}``"
    if table.primary_key:
        yield f"* Primary key: ``{', '.join(table.primary_key)}``"
    if table.partition_by:
        yield f"* Partitioned by: ``{table.partition_by}``"
    yield from _table_of("Column", "Type", "Personal data", "Field of the model")
    of_model = writer.columns if writer is not None else ()
    for column in table.columns:
        sources = [path for path in column.sources if path not in writer.computed] if column in of_model else []
        personal = "yes" if column in of_model and column.personal else ""
        yield from _row(f"``{column.name}``", f"``{column.type}``", personal, ", ".join(f"``{it}``" for it in sources))
    yield ""


def _writers() -> dict[str, type[ModelBaseSink]]:
    """{table: the sink whose rows it has}."""
    classes = [found for found in vars(sinks).values() if isinstance(found, type) and issubclass(found, ModelBaseSink)]
    return {found.table.name: found for found in classes if found.columns}


def reports() -> str:
    """Every relation: first those that boards read, then those that serve them."""
    lines: list[str] = []
    for title, for_boards in (("Views of boards", True), ("Relations that serve these", False)):
        lines += _title(title, "-")
        for relation in sorted(relations(), key=lambda relation: relation.name):
            if relation.is_for_boards is for_boards:
                lines += _relation(relation)
    return "\n".join(lines)


def _relation(relation: Relation) -> Iterator[str]:
    yield from _title(relation.name, "~")
    for key in ("One row", "Population", "From", "Key", "Freshness", "Personal data"):
        if key in relation.head:
            yield f"* {key}: {_escaped(relation.head[key])}"
    if relation.is_stored:
        yield f"* Stored as: ``{relation.head['Engine']}``, sorted by ``{relation.head['Order by']}``"
    yield from _table_of("Column", "Definition", *(("Type",) if relation.is_stored else ()))
    for column in relation.columns:
        types = (f"``{column.type}``",) if relation.is_stored else ()
        yield from _row(f"``{column.name}``", _escaped(column.definition), *types)
    yield ""


def boards() -> str:
    """Every board with its charts, as a course team sees them."""
    lines: list[str] = []
    for board in ALL_BOARDS:
        lines += _title(f"{board.title} ({board.slug})", "-")
        lines += (_escaped(str(board.about)), "")
        if board.block_type:
            lines += (f"Studio shows it beside a {board.block_type}.", "")
        if board.is_personal:
            lines += ("It exists only while the sinks ``external_id`` and ``user_profile`` are on.", "")
        for tab in board.tabs:
            if len(board.tabs) > 1:
                lines += _title(str(tab.title), "~")
            lines += _table_of("Question", "Answer", "View")
            for chart in tab.charts:
                about = " ".join(map(str, (chart.about, chart.empty)))
                lines += _row(_escaped(str(chart.question)), _escaped(about), f"``{chart.view}``")
            lines.append("")
    return "\n".join(lines)


def _table_of(*heads: str) -> Iterator[str]:
    yield from ("", ".. list-table::", "   :header-rows: 1", "   :align: left", "")
    yield from _row(*heads)


def _row(*cells: str) -> Iterator[str]:
    for mark, cell in zip("*" + " " * len(cells), cells, strict=False):
        yield f"   {mark} - {cell}".rstrip()


def system_checks() -> str:
    """Every system check, as its docstring has it."""
    return "\n".join(f"``{PACKAGE}.{id_}``\n{_indented(promise)}" for id_, promise in sorted(CHECKS.items()))


def metrics() -> str:
    """Every figure for Prometheus."""
    lines = list(_table_of("Metric", "Type", "Value"))
    for kind, name, text, _value in METRICS:
        counts = kind is CounterMetricFamily
        lines += _row(f"``{name}{'_total' if counts else ''}``", "counter" if counts else "gauge", _escaped(text))
    name, text = REASONS
    lines += _row(f"``{name}``", "gauge", _escaped(f"{text} Its label reason names them."))
    for name, text in REPORT_METRICS:
        lines += _row(f"``{name}``", "gauge", _escaped(text))
    return "\n".join(lines)


def _title(text: str, underline: str) -> Iterable[str]:
    return (text, underline * len(text), "")


def _escaped(text: str) -> str:
    """Text with the characters escaped that reStructuredText interprets."""
    return re.sub(r"([\\`*|_])", r"\\\1", text)


def _indented(text: str, by: int = 3) -> str:
    return textwrap.indent(text, " " * by).rstrip() + "\n"


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "commands": commands,
    "tables": tables,
    "reports": reports,
    "boards": boards,
    "system-checks": system_checks,
    "metrics": metrics,
    "house": house,
}
