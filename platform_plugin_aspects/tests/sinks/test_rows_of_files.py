"""A file of objects and a file of the rows that a sink makes of them, as the how-to shows."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest

from platform_plugin_aspects.sinks import ExternalIdSink, TagSink, UserProfileSink
from platform_plugin_aspects.sinks.testing import rows_of
from test_utils.factories import make_external_id, make_user

DATA = Path(__file__).parent / "data"

pytestmark = pytest.mark.django_db


def test_rows_of_tags() -> None:
    assert rows_of(TagSink, DATA / "tags.json") == json.loads((DATA / "tag_rows.json").read_text(encoding="utf-8"))


def test_texts_that_travel_in_utf8_are_texts_in_rows() -> None:
    profile = make_user("ada").profile
    (row,) = rows_of(UserProfileSink, DATA / "tags.json")
    assert (row["id"], row["username"]) == (profile.pk, "ada")


def test_rows_are_those_of_all_objects_in_order_of_their_keys() -> None:
    users = [make_user(), make_user()]
    expected = [str(make_external_id(user).external_user_id) for user in users]
    rows = rows_of(ExternalIdSink, DATA / "tags.json")
    assert [row["user_id"] for row in rows] == [user.pk for user in users]
    assert [str(UUID(row["external_user_id"])) for row in rows] == expected
