"""Any statements, in any order, cut and repetition, give what a model in Python says of them."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.sinks.statement_sink import StatementSink
from platform_plugin_aspects.tests.reporting.site import empty, rows
from platform_plugin_aspects.tests.reporting.test_hostile_statements import COURSE_TYPE, INTERACTION, LMS, TIME, A
from platform_plugin_aspects.tests.reporting.test_hostile_statements import statement as about
from platform_plugin_aspects.xapi.transform import Statement
from test_utils.properties import examples

BEGIN = datetime(2026, 2, 27, tzinfo=UTC)
PROGRESS = "https://w3id.org/xapi/cmi5/result/extensions/progress"
MODE = "https://w3id.org/xapi/acrossx/extensions/type"
ATTEMPT = "http://id.tincanapi.com/extension/attempt-id"
OTHERS = ("registered", "unregistered", "earned", "passed", "failed", "evaluated", "progressed")
PLAYER = ("played", "paused", "terminated", "seeked", "completed")


@dataclass(frozen=True)
class Deed:
    """An act of an actor in the minute of this number; ``value`` is a position, an answer, a mode or a share."""

    actor: str
    verb: str
    minute: int
    value: int
    after: int

    @property
    def moment(self) -> datetime:
        return BEGIN + timedelta(minutes=self.minute)

    def statement(self) -> Statement:
        actor = {"account": {"name": self.actor}}
        course = {"id": f"{LMS}/course/{A}", "definition": {"type": COURSE_TYPE}}
        block = A.replace("course-v1", "block-v1")
        if self.verb in ("registered", "unregistered", "earned", "passed", "failed"):
            course["definition"] |= {"extensions": {MODE: f"mode {self.value}"}}
            score = {"score": {"scaled": self.value / 4}}
            made = about(self.verb, actor=actor, object=course, result=score, context=None)
        elif self.verb == "evaluated":
            thing = {
                "id": f"{LMS}/xblock/{block}+type@problem+block@p",
                "definition": {"type": INTERACTION, "extensions": {ATTEMPT: self.after + 1}},
            }
            result = {
                "score": {"scaled": self.value % 2, "raw": self.value % 2, "max": 1},
                "response": f"r{self.value}",
            }
            made = about(self.verb, actor=actor, object=thing, result=result)
        elif self.verb == "progressed":
            made = about(
                self.verb, block="html+block@h", actor=actor, result={"extensions": {PROGRESS: self.value * 50}}
            )
        else:
            jump = {f"{TIME}-from": self.value, f"{TIME}-to": self.after}
            made = about(
                self.verb, actor=actor, result={"extensions": jump if self.verb == "seeked" else {TIME: self.value}}
            )
        return Statement(uuid.uuid5(uuid.NAMESPACE_URL, repr(self)), self.moment, json.dumps(made))


#: Verbs that change the same states, so that few deeds often meet.
TOGETHER = (("registered", "unregistered"), ("earned", "passed", "failed"), ("evaluated", "progressed"), PLAYER)
deeds = st.sampled_from([*TOGETHER, (*PLAYER, *OTHERS)]).flatmap(
    lambda verbs: st.lists(
        st.builds(
            Deed,
            st.sampled_from(["ada", "ben"]),
            st.sampled_from(verbs),
            st.integers(0, 4_000),
            st.integers(0, 4),
            st.integers(0, 4),
        ),
        min_size=2,
        max_size=12,
        # At one moment, a learner does one thing.
        unique_by=lambda deed: (deed.actor, deed.minute),
    )
)


def spans(watched: Sequence[Deed]) -> list[tuple[float, float]]:
    """From where it plays to where the next deed finds it, if that is later in the video."""
    found = []
    plays = False
    for deed, following in pairwise(watched):
        plays = {"played": True, "paused": False, "terminated": False}.get(deed.verb, plays)
        start = deed.after if deed.verb == "seeked" else deed.value
        if plays and following.verb != "played" and following.value > start:
            found.append((float(start), float(following.value)))
    return found


def model(done: Sequence[Deed]) -> dict[str, Any]:
    """The facts of these deeds that relations show, by actor."""
    of: dict[str, list[Deed]] = defaultdict(list)
    for deed in sorted(done, key=lambda deed: deed.minute):
        of[deed.actor].append(deed)
    said: dict[str, Any] = {}
    for actor, all_deeds in of.items():

        def last(*verbs: str, among: Sequence[Deed] = all_deeds) -> Deed | None:
            return next((deed for deed in reversed(among) if deed.verb in verbs), None)

        enrolled, grade, outcome = last("registered", "unregistered"), last("earned"), last("passed", "failed")
        visits = [deed for deed in all_deeds if deed.verb in (*PLAYER, "evaluated", "progressed")]
        answers = [deed for deed in all_deeds if deed.verb == "evaluated"]
        watched = [deed for deed in all_deeds if deed.verb in PLAYER]
        completed = last("progressed")
        said[actor] = {
            "status": None
            if not visits and not enrolled
            else (
                "unknown" if enrolled is None else {"registered": "enrolled", "unregistered": "left"}[enrolled.verb],
                f"mode {enrolled.value}" if enrolled else "",
                visits[-1].moment if visits else None,
                len({deed.moment.date() for deed in visits}),
                grade.value / 4 if grade else None,
                outcome is not None and outcome.verb == "passed",
                max((deed.after + 1 for deed in answers), default=0),
            ),
            "answers": (f"r{answers[0].value}", f"r{answers[-1].value}", answers[-1].value % 2 == 1)
            if answers
            else None,
            "spans": spans(watched) if watched else None,
            "completion": completed.value * 50.0 if completed else None,
        }
    return said


def shown(reports: Reports, actors: set[str]) -> dict[str, Any]:
    """The same of the relations."""
    status = {row["actor_id"]: row for row in rows(reports, "learner_status")}
    answers = {row["actor_id"]: row for row in rows(reports, "answer_states")}
    watched = {row["actor_id"]: row["spans"] for row in rows(reports, "video_spans")}
    sql = f"SELECT actor_id, progress FROM {reports.layout.qualified('completions')}"
    completions = dict(map(tuple, reports.client.select(sql)))
    columns = ("enrollment", "mode", "last_visit", "days_active", "grade", "passed", "attempts")
    return {
        actor: {
            "status": tuple(status[actor][name] for name in columns) if actor in status else None,
            "answers": tuple(answers[actor][name] for name in ("first_response", "last_response", "right_last"))
            if actor in answers
            else None,
            "spans": watched.get(actor),
            "completion": completions.get(actor),
        }
        for actor in actors
    }


@settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(deeds, st.data())
def test_any_order_cut_and_repetition_gives_what_the_model_says(
    reports: Reports, done: list[Deed], data: st.DataObject
) -> None:
    empty(reports)
    again = data.draw(st.lists(st.sampled_from(done), max_size=4), label="again")
    left = data.draw(st.permutations([*done, *again]), label="order")
    while left:
        size = data.draw(st.integers(1, 8), label="size of an insert")
        StatementSink().insert([deed.statement() for deed in left[:size]])
        left = left[size:]

    assert shown(reports, {deed.actor for deed in done}) == model(done)
