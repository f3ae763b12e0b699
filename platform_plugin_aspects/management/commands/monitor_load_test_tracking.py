"""Watch a load test: how fast its events arrive, and how many are on their way."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from platform_plugin_aspects.clickhouse.client import get_client
from platform_plugin_aspects.load_test.backends import BACKENDS, BackendError, Celery
from platform_plugin_aspects.load_test.backends.vector import TUTOR_SINK
from platform_plugin_aspects.load_test.monitor import Monitor, TooLate
from platform_plugin_aspects.load_test.records import excerpt
from platform_plugin_aspects.management.command import AspectsCommand
from platform_plugin_aspects.management.options import add_connection_arguments, connection_from, require_at_least
from platform_plugin_aspects.operations.text import printable
from platform_plugin_aspects.stopping import Stoppable

#: Samples are told apart by whole seconds.
LEAST_SLEEP_SECS = 1


class Command(AspectsCommand):
    """Started before the load test, it ends by itself after it."""

    help = (
        "Wait for a load test (load_test_tracking_events) to start, then write to ClickHouse at fixed intervals how "
        "many xAPI events have arrived there and how many are still on their way, until the load test has ended and "
        "no event is on its way any more. Ctrl-C ends it earlier. aspects_load_test_report shows what was measured."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--backend",
            choices=list(BACKENDS),
            default=Celery.name,
            metavar="NAME",
            help=f"the way of the events on this site, one of {', '.join(BACKENDS)} (default: {Celery.name})",
        )
        parser.add_argument(
            "--sleep_time", type=float, default=10, metavar="SECONDS", help="time between two samples (default: 10)"
        )
        bus = parser.add_argument_group(
            "redis_bus, kafka_bus",
            "Their addresses are read from EVENT_BUS_REDIS_CONNECTION_URL, or from EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS, "
            "EVENT_BUS_KAFKA_API_KEY and EVENT_BUS_KAFKA_API_SECRET.",
        )
        bus.add_argument(
            "--topic",
            default="analytics",
            help='topic of the tracking events, without the prefix in EVENT_BUS_TOPIC_PREFIX (default: "analytics")',
        )
        bus.add_argument(
            "--consumer_group",
            default="event_routing_backends",
            metavar="GROUP",
            help='what their consumer was given as group (default: "event_routing_backends")',
        )
        celery = parser.add_argument_group("celery", "The broker is that of the settings.")
        for service in ("lms", "cms"):
            celery.add_argument(
                f"--{service}_queue",
                metavar="QUEUE",
                help=f"default queue of the {service.upper()} (default: as in its settings, "
                f'"edx.{service}.core.default" if those are unknown here)',
            )
        vector = parser.add_argument_group("vector", "Up to version 0.54, with its API enabled.")
        vector.add_argument(
            "--vector_url",
            default="http://vector:8686/graphql",
            metavar="URL",
            help="its GraphQL API (default: http://vector:8686/graphql)",
        )
        vector.add_argument(
            "--vector_source",
            nargs="+",
            metavar="ID",
            help="components that the events come from (default: the inputs of the sinks)",
        )
        vector.add_argument(
            "--vector_sink",
            nargs="+",
            metavar="ID",
            help=f'sinks of the events (default: "{TUTOR_SINK}", as Tutor calls it, or else all)',
        )
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        require_at_least(options, sleep_time=LEAST_SLEEP_SECS)
        interval = options["sleep_time"]
        backend = BACKENDS[options["backend"]].from_options(options)
        try:
            with Stoppable("the current sample") as stop:
                client = get_client(connection_from(options))
                self._monitor(Monitor(client, backend, interval, stop, self.stdout.write))
        except (BackendError, TooLate) as error:
            raise CommandError(str(error)) from None

    def _monitor(self, monitor: Monitor) -> None:
        run = monitor.wait_for_run()
        if run is None:
            return
        self.stdout.write(printable(f"run {excerpt(run.run_id, 100)}"))
        for line in run.left_out:
            self.stdout.write(printable(line))
        drained = monitor.watch(run)
        how = "the run has ended, and nothing is on its way" if drained else "stopped"
        self.stdout.write(f"{how}; {monitor.stored} samples stored")
        if monitor.unstored:
            raise CommandError(f"{len(monitor.unstored)} samples could not be stored")
