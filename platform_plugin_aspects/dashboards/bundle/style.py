"""The style sheet of a board in Superset: it shows what Superset has and hides.

Superset 6.1 keeps the definition of a chart for screen readers only, and says of every chart without rows the same. The
style sheet shows the definition under the question, and the chart's own sentence where there are no rows. A version of
Superset whose page has other names shows its own sentences.
"""

from __future__ import annotations

from django.utils.translation import get_language, get_language_bidi

from platform_plugin_aspects.dashboards.boards.parts import Board, Chart, Kind, TimeRange
from platform_plugin_aspects.dashboards.bundle.columns import ENGLISH
from platform_plugin_aspects.dashboards.bundle.datasets import DATE, MOMENT, type_of

#: Pixels of width below which a board scrolls sideways: charts beside each other are not readable on less. Studio's
#: boards have them one below the other.
NARROWEST, NARROWEST_IN_STUDIO = 680, 320
#: From so many columns on, there is less room between those of a table.
MANY = 9
#: Columns whose texts may break anywhere, because they have no spaces. The others break between words.
UNSPACED = frozenset({"answer", "email", "username"})
_NUMBER = "[data-test-viz-type=big_number_total]"
_TABLE = "[data-test-viz-type=table]"
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
    # A page of a table has a fixed number of rows, and is as high as they are with all their lines: no cell is cut off,
    # and the table does not scroll. Superset would fix the height at that of one line per row.
    ".dt-select-page-size": "display: none",
    # It is low while it is loaded, because the page's frame follows a board that grows.
    f"{_TABLE} .chart-container": "height: auto !important; min-height: 150px !important",
    f"{_TABLE} .chart-container div:has(table)": "height: auto !important",
    f"{_TABLE} .chart-container div:has(> table)": "width: 100% !important; scrollbar-gutter: auto !important",
    f"{_TABLE} td": "overflow-wrap: break-word",
    # A question is shown whole, in as many lines as it needs.
    ".header-title": "-webkit-line-clamp: none !important",
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
_RIGHT_TO_LEFT = {
    ".dashboard-content": "direction: rtl",
    "canvas": "direction: ltr",
    # A value of a learner or a course may be in another direction.
    f"{_TABLE} td": f"{_RULES[f'{_TABLE} td']}; unicode-bidi: plaintext",
    f"{_TABLE} td, {_TABLE} th": "text-align: right !important",
    # Superset puts the gap between charts to the right of each.
    ".grid-row > :not(:last-child):not(.hover-menu)": "margin-right: 0 !important; margin-left: 16px",
}


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
            rules[f"{slice_} td, {slice_} th"] = "padding-left: 3px; padding-right: 3px"
        for place, column in enumerate(chart.columns, 1):
            if declarations := _of_cells(chart, column):
                rules[f"{slice_} td:nth-child({place})"] = declarations
        if chart.kind is Kind.NUMBER:
            empty = f"{slice_} .text-container:has(> .subheader-line) > .header-line::before"
            rules[empty] = f"content: {quoted(str(chart.empty))}; font-size: 14px; opacity: 0.65"
        else:
            rules[f"{slice_} [aria-label=empty] + div::before"] = f"content: {quoted(str(chart.empty))}"
    return "".join(f"{selector} {{ {declarations} }}\n" for selector, declarations in rules.items())


def _of_cells(chart: Chart, column: str) -> str:
    """The declarations of the cells of a table's column, if there are any."""
    if column in UNSPACED:
        return "overflow-wrap: anywhere"
    return "white-space: nowrap" if type_of(chart.relation, column) in (DATE, MOMENT) else ""


def quoted(text: str) -> str:
    """A text as CSS has it. Superset puts the style sheet into the page, so no character of HTML stays."""
    return '"' + "".join(c if c.isalnum() or c in " .,;:!?-()" else f"\\{ord(c):x} " for c in text) + '"'
