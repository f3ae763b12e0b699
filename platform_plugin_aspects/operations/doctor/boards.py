"""Boards: whether those of the plugin are in Superset, of this version, and open to guests and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator

from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.dashboards.dashboard_settings import Dashboard
from platform_plugin_aspects.dashboards.provision.provisioned import Provisioned, provisioned
from platform_plugin_aspects.dashboards.provision.verify import NO_ROWS
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.errors import SupersetError, SupersetMisconfigured
from platform_plugin_aspects.dashboards.superset.guest_tokens import get_guest_token
from platform_plugin_aspects.operations.doctor import guest_chart, row_rule, superset
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, capitalized, manage
from platform_plugin_aspects.operations.provision.superset import SupersetPart, why_without
from platform_plugin_aspects.operations.text import counted
from platform_plugin_aspects.redaction import Hidden

GUEST = "aspects_check"


def examine(examination: Examination) -> Iterator[Finding]:
    """Compare the plugin's table with this version, then open a board as a guest does."""
    try:
        problem, remedy = why_without()
        if problem:
            yield Mark.NOTE(f"The plugin's boards are not shown: {problem}", remedy)
            return
        part = SupersetPart.from_settings(tolerant=True)
    except (Misconfigured, SupersetMisconfigured) as failure:
        yield examination.because_of("Settings", "The boards cannot be examined", str(failure))
        return
    for fault in part.faults:
        yield Mark.PROBLEM(fault)
    there = provisioned()
    if not there:
        yield Mark.NOTE("Superset has none of the plugin's boards", f"Run {manage('aspects_provision')}")
        return
    yield from _versions(part, there)
    try:
        problems = part.provision().verify()
        for found in problems:
            yield Mark.PROBLEM(found.problem, capitalized(found.remedy))
        if not problems:
            yield Mark.OK("Guests open the boards, and get the data of their charts")
        yield from row_rule.examine(part)
        if not problems:
            yield from _cached(part)
    except SupersetError as error:
        yield examination.because_of(
            "Superset",
            "The boards cannot be opened",
            f"{error.problem}: {error.remedy}" if error.remedy else str(error),
        )


def look_at(examination: Examination) -> Iterator[Finding]:
    """The same, and what the section Superset looks at, by one board only: right after the boards were put there."""
    yield from examine(examination)
    try:
        board = guest_chart.course_board()
        shown = Dashboard(board.title, board.slug, board.embedded_uuid, allow_translations=False)
        yield from superset.one(SupersetConfig.from_settings(), shown)
    except SupersetError as error:
        yield Mark.PROBLEM(error.problem, capitalized(error.remedy))


def _versions(part: SupersetPart, there: tuple[Provisioned, ...]) -> Iterator[Finding]:
    """Boards that Superset lacks, or has in another version."""
    known = {(row.slug, row.language): row for row in there}
    wanted = {(row.slug, bundle.language): bundle.hash for bundle in part.bundles for row in bundle.rows}
    provision = f"Run {manage('aspects_provision')}"
    missing = [key for key in wanted if key not in known or not known[key].embedded_uuid]
    other = [key for key in wanted if key not in missing and known[key].hash != wanted[key]]
    for keys, are in ((missing, "missing in Superset"), (other, "of another version in Superset")):
        if keys:
            # A site's own boards have no language.
            names = ", ".join(f"{slug} ({language})" if language else slug for slug, language in keys)
            yield Mark.PROBLEM(f"{counted(len(keys), 'board')} {_be(keys)} {are}: {names}", provision)
    if not (missing or other):
        yield Mark.OK(f"Superset has the {len({slug for slug, _language in wanted})} boards of this version")


def _cached(part: SupersetPart) -> Iterator[Finding]:
    """Whether Superset caches the data of a chart."""
    try:
        board = guest_chart.course_board()
        token = Hidden(get_guest_token(GUEST, [board.embedded_uuid], NO_ROWS).token)
        # The first answer is what the second may come from.
        answers = [guest_chart.ask(part.config, board, token) for _time in range(2)]
    except SupersetError as error:
        # Boards of a former version lack the chart.
        yield Mark.NOTE(f"The cache is not looked at: {error.problem}", capitalized(error.remedy))
        return
    if answers[1].is_cached:
        yield Mark.OK("Superset caches the data of charts")
    else:
        yield Mark.NOTE(
            "Superset does not cache the data of charts: each open board asks ClickHouse",
            "Set CACHE_CONFIG and DATA_CACHE_CONFIG in Superset's configuration",
        )


def _be(keys: list[tuple[str, str]]) -> str:
    return "is" if len(keys) == 1 else "are"
