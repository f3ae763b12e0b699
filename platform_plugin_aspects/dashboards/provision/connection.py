"""Superset's connection to ClickHouse, with the reader's account.

Superset shows nobody a stored password. It tests one, though, when it is asked for the stored address of a connection
with the password masked. So a changed password or address is found without keeping it anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from urllib.parse import quote

import requests

from platform_plugin_aspects.dashboards.bundle.bundle import packed
from platform_plugin_aspects.dashboards.bundle.database import MASK
from platform_plugin_aspects.dashboards.provision.change import Change, Run
from platform_plugin_aspects.dashboards.superset.api import asked
from platform_plugin_aspects.dashboards.superset.errors import (
    SupersetConflict,
    SupersetForbidden,
    SupersetMisconfigured,
    SupersetRefused,
)
from platform_plugin_aspects.redaction import Hidden

#: Nobody writes SQL of their own over this connection, nor uploads files.
CLOSED = ("expose_in_sqllab", "allow_run_async", "allow_ctas", "allow_cvas", "allow_dml", "allow_file_upload")
FOLDER, DATASETS = "databases/", "datasets/"
METADATA = "metadata.yaml"
#: ClickHouse's codes in what Superset says -> what to do.
REMEDIES = {
    "code: 516": "correct the reader's username and password, or create the user with `aspects_provision --clickhouse`",
    "code: 497": "give the reader its rights with `aspects_provision --clickhouse`",
    "code: 81": "create the reports with `aspects_provision --clickhouse`",
    "failed to resolve": "name a host that the machine of Superset knows",
    "connection refused": "name the host and port by which the machine of Superset reaches ClickHouse",
    "certificate": "let the machine of Superset trust ClickHouse's certificate",
}
UNKNOWN = "see that the machine of Superset reaches ClickHouse; Superset's log says why it does not"


def connection(run: Run) -> Iterator[Change]:
    """The connection: it is there, works with its stored password, and offers nothing but the boards."""
    name, uuid = run.database.name, run.database.uuid
    namesakes = run.reader.rows("database/", ["id", "uuid"], database_name=("eq", name))
    if any(row["uuid"] != uuid for row in namesakes):
        raise SupersetConflict(
            f"Superset has another connection with the name {name!r}",
            "rename it there, under Settings > Database Connections",
        )
    existing = run.reader.by_uuid("database", [uuid]).get(uuid)
    if existing is None:
        if run.admin is None:
            raise SupersetForbidden(
                f"{run.config.username!r} sees no connection {name!r} in Superset",
                "run the command with the log-in of an administrator of Superset",
            )
        test(run)
        yield Change(f"create the connection {name!r} to {_place(run)}", lambda: _import(run))
        return
    options = (run.reader.get(f"database/{existing['id']}") or {}).get("result", {})
    opened = [option for option in CLOSED if options.get(option)]
    if not opened and _answer(run, run.database.uri).ok:
        return
    test(run)
    what = f"switch off {', '.join(opened)}" if opened else "its address or password"
    yield Change(f"update the connection {name!r}: {what}", lambda: _import(run))


def test(run: Run) -> None:
    """Raise SupersetError if Superset cannot use ClickHouse with the reader's password."""
    response = _answer(run, Hidden(run.database.uri.replace(MASK, quote(run.database_password, safe=""), 1)))
    if response.ok:
        return
    problem = f"Superset cannot use ClickHouse at {_place(run)}: {asked(response)}"
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SupersetMisconfigured(
            problem, "install the driver where Superset runs: pip install clickhouse-connect. Then restart Superset"
        )
    if response.status_code == HTTPStatus.FORBIDDEN:
        raise SupersetForbidden(problem, "run the command with the log-in of an administrator of Superset")
    said = response.text.lower()
    raise SupersetRefused(problem, next((remedy for sign, remedy in REMEDIES.items() if sign in said), UNKNOWN))


def passwords(run: Run, files: Mapping[str, str]) -> dict[str, str]:
    """The form field of an import: the file of the connection -> its password."""
    return {path: run.database_password for path in files if path.startswith(FOLDER)}


def _answer(run: Run, uri: str) -> requests.Response:
    # With the name of a connection, Superset puts its stored password in the place of the mask.
    return run.reader.try_post("database/test_connection/", {"database_name": run.database.name, "sqlalchemy_uri": uri})


def _place(run: Run) -> str:
    _, _, place = run.database.uri.rpartition("@")
    return f"{place} as {run.database.username!r}"


def _import(run: Run) -> None:
    files = {path: text for path, text in run.bundles[0].files.items() if path == METADATA or path.startswith(FOLDER)}
    response = run.service.import_assets(packed(files), passwords(run, files))
    if not response.ok:
        raise SupersetRefused(
            f"Superset did not take the connection {run.database.name!r}: {asked(response)}", "Superset's log says why"
        )
