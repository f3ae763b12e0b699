"""Datasets, charts and dashboards: imported as the service account, who owns them, language by language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from platform_plugin_aspects.dashboards.bundle.bundle import BoardRow, Bundle, packed
from platform_plugin_aspects.dashboards.provision.change import (
    CHART,
    DASHBOARD,
    DATASET,
    KINDS,
    NAMES,
    Change,
    Run,
    listed,
)
from platform_plugin_aspects.dashboards.provision.change import objects as objects_of
from platform_plugin_aspects.dashboards.provision.connection import DATASETS, FOLDER, METADATA, passwords
from platform_plugin_aspects.dashboards.provision.provisioned import Provisioned, record
from platform_plugin_aspects.dashboards.superset.api import asked, chunks
from platform_plugin_aspects.dashboards.superset.errors import (
    SupersetConflict,
    SupersetForbidden,
    SupersetRefused,
)

#: The remedy for an import that Superset refuses.
LOOK = (
    "look for the last 'Import failed' in Superset's log, which alone says why. If a dataset of another connection has "
    "the name of one of ours and Superset keeps its own data in SQLite, rename it"
)


def owners(run: Run) -> Iterator[Change]:
    """All objects of the boards have the service account as an owner: Superset lets it update no others."""
    for kind in KINDS:
        wished = run.wished(kind)
        foreign = [row for uuid, row in run.present[kind].items() if uuid in wished and not is_owner(run, row)]
        if not foreign:
            continue
        names = listed([str(row[NAMES[kind]]) for row in foreign])
        if run.admin is None:
            raise SupersetConflict(
                f"{run.config.username!r} does not own the {kind} {names} in Superset, and may not update it",
                "run the command with the log-in of an administrator, who makes it one",
            )
        yield Change(
            f"make {run.config.username!r} an owner of {len(foreign)} {kind}{'s'[: len(foreign) - 1]}: {names}",
            partial(_own, run, kind, foreign),
        )


def datasets(run: Run) -> Iterator[Change]:
    """The datasets that Superset lacks, without their charts, so that the row rule closes them before all else."""
    if run.admin is None:
        return  # `content` refuses new ones
    bundles = [bundle for bundle in run.bundles if _missing(run, bundle, DATASET)]
    missing = {name for bundle in bundles for name in _missing(run, bundle, DATASET)}
    if missing:
        plural = "s" if len(missing) > 1 else ""
        yield Change(
            f"create {len(missing)} dataset{plural}: {listed(list(missing))}", partial(_import_datasets, run, bundles)
        )


def content(run: Run) -> Iterator[Change]:
    """The content of the bundles, where Superset lacks some of it or has another version."""
    _check_names(run)
    for bundle in run.bundles:
        text = _difference(run, bundle)
        if text:
            yield Change(text, partial(_import, run, bundle))


def closed_datasets(run: Run) -> set[str]:
    """The UUIDs of the datasets that a former run has put under the row rule."""
    return {uuid for row in run.recorded if row.is_closed for uuid in row.datasets}


def is_owner(run: Run, row: dict[str, Any]) -> bool:
    """Whether the service account owns an object."""
    return run.service_id in {owner["id"] for owner in row["owners"]}


def row_of(bundle: Bundle, board: BoardRow, embedded_uuid: str) -> Provisioned:
    """The row of the plugin's table for a board of a bundle, when all of it is in Superset."""
    return Provisioned(
        slug=board.slug,
        language=bundle.language,
        title=board.title,
        dashboard_uuid=board.dashboard_uuid,
        embedded_uuid=embedded_uuid,
        hash=bundle.hash,
        block_type=board.block_type,
        position=board.position,
        datasets=tuple(board.datasets),
        charts=tuple(board.charts),
    )


def _difference(run: Run, bundle: Bundle) -> str:
    """The effect of an import of the bundle, in words; empty where there is none."""
    rows = {(row.slug, row.language): row for row in run.recorded}
    new, changed = [], []
    for board in bundle.rows:
        known = rows.get((board.slug, bundle.language))
        if board.dashboard_uuid not in run.present[DASHBOARD]:
            new.append(board.superset_slug)
        elif known is None or known.hash != bundle.hash or _missing(run, bundle, DATASET):
            changed.append(board.superset_slug)
    missing = _missing(run, bundle, CHART)
    if not new and not changed and not missing:
        return ""
    if run.admin is None:
        _need_administrator(run, bundle, new)
    parts = [f"create {listed(new, 9)}"] if new else []
    parts += [f"update {listed(changed, 9)}"] if changed else []
    if not parts:
        parts = [f"restore {listed(missing)}"]
    return f"{' and '.join(parts)} ({len(bundle.dashboards)} dashboards, {len(bundle.charts)} charts)"


def _missing(run: Run, bundle: Bundle, kind: str) -> list[str]:
    """The names of the objects of the bundle that Superset lacks."""
    return [name for name, uuid in objects_of(bundle, kind).items() if uuid not in run.present[kind]]


