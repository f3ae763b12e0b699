"""The report of load tests as an HTML page that needs nothing else: no network, no script."""

from __future__ import annotations

from collections.abc import Sequence

from django.template.loader import render_to_string
from django.utils import timezone

from platform_plugin_aspects.load_test.charts import charts, looks
from platform_plugin_aspects.load_test.report import Report, table


def page(reports: Sequence[Report]) -> str:
    """The page of these runs, side by side."""
    _run_ids, *rows = table(reports)
    runs = list(zip(looks(len(reports)), reports, strict=True))
    context = {
        "runs": runs,
        "incomplete": [(look, note) for look, report in runs for note in report.missing],
        "rows": [(heading, cells) for heading, *cells in rows],
        "charts": charts(reports),
        "made_at": f"{timezone.now():%Y-%m-%d %H:%M} UTC",
    }
    return render_to_string("platform_plugin_aspects/load_test_report.html", context)
