"""The base of all commands: output that fits the terminal, without the drivers' log lines; failures as messages."""

from __future__ import annotations

import logging
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.dashboards.superset.errors import SupersetError
from platform_plugin_aspects.errors import PLATFORM_FAULTS
from platform_plugin_aspects.operations.text import Verbatim, fit

#: Loggers of drivers. They log errors that they also raise, or that they retry.
DRIVERS = ("urllib3", "clickhouse_connect", "kombu", "celery.backends")
#: The --verbosity at which the drivers' log lines are shown.
TALKATIVE = 2
#: Errors that end a command with their message.
FAILURES: tuple[type[Exception], ...] = (CommandError, Failure, SupersetError, *PLATFORM_FAULTS)


class AspectsCommand(BaseCommand):
    """Breaks long lines on a terminal; keeps the drivers' own log lines off stdout and stderr.

    A failure of ClickHouse, Superset or the platform's database ends the command with its message, without a traceback.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        out: Any = self.stdout._out
        err: Any = self.stderr._out
        self.stdout = Fitting(out)
        style = self.stderr.style_func
        self.stderr = Fitting(err)
        self.stderr.style_func = style

    def execute(self, *args: Any, **options: Any) -> Any:
        """Run the command."""
        try:
            with nullcontext() if options.get("verbosity", 1) >= TALKATIVE else quiet_drivers():
                return super().execute(*args, **options)
        except CommandError:
            raise
        except FAILURES as error:
            raise CommandError(failure_text(error)) from None


def failure_text(error: Exception) -> str:
    """The message of an error that ends a command."""
    if isinstance(error, PLATFORM_FAULTS):
        return f"The platform's database failed ({type(error).__name__}): {error}"
    return str(error)


class Fitting(OutputWrapper):
    """Django's wrapper of an output; breaks lines of prose at the width of the terminal."""

    def write(self, msg: Any = "", style_func: Any = None, ending: str | None = None) -> None:  # type: ignore[override]
        """Write a message; the lines of Verbatim text are not broken."""
        text = str(msg)
        if self.isatty() and not isinstance(msg, Verbatim):
            text = "\n".join(fit(text, shutil.get_terminal_size().columns))
        super().write(text, style_func, ending)


def console_handlers() -> Iterator[logging.StreamHandler[Any]]:
    """The handlers of all loggers that write to this process's stdout or stderr."""
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    handlers = {id(handler): handler for logger in loggers for handler in logger.handlers}
    last_resort = logging.lastResort
    for handler in [*handlers.values(), *([last_resort] if last_resort else [])]:
        if isinstance(handler, logging.StreamHandler) and handler.stream in (sys.stdout, sys.stderr):
            yield handler


@contextmanager
def quiet_drivers() -> Iterator[None]:
    """Keep log lines and warnings of DRIVERS off the console; files and other destinations still get the log lines."""
    handlers = list(console_handlers())
    for handler in handlers:
        handler.addFilter(_is_not_of_a_driver)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="|".join(rf"{re.escape(name)}(\.|$)" for name in DRIVERS))
            yield
    finally:
        for handler in handlers:
            handler.removeFilter(_is_not_of_a_driver)


def _is_not_of_a_driver(record: logging.LogRecord) -> bool:
    return not any(record.name == name or record.name.startswith(f"{name}.") for name in DRIVERS)
