"""A declaration of a board that cannot work is refused where it stands."""

from __future__ import annotations

from typing import Any

import pytest

from platform_plugin_aspects.dashboards.boards.catalog import ALL, boards
from platform_plugin_aspects.dashboards.boards.labels import LABELS
from platform_plugin_aspects.dashboards.boards.parts import Chart, InvalidBoard, Kind, Measure, Tab
from platform_plugin_aspects.reporting.relation import relations

TABLE = {"kind": Kind.TABLE, "view": "course_outline", "columns": ("unit_name",)}


def chart(name: str = "units", **fields: Any) -> Chart:
    """A chart with these fields."""
    return Chart(name, question="?", about=".", empty=".", **{**TABLE, **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"view": "nowhere"}, "chart units: nowhere is not a view for boards; those are at_risk_reasons, "),
        ({"view": "activity"}, "chart units: activity is not a view for boards; those are at_risk_reasons, "),
        ({"columns": ("colour",)}, "chart units: course_outline has no column colour; it has block_id, "),
        ({"columns": ("usage_key",)}, "chart units: column usage_key has no label in labels.py"),
        ({"shaded": ("colour",)}, "chart units: course_outline has no column colour; "),
        ({"columns": ()}, "chart units: a table has columns only"),
        ({"kind": Kind.BARS}, "chart units: a bars has measures only"),
        ({"measures": (Measure("learners_reached"),)}, "chart units: a table has columns only"),
    ],
)
def test_a_chart_that_cannot_work_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidBoard) as raised:
        chart(**fields)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize("widths", [(8, 8), (4, 4), (13,), (12, 0)])
def test_a_row_fills_the_board(widths: tuple[int, ...]) -> None:
    with pytest.raises(InvalidBoard, match="must be 12 together"):
        Tab("units", "Units", (tuple(chart(f"c{width}", width=width) for width in widths),))


def test_names_and_slugs_are_unique() -> None:
    names = [chart.name for board in ALL for chart in board.charts]
    assert sorted(names) == sorted(set(names))
    assert len({board.slug for board in ALL}) == len(ALL)


def test_boards_that_show_who_learners_are_need_names() -> None:
    shown = {board.slug for board in boards(personal=False)}
    assert "course" in shown
    assert not shown & {board.slug for board in ALL if board.is_personal}


def test_every_label_is_that_of_a_column() -> None:
    columns = {column.name for relation in relations() if relation.is_for_boards for column in relation.columns}
    assert LABELS.keys() <= columns
