"""Commands of this process: their output, and how they fail."""

from __future__ import annotations

from io import StringIO
from typing import Any, NamedTuple

import pytest
from django.core.management import CommandError, call_command

from test_utils import factories


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def run(command: str, *args: Any, stdout: StringIO | None = None, **options: Any) -> str:
    """The output of a command; raises what the command raises."""
    out = stdout or StringIO()
    call_command(command, *map(str, args), stdout=out, **options)
    return out.getvalue()


def ended(command: str, *args: Any, **options: Any) -> Ended:
    """The exit code, the output and the error output of a command, as a shell would see them."""
    code, out, err = 0, StringIO(), StringIO()
    try:
        run(command, *args, stdout=out, stderr=err, **options)
    except SystemExit as end:
        code = int(end.code or 0)
    except CommandError as error:
        code = error.returncode
        err.write(str(error))
    return Ended(code, out.getvalue(), err.getvalue())


def dump(*args: Any, **options: Any) -> list[str]:
    """The lines that a backfill prints."""
    return run("dump_data_to_clickhouse", *args, **options).splitlines()


def dump_fails(*args: Any) -> tuple[str, list[str]]:
    """The message with which a backfill fails, and the lines that it prints before."""
    out = StringIO()
    with pytest.raises(CommandError) as caught:
        run("dump_data_to_clickhouse", *args, stdout=out)
    return str(caught.value), out.getvalue().splitlines()


def profiles(number: int) -> list[int]:
    """The keys of the profiles of that many new users."""
    return [user.profile.pk for user in factories.make_many_users(number)]
