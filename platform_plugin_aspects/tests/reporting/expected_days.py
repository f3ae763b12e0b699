"""The numbers by day and by week that the reports on a class must show, by the scripts alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from platform_plugin_aspects.load_test.journeys.script import Post, Read, Solve, Visit, Watch
from platform_plugin_aspects.tests.reporting.scripts import (
    OfClass,
    acts,
    completed,
    does,
    share,
)
from platform_plugin_aspects.tests.reporting.site import Class


class Days(OfClass):
    """Enrollments, visits and the forum by day, and runs by week."""

    def enrollment_by_day(self) -> list[dict[str, Any]]:
        new = Counter(pupil.script.enrolled_at.date() for pupil in self.pupils)
        left = Counter(pupil.script.left_at.date() for pupil in self.pupils if pupil.script.left_at)
        made, enrolled = [], 0
        for day in sorted(new | left):
            enrolled += new[day] - left[day]
            made.append({"day": day, "new": new[day], "left": left[day], "enrolled": enrolled})
        return made

    def enrollment_by_track(self) -> list[dict[str, Any]]:
        modes = Counter(pupil.script.mode for pupil in self.pupils if pupil.script.is_active)
        return [{"mode": mode, "enrolled": number} for mode, number in modes.items()]

    def enrollment_by_track_and_day(self) -> list[dict[str, Any]]:
        staying = [pupil.script for pupil in self.pupils if pupil.script.is_active]
        days = sorted({script.enrolled_at.date() for script in staying})
        made = []
        for mode in {script.mode for script in staying}:
            new = Counter(script.enrolled_at.date() for script in staying if script.mode == mode)
            made += [
                {
                    "mode": mode,
                    "day": day,
                    "new": new[day],
                    "enrolled": sum(new[before] for before in days if before <= day),
                }
                for day in days
            ]
        return made

    def _by_day(self) -> dict[Any, list[Visit]]:
        found: dict[Any, list[Visit]] = defaultdict(list)
        for pupil in self.pupils:
            for visit in pupil.script.visits:
                found[visit.start.date()].append(visit)
        return found

    def engagement_by_day(self) -> list[dict[str, Any]]:
        return [
            {
                "day": day,
                "learners": len(visits),
                "with_pages": len(visits),
                "with_videos": sum(does(visit, Watch) > 0 for visit in visits),
                "with_problems": sum(does(visit, Solve) > 0 for visit in visits),
                "with_forum": sum(map(_in_forum, visits)),
            }
            for day, visits in self._by_day().items()
        ]

    def run_comparison(self) -> list[dict[str, Any]]:
        return [row for runs_back, school in enumerate(self.runs) for row in self._weeks(school, runs_back)]

    def _weeks(self, school: Class, runs_back: int) -> list[dict[str, Any]]:
        """The weeks of a run. Numbers of few learners of the former one are hidden."""
        active: dict[int, set[str]] = defaultdict(set)
        enrolled, answering, completing, passed = (defaultdict[int, set[str]](set) for _ in range(4))

        def week(moment: datetime) -> int:
            return max(0, (moment.astimezone(UTC).date() - school.starts_on).days // 7 + 1)

        for pupil in school.pupils:
            enrolled[week(pupil.script.enrolled_at)].add(pupil.actor)
            for act in acts(pupil):
                active[week(act)].add(pupil.actor)
            for visit in pupil.script.visits:
                if does(visit, Solve):
                    answering[week(visit.start)].add(pupil.actor)
                if any(map(completed, visit.studies)):
                    completing[week(visit.start)].add(pupil.actor)
            for event in pupil.events:
                if event["name"].endswith("now_passed"):
                    passed[week(datetime.fromisoformat(event["timestamp"]))].add(pupil.actor)
        last = max(
            week(datetime.fromisoformat(event["timestamp"])) for pupil in school.pupils for event in pupil.events
        )

        def number(learners: set[str]) -> int | None:
            return None if runs_back and 0 < len(learners) < self.smallest_group else len(learners)

        made = []
        for at in range(last + 1):
            so_far = set().union(*(enrolled[before] for before in range(at + 1)))
            those, all_of = number(active[at]), number(so_far)
            made.append(
                {
                    "runs_back": runs_back,
                    "run": school.course.run,
                    "starts_on": school.starts_on,
                    "week": at,
                    "is_over": school.starts_on + timedelta(days=7 * at) <= self.now.date(),
                    "enrolled": all_of,
                    "active": those,
                    "active_share": share(those, all_of) if those is not None and all_of else None,
                    "answering": number(answering[at]),
                    "completing": number(completing[at]),
                    "passed": number(set().union(*(passed[before] for before in range(at + 1)))),
                }
            )
        return made

    def forum_activity(self) -> list[dict[str, Any]]:
        return [
            {
                "day": day,
                "posts": sum(does(visit, Post) for visit in visits),
                "learners_posting": sum(does(visit, Post) > 0 for visit in visits),
                "views": sum(does(visit, Read) for visit in visits),
                "learners": sum(map(_in_forum, visits)),
            }
            for day, visits in self._by_day().items()
            if any(map(_in_forum, visits))
        ]


def _in_forum(visit: Visit) -> bool:
    """Whether the learner reads or writes there."""
    return does(visit, Post) + does(visit, Read) > 0
