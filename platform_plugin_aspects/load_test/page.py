"""The report of load tests as one HTML file, which needs neither network nor script, with charts as SVG.

Needs matplotlib (the extra "report"). No text from outside gets into a drawing: runs are letters there.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from string import ascii_uppercase
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from platform_plugin_aspects.load_test.report import Report, table

#: matplotlib's markers, and the same as text.
MARKERS = {"o": "●", "s": "■", "^": "▲", "D": "◆"}
RUN_COLOURS = tuple(f"run-{number}" for number in range(1, 6))
#: The number of different looks: each of five colours with each of four markers.
MOST_RUNS = len(RUN_COLOURS) * len(MARKERS)
#: {custom property of CSS: the colour that stands for it in drawings, because matplotlib does not know properties}.
COLOURS = {name: f"#{number:06x}" for number, name in enumerate(("ink", "rule", *RUN_COLOURS), start=1)}
#: Width and height in inches of 72 CSS pixels; the page shows the one that it has room for.
SIZES = {"wide": (14.4, 3.6), "narrow": (5.4, 3.8)}
#: The most markers of a line.
MARKERS_PER_LINE = 20
STYLE: dict[Any, Any] = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), COLOURS["ink"]),
    **dict.fromkeys(("axes.edgecolor", "grid.color", "xtick.color", "ytick.color"), COLOURS["rule"]),
    **dict.fromkeys(("axes.grid", "axes.axisbelow"), True),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
    "svg.fonttype": "none",
    "font.size": 12,
    "lines.linewidth": 1.8,
}


@dataclass(frozen=True)
class Look:
    """How a run is told from the others: its letter, its colour (a property of CSS) and its marker."""

    letter: str
    colour: str
    marker: str

    @property
    def symbol(self) -> str:
        """The marker as text."""
        return MARKERS[self.marker]


@dataclass(frozen=True)
class Subject:
    """The subject of a chart: an attribute of Point over time."""

    title: str
    unit: str
    attribute: str
    explanation: str


THROUGHPUT = Subject(
    "Throughput",
    "events per second (dashed: sent)",
    "arrived_per_second",
    "New rows of ClickHouse's table of events, whoever caused them, per second since the sample before. "
    "Dashed: what the load test sent, on average.",
)
LAG = Subject(
    "Lag",
    "seconds",
    "lag_seconds",
    "How old the newest event in ClickHouse is, counted from the start of the run at most; 0 once all have arrived.",
)
QUEUE = Subject("Queue", "waiting", "queue", "The backend's queue, in its own unit: events, messages or tasks.")


def page(reports: Sequence[Report]) -> str:
    """The page of these runs, side by side."""
    _run_ids, *rows = table(reports)
    runs = list(zip(looks(len(reports)), reports, strict=True))
    context = {
        "runs": runs,
        "incomplete": [(look, note) for look, report in runs for note in report.missing],
        "rows": [(heading, cells) for heading, *cells in rows],
        "charts": charts(runs),
        "made_at": f"{timezone.now():%Y-%m-%d %H:%M} UTC",
    }
    return render_to_string("platform_plugin_aspects/load_test_report.html", context)


def looks(number: int) -> list[Look]:
    """The looks of this number of runs, at most MOST_RUNS."""
    return list(islice(map(Look, ascii_uppercase, cycle(RUN_COLOURS), cycle(MARKERS)), number))


def charts(runs: Sequence[tuple[Look, Report]]) -> Iterator[dict[str, Any]]:
    """For the template: each subject, described in words and drawn in each size; not drawn when no run has a value.

    All have the same axis: seconds since each run's start.
    """
    for subject in (THROUGHPUT, LAG, QUEUE):
        known = any(_known(report, subject) for _look, report in runs)
        drawings = [_drawing(runs, subject, size) for size in SIZES] if known else []
        description = " ".join(_description(look, report, subject) for look, report in runs)
        yield {"subject": subject, "description": description, "drawings": drawings}


def _known(report: Report, subject: Subject) -> list[tuple[float, float]]:
    """The values of a run and their seconds."""
    pairs = ((getattr(point, subject.attribute), point.seconds) for point in report.points)
    return [(value, seconds) for value, seconds in pairs if value is not None]


def _description(look: Look, report: Report, subject: Subject) -> str:
    known = _known(report, subject)
    if not known:
        return f"{look.letter}: nothing known."
    greatest, seconds = max(known)
    return f"{look.letter}: greatest {greatest:,.1f}, after {seconds:,.0f} s; last {known[-1][0]:,.1f}."


def _drawing(runs: Sequence[tuple[Look, Report]], subject: Subject, size: str) -> dict[str, Any]:
    """The content of an <svg> of that width and height, in CSS pixels."""
    # The salt makes the ids differ from those of the other drawings on the page.
    with rc_context({**STYLE, "svg.hashsalt": f"{subject.title} {size}"}):
        figure = Figure(figsize=SIZES[size], layout="constrained")
        axes = figure.subplots()
        for look, report in runs:
            _draw(axes, look, report, subject)
        axes.set(xlabel="seconds since the run's start (dotted: its end)", ylabel=subject.unit)
        axes.set_xlim(0, max(_length(report) for _look, report in runs) or 1)
        axes.margins(y=0.1)
        axes.set_ylim(bottom=0)
        # Numbers of more digits would leave no room for the chart.
        axes.ticklabel_format(style="sci", scilimits=(-12, 12), useOffset=False)
        figure.legend(loc="outside upper left", ncols=int(SIZES[size][0]))
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True)
    width, height = (round(72 * inches) for inches in SIZES[size])
    return {"size": size, "width": width, "height": height, "content": _for_page(file.getvalue())}


def _draw(axes: Axes, look: Look, report: Report, subject: Subject) -> None:
    colour, duration, sent = COLOURS[look.colour], report.figures.duration_seconds, report.figures.sent_per_second
    if _known(report, subject):
        seconds = [point.seconds for point in report.points]
        values = [getattr(point, subject.attribute) for point in report.points]
        axes.plot(
            seconds,
            # The line has a gap at unknown values.
            [math.nan if value is None else value for value in values],
            label=look.letter,
            color=colour,
            marker=look.marker,
            markevery=math.ceil(len(values) / MARKERS_PER_LINE),
            # Or markers at 0 would be cut in half.
            clip_on=False,
        )
    if duration is not None:
        axes.axvline(duration, color=colour, linestyle=":")
        if subject is THROUGHPUT and sent is not None:
            axes.plot([0, duration], [sent, sent], color=colour, linestyle="--")


def _length(report: Report) -> float:
    return max([report.figures.duration_seconds or 0, *(point.seconds for point in report.points)])


def _for_page(drawing: str) -> SafeString:
    """The content of the <svg> in matplotlib's file, in the page's colours."""
    _opening, _svg, rest = drawing.partition("<svg ")
    _attributes, _end, content = rest.partition(">")
    content = content.removesuffix("</svg>\n")
    # These ids are the same in each drawing, and nothing refers to them.
    content = re.sub(r'<g id="[^"]*">', "<g>", content)
    # The description of the file, by matplotlib.
    content = re.sub(r"<metadata>.*?</metadata>", "", content, flags=re.DOTALL)
    for name, colour in COLOURS.items():
        content = content.replace(colour, f"var(--{name})")
    return mark_safe(content)
