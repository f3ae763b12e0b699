"""`python -m test_utils.demo.lms FOLDER COURSE DRAFT USER...`: an LMS on the demo's site whose worker is killed.

The users go through a unit of the course; the platform stores and logs their tracking events. The first one also opens
a page of a draft, a course that is not published. Then a worker delivers, and ends by SIGKILL when it is about to
confirm: ClickHouse has the statements, and the platform's database still has the events.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from opaque_keys.edx.keys import CourseKey

from test_utils.demo import site
from test_utils.processes import until

#: The unit: a video and a problem.
SEQUENCE, UNIT = "seq_how_this_course_works", "weekly_rhythm"
PROBLEM_NAME = "Check yourself: Weekly rhythm"
#: Seconds of the video.
LENGTH = 312.0
#: The unit's number in the sequence, and that of the unit to which learners then go.
PAGE, PAGE_AFTER = 1, 2
#: Every third learner answers wrong first, every fourth one posts.
WRONG_FIRST, POSTS = 3, 4
PATIENCE_SECS = 60


def main(folder: Path, course: CourseKey, draft: CourseKey, user_ids: Sequence[int]) -> None:
    """Print how many events are stored, then deliver until killed."""
    site.start(folder, "lms")
    from django.contrib.auth.models import User
    from django.db import connection
    from lms.celery import APP

    from platform_plugin_aspects.load_test.acts.courses import outline_chosen
    from platform_plugin_aspects.models import TrackingEvent
    from test_utils.learners import Learner

    users = list(User.objects.filter(pk__in=user_ids).order_by("pk"))
    for number, user in enumerate(users):
        learner = Learner(user)
        for act in way_through_the_unit(course, user.pk, number):
            learner.does(act)
        if number == 0:
            learner.does(outline_chosen(draft, f"http://lms.standin.invalid/courses/{draft}/course/", "Week 1"))
    print(TrackingEvent.objects.count(), flush=True)

    def killed_at_the_confirmation(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("DELETE") and TrackingEvent._meta.db_table in sql:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(killed_at_the_confirmation):
        until(site.Worker(APP).run_what_waits, PATIENCE_SECS, "a delivery of events was requested")


def way_through_the_unit(course: CourseKey, user_id: int, number: int) -> Iterator[Any]:
    """A learner's acts in the unit; learners of different numbers act differently."""
    from platform_plugin_aspects.load_test.acts import courses, forum, problems, videos

    sequence = course.make_usage_key("sequential", SEQUENCE)
    video = course.make_usage_key("video", f"video_{UNIT}")
    problem = course.make_usage_key("problem", f"problem_{UNIT}")
    right = problems.Answer(1, "Is a rhythm of your own enough?", "Yes", correct=True)
    wrong = problems.Answer(1, right.question, "No", correct=False)
    paused = pause(number)

    yield courses.outline_chosen(
        course, f"http://lms.standin.invalid/courses/{course}/course/", "How this course works"
    )
    yield videos.video_loaded(video, LENGTH)
    yield videos.played(video, LENGTH, 0)
    yield videos.paused(video, LENGTH, paused)
    yield videos.sought(video, LENGTH, paused, paused - 15)
    yield videos.played(video, LENGTH, paused - 15)
    yield videos.completed(video, LENGTH)
    yield videos.stopped(video, LENGTH, LENGTH)
    for attempt, answer in enumerate([wrong, right] if number % WRONG_FIRST == 0 else [right], start=1):
        yield problems.evaluated(problem, PROBLEM_NAME, [answer], attempt)
    yield courses.block_completed(problem, user_id)
    yield courses.subsection_graded(sequence, user_id, 1, 2)
    if number % POSTS == 0:
        yield forum.thread_created(course, "rhythm", f"65a1c0ffee65a1c0ffee{number:04}", "Clouds", "All week long.")
    yield courses.next_unit(sequence, PAGE, 3)


def pause(number: int) -> float:
    """The second at which a learner pauses the video, to watch the 15 seconds before again."""
    return 30.0 + 5 * number


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        CourseKey.from_string(sys.argv[2]),
        CourseKey.from_string(sys.argv[3]),
        [int(word) for word in sys.argv[4:]],
    )
