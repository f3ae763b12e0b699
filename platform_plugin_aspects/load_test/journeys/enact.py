"""A script as the events that the platform emits when somebody does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from platform_plugin_aspects.load_test.acts import Act, courses, forum, problems, videos
from platform_plugin_aspects.load_test.journeys.plan import PASSING
from platform_plugin_aspects.load_test.journeys.script import Post, Read, Script, Solve, Study, Watch
from platform_plugin_aspects.load_test.journeys.structure import Structure, Unit
from platform_plugin_aspects.xapi.events import canonical

AGENT = "Mozilla/5.0 (X11; Linux x86_64) aspects_load_test_events"
#: Reserved for documentation.
ADDRESS = "203.0.113.7"
TOPIC = "general"
PASS = "Pass"


@dataclass(frozen=True)
class Person:
    """Who acts."""

    user_id: int
    username: str


def events_of(script: Script, structure: Structure, person: Person) -> Iterator[dict[str, Any]]:
    """The canonical events of a script, in the order of their moments."""
    yield from _Enacting(script, structure, person).all()


class _Enacting:
    def __init__(self, script: Script, structure: Structure, person: Person):
        self.script = script
        self.structure = structure
        self.person = person
        self.course = structure.course
        self.at = script.enrolled_at
        self.session = ""
        self.page = f"{settings.LMS_ROOT_URL}/courses/{self.course}/course/"
        #: Points by problem, of the last submission.
        self.points: dict[Any, int] = {}
        self.has_passed = False

    def all(self) -> Iterator[dict[str, Any]]:
        """See ``events_of``."""
        script, user_id = self.script, self.person.user_id
        yield self.event(courses.enrolled(self.course, user_id, "audit"), 0)
        if script.upgraded_at is not None:
            self.at = script.upgraded_at
            yield self.event(courses.mode_changed(self.course, user_id, "verified"), 0)
        for visit in script.visits:
            self.at, self.session = visit.start, visit.session
            name = visit.studies[0].unit.section
            yield self.event(courses.outline_chosen(self.course, self.page, name), 0)
            for study in visit.studies:
                yield from self.study(study)
        if script.visits and self.points and not self.has_passed:
            yield self.event(courses.failed(self.course, user_id), 1)
        if script.left_at is not None:
            self.at = script.left_at
            yield self.event(courses.left(self.course, user_id, script.mode), 0)

    def event(self, act: Act, seconds: float = 3) -> dict[str, Any]:
        """The event of an act, which comes so many seconds after the one before, and never at the same moment."""
        self.at += timedelta(seconds=seconds, microseconds=1)
        return canonical({"name": act.name, "timestamp": self.at, "data": act.data, "context": self.context(act)})

    def context(self, act: Act) -> dict[str, Any]:
        """The context of the request, if there is one, and of the course."""
        course = {"course_id": str(act.course), "org_id": act.course.org, "enterprise_uuid": ""}
        if act.source == "task":
            return course
        browser = act.source == "browser"
        return {
            "session": self.session,
            "user_id": self.person.user_id,
            "username": self.person.username,
            "ip": ADDRESS,
            "host": urlsplit(settings.LMS_ROOT_URL).hostname or "",
            "agent": AGENT,
            "path": "/event" if browser else act.path,
            "referer": self.page,
            "accept_language": "en",
            **course,
            "event_source": "browser" if browser else "server",
            "page": self.page if browser else None,
            **act.context,
        }

    def study(self, study: Study) -> Iterator[dict[str, Any]]:
        """A unit: how it is come by, and what is done there."""
        unit = study.unit
        self.page = f"{settings.LMS_ROOT_URL}/courses/{self.course}/jump_to/{unit.subsection}"
        yield self.event(self.navigation(unit), 20)
        for text in unit.texts:
            yield self.event(courses.block_completed(text, self.person.user_id), 30)
        for step in study.steps:
            if isinstance(step, Watch):
                yield from self.watch(step)
            elif isinstance(step, Solve):
                yield from self.solve(step, unit)
            elif isinstance(step, Read):
                yield self.event(forum.thread_viewed(self.course, TOPIC, f"{step.number:024x}", step.title), 30)
            else:
                yield self.post(step)

    def navigation(self, unit: Unit) -> Act:
        """From the unit before, or into the subsection."""
        if unit.tab > 1:
            return courses.next_unit(unit.subsection, unit.tab - 1, unit.tabs)
        return courses.unit_chosen(unit.subsection, 1, 1, unit.tabs)

    def watch(self, watch: Watch) -> Iterator[dict[str, Any]]:
        """A video in stretches, at the speed at which it was made."""
        key, duration = watch.video.key, watch.video.duration
        yield self.event(videos.video_loaded(key, duration))
        if watch.with_transcript:
            yield self.event(videos.transcript_shown(key, duration, 0))
        position = 0
        for start, end in watch.stretches:
            if start != position:
                yield self.event(videos.sought(key, duration, position, start))
            yield self.event(videos.played(key, duration, start))
            if end < duration:
                yield self.event(videos.paused(key, duration, end), end - start)
            else:
                yield self.event(videos.stopped(key, duration, end), end - start)
                yield self.event(videos.completed(key, duration), 0)
            position = end
        if any(end == duration for _, end in watch.stretches):
            yield self.event(courses.block_completed(key, self.person.user_id), 1)

    def solve(self, solve: Solve, unit: Unit) -> Iterator[dict[str, Any]]:
        """A problem, and the grades that follow from it."""
        problem = solve.problem
        if solve.asks_hint:
            yield self.event(problems.hint_shown(problem.key, problem.name, 0, 1, "Read it again."))
        for attempt, answers in enumerate(solve.submissions, 1):
            yield self.event(problems.submitted(problem.key, answers), 40)
            yield self.event(problems.evaluated(problem.key, problem.name, answers, attempt), 1)
            if attempt == 1:
                yield self.event(courses.block_completed(problem.key, self.person.user_id), 0)
            self.points[problem.key] = sum(answer.correct for answer in answers)
            yield from self.grades(unit)
        if solve.asks_answer:
            yield self.event(problems.answer_shown(problem.key, problem.name))

    def grades(self, unit: Unit) -> Iterator[dict[str, Any]]:
        """The new grades of the subsection and of the course."""
        user_id = self.person.user_id
        here = [
            problem
            for other in self.structure.units
            if other.subsection == unit.subsection
            for problem in other.problems
        ]
        earned = sum(self.points.get(problem.key, 0) for problem in here)
        possible = sum(problem.parts for problem in here)
        yield self.event(courses.subsection_graded(unit.subsection, user_id, earned, possible), 1)
        grade = sum(self.points.values()) / self.structure.points
        passes = grade >= PASSING
        yield self.event(courses.course_graded(self.course, user_id, round(grade, 2), PASS if passes else ""), 1)
        if passes and not self.has_passed:
            self.has_passed = True
            yield self.event(courses.passed_first(self.course, user_id), 0)
            yield self.event(courses.passed(self.course, user_id), 0)

    def post(self, post: Post) -> dict[str, Any]:
        """Something in the forum."""
        thread = f"{self.person.user_id:012x}{1:012x}"
        if post.kind == "thread":
            title = f"A question of {self.person.username}"
            return self.event(forum.thread_created(self.course, TOPIC, thread, title, "Who knows?"), 60)
        response = f"{self.person.user_id:012x}{post.number:012x}"
        return self.event(forum.response_created(self.course, TOPIC, thread, response, "I found it."), 60)
