"""Steps of provisioning ClickHouse, each of which reads what is there, says what it would change, and changes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from platform_plugin_aspects.operations.doctor.findings import Finding

#: Hears one line about each change, before it is made.
Tell = Callable[[str], object]


@dataclass(frozen=True)
class Change:
    """A change of ClickHouse: in words without secrets, and the statements that make it.

    ``text``: "create the database event_sink". ``statements``: empty where ``Step.apply`` has its own.
    """

    text: str
    statements: Sequence[str] = ()


class Step(ABC):
    """A part of the work. All methods raise clickhouse.errors.Failure."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        #: Facts that a person must know or act on, because the step does not.
        self.findings: list[Finding] = []

    def plan(self) -> Sequence[Change]:
        """The changes that are due; empty if nothing is to be done. Sends no write."""
        self.changes, self.findings = [], []
        self.look()
        return self.changes

    @abstractmethod
    def look(self) -> None:
        """Fill ``changes`` and ``findings``."""

    @abstractmethod
    def apply(self) -> None:
        """Make the changes of the last plan."""


def run(steps: Iterable[Step], tell: Tell, *, dry_run: bool) -> int:
    """Take the steps one after the other; the number of changes. ``dry_run``: only say what they are."""
    number = 0
    for step in steps:
        changes = step.plan()
        number += len(changes)
        for change in changes:
            tell(change.text)
        if changes and not dry_run:
            step.apply()
    return number
