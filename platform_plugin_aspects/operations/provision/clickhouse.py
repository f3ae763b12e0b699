"""All that the plugin and its boards need in ClickHouse: as steps, and as statements for an administrator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from django.conf import settings

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import ACCESS_DENIED, Failure, Misconfigured
from platform_plugin_aspects.clickhouse.grants import (
    SETTING,
    Reader,
    create_user_statement,
    onlooker_grants,
    plugin_grants,
)
from platform_plugin_aspects.clickhouse.rights import Grant
from platform_plugin_aspects.clickhouse.schema import create_database_statement
from platform_plugin_aspects.dashboards.superset.config import is_configured
from platform_plugin_aspects.load_test.tables import tables_by_database
from platform_plugin_aspects.operations.doctor.findings import Finding, Mark
from platform_plugin_aspects.operations.doctor.reader import NOT_LET_IN
from platform_plugin_aspects.operations.provision.relations import RelationsStep
from platform_plugin_aspects.operations.provision.step import Step, Tell, run
from platform_plugin_aspects.operations.provision.tables import TablesStep
from platform_plugin_aspects.operations.provision.users import CONFIG, Account, ReaderStep, UserStep
from platform_plugin_aspects.operations.reports import views_of_boards
from platform_plugin_aspects.reporting.layout import ENABLED_SETTING, VIEWS_OF_PAGES, Layout, reports_are_on
from platform_plugin_aspects.reporting.statements import creation
from platform_plugin_aspects.sinks.registry import names_are_on, relations_of_own_boards
from platform_plugin_aspects.xapi.addresses import has_addresses


@dataclass(frozen=True)
class ClickHousePart:
    """ClickHouse according to the settings. ``layout``: of the reports; None while they are off.

    ``reader``: Superset's user, with the relations that it gets.
    """

    connection: Connection
    cluster: str
    layout: Layout | None
    reader: Reader

    @classmethod
    def from_settings(cls, cluster: str) -> ClickHousePart:
        """The part as configured. Raises Misconfigured for an invalid value."""
        connection = Connection.from_settings()
        layout = None
        if reports_are_on():
            layout = Layout.from_settings(connection, cluster, personal=names_are_on())
        views = views_of_boards(connection)
        reader = Reader.from_settings(relations_of_own_boards(connection) if settings.ASPECTS_BOARDS_DIR else ())
        return cls(
            connection,
            cluster,
            layout,
            replace(reader, relations=tuple(dict.fromkeys((*reader.relations, *views)))),
        )

    @property
    def is_embedded(self) -> bool:
        """Whether this is the embedded engine, which has no users."""
        return self.connection.embedded_path is not None

    @property
    def has_reader(self) -> bool:
        """Whether Superset's user is made: it reads reports, and has a password."""
        return self.layout is not None and bool(self.reader.password) and not self.is_embedded

    @property
    def plugin_grants(self) -> list[Grant]:
        """The rights of the plugin's user."""
        deletes = has_addresses()
        seen = onlooker_grants(self.layout.database, VIEWS_OF_PAGES, deletes=deletes) if self.layout else []
        return [*plugin_grants(self.connection, deletes_statements=deletes), *seen]

    def findings(self) -> list[Finding]:
        """The settings that are missing."""
        found = []
        if self.layout is None:
            found.append(
                Mark.NOTE(
                    f"{ENABLED_SETTING} is False: the relations that boards read are not created",
                    f"Set {ENABLED_SETTING} to True in LMS and CMS, and run this again",
                )
            )
        if self.is_embedded:
            found.append(
                Mark.NOTE(
                    f"{self.connection.place} is the embedded engine: it has no users, and Superset cannot read it",
                    f"Name a server by url in {CONFIG} to show boards in Superset",
                )
            )
            return found
        if not self.connection.credentials[1]:
            found.append(
                Mark.PROBLEM(
                    f"The plugin's user {self.connection.credentials[0]} is left out, because it has no password",
                    f"Set password in {CONFIG}",
                )
            )
        if self.layout is not None and not self.reader.password:
            mark = Mark.PROBLEM if is_configured() else Mark.NOTE
            found.append(
                mark(
                    f"Superset's user {self.reader.username} is left out, because it has no password",
                    f"Set username and password in {SETTING}",
                )
            )
        return found


