"""The charts of our boards in Superset: what a browser sends for their data, and what a guest gets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.utils.translation import override

from platform_plugin_aspects.dashboards.boards.catalog import boards
from platform_plugin_aspects.dashboards.boards.parts import Board, Chart, Kind
from platform_plugin_aspects.dashboards.bundle.columns import as_answered
from platform_plugin_aspects.dashboards.bundle.datasets import DAY
from platform_plugin_aspects.dashboards.bundle.identity import slug_of, uuid_of
from test_utils.show.superset import Superset, SupersetApi, ask_as_guest, rows_of

from .answers import Answer, in_json

PAGE = 100


def all_boards() -> tuple[Board, ...]:
    """The boards of the shown site, where names are on."""
    return boards(personal=True)


def boards_of_tab() -> tuple[Board, ...]:
    """Those of the tab Reports, in the order of its tabs."""
    return tuple(board for board in all_boards() if not board.block_type)


@dataclass(frozen=True)
class Stored:
    """The numbers of Superset's dashboards, by slug, and the queries of its charts, by UUID."""

    dashboards: dict[str, int]
    contexts: dict[str, dict[str, Any]]

    def context(self, board: Board, chart: Chart, language: str) -> dict[str, Any]:
        """The request of a browser that shows the chart on the board."""
        context = self.contexts[uuid_of("chart", chart.name, language)]
        place = {"dashboardId": self.dashboards[slug_of(board.slug, language)]}
        # Past Superset's cache.
        return {**context, "force": True, "form_data": {**context["form_data"], **place}}

    def labels(self, chart: Chart, language: str) -> list[str]:
        """The names of the columns of an answer, in the order of ``answers.columns_of``."""
        if chart.kind is Kind.TABLE:
            return [_name(column, language) for column in chart.columns]
        [query] = self.contexts[uuid_of("chart", chart.name, language)]["queries"]
        # Superset knows an axis of days by its own name only.
        groups = [column if column == DAY else _name(column, language) for column in (chart.by, chart.split) if column]
        return groups + [found["label"] for found in query["metrics"]]


def _name(column: str, language: str) -> str:
    """The name of a column in an answer: its own in English, and its label in other languages."""
    with override(language.lower()):
        return as_answered(column)


def read_stored(superset: Superset) -> Stored:
    """Read as Superset's administrator."""
    api = superset.api()
    dashboards = {row["slug"]: row["id"] for row in _listed(api, "dashboard", "id,slug")}
    contexts = {}
    for row in _listed(api, "chart", "id,uuid"):
        found = api.get(f"chart/{row['id']}")["result"]
        if found["query_context"]:
            context = json.loads(found["query_context"])
            form = {**context["form_data"], "slice_id": row["id"]}
            contexts[str(row["uuid"])] = {**context, "form_data": form}
    return Stored(dashboards, contexts)


def _listed(api: SupersetApi, kind: str, columns: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = f"page:{len(found) // PAGE},page_size:{PAGE}"
        q = f"(columns:!({columns}),order_column:changed_on_delta_humanized,order_direction:asc,{page})"
        rows = api.get(f"{kind}/", q=q)["result"]
        found += rows
        if len(rows) < PAGE:
            return found


def shown(superset: Superset, stored: Stored, token: str, board: Board, chart: Chart, language: str = "en") -> Answer:
    """The answer to a guest with this token, as ``answers.answer`` has it."""
    labels = stored.labels(chart, language)
    rows = rows_of(ask_as_guest(superset, token, stored.context(board, chart, language)))
    return in_json([tuple(row[label] for label in labels) for row in rows])
