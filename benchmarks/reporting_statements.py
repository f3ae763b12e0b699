"""The statements of the benchmark of reports: ERB's own, made into SQL that writes millions of them in ClickHouse.

Each shape is a tracking event of ``test_utils/data/tracking_events`` that the plugin transforms. SQL then
replaces the learners, blocks and moments. A visit is ``STEPS`` statements: a learner goes to a unit, reads,
watches a video with a pause and a jump, answers two problems, and is graded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from platform_plugin_aspects.xapi.transform import transform

FOLDER = Path(__file__).resolve().parents[1] / "test_utils" / "data" / "tracking_events"
#: Names in the tracking events.
COURSE, COURSE_NAME, THREAD = "Org+Course+Run", "Course Run", "65f1a2b3c4d5e6f708192a3b"
SESSION = "https://w3id.org/xapi/openedx/extensions/session-id"
TIME = "https://w3id.org/xapi/video/extensions/time"
LENGTH = "https://w3id.org/xapi/video/extensions/length"
ATTEMPT = "http://id.tincanapi.com/extension/attempt-id"
STARTING, ENDING = (f"http://id.tincanapi.com/extension/{name}" for name in ("starting-position", "ending-point"))
CLASS = "http://www.tincanapi.co.uk/activitytypes/grade_classification"
EXTENSIONS = ("result", "extensions")
AROUND = ("context", "extensions")
DEFINITION = ("object", "definition", "extensions")
SCORE = ("result", "score")
#: Seconds of a video.
VIDEO_SECS = 300
STEPS = 20
MARK = re.compile("⟦(.*?)⟧")


@dataclass(frozen=True)
class Shape:
    """A statement of a tracking event, the ``number``-th of those that it makes.

    ``block`` is the text by which the event names its block, ``as_block`` SQL for it; ``values`` is SQL for values by
    their path in the statement.
    """

    event: str
    block: str = ""
    as_block: str = ""
    number: int = 0
    values: Mapping[tuple[str, ...], str] = field(default_factory=dict)


def _video(event: str, second: str) -> Shape:
    values = {(*EXTENSIONS, TIME): second, (*AROUND, LENGTH): f"{VIDEO_SECS}.0"} if second else {}
    return Shape(event, "video+block@v1", "video+block@⟦block⟧v", values=values)


def _solved(block: str, attempt: int) -> Shape:
    right = f"(ability + cityHash64(visit, '{block}', {attempt}) % 100 > {90 - 15 * attempt})"
    return Shape(
        "problem_check",
        "problem+block@p1",
        f"problem+block@⟦block⟧{block}",
        values={
            (*SCORE, "scaled"): f"if({right}, '1.0', '0.0')",
            (*SCORE, "raw"): f"if({right}, '1.0', '0.0')",
            ("result", "success"): f"if({right}, 'true', 'false')",
            ("result", "response"): f"if({right}, '0.3', toString(cityHash64(visit, {attempt}) % 12))",
            (*DEFINITION, ATTEMPT): str(attempt),
        },
    )


def _several(number: int) -> Shape:
    right = f"(ability + cityHash64(visit, 'several', {number}) % 100 > 60)"
    values = {
        ("result", "success"): f"if({right}, 'true', 'false')",
        ("result", "response"): f"if({right}, 'b', ['a', 'c', 'd'][1 + cityHash64(visit, {number}) % 3])",
        (*DEFINITION, ATTEMPT): "1",
    }
    if not number:
        values |= {
            (*SCORE, "scaled"): "['0.0', '0.3333333333333333', '0.6666666666666666', '1.0'][points + 1]",
            (*SCORE, "raw"): "concat(toString(points), '.0')",
        }
    return Shape("problem_check.several_questions", "problem+block@p1", "problem+block@⟦block⟧q", number, values)


#: A statement by the step of its visit; the last step differs by what the visit ``ends`` with.
VISIT: tuple[Shape, ...] = (
    Shape(
        "edx.ui.lms.sequence.next_selected",
        "sequential+block@lesson_2",
        "sequential+block@⟦subsection⟧",
        values={(*AROUND, STARTING): "unit_before", (*AROUND, ENDING): "toString(unit_here)"},
    ),
    Shape("edx.completion.block_completion.changed", "html+block@page_1", "html+block@⟦block⟧t"),
    _video("load_video", ""),
    _video("play_video", "second"),
    _video("pause_video", "second + 40"),
    _video("play_video", "second + 40"),
    Shape(
        "seek_video",
        "video+block@v1",
        "video+block@⟦block⟧v",
        values={(*EXTENSIONS, f"{TIME}-from"): "second + 90", (*EXTENSIONS, f"{TIME}-to"): "second + 30"},
    ),
    _video("pause_video", "second + 100"),
    _video("play_video", "second + 100"),
    _video("complete_video", f"{VIDEO_SECS}"),
    Shape("edx.completion.block_completion.changed", "html+block@page_1", "video+block@⟦block⟧v"),
    _solved("p", 1),
    _solved("p", 2),
    Shape("showanswer", "problem+block@p1", "problem+block@⟦block⟧p"),
    _several(0),
    _several(1),
    _several(2),
    Shape("edx.completion.block_completion.changed", "html+block@page_1", "problem+block@⟦block⟧p"),
    Shape(
        "edx.grades.subsection.grade_calculated",
        "sequential+block@homework_1",
        "sequential+block@⟦subsection⟧",
        values={(*SCORE, "scaled"): "share", (*SCORE, "raw"): "share * 10"},
    ),
)
#: (per cent of the visits, how they end).
ENDS: tuple[tuple[int, Shape], ...] = (
    (
        40,
        Shape(
            "edx.grades.course.grade_calculated",
            values={
                (*SCORE, "scaled"): "share",
                (*SCORE, "raw"): "share",
                (*EXTENSIONS, CLASS): "if(share >= 0.5, 'Pass', 'Fail')",
            },
        ),
    ),
    (35, Shape("edx.forum.thread.viewed")),
    (15, Shape("edx.forum.thread.created")),
    (5, Shape("edx.course.grade.now_passed")),
    (5, Shape("edx.course.grade.now_failed")),
)
ENROLLED = Shape("edx.course.enrollment.activated")


class Shapes:
    """SQL of statements. Needs a user, whom the tracking events are about, and their course on the platform."""

    def __init__(self, user_id: int, username: str, actor: str):
        self.user_id = user_id
        self.username = username
        self.actor = actor

    @cached_property
    def visit(self) -> str:
        """SQL of the statement of a visit's ``step``."""
        cases = [f"step = {step}, {self.sql(shape)}" for step, shape in enumerate(VISIT)]
        limit = 0
        for share, shape in ENDS[:-1]:
            limit += share
            cases.append(f"ends < {limit}, {self.sql(shape)}")
        return f"multiIf({', '.join(cases)}, {self.sql(ENDS[-1][1])})"

    @cached_property
    def enrollment(self) -> str:
        """SQL of the statement that a learner enrolled."""
        return self.sql(ENROLLED)

    def sql(self, shape: Shape) -> str:
        """SQL of a statement of this shape, by the columns that ``reporting_site`` selects for each."""
        statement = self._statement(shape)
        for (*path, last), value in shape.values.items():
            part: Any = statement
            for name in path:
                part = part[name]
            part[last] = f"⟦{'' if isinstance(part[last], str) else '#'}{value}⟧"
        text = json.dumps(statement, ensure_ascii=False, separators=(",", ":"))
        # A number or a flag has no quotes.
        text = re.sub('"⟦#(.*?)⟧"', r"⟦\1⟧", text)
        for found, meant in (
            (shape.block, shape.as_block),
            (COURSE, "⟦course⟧"),
            (COURSE_NAME, "⟦course_name⟧"),
            (statement["id"], "⟦event_id⟧"),
            (statement["timestamp"], "⟦iso⟧"),
            (self.actor, "⟦actor⟧"),
            (statement["context"]["extensions"][SESSION], "⟦session⟧"),
            (THREAD, "⟦session⟧"),
        ):
            text = text.replace(found, meant) if found else text
        parts = MARK.split(text)
        return (
            f"concat({', '.join(f'toString({part})' if at % 2 else _literal(part) for at, part in enumerate(parts))})"
        )

    def _statement(self, shape: Shape) -> dict[str, Any]:
        event = json.loads((FOLDER / f"{shape.event}.json").read_text(encoding="utf-8"))
        event["context"] |= {"user_id": self.user_id, "username": self.username}
        if "user_id" in event["data"]:
            event["data"]["user_id"] = self.user_id
        found, rejected = transform([event])
        if rejected:
            raise SystemExit(f"{shape.event}: {rejected[0]}")
        statement: dict[str, Any] = json.loads(found[0][shape.number].text)
        return statement


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
