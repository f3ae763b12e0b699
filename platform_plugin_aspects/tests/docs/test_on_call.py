"""docs/how-tos/on_call.rst: its commands can be typed, and its alerts watch metrics that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from django.core.management import load_command_class

import platform_plugin_aspects
from platform_plugin_aspects.operations.metrics import METRICS, REASONS, REPORT_METRICS

PAGE = Path(platform_plugin_aspects.__file__).parents[1] / "docs" / "how-tos" / "on_call.rst"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("line", sorted(set(re.findall(r"python manage\.py lms ([^`\n]+)", TEXT))))
def test_every_command_can_be_typed(line: str) -> None:
    command, *arguments = shlex.split(line)
    parser = load_command_class("platform_plugin_aspects", command).create_parser("manage.py", command)
    parser.parse_args(arguments)


def test_every_alert_watches_a_metric() -> None:
    expressions = re.findall(r"expr: (.+)", TEXT)
    assert len(expressions) == 7
    of_reports = {name for name, _text in REPORT_METRICS}
    names = {REASONS[0], *(name for _kind, name, _text, _value in METRICS), *of_reports}
    for expression in expressions:
        watched = set(re.findall(r"aspects_\w+", expression))
        assert watched
        assert watched <= names
        # A sink that was turned off keeps its figures, and they would ring for ever. Reports that are off have none.
        assert "aspects_sink_enabled" in watched or watched <= of_reports
