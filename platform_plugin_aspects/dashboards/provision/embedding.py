"""Dashboards are embedded, and the plugin's table knows under which UUIDs: Superset chooses them and keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from platform_plugin_aspects.dashboards.provision.change import DASHBOARD, Change, Run
from platform_plugin_aspects.dashboards.provision.content import row_of
from platform_plugin_aspects.dashboards.provision.provisioned import Provisioned, forget, record


def embedding(run: Run) -> Iterator[Change]:
    """Each dashboard may be shown in frames of the allowed domains."""
    for uuid, slug in run.wished(DASHBOARD).items():
        embedded = run.embedded(uuid)
        if not embedded:
            yield Change(f"embed {slug}", partial(_embed, run, run.number_of(uuid)))
        elif set(embedded["allowed_domains"]) != set(run.allowed_domains):
            domains = ", ".join(run.allowed_domains) or "all sites"
            yield Change(f"embed {slug} in pages of {domains}", partial(_embed, run, run.number_of(uuid)))


def table(run: Run) -> Iterator[Change]:
    """The plugin's own table, by which the pages find the dashboards. The last step: a row is complete."""
    rows = _rows(run)
    known = {(row.slug, row.language): row for row in run.recorded}
    wished = {(bundle.language, board.slug) for bundle in run.bundles for board in bundle.rows}
    obsolete = [row for row in run.recorded if (row.language, row.slug) not in wished]
    changed = [row for row in rows if known.get((row.slug, row.language)) != row]
    if changed or obsolete:
        count = len(changed) + len(obsolete)
        yield Change(f"note {count} board{'s' if count > 1 else ''} in the plugin's table", partial(_note, run))


def _embed(run: Run, number: int | None) -> None:
    assert number is not None  # the dashboards have been imported
    answer = run.service.post(f"dashboard/{number}/embedded", {"allowed_domains": list(run.allowed_domains)})
    run.embeddings[number] = answer["result"]


def _rows(run: Run) -> list[Provisioned]:
    # The row rule has closed all datasets where an administrator logs in.
    opened = {(row.slug, row.language) for row in run.recorded if run.admin is None and not row.is_closed}
    rows = []
    for bundle in run.bundles:
        for board in bundle.rows:
            embedded = run.embedded(board.dashboard_uuid)
            row = row_of(bundle, board, embedded["uuid"].lower() if embedded else "")
            rows.append(replace(row, is_closed=(row.slug, row.language) not in opened))
    return rows


def _note(run: Run) -> None:
    rows = _rows(run)
    wished = {(row.slug, row.language) for row in rows}
    obsolete = [row for row in run.recorded if (row.slug, row.language) not in wished]
    record(rows)
    forget(obsolete)
    run.forget("recorded")
