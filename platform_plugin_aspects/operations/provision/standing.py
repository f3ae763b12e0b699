"""Boards that stay in Superset as they are, because their files are faulty."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from platform_plugin_aspects.dashboards.bundle.bundle import BoardRow, Bundle
from platform_plugin_aspects.dashboards.provision.change import CHART, DASHBOARD, DATASET, KINDS, NAMES
from platform_plugin_aspects.dashboards.provision.provisioned import Provisioned, provisioned
from platform_plugin_aspects.dashboards.superset.api import SupersetApi


@dataclass(frozen=True)
class Standing(Bundle):
    """A bundle without files: all of it is in Superset. ``hash`` is that of the plugin's table."""

    hash: str


def standing(slugs: Collection[str], superset: SupersetApi) -> list[Bundle]:
    """The bundles of these boards as Superset has them, so that provisioning finds no difference. Raises SupersetError.

    A board whose dashboard is gone is left out.
    """
    found = [_bundle(row, superset) for row in provisioned() if row.slug in slugs]
    return [bundle for bundle in found if bundle.dashboards]


def _bundle(row: Provisioned, superset: SupersetApi) -> Bundle:
    present = {
        kind: superset.by_uuid(kind, uuids, KINDS[kind])
        for kind, uuids in ((DASHBOARD, [row.dashboard_uuid]), (CHART, row.charts), (DATASET, row.datasets))
    }
    # Several charts may have the same name.
    charts = {f"{row.slug}.{uuid}": uuid for uuid in row.charts if uuid in present[CHART]}
    datasets = {str(present[DATASET][uuid][NAMES[DATASET]]): uuid for uuid in row.datasets if uuid in present[DATASET]}
    dashboards = {str(found[NAMES[DASHBOARD]]): uuid for uuid, found in present[DASHBOARD].items()}
    board = BoardRow(
        slug=row.slug,
        superset_slug=next(iter(dashboards), ""),
        title=row.title,
        dashboard_uuid=row.dashboard_uuid,
        block_type=row.block_type,
        position=row.position,
        charts=tuple(charts.values()),
        datasets=tuple(datasets.values()),
    )
    return Standing(row.language, {}, dashboards, charts, datasets, (board,), row.hash)