@dataclass(frozen=True)
class Outcome:
    """The number of changes, and what a person must know or do."""

    changes: int
    findings: Sequence[Finding]


def provision(part: ClickHousePart, administrator: tuple[str, str], tell: Tell, *, dry_run: bool) -> Outcome:
    """Make what is missing, as the administrator (name, password), whom the embedded engine does not know.

    ``tell`` hears each change. Raises clickhouse.errors.Failure; the same call then does the rest.
    """
    name, password = administrator
    connection = part.connection
    if not part.is_embedded:
        connection = replace(connection, url=connection.place, username=name, password=password)
    findings = part.findings()
    relations = None
    steps: list[Step] = [TablesStep(connection, part.cluster)]
    if part.layout is not None:
        relations = RelationsStep(replace(part.layout, connection=connection), tell)
        steps.append(relations)
    if not part.is_embedded:
        found, users = _users(part, connection)
        findings += found
        steps += users
    with _blaming(name):
        number = run(steps, tell, dry_run=dry_run)
        if relations is not None and not dry_run:
            relations.remaining()
    return Outcome(number, [*findings, *(finding for step in steps for finding in step.findings)])


@contextmanager
def _blaming(administrator: str) -> Iterator[None]:
    """Failures of the administrator's own account, with the remedy for it."""
    try:
        yield
    except Failure as failure:
        if failure.code in NOT_LET_IN:
            raise Misconfigured(
                f"ClickHouse does not let its administrator {administrator} in (code {failure.code}): correct "
                "ASPECTS_CLICKHOUSE_ADMIN_USERNAME and ASPECTS_CLICKHOUSE_ADMIN_PASSWORD, or the options "
                "--clickhouse_admin_username and --clickhouse_admin_password",
                failure.code,
            ) from None
        if failure.code == ACCESS_DENIED:
            raise Misconfigured(
                f"{administrator} lacks a right in ClickHouse (code {failure.code}): name an administrator who may "
                "create databases, tables, users, settings profiles and quotas, and grant (access_management)",
                failure.code,
            ) from None
        raise


def _users(part: ClickHousePart, administrator: Connection) -> tuple[list[Finding], list[Step]]:
    """Why a user is left out, and the steps that make the others."""
    findings: list[Finding] = []
    steps: list[Step] = []
    (plugin, password), reader = part.connection.credentials, part.reader
    if reader.username in (plugin, administrator.username):
        raise Misconfigured(
            f"{reader.username} is the plugin's user, or the administrator: name another one for Superset by username "
            f"in {SETTING}"
        )
    if plugin == administrator.username:
        findings.append(
            Mark.NOTE(
                f"The plugin's user {plugin} is the administrator of ClickHouse, and is left as it is",
                f"Name a user of the plugin's own, such as ch_cms, by username in {CONFIG}, and run this again",
            )
        )
    elif password:
        steps.append(UserStep(administrator, Account(plugin, password, part.plugin_grants), part.cluster))
    if part.has_reader:
        steps.append(ReaderStep(administrator, reader, relations_of_own_boards(part.connection), part.cluster))
    return findings, steps


def statements(part: ClickHousePart) -> Iterator[str]:
    """The statements that make all of it in a ClickHouse that has nothing of it. ClickHouse is not asked.

    The embedded engine gets no users.
    """
    for place, tables in tables_by_database(part.connection).items():
        yield create_database_statement(place.database, part.cluster)
        yield from (table.create_statement(place.database, part.cluster) for table in tables)
    if part.layout is not None:
        yield from creation(part.layout)
    if part.is_embedded:
        return
    name, password = part.connection.credentials
    if password:
        yield create_user_statement(name, password, part.cluster)
        yield from (grant.statement(name, part.cluster) for grant in part.plugin_grants)
    if part.has_reader:
        yield from part.reader.statements(part.cluster)
