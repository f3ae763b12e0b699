"""A chart of the Course board, asked for its data as a browser does with a guest token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import requests
from django.utils.translation import override
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.dashboards.access.clauses import clauses_for
from platform_plugin_aspects.dashboards.boards.course import COURSE
from platform_plugin_aspects.dashboards.bundle.dashboard import chart_content
from platform_plugin_aspects.dashboards.provision.provisioned import Provisioned, provisioned
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured, SupersetRefused
from platform_plugin_aspects.dashboards.superset.guest import Guest
from platform_plugin_aspects.dashboards.superset.guest_tokens import get_guest_token
from platform_plugin_aspects.dashboards.superset.session import exchange
from platform_plugin_aspects.operations.doctor.findings import manage
from platform_plugin_aspects.redaction import Hidden

#: The board and its chart, a single moment; the language of their copies.
BOARD, CHART, LANGUAGE = "course", "course-last-act", "en"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JSON = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """The answer to a request for a chart's data: its number, None without one, and whether a cache had it.

    A moment is the number of milliseconds since 1970.
    """

    number: float | None
    is_cached: bool


def last_act(user: Any, course_key: CourseKey) -> datetime | None:
    """The moment at which a learner last did something in the course, as the Course board shows it ``user``, in UTC.

    None if the board shows none. Superset is asked past its cache. Raises SupersetError.
    """
    config = SupersetConfig.from_settings()
    board = course_board()
    token = get_guest_token(user.username, [board.embedded_uuid], clauses_for(user, course_key)).token
    number = ask(config, board, Hidden(token), force=True).number
    return None if number is None else EPOCH + timedelta(milliseconds=number)


def course_board() -> Provisioned:
    """The Course board that pages show. Raises SupersetMisconfigured."""
    for board in provisioned():
        if (board.slug, board.language) == (BOARD, LANGUAGE) and board.embedded_uuid:
            return board
    raise SupersetMisconfigured("Superset does not have the plugin's boards", f"run {manage('aspects_provision')}")


def ask(config: SupersetConfig, board: Provisioned, token: Hidden, *, force: bool = False) -> Answer:
    """The chart's number as a guest sees it. ``force``: past Superset's cache. Raises SupersetError."""
    with Guest(config, token) as guest:
        number = int(_result(guest.get(f"embedded_dashboard/{board.embedded_uuid}"))["dashboard_id"])
        charts = _result(guest.get(f"dashboard/{number}/charts"))
        return answer_of(guest.post("chart/data", request_of(charts, number, force=force)))


def request_of(charts: Any, dashboard: int, *, force: bool = False) -> JSON:
    """The request for the chart's data, as a page in a frame sends it. ``charts``: those of the dashboard."""
    with override(LANGUAGE):
        chart = next(chart for chart in COURSE.charts if chart.name == CHART)
        content = chart_content(chart, LANGUAGE)
    for found in charts:
        if found.get("slice_name") == content["slice_name"]:
            form: JSON = {**found["form_data"], "dashboardId": dashboard, "slice_id": found["id"]}
            dataset, _underscores, kind = str(form["datasource"]).partition("__")
            context: JSON = json.loads(content["query_context"])
            return {**context, "datasource": {"id": int(dataset), "type": kind}, "form_data": form, "force": force}
    raise SupersetRefused(
        f"The Course board in Superset has no chart {content['slice_name']!r}", f"run {manage('aspects_provision')}"
    )


def answer_of(response: requests.Response) -> Answer:
    """The answer in a response to ``request_of``. Raises SupersetRefused."""
    result = _result(response)[0]
    rows = result.get("data") or []
    values = [value for row in rows[:1] for value in row.values() if isinstance(value, int | float)]
    return Answer(values[0] if values else None, bool(result.get("is_cached")))


def _result(response: requests.Response) -> Any:
    """The field ``result`` of a successful answer. Raises SupersetRefused for any other."""
    try:
        if response.status_code == HTTPStatus.OK:
            body: Mapping[str, Any] = response.json()
            return body["result"]
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise SupersetRefused(
        f"A guest cannot read a chart: {exchange(response)}",
        f"see {manage('aspects_check --only Superset Boards ClickHouse')}, and Superset's log",
    )
