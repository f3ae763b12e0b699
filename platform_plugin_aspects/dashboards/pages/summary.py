"""Five numbers of a course, how fresh they are, and why a board would be empty: texts in the user's language."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.dashboards.pages.summary_reading import Reading, State
from platform_plugin_aspects.dashboards.superset.config import is_configured
from platform_plugin_aspects.models import Change, TrackingEvent
from platform_plugin_aspects.reporting.rules import Rules
from platform_plugin_aspects.sinks.registry import is_on, names_are_on, sinks, why_it_stays_off, why_off

UNKNOWN = "–"
#: The boards that numbers lead to, by slug.
COURSE_BOARD, AT_RISK_BOARD = "course", "at-risk"
#: No more changes than these are counted.
MANY = 1_000
MANAGE = "python manage.py"


def summary(reading: Reading, course_key: CourseKey, rules: Rules, *, is_staff: bool) -> dict[str, Any]:
    """The body of the endpoint's answer, as CourseSummarySerializer describes it.

    ``is_staff``: whether reasons come with commands, names that are off are a reason, and waiting changes are told.
    """
    return {
        "numbers": list(_numbers(reading.values, rules)) if reading.state is State.READY else [],
        "freshness": " ".join(_freshness(reading, is_staff=is_staff)),
        "reasons": [
            {"text": text, "command": command if is_staff else ""}
            for text, command in _reasons(reading, course_key, is_staff=is_staff)
        ],
        "generated_at": datetime.fromtimestamp(reading.read_at, UTC),
    }


def _numbers(values: Any, rules: Rules) -> Iterator[dict[str, str]]:
    before = _count(values, "active_7_days_before", "")
    yield {
        "name": "active",
        "label": _("Active learners"),
        "value": _count(values, "active_7_days"),
        "before": before,
        "before_text": _("%(number)s the week before") % {"number": before} if before else "",
        "definition": _("Learners who did something in the course today or on the 6 days before (UTC)."),
        "board": COURSE_BOARD,
    }
    enrolled = is_on(sinks()["course_enrollment"])
    yield {
        "name": "enrolled",
        "label": _("Enrolled learners"),
        "value": _count(values, "enrolled") if enrolled else UNKNOWN,
        "before": "",
        "before_text": _coming_and_going(values) if enrolled else "",
        "definition": _(
            "Learners who are enrolled now. New ones enrolled today or on the 6 days before (UTC), those who left did "
            "so on these days."
        ),
        "board": COURSE_BOARD,
    }
    yield {
        "name": "progress",
        "label": _("Median progress"),
        "value": _share(values, "median_progress"),
        **_a_week_ago(_share(values, "median_progress_before", "")),
        "definition": _(
            "Half of the learners who have not left completed at least this share of what can be completed in the "
            "course."
        ),
        "board": COURSE_BOARD,
    }
    yield {
        "name": "grade",
        "label": _("Median grade"),
        "value": _share(values, "median_grade"),
        **_a_week_ago(_share(values, "median_grade_before", "")),
        "definition": _(
            "Half of the learners who have a grade and have not left have at least this grade. It is hidden while only "
            "a few have one."
        ),
        "board": COURSE_BOARD,
    }
    yield {
        "name": "at_risk",
        "label": _("Learners at risk"),
        "value": _count(values, "at_risk"),
        **_a_week_ago(_count(values, "at_risk_before", "")),
        "definition": _at_risk(rules),
        "board": AT_RISK_BOARD if names_are_on() else "",
    }


def _at_risk(rules: Rules) -> str:
    """The definition of learners at risk."""
    return ngettext(
        "Learners who have not left and do not pass, and who did nothing for more than %(days)s day, have a grade "
        "below %(grade)s, or have less progress than %(behind)s of the median.",
        "Learners who have not left and do not pass, and who did nothing for more than %(days)s days, have a grade "
        "below %(grade)s, or have less progress than %(behind)s of the median.",
        rules.away_days,
    ) % {
        "days": number_format(rules.away_days),
        "grade": percent(rules.low_grade),
        "behind": percent(rules.behind),
    }


def _a_week_ago(before: str) -> dict[str, str]:
    return {"before": before, "before_text": _("%(number)s a week ago") % {"number": before} if before else ""}


def _coming_and_going(values: Any) -> str:
    """The learners who came and went in a week, and in the week before if that is known."""
    names = {"new": "new_7_days", "left": "left_7_days"}
    text = _("%(new)s new, %(left)s left")
    if "left_7_days_before" in values:
        names |= {"new_before": "new_7_days_before", "left_before": "left_7_days_before"}
        # Translators: in this week, and in parentheses in the week before.
        text = _("%(new)s new, %(left)s left (before: %(new_before)s, %(left_before)s)")
    return text % {name: _count(values, column) for name, column in names.items()}


def _count(values: Any, name: str, otherwise: str = UNKNOWN) -> str:
    return number_format(values[name], 0, force_grouping=True) if name in values else otherwise


def _share(values: Any, name: str, otherwise: str = UNKNOWN) -> str:
    return percent(values[name]) if name in values else otherwise


def percent(share: float) -> str:
    """A share from 0 to 1 as per cent, in the user's format."""
    # Translators: a share of a hundred, such as 45%.
    return _("%(number)s%%") % {"number": number_format(round(100 * share), 0)}


