"""The declarations of all boards: what readers, Studio and Superset expect of them."""

from __future__ import annotations

import re

import pytest

from platform_plugin_aspects.dashboards.boards.catalog import ALL, boards
from platform_plugin_aspects.dashboards.boards.labels import LABELS
from platform_plugin_aspects.dashboards.boards.parts import Board, Choice, Kind, TimeRange
from platform_plugin_aspects.reporting.relation import relations
from platform_plugin_aspects.settings.common import defaults

REPORTS = ["course", "at-risk", "learners", "forum"]
STUDIO = {"in-context-course": "course", "in-context-sequential": "sequential"}
STUDIO |= {"in-context-problem": "problem", "in-context-video": "video"}
#: Views for boards that no board shows, and why.
UNSHOWN = {
    "course_summary_before": "the strip of numbers above the boards reads it",
    "course_structure": "it names blocks, for boards of a site's own",
    "enrollment_by_track": "enrollment_by_track_and_day ends with the same numbers",
    "learner_status": "without names, its learners are ids that tell nobody anything",
}
#: A sentence of so many words is read once.
LONGEST_SENTENCE = 25
CHARTS = {chart.name: (board, chart) for board in ALL for chart in board.charts}
by_slug = pytest.mark.parametrize("board", [pytest.param(board, id=board.slug) for board in ALL])
by_chart = pytest.mark.parametrize("name", CHARTS)


def test_the_boards_are_these() -> None:
    assert [board.slug for board in ALL] == [*REPORTS, *STUDIO]
    assert {board.slug: board.block_type for board in ALL if board.block_type} == STUDIO
    assert [board.slug for board in boards(personal=False)] == ["course", "forum", *STUDIO]


def test_every_view_for_boards_is_shown_or_has_a_reason() -> None:
    shown = {view for board in ALL for view in board.views}
    assert {relation.name for relation in relations() if relation.is_for_boards} - shown == set(UNSHOWN)


def test_studio_fills_in_the_filters_of_its_boards() -> None:
    entries = defaults()["ASPECTS_IN_CONTEXT_DASHBOARDS"].items()
    expected = {kind: [*entry["course_filter_ids"], *entry["block_filter_ids"]] for kind, entry in entries}
    assert {board.block_type: [some.id for some in board.filters] for board in ALL if board.block_type} == expected


@by_slug
def test_each_filter_reaches_each_chart_that_it_should(board: Board) -> None:
    """Superset applies a filter to a chart whose view has the column. Studio's boards are about one block."""
    for chart in board.charts:
        columns = {column.name for column in chart.relation.columns}
        if board.block_type:
            wanted = {choice.column for choice in board.filters if isinstance(choice, Choice)}
            assert wanted <= columns, chart.name
        elif "day" in columns:
            assert any(isinstance(some, TimeRange) for some in board.filters), chart.name


@by_chart
def test_the_texts_of_a_chart(name: str) -> None:
    """A question, the definition in short sentences, and a sentence for the time while there is nothing to see."""
    board, chart = CHARTS[name]
    assert name.startswith(f"{board.slug}-")
    assert str(chart.question).endswith("?")
    for text in (str(chart.about), str(chart.empty), str(board.about)):
        assert text.endswith(".")
        assert [some for some in re.split(r"(?<=\.) ", text) if len(some.split()) > LONGEST_SENTENCE] == []


@by_chart
def test_the_labels_of_a_chart_tell_its_columns_apart(name: str) -> None:
    _board, chart = CHARTS[name]
    labels = [str(LABELS[column].text) for column in (*chart.columns, *(m.column for m in chart.measures))]
    assert len(set(labels)) == len(labels)


@by_chart
def test_a_chart_over_days_is_an_axis_of_days(name: str) -> None:
    """Superset puts days on lines, areas and bars in order of time, and heat strips in order of text."""
    _board, chart = CHARTS[name]
    assert chart.by != "day" or chart.kind in (Kind.LINES, Kind.AREAS, Kind.BARS)
