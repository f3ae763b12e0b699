"""Administrators of other systems: by option, by the environment, or asked for on a terminal; never stored."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from getpass import getpass
from typing import Any

from django.core.management.base import CommandError, CommandParser

from platform_plugin_aspects.redaction import Hidden


def add_administrator_arguments(parser: CommandParser, system: str) -> None:
    """Add --<system>_admin_username and --<system>_admin_password."""
    option, variable = f"{system.lower()}_admin", f"ASPECTS_{system.upper()}_ADMIN"
    group = parser.add_argument_group(
        f"{system}'s administrator",
        f"Without these options: {variable}_USERNAME and {variable}_PASSWORD in the environment, which other users of "
        "the machine cannot see. Without those, a terminal is asked. They are not stored.",
    )
    group.add_argument(f"--{option}_username", metavar="NAME", help=f"user who may create users in {system}")
    group.add_argument(f"--{option}_password", metavar="PASSWORD", help="password of that user")


def administrator(system: str, options: Mapping[str, Any], default: str) -> tuple[str, str]:
    """The name and the password; ``default``: the name that a terminal offers.

    CommandError where there is no terminal to ask.
    """
    option, variable = f"{system.lower()}_admin", f"ASPECTS_{system.upper()}_ADMIN"
    username = _given(options[f"{option}_username"], f"{variable}_USERNAME")
    password = _given(options[f"{option}_password"], f"{variable}_PASSWORD")
    if (not username or password is None) and not sys.stdin.isatty():
        raise CommandError(
            f"{system}'s administrator is missing: set {variable}_USERNAME and {variable}_PASSWORD in the environment, "
            f"give --{option}_username and --{option}_password, or run this on a terminal, which asks for them"
        )
    if not username:
        username = input(f"{system}'s administrator [{default}]: ").strip() or default
    if password is None:
        password = getpass(f"Password of {username} in {system}: ")
    return username, Hidden(password)


def _given(option: str | None, variable: str) -> str | None:
    return option if option is not None else os.environ.get(variable)
