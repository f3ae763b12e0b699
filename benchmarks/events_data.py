"""The events of the benchmark: what learners do in half an hour of study, each with one statement.

Their shapes are those of ``test_utils/data/tracking_events``. An event's number decides its learner and its moment, so
equal numbers are equal events, and different ones have statements of different ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "test_utils" / "data" / "tracking_events"
COURSE = "course-v1:Org+Course+Run"
COURSE_NAME = "Numbers, larger than «blue»"
#: How many of each there are among SESSION events.
SHAPES = {
    "load_video": 2,
    "play_video": 11,
    "pause_video": 11,
    "seek_video": 5,
    "edx.ui.lms.sequence.next_selected": 5,
    "edx.completion.block_completion.changed": 5,
    "problem_check": 4,
    "problem_check.browser": 4,
    "edx.grades.subsection.grade_calculated": 2,
    "edx.forum.thread.viewed": 1,
    "showanswer": 1,
}
#: No divisor of the numbers of learners: each learner does everything.
SESSION = sum(SHAPES.values())
#: Each measurement has a month, which is a partition of ClickHouse's table, of its own.
FIRST_MONTH = datetime(2026, 2, 1, tzinfo=UTC)


def events(number: int, users: int, month: datetime = FIRST_MONTH, first: int = 0) -> Iterator[dict[str, Any]]:
    """So many events, from the ``first`` on, of ``users`` learners in turn, as the platform's tracker emits them."""
    shapes = [json.loads((FOLDER / f"{name}.json").read_text()) for name, times in SHAPES.items() for _ in range(times)]
    for position in range(first, first + number):
        event = json.loads(json.dumps(shapes[position * 7 % SESSION]))
        user_id = 1 + position % users
        names = {"user_id": user_id, "username": f"learner_{user_id}"}
        event["context"] |= names
        if "user_id" in event["data"]:
            event["data"]["user_id"] = user_id
        event["context"]["session"] = f"{user_id:032x}"
        event["timestamp"] = month + timedelta(milliseconds=5 * position)
        yield event