def _freshness(reading: Reading, *, is_staff: bool) -> Iterator[str]:
    if "last_act" in reading.values:
        yield _("Last event %(time)s ago.") % {"time": since(reading.values["last_act"])}
    if "published_at" in reading.values:
        yield _("Course published %(time)s ago.") % {"time": since(reading.values["published_at"])}
    if is_staff and (number := waiting()):
        number = min(number, MANY)
        yield ngettext(
            "%(number)s change waits to be sent to the reports.",
            "%(number)s changes wait to be sent to the reports.",
            number,
        ) % {"number": number_format(number, force_grouping=True) + ("+" if number == MANY else "")}


def waiting() -> int:
    """The number of changes and events that wait for delivery, counted up to MANY of each."""
    return Change.objects.all()[:MANY].count() + TrackingEvent.objects.all()[:MANY].count()


def since(moment: float) -> str:
    """How long ago a moment is, in one unit, such as "40 seconds"; ``moment``: seconds since 1970."""
    now = timezone.now()
    # Clocks differ.
    seconds = max(0, int(now.timestamp() - moment))
    if seconds < 60:
        return ngettext("%(number)s second", "%(number)s seconds", seconds) % {"number": number_format(seconds)}
    return timesince(datetime.fromtimestamp(moment, UTC), now, depth=1)


def _reasons(reading: Reading, course_key: CourseKey, *, is_staff: bool) -> Iterator[tuple[str, str]]:
    """Why boards are empty or lack something, each with the command that an operator runs."""
    on = {name: is_on(sinks()[name]) for name in ("course_overviews", "course_enrollment", "xapi")}
    match reading.state:
        case State.MISSING:
            yield (
                _("The reports have not been set up yet. Please tell the site's administrators."),
                f"{MANAGE} lms aspects_reports create",
            )
            return
        case State.DENIED:
            yield (
                _("The reports may not be read yet. Please tell the site's administrators."),
                f"{MANAGE} lms aspects_reports --print-grants",
            )
            return
        case State.UNPUBLISHED if on["course_overviews"]:
            yield (
                _("This course has not been published since the reports were set up. Please publish it in Studio."),
                f"{MANAGE} cms dump_data_to_clickhouse --object course_overviews --ids {course_key}",
            )
    if not on["course_overviews"]:
        text = _("This site does not send its courses to the reports.")
        yield _off(text, "course_overviews", is_staff=is_staff)
    if not on["course_enrollment"]:
        text = _("This site does not send enrollments to the reports.")
        yield _off(text, "course_enrollment", is_staff=is_staff)
    if reading.state is State.READY and "last_act" not in reading.values:
        if on["xapi"]:
            yield _("No learner has done anything in this course yet."), ""
        else:
            yield _off(_("This site does not send what learners do to the reports."), "xapi", is_staff=is_staff)
    # A site may leave names off for good, and course teams cannot change that.
    if is_staff and is_configured() and not names_are_on():
        text = _("Boards with the names of learners are missing because this site does not send names to the reports.")
        off = [name for name in ("external_id", "user_profile") if not is_on(sinks()[name])]
        yield _off(text, *off, is_staff=is_staff)


def _off(text: str, *names: str, is_staff: bool) -> tuple[str, str]:
    """A reason, and the command that turns these sinks on. Staff read why a sink stays off that no command turns on."""
    stay_off = [sinks()[name] for name in names if why_it_stays_off(sinks()[name])]
    if stay_off:
        return " ".join([text, *(f"{why_off(sink)}." for sink in stay_off if is_staff)]), ""
    return text, " && ".join(f"{MANAGE} lms waffle_flag {sinks()[name].flag()} --everyone --create" for name in names)
