"""The numbers about a course's content that the reports on a class must show, by the scripts alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median
from typing import Any

from openedx.core.djangoapps.content.course_overviews.models import CourseOverview

from platform_plugin_aspects.load_test.journeys.answers import answers_of
from platform_plugin_aspects.load_test.journeys.script import Solve, Study, Watch
from platform_plugin_aspects.tests.reporting.scripts import (
    OfClass,
    all_steps,
    completed,
    leaves,
    points_of,
    share,
    studies,
)

#: The place of a block.
PLACE = ("section_name", "subsection_name", "unit_name", "course_order")
#: The place of a unit, besides its own name.
UNIT = ("section", "subsection", "unit", "place", "section_name", "subsection_name", "course_order")

TENTHS = ("0-9%", "10-19%", "20-29%", "30-39%", "40-49%", "50-59%", "60-69%", "70-79%", "80-89%", "90-100%")


class Content(OfClass):
    """Blocks, videos, problems, subsections and units."""

    def _named(self, key: str, kind: str, *columns: str) -> dict[str, Any]:
        """The key of a block, its name as that of its kind, and these columns of its place."""
        row = self.by_key[key]
        some = {column: row[column] for column in ("usage_key", "block_id", *columns)}
        return {**some, f"{kind}_name": row["block_name"]}

    def course_names(self) -> list[dict[str, Any]]:
        course = CourseOverview.objects.get(pk=self.course)
        return [
            {
                "course_name": course.display_name,
                "course_run": self.course.run,
                "starts_at": course.start,
                "ends_at": course.end,
                "published_at": course.modified,
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

    def video_minutes(self) -> list[dict[str, Any]]:
        minutes: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
        for row in self.video_seconds():
            minutes[row["usage_key"], row["second"] // 60].append(row)
        return [
            {
                **self._named(key, "video"),
                "video_place": f"{self.by_key[key]['place']} {self.by_key[key]['block_name']}",
                "minute": minute,
                **{column: max(row[column] for row in seconds) for column in ("learners", "views", "rewatches")},
            }
            for (key, minute), seconds in minutes.items()
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
                points[actor] += points_of(solve)
        made = []
        for key, of_problem in solved.items():
            number = len(of_problem)
            first = {
                actor: all(answer.correct for answer in solve.submissions[0]) for actor, solve in of_problem.items()
            }
            ranked = sorted(of_problem, key=lambda actor: (points[actor] - points_of(of_problem[actor]), actor))
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

    def subsection_problems(self) -> list[dict[str, Any]]:
        columns = ("learners", "first_try_share", "right_last", "attempts_mean", "flags")
        made = []
        for row in self.problem_performance():
            named = self._named(row["usage_key"], "problem", "subsection_name", "unit_name", "course_order")
            subsection = self.by_key[row["usage_key"]]["subsection_key"]
            named["block_id"] = self.by_key[subsection]["block_id"]
            made.append({**named, **{column: row[column] for column in columns}})
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
            ]
        return made

    def _scores(self) -> dict[str, dict[str, float]]:
        """{graded subsection: {actor: score}}."""
        found = {}
        subsections = dict.fromkeys(unit.subsection for unit in self.units)
        for subsection in (key for key in subsections if self.by_key[str(key)]["graded"]):
            possible = sum(
                problem.parts for unit in self.units if unit.subsection == subsection for problem in unit.problems
            )
            scores = found[str(subsection)] = dict[str, float]()
            for pupil in self.pupils:
                solved = [
                    step
                    for study in studies(pupil)
                    if study.unit.subsection == subsection
                    for step in study.steps
                    if isinstance(step, Solve)
                ]
                if solved:
                    scores[pupil.actor] = sum(map(points_of, solved)) / possible
        return found

    def graded_subsections(self) -> list[dict[str, Any]]:
        return [
            {
                **self._named(subsection, "subsection", "section_name", "course_order"),
                "learners": len(scores),
                "mean_score": share(sum(scores.values()), len(scores)) if scores else None,
                "median_score": round(median(scores.values()), 4) if scores else None,
                "full_score": sum(score >= 1 for score in scores.values()),
            }
            for subsection, scores in self._scores().items()
        ]

    def grade_distribution(self) -> list[dict[str, Any]]:
        grades = {pupil.actor: answers_of(pupil.script, self.structure)["grade"] for pupil in self.pupils}
        of_course = {actor: grade for actor, grade in grades.items() if grade is not None}
        staying = {pupil.actor for pupil in self.pupils if pupil.script.is_active}
        made = []
        for key, scores in {"": of_course, **self._scores()}.items():
            # 0.7 * 10 is a little less than 7.
            tenths = Counter(min(9, int(round(score * 10, 6))) for actor, score in scores.items() if actor in staying)
            named = (
                self._named(key, "subsection")
                if key
                else dict.fromkeys(("usage_key", "block_id", "subsection_name"), "")
            )
            made += [
                {**named, "is_course": not key, "tenth": name, "learners": tenths[number]}
                for number, name in enumerate(TENTHS)
                if tenths
            ]
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
            named = self._named(units[str(unit.subsection), unit.tab], "unit", *UNIT)
            made.append(
                {
                    **named,
                    "subsection_place": f"{named['section']}.{named['subsection']} {named['subsection_name']}",
                    "learners_reached": len(here),
                    "learners_completed": sum(completed(study) == leaves(unit) for study in here),
                    "problems": len(unit.problems),
                    "right_first_share": share(right, answered) if answered else None,
                    "videos": len(unit.videos),
                    "to_end_share": share(to_end, played) if played else None,
                }
            )
        return made
