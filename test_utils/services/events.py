"""Learners who act on a site: ``python -m test_utils.services.events --events N --users ID [ID ...]``.

One thread per learner. Each request emits one to four events in a transaction, which also makes a group that says
which; some requests are rolled back. A request that fails, because the database is gone, is not repeated: whether it
was committed is told by its group. Prints how many events were emitted.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import django

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
COURSE = "course-v1:Services+one+2026"
ROLLED_BACK = 0.1
PAUSE_SECS = 0.2
PREFIX = "events"


def act(user_id: int, events: int) -> int:
    """Emit so many events of one learner, each with a moment of its own; returns how many were emitted."""
    from django.contrib.auth.models import Group
    from django.db import Error, connection, transaction

    from platform_plugin_aspects.delivery.tracking import OutboxBackend

    chance = random.Random(user_id)
    backend = OutboxBackend()
    emitted = 0
    while emitted < events:
        number = chance.randint(1, 4)
        try:
            with transaction.atomic():
                for position in range(emitted, emitted + number):
                    backend.send(
                        {
                            "name": "edx.course.enrollment.activated",
                            "timestamp": moment(position),
                            "data": {"user_id": user_id, "course_id": COURSE, "mode": "audit"},
                            "context": {"user_id": user_id, "course_id": COURSE, "org_id": "Services"},
                        }
                    )
                Group.objects.create(name=f"{PREFIX} {user_id} {emitted} {number}")
                if chance.random() < ROLLED_BACK:
                    transaction.set_rollback(True)
        except Error:
            connection.close()
            time.sleep(PAUSE_SECS)
        emitted += number
    connection.close()
    return emitted


def moment(position: int) -> datetime:
    """When a learner's event of this number was emitted."""
    return BEGIN + timedelta(milliseconds=position)


def committed(user_ids: Sequence[int]) -> Iterator[tuple[int, datetime]]:
    """(user id, moment) of each event whose request was committed."""
    from django.contrib.auth.models import Group

    for name in Group.objects.filter(name__startswith=f"{PREFIX} ").values_list("name", flat=True):
        user_id, first, number = map(int, name.split()[1:])
        if user_id in user_ids:
            for position in range(first, first + number):
                yield user_id, moment(position)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, required=True, help="of each learner")
    parser.add_argument("--users", type=int, nargs="+", required=True)
    options = parser.parse_args()
    django.setup()
    with ThreadPoolExecutor(len(options.users)) as pool:
        emitted = list(pool.map(lambda user_id: act(user_id, options.events), options.users))
    print(json.dumps({"events": sum(emitted)}))


if __name__ == "__main__":
    main()
