"""Text from outside takes time by its length, not by the square of it.

There are no clocks here: the square of some hundred thousand steps takes minutes, and each test has a limit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from django.urls import Resolver404, resolve

import platform_plugin_aspects
from platform_plugin_aspects import content_keys
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.clickhouse.grants import Reader
from platform_plugin_aspects.clickhouse.text import whole_bytes, whole_json
from platform_plugin_aspects.dashboards.access.author_filters import RefusedFilter, parse_filter
from platform_plugin_aspects.dashboards.access.literals import literal
from platform_plugin_aspects.dashboards.access.operator_filters import validate_format
from platform_plugin_aspects.dashboards.pages.framing import may_frame
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured
from platform_plugin_aspects.dashboards.superset.session import TOKEN
from platform_plugin_aspects.operations.checks.filters import check_filter_steps
from platform_plugin_aspects.operations.checks.names import suggestion
from platform_plugin_aspects.operations.text import printable
from platform_plugin_aspects.sinks.user_profile_sink import all_without_session, without_session

LENGTH = 200_000


def texts(piece: str) -> list[str]:
    repeated = piece * (LENGTH // len(piece))
    return [repeated, f"{repeated}\x00"]


def place(text: str) -> None:
    for url in (text, f"http://{text}@host", f"chdb:///{text}"):
        assert len(Connection(url=url).place) <= len(url)
    with suppress(Failure):
        Connection.from_settings({"url": text})


def superset_config(text: str) -> None:
    with (
        override_settings(SUPERSET_CONFIG={"service_url": text, "guest_token_algorithm": text}),
        suppress(SupersetMisconfigured),
    ):
        SupersetConfig.from_settings()


def frame(text: str) -> None:
    safe = text.replace("\x00", "").replace("\n", " ")
    may_frame("https://lms.example.com", "https://superset.example.com", {"X-Frame-Options": safe})
    for policy in (safe, f"frame-ancestors {safe}", f"frame-ancestors https://lms.example.com:{safe}"):
        may_frame("https://lms.example.com", "https://superset.example.com", {"Content-Security-Policy": policy})


def template(text: str) -> None:
    with suppress(ImproperlyConfigured):
        validate_format(text)


def author_filter(text: str) -> None:
    for each in (text, text[:2000]):
        with suppress(RefusedFilter):
            parse_filter(each)


def profile(text: str) -> None:
    for meta in (text, f'{{"session_id": "{text}"}}', f'{{"a": "session_id{text}"}}'):
        without_session(meta)
        all_without_session([meta, meta])


def halves(text: str) -> None:
    whole_json(text)
    whole_bytes(text.encode("utf-8", "surrogatepass"))


def grants(text: str) -> None:
    Reader().excess([text, f"GRANT {text}", f"GRANT SELECT ON {text} TO x", f"GRANT {text} ON a.b TO x"])


def key(text: str) -> None:
    content_keys.content_key(text)
    with suppress(Resolver404):
        resolve(f"/aspects/superset_guest_token/{text}")


def names(text: str) -> None:
    suggestion(text, ["url", "username"])
    with override_settings(OPEN_EDX_FILTERS_CONFIG={"a": {"pipeline": [text]}}):
        check_filter_steps(None)


#: A reader of text -> the reader, and parts to repeat in its text: beginnings of matches of its patterns.
READERS: dict[str, tuple[Callable[[str], Any], tuple[str, ...]]] = {
    "a url of ClickHouse": (place, ("/", "//", "@", "//@", "http://", ":", "[", "%2", "\n")),
    "SUPERSET_CONFIG": (superset_config, ("/", "//", "@", "http://", "http://@", ":", "[")),
    "headers of Superset's page": (
        frame,
        ("a", "0", "1:", "*", "*.", ".", "a.", "://", ":", "/"),
    ),
    "a template of a clause": (template, ("'", "''", '"', "{", "{{", "{user", "(", "a", " ", "\\", "'a' ")),
    "a filter of an author": (author_filter, ("a", "(", "'", "{", "{ ", "{user", "NOT ", "a=1 AND ", "1", "-- ", "/*")),
    "a value of a clause": (literal, ("%", "%%", "a", "a%", "'", "\n")),
    "a token of Superset": (TOKEN.fullmatch, ("a", ".", "-", " ")),
    "a profile's meta": (
        profile,
        (
            *(
                "{",
                "[",
                '"',
                "\\",
                "\\u",
                "\\u0073",
                "session_id",
                '"session_id',
                "'session_id\\",
                '"session_id" ',
                "0",
            ),
            *("\n", '\n{"session_id": "', '\n{"session_id": "a"}', '{"session_id": null}'),
        ),
    ),
    "half a character": (halves, ("\\", "\\u", "\\ud83d", "\\ud83d\\", "\ud83d", "é", "a")),
    "ClickHouse's grants": (
        grants,
        ("a", "a.", "`", "`a", "\\", ".", "(", "a(", "a (", "A, ", " ON ", " TO ", "ON a TO ", "SHOW ", "GRANT "),
    ),
    "a key in a url": (
        key,
        ("a", "+", "a+", "/", "@", "+type@", "course-v1:", "course-v1:a+", "block-v1:a+b+c+", "ccx@", "\n"),
    ),
    "names in settings": (names, ("a", "_", "username", ".", "platform_plugin_superset", "platform_plugin_superset.")),
    "what is printed": (printable, ("a", "\n", "\x1b[")),
}


@pytest.mark.parametrize("reader", READERS)
def test_long_text_takes_no_longer_than_its_length(reader: str) -> None:
    read, pieces = READERS[reader]
    for piece in pieces:
        for text in texts(piece):
            read(text)


def test_a_million_slashes_have_a_place() -> None:
    assert Connection(url="/" * 1_000_000).place == "/" * 1_000_000


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:pass@host:8123/path", "http://host:8123/path"),
        ("http://me:p//a@ss@host", "http://host"),
        ("http://host/a@b", "http://b"),
        ("me:pass@host", "host"),
        ("http://host", "http://host"),
        ("a@b//c", "b//c"),
        ("", ""),
    ],
)
def test_a_place_is_a_url_without_credentials(url: str, shown: str) -> None:
    assert Connection(url=url).place == shown


def test_a_port_of_many_digits_is_not_a_crash() -> None:
    policy = {"Content-Security-Policy": f"frame-ancestors https://lms.example.com:{'4' * 5000}"}
    assert not may_frame("https://lms.example.com", "https://superset.example.com", policy)


#: Modules with patterns. One that is new reads text from outside? Then it belongs among the READERS above.
WITH_PATTERNS = {
    "operations/checks/filters.py",
    "operations/text.py",  # the mark that begins a line
    "clickhouse/errors.py",
    "clickhouse/embedded.py",  # reads a thousand characters
    "clickhouse/grants.py",
    "clickhouse/rights.py",
    "clickhouse/text.py",
    "redaction.py",
    "load_test/page.py",  # of its own drawings
    "management/command.py",  # of names of our own
    "reporting/layout.py",  # of comments that are our own
    "reporting/state.py",  # of names of our own tables
    "reporting/relation.py",  # of our own files
    "sinks/retired_reports.py",  # of names of our own tables
    "sinks/user_profile_sink.py",
    "dashboards/access/author_filters.py",
    "dashboards/access/operator_filters.py",
    "dashboards/pages/framing.py",
    "dashboards/access/literals.py",
    "dashboards/own_boards/sql.py",  # of texts with 20,000 characters, and of single names
    "dashboards/superset/session.py",
}


def test_new_patterns_are_looked_at() -> None:
    folder = Path(platform_plugin_aspects.__file__).parent
    found = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        if "tests" not in path.parts and re.search(r"^import re$", path.read_text(), re.MULTILINE)
    }
    assert found == WITH_PATTERNS
