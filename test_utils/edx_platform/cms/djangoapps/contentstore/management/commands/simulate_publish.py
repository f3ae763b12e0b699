"""Send COURSE_PUBLISHED again, to all receivers or to some."""

from collections.abc import Callable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from opaque_keys.edx.keys import CourseKey
from xmodule.modulestore.django import COURSE_PUBLISHED, modulestore


class Command(BaseCommand):
    """As on the platform, the second element of each of the signal's entries is called as a weak reference."""

    help = "Send COURSE_PUBLISHED for courses that are published."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--courses", nargs="*", default=[])
        parser.add_argument("--receivers", nargs="*", default=[], help="only these, by name")
        parser.add_argument("--show_receivers", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        found = {name_of(receiver): receiver for receiver in receivers()}
        if options["show_receivers"]:
            for name in sorted(found):
                self.stdout.write(name)
            return
        wanted = options["receivers"] or found
        for name, receiver in found.items():
            if name not in wanted:
                COURSE_PUBLISHED.disconnect(receiver)
        keys = [CourseKey.from_string(text) for text in options["courses"]]
        for key in keys or [course.id for course in modulestore().get_courses()]:
            COURSE_PUBLISHED.send_robust(sender=self, course_key=key.for_branch(None).for_version(None))


def receivers() -> Iterator[Callable[..., Any]]:
    for entry in COURSE_PUBLISHED.receivers:
        yield entry[1]()


def name_of(receiver: Callable[..., Any]) -> str:
    return f"{receiver.__module__}.{receiver.__name__}"
