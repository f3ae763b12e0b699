"""Learners who act on a site: ``python -m test_utils.services.events --events N --users ID [ID ...]``.

One thread per learner. Each request emits one to four events in a transaction, which also makes a group that says
which; some requests are rolled back. A request that fails, because the database is gone, is not repeated: whether it
was committed is told by its group. Events go through the platform's tracker, which also writes them to the tracking log
(STANDIN_TRACKING_LOG) at once, whatever becomes of the transaction. Prints the numbers of the events that each learner
emitted.
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


def act(user_id: int, events: int, rolled_back: float) -> list[int]:
    """Emit so many events of one learner, each with a moment of its own; returns the numbers of those emitted.

    An event that would belong to a request that cannot begin, because the database is gone, is not emitted.
    ``rolled_back``: the share of requests that are rolled back.
    """
    from django.contrib.auth.models import Group
    from django.db import Error, connection, transaction
    from eventtracking.tracker import get_tracker

    chance = random.Random(user_id)
    # The step of ``emit`` that comes after the event got its moment, which is ours here.
    tracker = get_tracker().routing_backend
    emitted: list[int] = []
    first = 0
    while first < events:
        number = chance.randint(1, 4)
        try:
            with transaction.atomic():
                for position in range(first, first + number):
                    tracker.send(
                        {
                            "name": "edx.course.enrollment.activated",
                            "timestamp": moment(position),
                            "data": {"user_id": user_id, "course_id": COURSE, "mode": "audit"},
                            "context": {"user_id": user_id, "course_id": COURSE, "org_id": "Services"},
                        }
                    )
                    emitted.append(position)
                Group.objects.create(name=f"{PREFIX} {user_id} {first} {number}")
                if chance.random() < rolled_back:
                    transaction.set_rollback(True)
        except Error:
            connection.close()
            time.sleep(PAUSE_SECS)
        first += number
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
    parser.add_argument("--rolled-back", type=float, default=ROLLED_BACK, help="share of requests that are rolled back")
    options = parser.parse_args()
    django.setup()
    with ThreadPoolExecutor(len(options.users)) as pool:
        acts = [pool.submit(act, user_id, options.events, options.rolled_back) for user_id in options.users]
    print(json.dumps({user_id: each.result() for user_id, each in zip(options.users, acts, strict=True)}))


if __name__ == "__main__":
    main()
