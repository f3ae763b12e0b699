"""Administrators' credentials: an option, else the environment, else a terminal; otherwise a message."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import Any

import pytest
from django.core.management import CommandError

from platform_plugin_aspects.management.credentials import administrator

USERNAME, PASSWORD = "ASPECTS_CLICKHOUSE_ADMIN_USERNAME", "ASPECTS_CLICKHOUSE_ADMIN_PASSWORD"
ASKS = """
from platform_plugin_aspects.management.credentials import administrator
options = {"clickhouse_admin_username": None, "clickhouse_admin_password": None}
print(administrator("ClickHouse", options, "default") == ("ada", "pass word"), flush=True)
"""


def found(username: str | None = None, password: str | None = None) -> tuple[str, str]:
    options = {"clickhouse_admin_username": username, "clickhouse_admin_password": password}
    return administrator("ClickHouse", options, "default")


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(USERNAME, raising=False)
    monkeypatch.delenv(PASSWORD, raising=False)


def test_options_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("ada", "by option") == ("ada", "by option")
    monkeypatch.setenv(USERNAME, "root")
    monkeypatch.setenv(PASSWORD, "by environment")
    assert found() == ("root", "by environment")
    assert found("ada") == ("ada", "by environment")
    # An empty password is one that a fresh ClickHouse has.
    assert found(password="") == ("root", "")
    monkeypatch.setenv(PASSWORD, "")
    assert found() == ("root", "")


def test_a_password_is_not_shown_by_repr() -> None:
    assert "s3cret" not in repr(found("ada", "s3cret"))


@pytest.mark.parametrize("given", [(None, None), ("ada", None), (None, "pw"), ("", "pw")])
def test_without_a_terminal_it_is_said_how_to_give_them(given: Any) -> None:
    with pytest.raises(CommandError) as caught:
        found(*given)
    assert str(caught.value) == (
        "ClickHouse's administrator is missing: set ASPECTS_CLICKHOUSE_ADMIN_USERNAME and "
        "ASPECTS_CLICKHOUSE_ADMIN_PASSWORD in the environment, give --clickhouse_admin_username and "
        "--clickhouse_admin_password, or run this on a terminal, which asks for them"
    )


def test_a_terminal_is_asked_and_does_not_show_the_password() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", ASKS], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as asking:
        os.close(theirs)
        shown = b""
        for prompt, answer in (
            (b"administrator [default]: ", b"ada\n"),
            (b"Password of ada in ClickHouse: ", b"pass word\n"),
        ):
            while prompt not in shown:
                shown += os.read(ours, 1000)
            os.write(ours, answer)
        while b"True\r\n" not in shown and b"False" not in shown and b"Error" not in shown:
            shown += os.read(ours, 1000)
        assert asking.wait(timeout=30) == 0
    os.close(ours)
    assert shown.endswith(b"True\r\n")
    assert b"pass word" not in shown
