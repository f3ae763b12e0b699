"""Tables of text are aligned, and hold no control characters of terminals."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_plugin_aspects.operations.text import counted, duration, table


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_end_flush() -> None:
    rows = [("sink", "pending", "error"), ("external_id", 7, ""), ("tag", 1200, "refused")]
    assert list(table(rows, right={1})) == [
        "sink         pending  error",
        "external_id        7",
        "tag             1200  refused",
    ]


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_a_row_is_one_line_that_no_terminal_obeys(rows: list[tuple[str, str]]) -> None:
    lines = list(table(rows, right={0}))
    assert len(lines) == len(rows)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((-5, "0 s"), (0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h")),
        *((172_799, "47 h"), (172_800, "2 d"), (86_400 * 400, "400 d")),
    ],
)
def test_durations_are_short_and_not_too_coarse(seconds: float, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


def test_one_is_singular() -> None:
    assert [counted(number, "event") for number in (0, 1, 1200)] == ["0 events", "1 event", "1,200 events"]
