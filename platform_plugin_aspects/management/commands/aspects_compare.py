"""Compare the source with ClickHouse, and repair what differs."""

from __future__ import annotations

import sys
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from platform_plugin_aspects.delivery.compare import Comparison, compare, repair
from platform_plugin_aspects.management.command import FAILURES, AspectsCommand, failure_text
from platform_plugin_aspects.management.options import (
    add_connection_arguments,
    add_even_if_off_argument,
    add_json_argument,
    add_object_argument,
    chosen,
    connection_from,
    is_several,
    names_of,
    parse_keys,
    require_at_least,
)
from platform_plugin_aspects.operations.text import as_json, table
from platform_plugin_aspects.sinks import ModelBaseSink

DIFFERENT, NOT_COMPARED = 1, 2
KINDS = ("missing", "stale", "extra")


class Command(AspectsCommand):
    """Exit code 0: equal; 1: different; 2: could not compare."""

    help = (
        "Compare the objects of edx-platform with their rows in ClickHouse: which are missing there, stale there, or "
        "extra (gone from edx-platform). Exit code 0: equal, 1: different, 2: could not compare."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_object_argument(parser, "what to compare")
        parser.add_argument("--repair", action="store_true", help="write what is missing or stale, then compare again")
        parser.add_argument("--prune", action="store_true", help="with --repair: also delete what is extra")
        add_even_if_off_argument(parser)
        parser.add_argument(
            "--range", nargs=2, metavar=("AFTER", "UPTO"), help="only primary keys above the one, not above the other"
        )
        parser.add_argument(
            "--sample",
            type=float,
            default=1,
            metavar="SHARE",
            help="look only at this share of the ranges, above 0 to 1, but at one at least (default: 1)",
        )
        parser.add_argument(
            "--batch_size", type=int, metavar="N", help="objects per range (default: as many as the sink finds best)"
        )
        add_json_argument(parser)
        parser.add_argument(
            "--show", type=int, default=10, metavar="N", help="print at most N keys of a kind (default: 10)"
        )
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            results = self._compare_all(options)
        except FAILURES as error:
            raise CommandError(failure_text(error), returncode=NOT_COMPARED) from None
        if options["json"]:
            self.stdout.write(as_json([_as_data(found) for found in results]))
        else:
            self._print(results, options["show"])
            self.stdout.write(_conclusion(results, options))
        if not all(found.equal for found in results):
            sys.exit(DIFFERENT)

    def _compare_all(self, options: dict[str, Any]) -> list[Comparison]:
        if options["prune"] and not options["repair"]:
            raise CommandError("--prune goes with --repair")
        if not 0 < options["sample"] <= 1:
            raise CommandError(f"--sample {options['sample']}: it must be above 0 and at most 1")
        require_at_least(options, batch_size=1)
        names = names_of(options["object"])
        if options["range"] and is_several(names):
            raise CommandError(f"--range names keys of one object: it cannot be used with --object {' '.join(names)}")
        connection = connection_from(options)
        # With --json, stdout is for machines.
        tell = self.stderr.write if options["json"] else self.stdout.write
        results = []
        for sink_class in chosen(names, tell, writes=options["repair"], even_if_off=options["even_if_off"]):
            if not issubclass(sink_class, ModelBaseSink):
                raise CommandError(f"{sink_class.name} has no rows of its own to compare")
            started = time.monotonic()
            found = self._compare(sink_class(connection), options)
            found.seconds = time.monotonic() - started
            results.append(found)
        return results

    def _compare(self, sink: ModelBaseSink, options: dict[str, Any]) -> Comparison:
        after, upto = parse_keys(sink, options["range"]) or (None, None)
        if options["range"] and not _is_less(after, upto):
            raise CommandError(f"--range {' '.join(options['range'])}: AFTER must be less than UPTO")

        def look() -> Comparison:
            return compare(sink, after, upto, sample=options["sample"], batch_size=options["batch_size"])

        found = look()
        if not options["repair"] or found.equal:
            return found
        outcome = repair(sink, found, prune=options["prune"])
        if not options["json"]:
            wanted = len(found.missing) + len(found.stale)
            pruned = len(found.extra) if options["prune"] else 0
            self.stdout.write(f"{sink.name}: {wanted - len(outcome.rejected)} written, {pruned} deleted")
            for key, error in outcome.rejected.items():
                self.stdout.write(f"{sink.name} {key} cannot be written: {error}")
        return look()

    def _print(self, results: list[Comparison], show: int) -> None:
        cells: list[tuple[object, ...]] = [("object", "objects", "ranges", *KINDS, "seconds")]
        for found in results:
            counts = [len(getattr(found, kind)) for kind in KINDS]
            ranges = found.ranges if found.compared == found.ranges else f"{found.compared} of {found.ranges}"
            cells.append((found.sink, found.objects, ranges, *counts, f"{found.seconds:.1f}"))
        for line in table(cells, right=range(1, 7)):
            self.stdout.write(line)
        for found in results:
            for kind in KINDS:
                keys = list(getattr(found, kind))
                if keys:
                    more = f" and {len(keys) - show} more" if len(keys) > show else ""
                    self.stdout.write(f"{found.sink} {kind}: {', '.join(map(str, keys[:show]))}{more}")


def _is_less(one: Any, other: Any) -> bool:
    """Whether a key comes before another one in every order that a database may have."""
    if isinstance(one, int) and isinstance(other, int):
        return one < other
    return str(one).casefold() < str(other).casefold()


def _conclusion(results: list[Comparison], options: dict[str, Any]) -> str:
    """The last line: whether what was compared is equal, or what to do about what is not."""
    if all(found.equal for found in results):
        ranges, compared = sum(found.ranges for found in results), sum(found.compared for found in results)
        if compared < ranges:
            return f"equal in the {compared} of {ranges} ranges that were compared"
        return "equal in this range" if options["range"] else "equal"
    advice = []
    if any(found.missing or found.stale for found in results):
        advice.append(
            "what is still missing or stale could not be written, or changed again"
            if options["repair"]
            else "write what is missing or stale with --repair"
        )
    if any(found.extra for found in results) and not options["prune"]:
        advice.append("delete what is extra with --repair --prune")
    return f"different: {', and '.join(advice)}" if advice else "different"


def _as_data(found: Comparison) -> dict[str, Any]:
    keys = {kind: [str(key) for key in getattr(found, kind)] for kind in KINDS}
    return {
        "object": found.sink,
        "objects": found.objects,
        "ranges": found.ranges,
        "ranges_compared": found.compared,
        "ranges_opened": found.inspected,
        "equal": found.equal,
        "seconds": round(found.seconds, 3),
        **keys,
    }