def _need_administrator(run: Run, bundle: Bundle, new: list[str]) -> None:
    """Raise SupersetForbidden if an import of the bundle takes more than the service account's rights."""
    closed = closed_datasets(run)
    # One that was deleted comes back under another number, which the row rule does not have.
    opened = [name for name, uuid in bundle.datasets.items() if uuid not in closed or uuid not in run.present[DATASET]]
    # An import takes over a dashboard with the same slug. The service account does not see other people's drafts.
    found = [f"the dashboards {listed(new, 9)}"] if new else []
    found += [f"the datasets {listed(opened)}"] if opened else []
    if found:
        raise SupersetForbidden(
            f"New in Superset: {' and '.join(found)}",
            "run the command once with the log-in of an administrator of Superset, who sees which names are taken, and "
            "closes the data of new datasets for people who log in to Superset",
        )


def _check_names(run: Run) -> None:
    """Raise SupersetConflict if somebody else's object has a name that a board needs."""
    slugs = run.wished(DASHBOARD)
    for some in chunks(sorted(slugs.values())):
        for row in run.reader.rows("dashboard/", ["id", "uuid", "slug", "dashboard_title"], slug=("in", some)):
            if row["uuid"] not in slugs:
                raise SupersetConflict(
                    f"The dashboard {row['dashboard_title']!r} (number {row['id']}) has the slug {row['slug']!r}, "
                    "which is a board's",
                    "give it another slug in Superset, under Edit properties",
                )
    tables = run.wished(DATASET)
    for some in chunks(sorted(tables.values())):
        columns = ["id", "uuid", "table_name", "database.database_name"]
        for row in run.reader.rows("dataset/", columns, table_name=("in", some)):
            if row["uuid"] not in tables and row["database"]["database_name"] == run.database.name:
                raise SupersetConflict(
                    f"Somebody has made a dataset {row['table_name']!r} (number {row['id']}) of the connection "
                    f"{run.database.name!r}, and Superset takes no second one",
                    "delete it in Superset, or move it to another connection",
                )


def _own(run: Run, kind: str, rows: Iterable[dict[str, Any]]) -> None:
    assert run.admin is not None
    for row in rows:
        held = {int(owner["id"]) for owner in row["owners"]}
        run.admin.put(f"{kind}/{row['id']}", {"owners": sorted({*held, run.service_id or 0})})
    run.forget("present")


def _import_datasets(run: Run, bundles: Iterable[Bundle]) -> None:
    """Most of the time goes into datasets: Superset looks for each of them in ClickHouse."""
    files: dict[str, str] = {}
    wished: dict[str, str] = {}
    for bundle in bundles:
        _begin(run, bundle)
        files |= {path: text for path, text in bundle.files.items() if path.startswith((METADATA, FOLDER, DATASETS))}
        wished |= bundle.datasets
    which = "the datasets of the boards"
    response = run.service.import_assets(packed(files), passwords(run, files))
    if not response.ok:
        raise SupersetRefused(f"Superset did not take {which}, nor any part of them: {asked(response)}", LOOK)
    run.imported |= {path: text for path, text in files.items() if path.startswith(DATASETS)}
    _read(run, DATASET, wished, which)


def _import(run: Run, bundle: Bundle) -> None:
    _begin(run, bundle)
    # The bundles share datasets.
    files = {path: text for path, text in bundle.files.items() if run.imported.get(path) != text}
    response = run.service.import_assets(packed(files), passwords(run, files), is_part=files != bundle.files)
    which = f"the boards in {bundle.language!r}" if bundle.language else "the site's own boards"
    if not response.ok:
        raise SupersetRefused(f"Superset did not take {which}, nor any part of them: {asked(response)}", LOOK)
    run.imported |= {path: text for path, text in files.items() if path.startswith((FOLDER, DATASETS))}
    for kind in KINDS:
        _read(run, kind, objects_of(bundle, kind), which)


def _read(run: Run, kind: str, wished: Mapping[str, str], which: str) -> None:
    """Read what an import has put there. ``wished``: name -> UUID. Raises SupersetRefused for what is lost."""
    found = run.read(kind, wished.values())
    if kind == DASHBOARD:
        # New ones are not embedded yet, and are not asked.
        run.embeddings |= {row["id"]: None for uuid, row in found.items() if uuid not in run.present[kind]}
    run.present[kind] |= found
    lost = [name for name, uuid in wished.items() if uuid not in found]
    if lost:
        raise SupersetRefused(
            f"Superset took {which}, but has no {kind} {listed(lost)}",
            "run the command again; if that does not help, look into Superset's log",
        )


def _begin(run: Run, bundle: Bundle) -> None:
    """Note what will be there before it is: a run that is killed leaves nothing that no later run knows of."""
    rows = {(row.slug, row.language): row for row in run.recorded}
    closed = closed_datasets(run)
    begun = []
    for board in bundle.rows:
        known = rows.get((board.slug, bundle.language))
        row = replace(row_of(bundle, board, known.embedded_uuid if known else ""), hash="")
        if known:
            row = replace(
                row,
                datasets=tuple(sorted({*row.datasets, *known.datasets})),
                charts=tuple(sorted({*row.charts, *known.charts})),
            )
        begun.append(replace(row, is_closed=closed.issuperset(row.datasets)))
    record(begun)
    run.forget("recorded")
