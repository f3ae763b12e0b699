"""Make learning events of learners with scripted journeys through courses of this site."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey
from tqdm import tqdm

from platform_plugin_aspects.load_test import platform
from platform_plugin_aspects.load_test.journeys.people import PREFIX
from platform_plugin_aspects.load_test.journeys.run import Request, Result, choose, run
from platform_plugin_aspects.load_test.journeys.structure import Structure
from platform_plugin_aspects.load_test.traffic import EMAIL_DOMAIN
from platform_plugin_aspects.management.command import AspectsCommand
from platform_plugin_aspects.management.options import (
    add_even_if_off_argument,
    moment,
    require_at_least,
)
from platform_plugin_aspects.operations import text
from platform_plugin_aspects.sinks.registry import HOW_TO_WRITE_IF_OFF, is_on, why_off
from platform_plugin_aspects.sinks.statement_sink import StatementSink
from platform_plugin_aspects.stopping import INTERRUPTED, Stoppable
from platform_plugin_aspects.xapi.processor import why_not_usable

#: It is part of the usernames, of which the platform takes 30 characters.
LARGEST_SEED = 999_999_999
#: Ten years.
MOST_DAYS = 3_650


class Command(AspectsCommand):
    """The events are the platform's, and the statements are those that the sink makes of them."""

    help = (
        "Make learners who enroll, upgrade, leave, watch videos, answer problems and post, by scripts, in published "
        "courses of this site. Their tracking events become xAPI statements in ClickHouse. The same options make the "
        "same events again. --answers writes what reports must show. The users, enrollments and statements stay."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--learners", type=int, default=100, metavar="N", help="learners (default: 100)")
        parser.add_argument(
            "--courses", type=int, default=1, metavar="N", help="the N courses with most to do (default: 1)"
        )
        parser.add_argument("--course", nargs="+", default=[], metavar="KEY", help="these courses, whatever --courses")
        parser.add_argument("--days", type=int, default=30, metavar="N", help="days of their journeys (default: 30)")
        parser.add_argument(
            "--until", metavar="DATE", help="the day before which the journeys end; ISO 8601, UTC (default: today)"
        )
        parser.add_argument("--seed", type=int, default=7, metavar="N", help="another one, other journeys (default: 7)")
        parser.add_argument("--answers", metavar="FILE", help="write the facts of the scripts to this file, as JSON")
        parser.add_argument("--yes", action="store_true", help="yes, make users and events that stay on this site")
        add_even_if_off_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        end = _refuse(options)
        with _account_errors():
            structures = choose(options["courses"], map(_course_key, options["course"]))
            _refuse_courses(structures, options)
            for structure in structures:
                for line in _missing(structure):
                    self.stdout.write(line)
            request = Request(structures, options["learners"], options["seed"], end, options["days"])
            bar = tqdm(total=request.learners, unit=" learners", disable=not self.stderr.isatty())
            with Stoppable("the current learner") as stop, bar:

                def watch(number: int) -> bool:
                    bar.update()
                    return not stop.wants_to_stop()

                result = run(request, StatementSink(), watch)
        if options["answers"]:
            _write_answers(Path(options["answers"]), request, result)
        self._report(result)
        if stop.stopping and len(result.answers[0]["learners"]) < request.learners:
            raise CommandError("Stopped; the same command makes the rest", returncode=INTERRUPTED)
        if result.rejected:
            raise CommandError(f"{sum(result.rejected.values()):,} events could not be transformed; see above")

    def _report(self, result: Result) -> None:
        """Print the counts."""
        rows = [(name, f"{number:,}") for name, number in result.events.most_common()]
        for line in text.table([("event", "events"), *rows], right=(1,)):
            self.stdout.write(line)
        for course in result.answers:
            self.stdout.write(f"{course['course_id']}: {text.counted(len(course['learners']), 'learner')}")
        for reason, number in result.rejected.most_common():
            self.stdout.write(f"{text.counted(number, 'event')}: {reason}")
        self.stdout.write(f"{sum(result.events.values()):,} events, {result.statements:,} statements written")


def _refuse(options: Mapping[str, Any]) -> datetime:
    """The midnight at which the journeys end; CommandError for invalid options, and where nothing can be made."""
    require_at_least(options, learners=1, courses=1, days=1, seed=0)
    if options["seed"] > LARGEST_SEED:
        raise CommandError(f"--seed {options['seed']}: it must be at most {LARGEST_SEED:,}")
    if options["days"] > MOST_DAYS:
        raise CommandError(f"--days {options['days']}: it must be at most {MOST_DAYS:,}")
    now = timezone.now().astimezone(UTC)
    until = moment(options, "until") or now
    if until > now:
        raise CommandError(f"--until {options['until']}: it is in the future, and events are not")
    end = until.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        end - timedelta(days=options["days"])
    except OverflowError:
        raise CommandError(f"--until {options['until']}: its year is too small") from None
    if options["answers"] and not Path(options["answers"]).absolute().parent.is_dir():
        raise CommandError(f"--answers {options['answers']}: there is no such folder")
    reason = why_not_usable()
    if reason:
        raise CommandError(f"No statements can be made: {reason}")
    if not (options["even_if_off"] or is_on(StatementSink)):
        raise CommandError(f"{why_off(StatementSink)}. {HOW_TO_WRITE_IF_OFF}")
    if not (settings.DEBUG or options["yes"]):
        raise CommandError(
            f"This makes {options['learners']} users, their enrollments and their learning events in courses of this "
            "site, and all of them stay. If you mean it, add --yes"
        )
    return end


def _course_key(given: str) -> CourseKey:
    try:
        key: CourseKey = CourseKey.from_string(given)
    except InvalidKeyError:
        raise CommandError(f"--course {given}: it must be a course key, as course-v1:Org+Course+Run") from None
    return key


def _refuse_courses(structures: list[Structure], options: Mapping[str, Any]) -> None:
    """Raise CommandError unless there are courses to go through."""
    for structure in structures:
        if not structure.units:
            raise CommandError(f"{structure.course} has no published unit: publish one, or name another course")
    if len(structures) < options["courses"] and not options["course"]:
        number = len(structures)
        found = f"only {number} course{' has' if number == 1 else 's have'}" if number else "no course has"
        raise CommandError(f"--courses {options['courses']}: {found} published units: publish one, or take fewer")


def _missing(structure: Structure) -> Iterator[str]:
    """Lines about what nobody can do in a course."""
    for blocks, name, consequence in (
        (structure.videos, "video", "nobody watches one"),
        (structure.problems, "problem", "nobody answers one, passes or fails"),
    ):
        if not blocks:
            yield f"{structure.course} has no published {name}: {consequence}"


@contextmanager
def _account_errors() -> Iterator[None]:
    try:
        yield
    except platform.AccountRefused as refused:
        raise CommandError(
            f"{refused}: registrations must allow usernames that begin with {PREFIX}, and addresses at {EMAIL_DOMAIN}"
        ) from None


def _write_answers(path: Path, request: Request, result: Result) -> None:
    answers = {
        "seed": request.seed,
        "until": request.end.date().isoformat(),
        "days": request.days,
        "courses": result.answers,
    }
    try:
        path.write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"--answers {path} cannot be written ({error.strerror}); the events are in ClickHouse"
        ) from None
