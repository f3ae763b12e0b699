"""The style sheet of a board in Superset: it shows what Superset has and hides.

Superset 6.1 keeps the definition of a chart for screen readers only, and says of every chart without rows the same. The
style sheet shows the definition under the question, and the chart's own sentence where there are no rows. Where another
version of Superset has other names, it shows its own sentences.
"""

from __future__ import annotations

from platform_plugin_aspects.dashboards.boards.parts import Board

#: Pixels of width below which a board scrolls sideways: charts beside each other are not readable on less.
NARROWEST = 680
#: {selector: declarations} of all boards.
_RULES = {
    ".grid-container": f"min-width: {NARROWEST}px",
    ".dashboard-grid, .dashboard-content": "overflow-x: auto",
    # The definition adds to the height of a chart.
    ".resizable-container:has(> .dashboard-component-chart-holder)": "height: auto !important",
    ".dashboard-component-chart-holder, .chart-slice": "height: auto",
    ".dashboard-chart[aria-label]::before": "content: attr(aria-label); display: block; margin: 0 4px 8px; "
    "font-size: 12px; line-height: 16px; opacity: 0.65",
    # A number stands above its definition.
    "[data-test-viz-type=big_number_total] .dashboard-chart": "display: flex; flex-direction: column",
    "[data-test-viz-type=big_number_total] .dashboard-chart[aria-label]::before": "order: 1; margin: 4px 4px 0",
    # Guests cannot explore.
    ".header-title a": "pointer-events: none",
    "[aria-label=empty]": "opacity: 0.4",
    "[aria-label=empty] .ant-empty-image": "height: 56px !important",
    "[aria-label=empty] + div > p": "display: none",
}


def style(board: Board) -> str:
    """The style sheet, with the sentences of empty charts in the active language."""
    rules = dict(_RULES)
    for chart in board.charts:
        empty = f"#CHART-{chart.name} + .chart-slice [aria-label=empty] + div::before"
        rules[empty] = f"content: {quoted(str(chart.empty))}"
    return "".join(f"{selector} {{ {declarations} }}\n" for selector, declarations in rules.items())


def quoted(text: str) -> str:
    """A text as CSS has it. Superset puts the style sheet into the page, so no character of HTML stays."""
    return '"' + "".join(c if c.isalnum() or c in " .,;:!?-()" else f"\\{ord(c):x} " for c in text) + '"'
