"""Backfill: bring objects that are there already to ClickHouse."""

from __future__ import annotations

import math
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.backfill import Summary, Walk, backfill
from platform_plugin_aspects.management.options import (
    add_connection_arguments,
    connection_from,
    failures_as_command_errors,
)
from platform_plugin_aspects.sinks import BaseSink
from platform_plugin_aspects.sinks.registry import sinks

ALL = "all"
#: Options that name keys, which differ from object to object.
OF_ONE_OBJECT = ("ids", "ids_to_skip", "start_pk")


class Command(BaseCommand):
    """Walks the source in the order of its primary keys; each batch is one insert."""

    help = (
        "Bring objects of edx-platform to ClickHouse. Courses are written when they were published since their last "
        "dump; other objects always."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--object",
            required=True,
            metavar="NAME",
            help=f"what to bring: {', '.join(_objects())}, or {ALL} (every object whose sink is on)",
        )
        parser.add_argument("--ids", nargs="+", metavar="ID", help="only objects with these primary keys")
        parser.add_argument("--ids_to_skip", nargs="+", metavar="ID", default=[], help="not these")
        parser.add_argument("--start_pk", metavar="ID", help="only objects whose primary key is greater")
        parser.add_argument("--force", action="store_true", help="also courses that are up to date")
        parser.add_argument("--limit", type=int, metavar="N", help="write at most N objects")
        parser.add_argument("--batch_size", type=int, metavar="N", help="objects per insert")
        parser.add_argument("--sleep_time", type=float, default=0, metavar="SECONDS", help="pause between batches")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        _refuse_nonsense(options)
        rejected = 0
        with failures_as_command_errors():
            connection = connection_from(options)
        for sink_class in self._chosen(options["object"]):
            rejected += self._backfill(sink_class(connection), options)
        if rejected:
            raise CommandError(f"{rejected} objects could not be written; they are named above")

    def _chosen(self, name: str) -> list[type[BaseSink]]:
        """The sinks to run, in order."""
        objects = _objects()
        if name == ALL:
            chosen = [sink for sink in objects.values() if sink.is_enabled()]
            off = [sink.name for sink in objects.values() if sink not in chosen]
            if off:
                self.stdout.write(f"off, so left out: {', '.join(off)}")
            return chosen
        if name not in objects:
            raise CommandError(f"There is no object {name!r}: choose one of {', '.join(objects)}, or {ALL}")
        if edx_platform.get_model(objects[name].model) is None:
            raise CommandError(
                f"The model of {name} cannot be imported: "
                f"correct EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{objects[name].model!r}]"
            )
        if not objects[name].is_enabled():
            self.stdout.write(f"{name} is off: what changes after this backfill will not follow")
        return [objects[name]]

    def _backfill(self, sink: BaseSink, options: dict[str, Any]) -> int:
        """Backfill one sink; returns how many objects could not be written."""
        keys, skip, after = (_parse(sink, options[option]) for option in OF_ONE_OBJECT)
        walk = Walk(
            keys=keys,
            skip=skip,
            after=after,
            limit=options["limit"],
            force=options["force"],
            batch_size=options["batch_size"],
            sleep_secs=options["sleep_time"],
        )
        summary = Summary()
        explain = self.stdout.write if options["verbosity"] >= 2 else _nothing
        try:
            with failures_as_command_errors():
                backfill(sink, walk, summary, self.stdout.write, explain)
        except CommandError as error:
            go_on = f"; go on with --start_pk {summary.last_key}" if summary.last_key is not None else ""
            raise CommandError(f"{error}{go_on}") from None
        finally:
            self.stdout.write(_line(sink, summary))
        return len(summary.outcome.rejected)


def _objects() -> dict[str, type[BaseSink]]:
    return {name: sink for name, sink in sinks().items() if sink.has_objects}


def _parse(sink: BaseSink, given: Any) -> Any:
    """The key or keys that an option names."""
    try:
        if isinstance(given, list):
            return [sink.parse_key(text) for text in given]
        return None if given is None else sink.parse_key(given)
    except ValueError as error:
        raise CommandError(str(error)) from None


def _nothing(line: str) -> None:
    """Say nothing."""


def _line(sink: BaseSink, summary: Summary) -> str:
    rows = ", ".join(f"{count} rows in {table}" for table, count in summary.outcome.rows.items()) or "no rows"
    rejected = f", {len(summary.outcome.rejected)} not writable" if summary.outcome.rejected else ""
    last = "none" if summary.last_key is None else summary.last_key
    return (
        f"{sink.name}: {summary.objects} objects written ({rows}), {summary.skipped} up to date{rejected}, "
        f"{summary.seconds:.1f} s, last id {last}"
    )


def _refuse_nonsense(options: dict[str, Any]) -> None:
    """Raise CommandError for options that cannot be meant."""
    for name, least in (("limit", 1), ("batch_size", 1), ("sleep_time", 0)):
        value = options[name]
        if value is not None and not least <= value < math.inf:
            raise CommandError(f"--{name} {value}: it must be at least {least}")
    if options["limit"] is not None and options["force"]:
        raise CommandError(
            "--limit with --force would write the same objects again at every run; leave one of them out, "
            "or give --start_pk with the last id of the run before and no --limit"
        )
    if options["object"] == ALL:
        for name in OF_ONE_OBJECT:
            if options[name]:
                raise CommandError(f"--{name} names keys of one object: it cannot go with --object {ALL}")
