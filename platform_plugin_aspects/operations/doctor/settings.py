"""The plugin's system checks, which need neither database nor network."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import WARNING, run_checks

from platform_plugin_aspects.operations.checks import TAG
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark


def examine(_examination: Examination) -> Iterator[Finding]:
    """The plugin's messages of ``manage.py check``. Those below a warning are notes."""
    messages = run_checks(tags=[TAG])
    for message in messages:
        mark = Mark.PROBLEM if message.level >= WARNING else Mark.NOTE
        yield mark(f"{message.msg} ({message.id})", message.hint or "")
    if not messages:
        yield Mark.OK("All plugin settings are valid")
