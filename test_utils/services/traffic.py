"""Random actions of people on a site: ``python -m test_utils.services.traffic --seed N --operations N [--threads N]``.

Every operation is one that the platform offers. A part of them runs in a transaction that ends a moment after the
change, or is rolled back; what the database refuses because others were quicker (a deadlock, a row that is gone) did
not happen. Prints how often each operation happened, as JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django

MODES = ("audit", "verified", "honor", "professional")
LONGEST_PAUSE_SECS = 0.05
TRANSACTIONS = 0.4
ROLLED_BACK = 0.15


class _TakenBack(Exception):
    """The caller changes its mind."""


class Traffic:
    """A sequence of operations that the seed decides."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.texts = itertools.count(1)
        self.seed = seed
        self.done: Counter[str] = Counter()

    def run(self, operations: int) -> Counter[str]:
        """Do so many operations, one after the other; return how often each happened."""
        from django.core.exceptions import ObjectDoesNotExist, ValidationError
        from django.db import Error, connections, transaction
        from edx_django_utils.cache import RequestCache

        kinds: list[Callable[[], bool]] = [
            *(self.enroll, self.unenroll, self.change_mode, self.change_mode, self.activate),
            *(self.save_profile, self.save_profile, self.save_profile, self.make_external_id),
            *(
                self.publish,
                self.tag,
                self.make_tag,
                self.make_tag,
                self.rename_tag,
                self.delete_tag,
                self.rename_taxonomy,
            ),
        ]
        try:
            for _ in range(operations):
                # Each is a request of its own.
                RequestCache.clear_all_namespaces()
                kind = self.random.choice(kinds)
                in_transaction = self.random.random() < TRANSACTIONS
                back = self.random.random() < ROLLED_BACK
                try:
                    if in_transaction:
                        with transaction.atomic():
                            happened = kind()
                            self.pause()
                            if back:
                                raise _TakenBack
                    else:
                        happened = kind()
                    self.done[kind.__name__] += happened
                except _TakenBack:
                    self.done["taken back"] += 1
                except (Error, ObjectDoesNotExist, ValidationError):
                    self.done["refused"] += 1
                self.pause()
        finally:
            connections.close_all()
        return self.done

    def pause(self) -> None:
        """Wait for a random moment."""
        time.sleep(self.random.uniform(0, LONGEST_PAUSE_SECS))

    def text(self) -> str:
        """A text that no other operation writes, with characters that have to survive."""
        return f"{self.seed}.{next(self.texts)} \N{OWL} 'שלום' \\N \"q\"\t"

    def enroll(self) -> bool:
        """Enroll a learner in a course."""
        from common.djangoapps.student.models import CourseEnrollment

        CourseEnrollment.enroll(self.any_user(), self.any_course(), mode=self.random.choice(MODES))
        return True

    def unenroll(self) -> bool:
        """End an enrollment."""
        enrollment = self.any_enrollment()
        type(enrollment).unenroll(enrollment.user, enrollment.course_id)
        return True

    def change_mode(self) -> bool:
        """Another mode, as after a payment."""
        self.any_enrollment().change_mode(self.random.choice(MODES))
        return True

    def activate(self) -> bool:
        """Make an enrollment active or inactive."""
        enrollment = self.any_enrollment()
        self.random.choice([enrollment.activate, enrollment.deactivate])()
        return True

    def save_profile(self) -> bool:
        """A learner edits the profile."""
        profile = self.any_user().profile
        profile.name = self.text()
        profile.save()
        return True

    def make_external_id(self) -> bool:
        """A learner is known elsewhere from now on."""
        from openedx.core.djangoapps.external_user_ids.models import ExternalId

        kind = ExternalId._meta.get_field("external_id_type").related_model.objects.order_by("pk").first()
        _made, is_new = ExternalId.objects.get_or_create(user=self.any_user(), external_id_type=kind)
        return is_new

    def publish(self) -> bool:
        """An author renames a course and publishes it."""
        from xmodule.modulestore.django import modulestore

        from test_utils.factories import publish_course

        course_key = self.any_course()
        if not modulestore().has_course(course_key):
            return False
        modulestore().edit_course(course_key, display_name=self.text())
        publish_course(course_key)
        return True

    def tag(self) -> bool:
        """An author gives a course or one of its blocks other tags."""
        from xmodule.modulestore.django import modulestore

        from test_utils.factories import tag_object

        course_key = self.any_course()
        if not modulestore().has_course(course_key):
            return False
        blocks = modulestore().get_items(course_key.for_branch("published-branch"))
        block = self.random.choice(blocks).location.for_branch(None)
        tag = self.any_tag()
        if tag is None:
            return False
        tag_object(self.random.choice([course_key, block]), tag.taxonomy, tag.value)
        return True

    def make_tag(self) -> bool:
        """A new tag, below another or at the root."""
        from test_utils.factories import make_tag

        parent = self.any_tag(parent=None)
        if parent is None:
            return False
        make_tag(parent.taxonomy, self.text().strip(), parent=self.random.choice([parent, None]))
        return True

    def rename_tag(self) -> bool:
        """Another value for a tag."""
        tag = self.any_tag()
        if tag is None:
            return False
        tag.value = self.text().strip()
        tag.save()
        return True

    def delete_tag(self) -> bool:
        """A tag without others below it goes."""
        tag = self.any_tag(children=None)
        if tag is None:
            return False
        tag.delete()
        return True

    def rename_taxonomy(self) -> bool:
        """Another name for a taxonomy."""
        tag = self.any_tag()
        if tag is None:
            return False
        tag.taxonomy.name = self.text()
        tag.taxonomy.save()
        return True

    def any_user(self) -> Any:
        from django.contrib.auth.models import User

        return self._any(User.objects.filter(profile__isnull=False))

    def any_course(self) -> Any:
        from openedx.core.djangoapps.content.course_overviews.models import CourseOverview

        # A CCX is published with its master.
        keys = [key for key in CourseOverview.objects.values_list("pk", flat=True) if not hasattr(key, "ccx")]
        return self.random.choice(sorted(keys, key=str))

    def any_enrollment(self) -> Any:
        from common.djangoapps.student.models import CourseEnrollment

        return self._any(CourseEnrollment.objects.all())

    def any_tag(self, **conditions: Any) -> Any:
        from test_utils.factories import Tag

        conditions.setdefault("taxonomy__isnull", False)
        tag = self._any(Tag.objects.filter(**conditions))
        # Taxonomies of the system take no changes.
        return None if tag is None or tag.taxonomy.cast().system_defined else tag

    def _any(self, queryset: Any) -> Any:
        """One of the objects, or None when there is none."""
        number = queryset.count()
        return queryset.order_by("pk")[self.random.randrange(number) :].first() if number else None


def run_threads(seed: int, operations: int, threads: int) -> Counter[str]:
    """Run so many threads of traffic at once, each with its share of the operations."""
    share = operations // threads
    done: Counter[str] = Counter()
    with ThreadPoolExecutor(threads) as pool:
        for one in [pool.submit(Traffic(seed * 1000 + number).run, share) for number in range(threads)]:
            done += one.result()
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--operations", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    django.setup()
    print(json.dumps(run_threads(options.seed, options.operations, options.threads)))


if __name__ == "__main__":
    main()
