"""A board and its charts as the contents of Superset's files, in the active language."""

from __future__ import annotations

import json
from typing import Any

from platform_plugin_aspects.dashboards.boards import house
from platform_plugin_aspects.dashboards.boards.own_catalog import gettext as _
from platform_plugin_aspects.dashboards.boards.parts import Board, Chart, Choice, TimeRange
from platform_plugin_aspects.dashboards.bundle.columns import label
from platform_plugin_aspects.dashboards.bundle.datasets import CACHE_SECS, VERSION, has_days
from platform_plugin_aspects.dashboards.bundle.identity import slug_of, uuid_of
from platform_plugin_aspects.dashboards.bundle.kinds import draw
from platform_plugin_aspects.dashboards.bundle.layout import position
from platform_plugin_aspects.dashboards.bundle.style import style

JSON = dict[str, Any]
#: The state of a filter with nothing chosen.
_NOTHING_CHOSEN: JSON = {"extraFormData": {}, "filterState": {}, "ownState": {}}


def chart_content(chart: Chart, language: str) -> JSON:
    """The content of a chart's file."""
    drawn = draw(chart)
    context = {
        # Superset puts its number of the dataset here.
        "datasource": {"id": 0, "type": "table"},
        "force": False,
        "queries": [drawn.query],
        "form_data": drawn.params,
        "result_format": "json",
        "result_type": "full",
    }
    return {
        "slice_name": str(chart.question),
        "description": description(chart),
        "certified_by": None,
        "certification_details": None,
        "viz_type": drawn.viz_type,
        "params": drawn.params,
        "query_context": json.dumps(context, ensure_ascii=False, sort_keys=True),
        "cache_timeout": CACHE_SECS,
        "uuid": uuid_of("chart", chart.name, language),
        "version": VERSION,
        "dataset_uuid": uuid_of("dataset", chart.view),
    }


def description(chart: Chart) -> str:
    """The definition of a chart's numbers, and how new they are."""
    return f"{chart.about} {_freshness()[chart.relation.head['Freshness']]}"


def _freshness() -> dict[str, str]:
    """The sentence of each freshness that a view's header can say."""
    return {
        "at once": _("New events count at once."),
        "with the next read after a publish was delivered": _("Changes of the course count once it is published."),
        "with the next read after the enrollment was delivered": _("Changes of enrollments count within seconds."),
        "with the next read after the profile was delivered": _("Changes of profiles count within seconds."),
        "at once; names with the next read after the profile was delivered": _(
            "New events count at once, changed names within seconds."
        ),
    }


def dashboard_content(board: Board, language: str) -> JSON:
    """The content of a dashboard's file."""
    uuids = {chart.name: uuid_of("chart", chart.name, language) for chart in board.charts}
    titles = {chart.name: str(chart.question) for chart in board.charts}
    return {
        "dashboard_title": str(board.title),
        "description": str(board.about),
        "css": style(board),
        "slug": slug_of(board.slug, language),
        "certified_by": None,
        "certification_details": None,
        "published": True,
        "uuid": uuid_of("dashboard", board.slug, language),
        "position": position(board, uuids, titles),
        "metadata": {
            "color_scheme": house.SCHEME,
            "label_colors": _colours(board),
            "shared_label_colors": [],
            "color_scheme_domain": [],
            # A click on a name chooses the learner.
            "cross_filters_enabled": not board.block_type and any(isinstance(some, Choice) for some in board.filters),
            "filter_bar_orientation": "HORIZONTAL",
            "native_filter_configuration": [_filter(board, found) for found in board.filters],
            "refresh_frequency": 0,
            "timed_refresh_immune_slices": [],
            "default_filters": "{}",
            "chart_configuration": {},
        },
        "version": VERSION,
    }


def _colours(board: Board) -> dict[str, str]:
    """The colour of each measure that is a series; a measure has the same colour in all charts of a board.

    Superset looks a series up by its label, but by its column where the label is the dataset's, which is English.
    """
    found: dict[str, str] = {}
    for chart in board.charts:
        columns = [measure.column for measure in chart.measures]
        free = [colour for colour in house.COLOURS if colour not in {found.get(column) for column in columns}]
        for column in columns:
            if column not in found:
                found[column] = free.pop(0)
    return {**found, **{label(column): colour for column, colour in found.items()}}


def _filter(board: Board, found: TimeRange | Choice) -> JSON:
    """A native filter. It leaves out the charts whose views do not have its column."""
    common = {
        "id": found.id,
        "name": str(found.name),
        "type": "NATIVE_FILTER",
        "description": "",
        "cascadeParentIds": [],
        "defaultDataMask": _NOTHING_CHOSEN,
        "chartsInScope": [],
        "tabsInScope": [],
    }
    numbered = list(enumerate(board.charts, 1))
    if isinstance(found, TimeRange):
        left_out = [number for number, chart in numbered if not has_days(chart.relation)]
        return {
            **common,
            "filterType": "filter_time",
            "targets": [{}],
            "controlValues": {},
            "scope": {"rootPath": ["ROOT_ID"], "excluded": left_out},
        }
    left_out = [
        number for number, chart in numbered if found.column not in {column.name for column in chart.relation.columns}
    ]
    return {
        **common,
        "filterType": "filter_select",
        "targets": [{"datasetUuid": uuid_of("dataset", found.view), "column": {"name": found.column}}],
        "controlValues": {
            "enableEmptyFilter": False,
            "defaultToFirstItem": False,
            "multiSelect": True,
            "searchAllOptions": True,
            "inverseSelection": False,
        },
        "scope": {"rootPath": ["ROOT_ID"], "excluded": left_out},
    }
