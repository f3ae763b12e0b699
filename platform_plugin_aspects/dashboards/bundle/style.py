"""The style sheet of a board in Superset: it shows what Superset has and hides.

Superset 6.1 keeps the definition of a chart for screen readers only, and says of every chart without rows the same. The
style sheet shows the definition under the question, and the chart's own sentence where there are no rows. A version of
Superset whose page has other names shows its own sentences.
"""

from __future__ import annotations

from django.utils.translation import get_language, get_language_bidi

from platform_plugin_aspects.dashboards.boards.parts import Board, Kind, TimeRange
from platform_plugin_aspects.dashboards.bundle.columns import ENGLISH

#: Pixels of width below which a board scrolls sideways: charts beside each other are not readable on less. Studio's
#: boards have them one below the other.
NARROWEST, NARROWEST_IN_STUDIO = 680, 360
#: With so many columns, the texts of a table are cut off after a line; a tooltip shows them whole.
MANY = 9
_ONE_LINE = "max-width: 180px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap"
_NUMBER = "[data-test-viz-type=big_number_total]"
_ROW_OF_NUMBERS = f".grid-row:not(:has([data-test-viz-type]:not({_NUMBER})))"
#: {selector: declarations} of all boards.
_RULES = {
    ".dashboard-grid, .dashboard-content": "overflow-x: auto",
    # The definition adds to the height of a chart, and the charts of a row are as high as the highest.
    ".grid-row": "align-items: stretch !important",
    ".grid-row > .dragdroppable-column": "display: flex",
    ".resizable-container:has(> .dashboard-component-chart-holder)": "display: flex; height: auto !important",
    ".dashboard-component-chart-holder": "flex: 1; height: auto",
    ".chart-slice": "height: auto",
    ".dashboard-chart[aria-label]::before": "content: attr(aria-label); display: block; margin: 0 0 8px; "
    "font-size: 12px; line-height: 16px; opacity: 0.65",
    # A number stands above its definition, and the numbers of a row are equally wide.
    f"{_NUMBER} .dashboard-chart": "display: flex; flex-direction: column",
    f"{_NUMBER} .dashboard-chart[aria-label]::before": "order: 1; margin-bottom: 0",
    f"{_NUMBER} .header-title": "font-size: 14px",
    f"{_ROW_OF_NUMBERS} > .dragdroppable-column": "flex: 1 1 0",
    f"{_ROW_OF_NUMBERS} .resizable-container": "flex: 1; width: auto !important; max-width: none !important",
    # The second line is there only without a number.
    ".text-container:has(> .subheader-line) > .header-line": "font-size: 0 !important",
    ".subheader-line": "display: none",
    # A page of a table has as many rows as there is room for.
    ".dt-select-page-size": "display: none",
    # Guests cannot explore.
    ".header-title a": "pointer-events: none",
    "[aria-label=empty]": "opacity: 0.4",
    "[aria-label=empty] .ant-empty-image": "height: 56px !important",
    "[aria-label=empty] + div > p": "display: none",
}
#: {selector: declarations} of boards in other languages than English. A click in a table makes a filter, and Superset
#: shows its column by the English name, or by the expression of its texts. The value remains, beside the question.
_NOT_ENGLISH = {
    "[data-test=filter-bar] div:has([data-test=cross-filters-highlight-emitter]) > .ant-tag > span:first-child": (
        "display: none"
    ),
}
#: {selector: declarations} of boards in a language that is written from right to left.
_RIGHT_TO_LEFT = {".dashboard-content": "direction: rtl", "canvas": "direction: ltr"}


def style(board: Board) -> str:
    """The style sheet, with the sentences of empty charts in the active language."""
    rules = {**_RULES, **(_RIGHT_TO_LEFT if get_language_bidi() else {})}
    rules |= {} if get_language() == ENGLISH else _NOT_ENGLISH
    rules[".grid-container"] = f"min-width: {NARROWEST_IN_STUDIO if board.block_type else NARROWEST}px"
    if board.block_type:
        # The page chooses the block, and a block has few rows.
        rules["[data-test=filter-bar], .filter-counts, .dt-controls"] = "display: none"
    elif all(isinstance(found, TimeRange) for found in board.filters):
        # No chart of the tab has days.
        rules["[data-test=filter-bar]:not(:has(.filter-item-wrapper))"] = "display: none"
    for chart in board.charts:
        slice_ = f"#CHART-{chart.name} + .chart-slice"
        if len(chart.columns) >= MANY:
            rules[f"{slice_} td"] = _ONE_LINE
        if chart.kind is Kind.NUMBER:
            empty = f"{slice_} .text-container:has(> .subheader-line) > .header-line::before"
            rules[empty] = f"content: {quoted(str(chart.empty))}; font-size: 14px; opacity: 0.65"
        else:
            rules[f"{slice_} [aria-label=empty] + div::before"] = f"content: {quoted(str(chart.empty))}"
    return "".join(f"{selector} {{ {declarations} }}\n" for selector, declarations in rules.items())


def quoted(text: str) -> str:
    """A text as CSS has it. Superset puts the style sheet into the page, so no character of HTML stays."""
    return '"' + "".join(c if c.isalnum() or c in " .,;:!?-()" else f"\\{ord(c):x} " for c in text) + '"'
