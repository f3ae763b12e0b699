"""The backfill as a command of this process: what it says, and with what it fails."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from test_utils import factories


def profiles(number: int) -> list[int]:
    return [user.profile.pk for user in factories.make_many_users(number)]


def run(*args: Any, **options: Any) -> list[str]:
    """The lines that the command prints."""
    out = StringIO()
    call_command("dump_data_to_clickhouse", *map(str, args), stdout=out, **options)
    return out.getvalue().splitlines()


def fails(*args: Any) -> tuple[str, list[str]]:
    """The message with which the command fails, and what it says before."""
    out = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("dump_data_to_clickhouse", *map(str, args), stdout=out)
    return str(caught.value), out.getvalue().splitlines()
