"""The findings of the doctor, and the state that its sections share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from django.conf import settings

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.clickhouse.grants import Reader
from platform_plugin_aspects.operations.reports import relations_of_reader


class Mark(StrEnum):
    """How serious a finding is: a problem, or a section that crashed, makes the command fail. Calling it makes one."""

    OK = "ok"
    PROBLEM = "problem"
    NOTE = "note"
    SKIPPED = "skipped"
    CRASHED = "crashed"

    def __call__(self, text: str, remedy: str = "") -> Finding:
        """The finding with this mark."""
        return Finding(self, text, remedy)


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was seen and, where something is to be done, the setting or command that does it.

    Neither holds secrets, learners' data, or what another server wrote beyond its error code.
    """

    mark: Mark
    text: str
    remedy: str = ""


class Examination:
    """One run of the doctor: what its sections share.

    ``connection``: the ClickHouse to look at; None: the configured one. ``reader``: what replaces values of
    ASPECTS_SUPERSET_READER. ``found``: what the sections before this one found, by title.
    """

    def __init__(self, connection: Connection | None = None, **reader: str | None):
        self._connection = connection
        self._reader = reader
        self.found: dict[str, list[Finding]] = {}

    @property
    def connection(self) -> Connection:
        """The ClickHouse to look at; Misconfigured if its settings are invalid."""
        return self._connection or Connection.from_settings()

    @property
    def reader(self) -> Reader:
        """Superset's user in ClickHouse; Misconfigured when a setting of it is invalid."""
        return Reader.from_settings(relations_of_reader(self.connection), **self._reader)

    @property
    def clickhouse(self) -> ClickHouse:
        """The open connection. It is opened once; raises the Failure of that each time."""
        if isinstance(self._opened, Failure):
            raise self._opened
        return self._opened

    @cached_property
    def _opened(self) -> ClickHouse | Failure:
        try:
            return get_client(self.connection)
        except Failure as failure:
            return failure

    def has_problem(self, title: str) -> bool:
        """Whether an earlier section found a problem, of which another's findings may be the consequence."""
        return any(finding.mark is Mark.PROBLEM for finding in self.found.get(title, ()))

    def because_of(self, title: str, skipped: str, problem: str = "") -> Finding:
        """The finding of a section that cannot examine something because of what the section ``title`` is about.

        ``skipped`` is its text where that section has reported the cause. Otherwise it was not examined, or saw
        nothing: then ``problem``, or else ``skipped``, is a problem: the report never ends with "No problem found".
        """
        reported = (Mark.PROBLEM, Mark.SKIPPED, Mark.CRASHED)
        if any(finding.mark in reported for finding in self.found.get(title, ())):
            return Mark.SKIPPED(f"{skipped}: see {title}")
        return Mark.PROBLEM(problem or skipped, f"Run {manage(f'aspects_check --only {title}')}")


def capitalized(remedy: str) -> str:
    """The remedy of an error as a sentence of its own."""
    return remedy[:1].upper() + remedy[1:]


def manage(command: str) -> str:
    """The command line of a management command in this service."""
    return f"python manage.py {service()} {command}"


def service() -> str:
    """This service: "lms" or "cms"."""
    return getattr(settings, "SERVICE_VARIANT", None) or "lms"
