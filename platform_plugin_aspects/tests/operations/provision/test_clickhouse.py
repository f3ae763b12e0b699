"""aspects_provision in ClickHouse: makes what is missing, once; what it finds and leaves; nothing secret is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from platform_plugin_aspects.clickhouse.client import get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.tests.commands import Ended, ended
from test_utils.clickhouse_endpoint import ALL, ClickHouseEndpoint

pytestmark = pytest.mark.django_db

NOTHING = "ClickHouse: nothing to do\n"


def provision(*args: str) -> Ended:
    return ended("aspects_provision", "--clickhouse", *args)


def written(endpoint: ClickHouseEndpoint) -> list[str]:
    """The first words of the statements that change something."""
    statements = [request.statement.split(None, 1)[0].upper() for request in endpoint.requests if request.statement]
    return [verb for verb in statements if verb not in ("SELECT", "SHOW", "WITH", "DESCRIBE", "EXISTS")]


def refused(username: str, password: str, sql: str) -> int | None:
    """The code with which ClickHouse refuses a query to a user; None if it does not."""
    try:
        get_client(replace(Connection.from_settings(), username=username, password=password)).command(sql)
    except Failure as failure:
        return failure.code
    return None


def test_a_bare_clickhouse_gets_all_of_it_and_a_second_run_writes_nothing(
    bare: ClickHouseEndpoint, settings: Any
) -> None:
    plugin, reports = Connection.from_settings(), settings.ASPECTS_REPORTING_DATABASE
    planned = provision("--dry-run")
    assert (planned.code, planned.err) == (0, "")
    assert written(bare) == []
    assert planned.out.splitlines()[-1] == "ClickHouse: 16 changes to make; nothing was changed"
    done = provision()
    assert (done.code, done.err) == (0, "")
    *lines, summary = done.out.splitlines()
    assert [line for line in lines if "relations" not in line and "SELECT on" not in line] == [
        f"  create the database {plugin.database}",
        f"  create 10 tables in {plugin.database}: taxonomy, tag, object_tag, course_overviews, "
        "course_blocks, user_profile, external_id, course_enrollment, load_test_runs, load_test_stats",
        f"  create the database {plugin.xapi_database}",
        f"  create 1 table in {plugin.xapi_database}: xapi_events_all",
        f"  create the database {reports}",
        "  create the user plugin",
        f"  grant SELECT, INSERT, ALTER DELETE on {plugin.database}.* to plugin",
        f"  grant SELECT, INSERT on {plugin.xapi_database}.xapi_events_all to plugin",
        f"  grant SHOW TABLES on {reports}.* to plugin",
        "  create the user boards",
        "  create the settings profile boards",
        "  create the quota boards",
    ]
    assert lines == planned.out.splitlines()[:-1]
    assert summary.startswith("ClickHouse: 16 changes in ")
    assert "secret" not in done.out + planned.out + "".join(request.statement for request in bare.requests)

    bare.clear()
    assert provision() == (0, NOTHING, "")
    assert provision("--dry-run") == (0, NOTHING, "")
    assert written(bare) == []

    # Each may do its work, and nothing else.
    assert refused("plugin", "plugin-secret", f"INSERT INTO {plugin.database}.tag (id) VALUES (1)") is None
    assert refused("plugin", "plugin-secret", f"DROP TABLE {plugin.database}.tag") == 497
    assert refused("boards", "boards-secret", f"SELECT count() FROM {reports}.course_summary") is None
    assert refused("boards", "boards-secret", f"SELECT count() FROM {reports}.activity") == 497
    assert refused("boards", "boards-secret", f"SELECT count() FROM {plugin.database}.course_overviews") == 497
    assert refused("boards", "boards-secret", "SELECT 1 SETTINGS max_memory_usage = 0") == 164


def test_the_printed_statements_make_the_same(bare: ClickHouseEndpoint, settings: Any) -> None:
    printed = provision("--print")
    assert (printed.code, printed.err) == (0, "")
    assert bare.requests == []
    assert "secret" not in printed.out
    root = get_client(replace(Connection.from_settings(), username="root", password="root-secret"))
    for statement in printed.out.removesuffix(";\n").split(";\n"):
        root.command(statement)
    assert provision() == (0, NOTHING, "")


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        (
            "external_user_id",
            [
                "GRANT SELECT, INSERT, ALTER DELETE ON `es`.* TO `plugin`",
                "GRANT SELECT, INSERT ON `x`.`xapi_events_all` TO `plugin`",
                "GRANT SHOW TABLES ON `r`.* TO `plugin`",
                "GRANT SELECT ON `r`.`course_summary` TO `plugin`",
                "GRANT SELECT ON `r`.`course_summary_before` TO `plugin`",
            ],
        ),
        (
            "mbox",
            [
                "GRANT SELECT, INSERT, ALTER DELETE ON `es`.* TO `plugin`",
                "GRANT SELECT, INSERT, ALTER DELETE ON `x`.`xapi_events_all` TO `plugin`",
                "GRANT SHOW TABLES, SELECT, ALTER DELETE ON `r`.* TO `plugin`",
            ],
        ),
    ],
)
def test_each_right_of_the_plugin_is_printed_once(identifier: str, expected: list[str], settings: Any) -> None:
    connection = {"url": "https://ch.invalid:8443", "username": "plugin", "password": "plugin-secret"}
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {**connection, "database": "es", "xapi_database": "x"}
    settings.ASPECTS_REPORTING_DATABASE = "r"
    settings.ASPECTS_REPORTING_ENABLED = True
    settings.XAPI_AGENT_IFI_TYPE = identifier
    statements = provision("--print").out.removesuffix(";\n").split(";\n")
    users = [statement for statement in statements if statement.startswith("CREATE USER")]
    assert [statement.partition(" IDENTIFIED")[0] for statement in users] == ["CREATE USER IF NOT EXISTS `plugin`"]
    assert [statement for statement in statements if statement.endswith("TO `plugin`")] == expected


def test_passwords_changed_in_the_settings_are_applied(bare: ClickHouseEndpoint, settings: Any) -> None:
    settings.ASPECTS_REPORTING_ENABLED = False
    bare.users |= {"plugin": ("old", {"event_sink*": ["SELECT"]}), "boards": ("old", {})}
    done = provision()
    assert "  change the password of plugin\n" in done.out
    assert "boards" not in done.out
    assert refused("plugin", "old", "SELECT 1") == 516
    assert refused("plugin", "plugin-secret", "SELECT 1") is None
    # Rights that it has are not granted again.
    database = settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG["database"]
    assert f"  grant INSERT, ALTER DELETE on {database}.* to plugin\n" in done.out
    assert provision().out == NOTHING


def test_the_reader_s_password_and_rights_are_put_right(bare: ClickHouseEndpoint, settings: Any) -> None:
    assert provision().code == 0
    reports = settings.ASPECTS_REPORTING_DATABASE
    _password, grants = bare.users["boards"]
    bare.users["boards"] = ("old", {**dict(grants), "event_sink": ["SELECT", "dictGet"]})
    del bare.limits.quotas["boards"]
    done = provision()
    lines = done.out.splitlines()
    assert lines[:2] == [
        "  change the password of boards",
        "  revoke from boards: SELECT ON event_sink.*, dictGet ON event_sink.*",
    ]
    assert lines[2].startswith(f"  grant SELECT on {reports}.")
    assert lines[3] == "  create the quota boards"
    assert refused("boards", "boards-secret", f"SELECT count() FROM {reports}.course_summary") is None
    assert dict(bare.users["boards"][1]) == dict(grants)
    assert provision() == (0, NOTHING, "")


def test_what_a_fault_leaves_half_made_is_finished_by_the_next_run(bare: ClickHouseEndpoint) -> None:
    bare.fail("exception", match="CREATE SETTINGS PROFILE", code=497)
    stopped = provision()
    assert stopped.code == 1
    assert stopped.err == (
        "root lacks a right in ClickHouse (code 497): name an administrator who may create databases, tables, users, "
        "settings profiles and quotas, and grant (access_management)"
    )
    done = provision()
    assert [line.split()[:3] for line in done.out.splitlines()[:-1]] == [
        ["create", "the", "settings"],
        ["create", "the", "quota"],
    ]
    assert provision() == (0, NOTHING, "")


def test_the_user_of_tutor_s_aspects_is_left_alone(bare: ClickHouseEndpoint, settings: Any) -> None:
    bare.users["ch_report"] = ("theirs", {"reporting": ["CREATE TABLE", "SELECT"], "xapi": ["SELECT"]})
    settings.ASPECTS_SUPERSET_READER = {"username": "ch_report", "password": "boards-secret"}
    done = provision("--dry-run")
    assert done.code == 1
    assert "ch_report" not in done.out
    assert done.err == (
        "problem  The user ch_report may change the database reporting: Tutor's Aspects uses this user, so it is left "
        "as it is\n  -> Name another user for Superset by username in ASPECTS_SUPERSET_READER\n"
        "Something is left to do: see the problems above"
    )


def test_tables_and_relations_that_differ_are_named_and_left(bare: ClickHouseEndpoint, settings: Any) -> None:
    assert provision().code == 0
    database, reports = Connection.from_settings().database, settings.ASPECTS_REPORTING_DATABASE
    bare.engine.query(f"ALTER TABLE {database}.tag DROP COLUMN external_id")
    bare.engine.query(f"DROP VIEW {reports}.course_summary")
    stored = next(name for (name,) in bare.engine.query(f"SHOW TABLES FROM {reports}") if name.startswith("marks_v"))
    bare.engine.query(f"DROP TABLE {reports}.{stored}_feed")
    done = provision()
    assert done.code == 1
    assert done.out.splitlines()[0] == f"  create 1 relations in {reports}: course_summary"
    assert done.err.startswith(
        f"problem  A table in {database} differs from the plugin's, and is left as it is: tag: column external_id "
    )
    assert "problem  Relations are not fed by its source: marks\n" in done.err
    assert "  -> Run python manage.py cms aspects_reports rebuild\n" in done.err


def test_without_reports_or_a_password_something_is_left_out(bare: ClickHouseEndpoint, settings: Any) -> None:
    settings.ASPECTS_REPORTING_ENABLED = False
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG["password"] = ""
    done = provision()
    assert done.code == 1
    assert done.err.splitlines()[:4] == [
        "note  ASPECTS_REPORTING_ENABLED is False: the relations that boards read are not created",
        "  -> Set ASPECTS_REPORTING_ENABLED to True in LMS and CMS, and run this again",
        "problem  The plugin's user plugin is left out, because it has no password",
        "  -> Set password in EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG",
    ]
    assert set(bare.users) == {"root"}
    settings.ASPECTS_REPORTING_ENABLED = True
    settings.ASPECTS_SUPERSET_READER = {"username": "boards"}
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG["password"] = "plugin-secret"
    assert provision("--dry-run").err.splitlines() == [
        "note  Superset's user boards is left out, because it has no password",
        "  -> Set username and password in ASPECTS_SUPERSET_READER",
    ]
    settings.SUPERSET_CONFIG = {"service_url": "http://superset.invalid/", "password": "x"}
    assert provision("--dry-run").err.startswith("problem  Superset's user boards is left out")


def test_the_administrator_as_the_plugin_s_user_is_left_as_it_is(bare: ClickHouseEndpoint, settings: Any) -> None:
    settings.ASPECTS_REPORTING_ENABLED = False
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG |= {"username": "root", "password": "root-secret"}
    done = provision()
    assert done.code == 0
    assert "note  The plugin's user root is the administrator of ClickHouse, and is left as it is\n" in done.err
    assert bare.users == {"root": ("root-secret", ALL)}
    settings.ASPECTS_SUPERSET_READER = {"username": "root", "password": "x"}
    assert provision().err.startswith("root is the plugin's user, or the administrator: name another one")


def test_the_embedded_engine_has_databases_and_reports_and_no_users(bare: ClickHouseEndpoint, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG |= {
        "url": f"chdb://{bare.engine.path}",
        "username": "",
        "password": "",
    }
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG.pop("username")
    done = provision()
    assert done.code == 0
    assert "user" not in done.out.replace("user_profile", "")
    assert "the embedded engine: it has no users, and Superset cannot read it\n" in done.err
    assert provision().out == NOTHING
    assert "GRANT" not in provision("--print").out
    assert bare.requests == []


def test_wrong_credentials_of_the_administrator(bare: ClickHouseEndpoint) -> None:
    wrong = provision("--clickhouse_admin_password", "wr0ng")
    assert wrong.code == 1
    assert wrong.err == (
        "ClickHouse does not let its administrator root in (code 516): correct ASPECTS_CLICKHOUSE_ADMIN_USERNAME and "
        "ASPECTS_CLICKHOUSE_ADMIN_PASSWORD, or the options --clickhouse_admin_username and --clickhouse_admin_password"
    )
    bare.users["poor"] = ("", {"event_sink": ["SELECT"]})
    assert provision("--clickhouse_admin_username", "poor", "--clickhouse_admin_password", "").err.startswith(
        "poor lacks a right in ClickHouse (code 497)"
    )


def test_on_a_cluster_each_statement_names_it(bare: ClickHouseEndpoint) -> None:
    statements = provision("--print", "--cluster", "ma`in").out.removesuffix(";\n").split(";\n")
    assert len(statements) > 70
    assert [statement for statement in statements if "ON CLUSTER `ma\\`in`" not in statement] == []
