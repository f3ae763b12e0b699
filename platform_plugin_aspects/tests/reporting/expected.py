"""The numbers that the reports on a class must show, by the scripts of the learners alone: no SQL."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from django.contrib.auth import get_user_model
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview

from platform_plugin_aspects.load_test.journeys.answers import answers_of
from platform_plugin_aspects.load_test.journeys.script import Post, Solve, Study, Visit, Watch
from platform_plugin_aspects.load_test.journeys.structure import Unit
from platform_plugin_aspects.tests.reporting.places import structure_of
from platform_plugin_aspects.tests.reporting.site import COURSE, END, Class, Pupil, plain

#: Events that are not acts of a visitor.
NOT_ACTS = ("course.enrollment", "grades.", "course.grade")
HERE = {"org": "Org", "course_key": str(COURSE)}


def all_steps(pupil: Pupil) -> Iterable[Any]:
    return (step for study in studies(pupil) for step in study.steps)


def studies(pupil: Pupil) -> list[Study]:
    return [study for visit in pupil.script.visits for study in visit.studies]


def acts(pupil: Pupil) -> list[datetime]:
    """The moments of the acts."""
    return [
        datetime.fromisoformat(event["timestamp"])
        for event in pupil.events
        if not event["name"].removeprefix("edx.").startswith(NOT_ACTS)
    ]


def completed(study: Study) -> set[str]:
    """The usage keys that are completed in a unit."""
    done = {str(text) for text in study.unit.texts}
    for step in study.steps:
        if isinstance(step, Watch) and any(end == step.video.duration for _, end in step.stretches):
            done.add(str(step.video.key))
        elif isinstance(step, Solve):
            done.add(str(step.problem.key))
    return done


def leaves(unit: Unit) -> set[str]:
    return {str(block) for block in (*unit.texts, *(b.key for b in unit.videos), *(b.key for b in unit.problems))}


def share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 0.0


class Expected:
    """The rows of each view for boards, with all of its columns."""

    def __init__(self, school: Class, former: Class | None = None, *, smallest_group: int):
        self.runs = [school, *([former] if former else [])]
        self.pupils = school.pupils
        self.units = school.structure.units
        self.structure = school.structure
        self.smallest_group = smallest_group
        self.blocks = structure_of(COURSE)
        self.by_key = {row["usage_key"]: row for row in self.blocks}

    def rows(self, view: str) -> list[dict[str, Any]]:
        """The rows of a view, sorted by its key."""
        made = [{**HERE, **row} for row in getattr(self, view)()]
        return sorted(made, key=lambda row: [row[column] for column in VIEWS[view]])

    def _named(self, key: str, kind: str, *columns: str) -> dict[str, Any]:
        """The key of a block, its name as that of its kind, and these columns of its place."""
        row = self.by_key[key]
        some = {column: row[column] for column in ("usage_key", "block_id", *columns)}
        return {**some, f"{kind}_name": row["block_name"]}

    def course_names(self) -> list[dict[str, Any]]:
        course = CourseOverview.objects.get(pk=COURSE)
        return [
            {
                "course_name": course.display_name,
                "course_run": COURSE.run,
                "starts_at": course.start,
                "ends_at": course.end,
            }
        ]

    def course_structure(self) -> list[dict[str, Any]]:
        return self.blocks

    def video_watch(self) -> list[dict[str, Any]]:
        watches: dict[str, list[Watch]] = defaultdict(list)
        for pupil in self.pupils:
            for step in all_steps(pupil):
                if isinstance(step, Watch):
                    watches[str(step.video.key)].append(step)
        made = []
        for video in (video for unit in self.units for video in unit.videos):
            seen = watches[str(video.key)]
            seconds = [len(set(self._seconds(watch))) for watch in seen]
            played = sum(len(self._seconds(watch)) for watch in seen)
            made.append(
                {
                    **self._named(str(video.key), "video", *PLACE),
                    "length": float(video.duration) if seen else 0.0,
                    "learners": len(seen),
                    "learners_to_end": sum(any(end == video.duration for _, end in watch.stretches) for watch in seen),
                    "seconds_watched": sum(seconds),
                    "seconds_played": played,
                    "watched_share": share(sum(seconds), len(seen) * video.duration),
                    "rewatched_share": share(played - sum(seconds), played),
                }
            )
        return made

    def _seconds(self, watch: Watch) -> list[int]:
        return [second for start, end in watch.stretches for second in range(start, end)]

    def video_seconds(self) -> list[dict[str, Any]]:
        views: Counter[tuple[str, int]] = Counter()
        learners: Counter[tuple[str, int]] = Counter()
        for pupil in self.pupils:
            for step in all_steps(pupil):
                if isinstance(step, Watch):
                    seconds = [(str(step.video.key), second) for second in self._seconds(step)]
                    views.update(seconds)
                    learners.update(set(seconds))
        return [
            {
                **self._named(key, "video"),
                "second": second,
                "learners": learners[key, second],
                "views": number,
                "rewatches": number - learners[key, second],
            }
            for (key, second), number in views.items()
        ]

    def _solved(self) -> dict[str, dict[str, Solve]]:
        """{problem: {actor: what was done}}."""
        found: dict[str, dict[str, Solve]] = {str(problem.key): {} for problem in self.structure.problems}
        for pupil in self.pupils:
            for step in all_steps(pupil):
                if isinstance(step, Solve):
                    found[str(step.problem.key)][pupil.actor] = step
        return found

    def problem_performance(self) -> list[dict[str, Any]]:
        solved = self._solved()
        points: Counter[str] = Counter()
        for of_problem in solved.values():
            for actor, solve in of_problem.items():
                points[actor] += _points(solve)
        made = []
        for key, of_problem in solved.items():
            number = len(of_problem)
            first = {
                actor: all(answer.correct for answer in solve.submissions[0]) for actor, solve in of_problem.items()
            }
            ranked = sorted(of_problem, key=lambda actor: (points[actor] - _points(of_problem[actor]), actor))
            third = number // 3
            discrimination = None
            if number >= 6:
                best = sum(first[actor] for actor in ranked[number - third :]) / third
                discrimination = round(best - sum(first[actor] for actor in ranked[:third]) / third, 4)
            attempts = [len(solve.submissions) for solve in of_problem.values()]
            flags = [
                *(["few right at first"] if number and sum(first.values()) / number < 0.4 else []),
                *(
                    ["does not tell strong from weak learners"]
                    if discrimination is not None and discrimination < 0.1
                    else []
                ),
                *(["many attempts"] if number and sum(attempts) / number > 2 else []),
            ]
            made.append(
                {
                    **self._named(key, "problem", *PLACE, "graded"),
                    "learners": number,
                    "right_first": sum(first.values()),
                    "right_last": sum(
                        all(answer.correct for answer in solve.submissions[-1]) for solve in of_problem.values()
                    ),
                    "first_try_share": share(sum(first.values()), number),
                    "attempts_mean": share(sum(attempts), number),
                    "attempts_most": max(attempts, default=0),
                    "asked_hint": sum(solve.asks_hint for solve in of_problem.values()),
                    "asked_answer": sum(solve.asks_answer for solve in of_problem.values()),
                    "discrimination": discrimination,
                    "flags": "; ".join(flags),
                }
            )
        return made

    def problem_answers(self) -> list[dict[str, Any]]:
        made = []
        for key, of_problem in self._solved().items():
            wrong: Counter[tuple[int, str]] = Counter(
                (answer.part, answer.text)
                for solve in of_problem.values()
                for answer in solve.submissions[0]
                if not answer.correct
            )
            made += [
                {
                    **self._named(key, "problem"),
                    "question": part,
                    "answer": text,
                    "learners": number,
                    "share": share(number, len(of_problem)),
                }
                for (part, text), number in wrong.items()
                if number >= self.smallest_group
            ]
        return made

    def graded_subsections(self) -> list[dict[str, Any]]:
        made = []
        # Every other subsection is graded, from the second one.
        for subsection in list(dict.fromkeys(unit.subsection for unit in self.units))[1::2]:
            possible = sum(
                problem.parts for unit in self.units if unit.subsection == subsection for problem in unit.problems
            )
            scores = []
            for pupil in self.pupils:
                solved = [
                    step
                    for study in studies(pupil)
                    if study.unit.subsection == subsection
                    for step in study.steps
                    if isinstance(step, Solve)
                ]
                if solved:
                    scores.append(sum(map(_points, solved)) / possible)
            made.append(
                {
                    **self._named(str(subsection), "subsection", "section_name", "course_order"),
                    "learners": len(scores),
                    "mean_score": share(sum(scores), len(scores)) if scores else None,
                    "median_score": round(median(scores), 4) if scores else None,
                    "full_score": sum(score >= 1 for score in scores),
                }
            )
        return made

    def course_outline(self) -> list[dict[str, Any]]:
        reached: dict[tuple[Any, int], list[Study]] = defaultdict(list)
        for pupil in self.pupils:
            for study in studies(pupil):
                reached[study.unit.subsection, study.unit.tab].append(study)
        videos = {row["usage_key"]: row for row in self.video_watch()}
        problems = {row["usage_key"]: row for row in self.problem_performance()}
        made = []
        verticals = [row for row in self.blocks if row["block_type"] == "vertical"]
        units = {(row["subsection_key"], row["unit"]): row["usage_key"] for row in verticals}
        for unit in self.units:
            here = reached[unit.subsection, unit.tab]
            answered = sum(problems[str(problem.key)]["learners"] for problem in unit.problems)
            right = sum(problems[str(problem.key)]["right_first"] for problem in unit.problems)
            played = sum(videos[str(video.key)]["learners"] for video in unit.videos)
            to_end = sum(videos[str(video.key)]["learners_to_end"] for video in unit.videos)
            made.append(
                {
                    **self._named(units[str(unit.subsection), unit.tab], "unit", *UNIT),
                    "learners_reached": len(here),
                    "learners_completed": sum(completed(study) == leaves(unit) for study in here),
                    "problems": len(unit.problems),
                    "right_first_share": share(right, answered) if answered else None,
                    "videos": len(unit.videos),
                    "to_end_share": share(to_end, played) if played else None,
                }
            )
        return made

    def learner_status(self) -> list[dict[str, Any]]:
        all_leaves = len(set().union(*map(leaves, self.units)))
        progress = {
            pupil.actor: round(len(set().union(*map(completed, studies(pupil)))) / all_leaves, 4)
            for pupil in self.pupils
        }
        middle = median(progress[pupil.actor] for pupil in self.pupils if pupil.script.is_active)
        made = []
        for pupil in self.pupils:
            facts = answers_of(pupil.script, self.structure)
            solved = [step for step in all_steps(pupil) if isinstance(step, Solve)]
            visits = acts(pupil)
            long_ago = END - timedelta(days=7)
            enrolled_at = datetime.fromisoformat(pupil.events[0]["timestamp"])
            reasons = [
                *(["no visit for 7 days"] if visits and visits[-1] < long_ago else []),
                *(["never visited"] if not visits and enrolled_at < long_ago else []),
                *(["low grade"] if facts["grade"] is not None and facts["grade"] < 0.5 else []),
                *(["behind the others"] if progress[pupil.actor] < 0.5 * middle else []),
            ]
            if facts["passed"] or not facts["is_active"]:
                reasons = []
            made.append(
                {
                    "actor_id": pupil.actor,
                    "enrollment": "enrolled" if facts["is_active"] else "left",
                    "mode": facts["mode"],
                    "enrolled_at": enrolled_at.astimezone(UTC),
                    "last_visit": visits[-1] if visits else None,
                    "days_active": len(facts["days"]),
                    "progress": round(progress[pupil.actor], 4),
                    "grade": facts["grade"],
                    "passed": facts["passed"],
                    "problems": len(solved),
                    "problems_right": sum(_points(solve) == solve.problem.parts for solve in solved),
                    "attempts": sum(len(solve.submissions) for solve in solved),
                    "videos": len(facts["videos"]),
                    "posts": facts["posts"],
                    "at_risk": bool(reasons),
                    "reasons": "; ".join(reasons),
                }
            )
        return made

    def learner_names(self) -> list[dict[str, Any]]:
        found = []
        for pupil in self.pupils:
            user = get_user_model().objects.get(pk=pupil.user_id)
            names = {"username": user.username, "name": user.profile.name, "email": user.email}
            found.append({"actor_id": pupil.actor, "user_id": user.pk, **names})
        return found

    def learner_status_with_names(self) -> list[dict[str, Any]]:
        names = {row["actor_id"]: row for row in self.learner_names()}
        return [{**names[row["actor_id"]], **row} for row in self.learner_status()]

    def course_summary(self) -> list[dict[str, Any]]:
        status = self.learner_status()
        staying = [row for row in status if row["enrollment"] == "enrolled"]
        grades = [row["grade"] for row in staying if row["grade"] is not None]

        def active(first: int, last: int) -> int:
            # Days before the last one, which is the day of the clock.
            days = {(END - timedelta(days=back)).date() for back in range(first, last)}
            return sum(any(act.date() in days for act in acts(pupil)) for pupil in self.pupils)

        recent = (END - timedelta(days=6)).date()
        return [
            {
                "course_name": CourseOverview.objects.get(pk=COURSE).display_name,
                "course_run": COURSE.run,
                "enrolled": sum(pupil.script.is_active for pupil in self.pupils),
                "active_7_days": active(0, 7),
                "active_7_days_before": active(7, 14),
                "new_7_days": sum(pupil.script.enrolled_at.date() >= recent for pupil in self.pupils),
                "left_7_days": sum(
                    pupil.script.left_at is not None and pupil.script.left_at.date() >= recent for pupil in self.pupils
                ),
                "median_progress": round(median(row["progress"] for row in staying), 4),
                "median_grade": plain(float(median(grades))) if grades else None,
                "at_risk": sum(row["at_risk"] for row in status),
                "passed": sum(row["passed"] for row in status),
                "last_act": max(act for pupil in self.pupils for act in acts(pupil)),
            }
        ]

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
                "with_videos": sum(_does(visit, Watch) > 0 for visit in visits),
                "with_problems": sum(_does(visit, Solve) > 0 for visit in visits),
                "with_forum": sum(_does(visit, Post) > 0 for visit in visits),
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
                if _does(visit, Solve):
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
                    "is_over": school.starts_on + timedelta(days=7 * at) <= END.date(),
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
                "posts": sum(_does(visit, Post) for visit in visits),
                "learners_posting": sum(_does(visit, Post) > 0 for visit in visits),
                "views": 0,
                "learners": sum(_does(visit, Post) > 0 for visit in visits),
            }
            for day, visits in self._by_day().items()
            if any(_does(visit, Post) for visit in visits)
        ]


def _points(solve: Solve) -> int:
    return sum(answer.correct for answer in solve.submissions[-1])


def _does(visit: Visit, kind: type[Any]) -> int:
    return sum(isinstance(step, kind) for study in visit.studies for step in study.steps)


#: The place of a block.
PLACE = ("section_name", "subsection_name", "unit_name", "course_order")
#: The place of a unit, besides its own name.
UNIT = ("section", "subsection", "unit", "section_name", "subsection_name", "course_order")
#: The views for boards, with the columns that tell the rows of a course apart.
VIEWS: dict[str, Sequence[str]] = {
    "course_names": (),
    "course_structure": ("usage_key",),
    "video_watch": ("usage_key",),
    "video_seconds": ("usage_key", "second"),
    "problem_performance": ("usage_key",),
    "problem_answers": ("usage_key", "question", "answer"),
    "graded_subsections": ("usage_key",),
    "course_outline": ("usage_key",),
    "learner_status": ("actor_id",),
    "learner_names": ("actor_id",),
    "learner_status_with_names": ("actor_id",),
    "course_summary": (),
    "enrollment_by_day": ("day",),
    "enrollment_by_track": ("mode",),
    "engagement_by_day": ("day",),
    "forum_activity": ("day",),
    "run_comparison": ("runs_back", "week"),
}
