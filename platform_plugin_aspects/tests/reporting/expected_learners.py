"""The numbers about learners that the reports on a class must show, by the scripts alone."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from django.contrib.auth import get_user_model
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview

from platform_plugin_aspects.load_test.journeys.answers import answers_of
from platform_plugin_aspects.load_test.journeys.script import Solve, Watch
from platform_plugin_aspects.tests.reporting.scripts import (
    OfClass,
    acts,
    all_steps,
    completed,
    leaves,
    moments_of_studies,
    points_of,
    share,
    studies,
)
from platform_plugin_aspects.tests.reporting.site import Pupil, plain


class Learners(OfClass):
    """Learners one by one, and the course as a whole."""

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
            long_ago = self.now - timedelta(days=7)
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
                    "problems_right": sum(points_of(solve) == solve.problem.parts for solve in solved),
                    "attempts": sum(len(solve.submissions) for solve in solved),
                    "videos": len(facts["videos"]),
                    "posts": facts["posts"],
                    "at_risk": bool(reasons),
                    "reasons": "; ".join(reasons),
                }
            )
        return made

    def at_risk_reasons(self) -> list[dict[str, Any]]:
        reasons = Counter(
            reason for row in self.learner_status() if row["at_risk"] for reason in row["reasons"].split("; ")
        )
        return [{"reason": reason, "learners": number} for reason, number in reasons.items()]

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

    def learner_path(self) -> list[dict[str, Any]]:
        """The script says what a learner did in a unit, and the events say when."""
        names = {row["actor_id"]: row for row in self.learner_names()}
        columns = ("usage_key", "block_id", "place", "section_name", "subsection_name", "unit_name", "course_order")
        verticals = [row for row in self.blocks if row["block_type"] == "vertical"]
        units = {(row["subsection_key"], row["unit"]): row for row in verticals}
        made = []
        for pupil in self.pupils:
            for study, moments in zip(studies(pupil), moments_of_studies(pupil), strict=True):
                unit = units[str(study.unit.subsection), study.unit.tab]
                solved = [step for step in study.steps if isinstance(step, Solve)]
                made.append(
                    {
                        **{column: names[pupil.actor][column] for column in ("actor_id", "username", "name")},
                        **{column: unit[column] for column in columns},
                        "first_visit": moments[0],
                        "last_visit": moments[-1],
                        "completed_share": share(len(completed(study)), len(leaves(study.unit))),
                        "problems": len(solved),
                        "right_first": sum(all(a.correct for a in solve.submissions[0]) for solve in solved),
                        "videos": sum(isinstance(step, Watch) for step in study.steps),
                    }
                )
        return made

    def course_summary(self) -> list[dict[str, Any]]:
        status = self.learner_status()
        staying = [row for row in status if row["enrollment"] == "enrolled"]
        grades = [row["grade"] for row in staying if row["grade"] is not None]

        def active(first: int, last: int) -> int:
            # Days before the last one, which is the day of the clock.
            days = {(self.now - timedelta(days=back)).date() for back in range(first, last)}
            return sum(any(act.date() in days for act in acts(pupil)) for pupil in self.pupils)

        recent = (self.now - timedelta(days=6)).date()
        return [
            {
                "course_name": CourseOverview.objects.get(pk=self.course).display_name,
                "course_run": self.course.run,
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
                "published_at": CourseOverview.objects.get(pk=self.course).modified,
                "last_act": max(act for pupil in self.pupils for act in acts(pupil)),
            }
        ]

    def course_summary_before(self) -> list[dict[str, Any]]:
        """A week before: of what was done until then."""
        as_of = (self.now - timedelta(days=6)).replace(hour=0, minute=0, second=0, microsecond=0)
        all_leaves = set().union(*map(leaves, self.units))
        found = [self._until(pupil, as_of, all_leaves) for pupil in self.pupils]
        staying = [row for row in found if row and row["enrolled"]]
        middle = median(row["progress"] for row in staying)
        grades = [row["grade"] for row in staying if row["grade"] is not None]
        week = [(as_of - timedelta(days=back)).date() for back in range(1, 8)]
        long_ago = as_of - timedelta(days=7)
        return [
            {
                "as_of": as_of,
                "new_7_days": sum(pupil.script.enrolled_at.date() in week for pupil in self.pupils),
                "left_7_days": sum(
                    pupil.script.left_at is not None and pupil.script.left_at.date() in week for pupil in self.pupils
                ),
                "median_progress": round(middle, 4),
                "median_grade": round(median(grades), 4) if grades else None,
                "at_risk": sum(
                    not row["passed"]
                    and (
                        (row["visits"][-1] if row["visits"] else row["enrolled_at"]) < long_ago
                        or (row["grade"] is not None and row["grade"] < 0.5)
                        or row["progress"] < 0.5 * middle
                    )
                    for row in staying
                ),
            }
        ]

    def _until(self, pupil: Pupil, moment: datetime, all_leaves: set[str]) -> dict[str, Any] | None:
        """The state of a learner at a moment, by the events before it; None before the enrollment."""
        events = [event for event in pupil.events if datetime.fromisoformat(event["timestamp"]) < moment]
        if not events:
            return None
        named = [(event["name"], event["data"]) for event in events]
        done = {data["block_id"] for name, data in named if name.endswith("block_completion.changed")}
        grades = [data["percent_grade"] for name, data in named if name == "edx.grades.course.grade_calculated"]
        outcomes = [name for name, _data in named if "course.grade.now_" in name]
        return {
            "enrolled": pupil.script.left_at is None or pupil.script.left_at >= moment,
            "enrolled_at": datetime.fromisoformat(events[0]["timestamp"]),
            "visits": [act for act in acts(pupil) if act < moment],
            "progress": round(len(done & all_leaves) / len(all_leaves), 4),
            "grade": grades[-1] if grades else None,
            "passed": bool(outcomes) and outcomes[-1].endswith("passed"),
        }
