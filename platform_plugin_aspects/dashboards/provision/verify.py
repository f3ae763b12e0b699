"""Looks at the boards as a guest does, by the way of a browser.

It finds what no administrator's request shows: Superset embeds dashboards and grants tokens also while its flag
EMBEDDED_SUPERSET is off, and only a guest learns which role GUEST_ROLE_NAME is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from platform_plugin_aspects.dashboards.provision.change import CHART, DASHBOARD, Run, listed
from platform_plugin_aspects.dashboards.superset.api import asked
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.guest import Guest
from platform_plugin_aspects.dashboards.superset.guest_tokens import GuestToken, request_token, sign
from platform_plugin_aspects.dashboards.superset.session import ServiceSession
from platform_plugin_aspects.redaction import Hidden

#: No course's rows, but in the columns that the pages' clauses name.
NO_ROWS = ("COLUMNS('^org$') = ''", "COLUMNS('^course_key$') = ''")
GUEST = "aspects_provision"


@dataclass(frozen=True)
class Problem:
    """Why guests do not see the boards, and what to do."""

    problem: str
    remedy: str


def verify(run: Run) -> list[Problem]:
    """Why guests do not see the boards; empty where they do. One chart of each board is asked for its data."""
    boards = {uuid: str(embedded["uuid"]) for uuid in run.wished(DASHBOARD) if (embedded := run.embedded(uuid))}
    if not boards:
        return [Problem("Superset embeds none of the boards", "run aspects_provision")]
    with Guest(run.config, Hidden(_token(run.config, list(boards.values())).token)) as guest:
        return [*_role(run, guest), *_opened(run, guest, boards)] or list(_data(run, guest))


def _token(config: SupersetConfig, uuids: list[str]) -> GuestToken:
    if config.guest_token_secret:
        return sign(config, GUEST, uuids, NO_ROWS)
    service = ServiceSession(config)
    return request_token(service, GUEST, uuids, NO_ROWS, service.deadline())


def _role(run: Run, guest: Guest) -> Iterator[Problem]:
    response = guest.get("me/roles/")
    remedy = f"set GUEST_ROLE_NAME = {run.guest_role!r} in Superset's configuration, and restart Superset"
    if response.status_code == HTTPStatus.FORBIDDEN:
        yield Problem(f"Guests in Superset have another role than {run.guest_role!r}", remedy)
    elif response.ok:
        roles = list(response.json().get("result", {}).get("roles", {}))
        if run.guest_role not in roles:
            yield Problem(f"Guests in Superset have the role {listed(roles)}, and not {run.guest_role!r}", remedy)


def _opened(run: Run, guest: Guest, boards: dict[str, str]) -> Iterator[Problem]:
    names = run.wished(DASHBOARD)
    for uuid, embedded in boards.items():
        response = guest.get(f"embedded_dashboard/{embedded}")
        if response.ok:
            continue
        if response.status_code == HTTPStatus.NOT_FOUND:
            yield Problem(
                "Superset embeds no dashboards",
                'add "EMBEDDED_SUPERSET": True to FEATURE_FLAGS in Superset\'s configuration, and restart Superset',
            )
        elif response.status_code == HTTPStatus.UNAUTHORIZED:
            yield Problem(
                "Superset refuses the plugin's guest tokens",
                "make guest_token_secret and guest_token_audience in SUPERSET_CONFIG what GUEST_TOKEN_JWT_SECRET and "
                "GUEST_TOKEN_JWT_AUDIENCE are in Superset's configuration, or leave guest_token_secret out",
            )
        elif response.status_code == HTTPStatus.FORBIDDEN:
            yield Problem(
                f"Guests may not open {names[uuid]} in Superset",
                f"set GUEST_ROLE_NAME = {run.guest_role!r} in Superset's configuration, and restart Superset",
            )
        else:
            yield Problem(f"Guests cannot open {names[uuid]}: {asked(response)}", "look into Superset's log")
        return  # the same for all others


def _data(run: Run, guest: Guest) -> Iterator[Problem]:
    """The first chart of each board in the first language."""
    for board in run.bundles[0].rows:
        number = run.number_of(board.dashboard_uuid)
        charts = [run.present[CHART][uuid] for uuid in board.charts if uuid in run.present[CHART]]
        if number is None or not charts:
            continue
        chart = charts[0]
        saved = (run.reader.get(f"chart/{chart['id']}") or {}).get("result", {})
        context = json.loads(saved.get("query_context") or "null")
        if context is None:
            continue
        form = {**json.loads(saved["params"]), "dashboardId": number, "slice_id": chart["id"]}
        response = guest.post("chart/data", {**context, "form_data": form, "result_format": "json"})
        if not response.ok:
            yield Problem(
                f"Guests get no data of {chart['slice_name']!r} in {board.superset_slug}: {asked(response)}",
                "run `aspects_reports create`, and let `aspects_check` see whether the reader may read the reports",
            )
            return
