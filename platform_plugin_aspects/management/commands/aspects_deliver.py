"""Deliver now, in the foreground."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

from django.core.management.base import CommandError, CommandParser

from platform_plugin_aspects import databases
from platform_plugin_aspects.clickhouse.text import whole
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.delivery.deliver import Delivery, Status, deliver_changes
from platform_plugin_aspects.delivery.pending import kind_of
from platform_plugin_aspects.delivery.sink_lock import end_wait
from platform_plugin_aspects.management import report
from platform_plugin_aspects.management.command import AspectsCommand
from platform_plugin_aspects.models import Change
from platform_plugin_aspects.operations.status import SHOWN, sink_statuses
from platform_plugin_aspects.operations.text import counted, printable
from platform_plugin_aspects.sinks import StatementSink
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.stopping import INTERRUPTED

#: The longest wait for a worker that is delivering a sink, and the pause between two looks, in seconds.
PATIENCE_SECS = 60
LOOK_SECS = 0.5


class Command(AspectsCommand):
    """Exit code 1 when something stays undelivered though its sink is on."""

    help = (
        "Deliver the pending changes of every sink that is on, now and in this process, even during the back-off after "
        f"a failure. Waits up to {PATIENCE_SECS} seconds for a worker that is delivering. Exit code 1 if changes stay "
        "undelivered, with the reason."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--object",
            nargs="+",
            action="extend",
            metavar="NAME",
            help=f"only these sinks: {', '.join(sinks())}",
        )
        parser.add_argument(
            "--retry-failed", action="store_true", help="also the objects that wait because they could not be written"
        )
        parser.add_argument(
            "--forget",
            nargs=2,
            metavar=("SINK", "ID"),
            help="deliver nothing; give up the changes that are recorded of this object",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        names, retry = options["object"], options["retry_failed"]
        if options["forget"]:
            if names or retry:
                raise CommandError("--forget delivers nothing: give it alone")
            # A terminal's bytes that are not text cannot be searched for.
            self._forget(*map(whole, options["forget"]))
            return
        known = sinks()
        unknown = [name for name in names or () if name not in known]
        if unknown:
            raise CommandError(f"There is no sink {unknown[0]!r}: choose among {', '.join(known)}")
        try:
            self._deliver_all([name for name in known if name in (names or known)], retry)
        except KeyboardInterrupt:
            raise CommandError("Stopped; what is not delivered is kept", returncode=INTERRUPTED) from None

    def _deliver_all(self, names: Sequence[str], retry: bool) -> None:
        """Deliver these sinks in this order, because delivering one may record changes of the next."""
        width = max(map(len, names))
        stuck = set()
        for name in names:
            result = self._deliver(name, retry)
            self.stdout.write(f"{name:<{width}}  {_what_happened(result, is_event=name == StatementSink.name)}")
            for key, reason in islice(result.outcome.rejected.items(), SHOWN):
                self.stdout.write(printable(f"{'':{width}}  {key} cannot be written: {reason}"))
            if result.status not in (Status.DELIVERED, Status.OFF):
                stuck.add(name)
        failing = {status.sink for status in sink_statuses(show=0) if status.enabled and status.failing_objects}
        left = [name for name in names if name in stuck | failing]
        if left:
            advice = "; `aspects_status` names the objects, --retry-failed tries them too, --forget gives one up"
            raise CommandError(f"Not all is delivered of {', '.join(left)}{advice if failing & {*left} else ''}")

    def _deliver(self, name: str, retry: bool) -> Delivery:
        """Deliver one sink, as soon as no worker is at it."""
        if retry:
            outbox.retry_failed(name)
        end_wait(name)
        databases.check_before_use()
        result = deliver_changes(name)
        deadline = time.monotonic() + PATIENCE_SECS
        if result.status is Status.BUSY:
            self.stdout.write(f"{name}: a worker is delivering it; waiting for that")
        while result.status is Status.BUSY and time.monotonic() < deadline:
            time.sleep(LOOK_SECS)
            databases.check_before_use()
            result = deliver_changes(name)
        return result

    def _forget(self, name: str, object_id: str) -> None:
        """Give up what is recorded of an object, and say what that means."""
        sink = sinks().get(name)
        is_event = name == StatementSink.name
        how = report.command({"object": name, "ids": [object_id]})
        if sink is None:
            meaning = "there is no sink of this name, so nobody would deliver them"
        elif is_event:
            meaning = "its statements are not written; the platform's tracking log has the event"
        elif sink.has_objects:
            meaning = f"ClickHouse keeps what it has of it, until it changes again or you run: {how}"
        else:
            meaning = "what they would delete stays in ClickHouse, and no backfill deletes it"
        if not kind_of(name).rows_of_objects(name, [object_id]).exists():
            if sink is None and not Change.objects.filter(sink=name).exists():
                raise CommandError(
                    f"There is no sink {name!r}, and nothing is recorded of one: choose among {', '.join(sinks())}"
                )
            raise CommandError(f"Nothing is recorded of {name} {object_id}; `aspects_status` names objects that fail")
        self.stdout.write(f"Giving up {'' if is_event else 'the changes of '}{name} {object_id}: {meaning}")
        self.stdout.write(f"{counted(outbox.discard(name, object_id), 'event' if is_event else 'change')} deleted")


def _what_happened(result: Delivery, *, is_event: bool) -> str:
    if result.status is Status.FAILED:
        return printable(f"failed, all is kept: {result.error}")
    if result.status is Status.BUSY:
        return f"a worker has been delivering it for {PATIENCE_SECS} s"
    if result.status is Status.WAITING:
        return "another delivery has just failed, and it waits"
    if result.status is Status.OFF:
        return "off; what is recorded is kept"
    parts = [f"{counted(result.objects, 'event' if is_event else 'object')} delivered"]
    if result.deleted:
        parts.append(f"{result.deleted:,} deleted")
    if result.outcome.rejected:
        parts.append(f"{len(result.outcome.rejected):,} cannot be written")
    return ", ".join(parts)
