"""Whether people who log in to Superset see rows of the boards: each dataset is asked, as the plugin's account.

The account owns the datasets, and the row rule concerns it like everybody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from platform_plugin_aspects.dashboards.provision.change import DATASET, listed
from platform_plugin_aspects.dashboards.provision.provisioned import provisioned
from platform_plugin_aspects.dashboards.superset.api import Account, SupersetApi
from platform_plugin_aspects.operations.doctor.findings import Finding, Mark, manage
from platform_plugin_aspects.operations.provision.superset import SupersetPart
from platform_plugin_aspects.operations.text import counted

#: Every dataset of a board has it.
COLUMN = "course_key"


def examine(part: SupersetPart) -> Iterator[Finding]:
    """The datasets that show rows, and those that cannot be asked. Raises SupersetError."""
    account = Account(part.config.username, part.config.password, "SUPERSET_CONFIG")
    service = SupersetApi(part.config.internal_service_url, account, part.config.timeout_secs)
    names = {uuid: name for bundle in part.bundles for name, uuid in bundle.datasets.items()}
    uuids = {*names, *(uuid for board in provisioned() for uuid in board.datasets)}
    there = service.by_uuid(DATASET, uuids, ["table_name"])
    opened = []
    unknown = [name for uuid, name in names.items() if uuid not in there]
    for row in there.values():
        found = _has_rows(service, int(row["id"]))
        if found is None:
            unknown.append(str(row["table_name"]))
        elif found:
            opened.append(str(row["table_name"]))
    provision = f"Run {manage('aspects_provision')} with an administrator of Superset"
    if opened:
        yield Mark.PROBLEM(
            "People who log in to Superset see the rows of all courses: the row rule of the boards does not hold for "
            + listed(opened),
            provision,
        )
    if unknown:
        yield Mark.NOTE(
            f"{counted(len(unknown), 'dataset')} cannot be asked whether people who log in to Superset see rows: "
            + listed(unknown),
            provision,
        )
    if not (opened or unknown):
        yield Mark.OK(f"People who log in to Superset see no row of {counted(len(there), 'dataset')}")


def _has_rows(service: SupersetApi, dataset: int) -> bool | None:
    """Whether the account sees a row of a dataset; None where Superset does not say."""
    query: dict[str, Any] = {"columns": [COLUMN], "metrics": [], "orderby": [], "row_limit": 1}
    response = service.try_post(
        "chart/data",
        {
            "datasource": {"id": dataset, "type": "table"},
            "force": True,
            "queries": [query],
            "result_format": "json",
            "result_type": "full",
        },
    )
    if response.status_code != HTTPStatus.OK:
        return None
    try:
        return bool(response.json()["result"][0]["data"])
    except (ValueError, TypeError, KeyError, IndexError):
        return None
