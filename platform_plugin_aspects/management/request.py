"""The request for a backfill: the options of the command line, parsed and checked once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandError
from django.db import connections

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.delivery.backfill.ranges import Walk
from platform_plugin_aspects.management import report
from platform_plugin_aspects.management.options import (
    ALL,
    CONNECTION_OPTIONS,
    chosen,
    connection_from,
    is_several,
    moment,
    names_of,
    objects,
    parse_keys,
    require_at_least,
)
from platform_plugin_aspects.sinks import BaseSink

DEFAULT_WORKERS = 4
#: Options that name keys, which differ from object to object.
OF_ONE_OBJECT = ("ids", "ids_to_skip", "start_pk")
#: Options that select objects: a resumed backfill keeps its own.
SELECTING = (*OF_ONE_OBJECT, "since", "force", "limit")
#: Options that workers cannot follow: they walk whole ranges, and know the settings only.
OF_THIS_PROCESS = ("ids", "limit", "dry_run", *CONNECTION_OPTIONS)
#: Options of speed, which may change when a backfill is resumed.
PACE = ("batch_size", "sleep_time", "max_rate", "read_from")


@dataclass(frozen=True)
class Request:
    """The sinks to backfill with their walks, and how: ``workers`` is 0 for this process.

    ``saves``: whether progress is saved, so that the backfill can be resumed. ``options``: the command line's.
    """

    names: list[str]
    walks: list[tuple[BaseSink, Walk]]
    connection: Connection
    resume: bool
    workers: int
    dry_run: bool
    saves: bool
    options: Mapping[str, Any]

    @classmethod
    def parse(cls, options: Mapping[str, Any], tell: Callable[[str], Any]) -> Request:
        """The request of a command line; CommandError for invalid options. ``tell`` gets remarks about sinks."""
        workers = DEFAULT_WORKERS if options["distribute"] and options["workers"] is None else options["workers"]
        options = {**options, "object": names_of(options["object"]), "workers": workers}
        _refuse_invalid(options)
        connection = connection_from(options)
        wanted = chosen(options["object"], tell, even_if_off=options["even_if_off"])
        sinks = [sink(connection, options["read_from"]) for sink in wanted]
        return cls(
            names=options["object"],
            walks=[(sink, _walk(sink, options, tell)) for sink in sinks],
            connection=connection,
            resume=options["resume"],
            workers=workers or 0,
            dry_run=options["dry_run"],
            saves=not (options["ids"] or options["limit"] or options["dry_run"]),
            options=options,
        )

    def command_to_resume(self) -> str:
        """The command line that resumes the saved backfill."""
        return report.command({"object": self.names, "resume": True, **self._same()})

    def command_after(self, sink: BaseSink, last_key: Any, objects: int) -> str:
        """The command line for the rest of a sink whose progress is not saved: ``objects`` are written already."""
        options = self.options
        values = {name: options[name] for name in ("ids", "ids_to_skip", "since", *PACE)}
        values["start_pk"] = options["start_pk"] if last_key is None else last_key
        if options["limit"] is not None:
            values["limit"] = options["limit"] - objects
        return report.command({"object": sink.name, **values, **self._same()})

    def _same(self) -> dict[str, Any]:
        values = {name: self.options[name] for name in ("workers", "even_if_off", *CONNECTION_OPTIONS)}
        return values if values["password"] is None else {**values, "password": "***"}


def _walk(sink: BaseSink, options: Mapping[str, Any], tell: Callable[[str], Any]) -> Walk:
    """The walk of a sink; CommandError for an option that does not suit it."""
    keys, skip, after = (parse_keys(sink, options[option]) for option in OF_ONE_OBJECT)
    since = moment(options, "since")
    if since is not None and not sink.date:
        dated = [name for name, other in objects().items() if other.date]
        if ALL not in options["object"]:
            raise CommandError(f"{sink.name} has no date for --since; there are dates in {', '.join(dated)}")
        tell(f"{sink.name} has no date for --since: all of it")
        since = None
    values = {name: options[name] for name in ("limit", "force", *PACE, "even_if_off", "dry_run")}
    values["sleep_secs"] = values.pop("sleep_time")
    if values["max_rate"] and options["workers"]:
        values["max_rate"] /= options["workers"]
    return Walk(keys=keys, skip=tuple(skip), after=after, since=since, **values)


def _refuse_invalid(options: Mapping[str, Any]) -> None:
    """Raise CommandError for invalid options, and for combinations of options that contradict each other."""
    require_at_least(options, limit=1, batch_size=1, sleep_time=0, workers=1)
    if options["max_rate"] is not None and not 0 < options["max_rate"] < math.inf:
        raise CommandError(f"--max_rate {options['max_rate']}: it must be more than 0")
    if options["limit"] is not None and options["force"]:
        raise CommandError(
            "--limit with --force would write the same objects again at every run; leave one of them out, "
            "or give --start_pk with the last id of the run before and no --limit"
        )
    if options["read_from"] is not None and options["read_from"] not in connections:
        raise CommandError(f"There is no database {options['read_from']!r}: choose one of {', '.join(connections)}")
    if is_several(options["object"]):
        why = f"names keys of one object: it cannot be used with --object {' '.join(options['object'])}"
        _refuse_each(options, OF_ONE_OBJECT, why)
    if options["resume"]:
        _refuse_each(
            options, SELECTING, "cannot be used with --resume: a resumed backfill keeps its original selection"
        )
    if options["workers"]:
        _refuse_each(
            options,
            OF_THIS_PROCESS,
            "cannot be used with --workers: workers take whole ranges of keys, and write to the ClickHouse of the "
            "settings",
        )


def _refuse_each(options: Mapping[str, Any], names: Sequence[str], why: str) -> None:
    for name in names:
        if options[name]:
            raise CommandError(f"--{name.replace('dry_run', 'dry-run')} {why}")
