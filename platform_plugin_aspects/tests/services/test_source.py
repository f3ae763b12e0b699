"""Types of values that MariaDB itself converts to text, and how they are written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from common.djangoapps.student.models import UserProfile
from django.db import connection

from platform_plugin_aspects.sinks import Selection, UserProfileSink
from test_utils.factories import make_user

from .conftest import Site

pytestmark = pytest.mark.services

PATH = "profile_image_uploaded_at"


def read(key: int) -> tuple[object, str]:
    """The moment as MariaDB gives it to the sink, and as the sink writes it."""
    sink = UserProfileSink()
    batch = sink.read(Selection(keys=[key]))
    written = sink.converted(batch)[[column.name for column in sink.columns].index(PATH)]
    return batch.columns[PATH][0], written[0]


@pytest.mark.parametrize(
    ("moment", "text", "written"),
    [
        (datetime(2026, 1, 1, 10, tzinfo=UTC), "2026-01-01 10:00:00.000000", "2026-01-01T10:00:00Z"),
        (datetime(2026, 1, 1, 10, 0, 0, 1, tzinfo=UTC), "2026-01-01 10:00:00.000001", "2026-01-01T10:00:00.000001Z"),
        (None, "", ""),
    ],
)
def test_moments(site: Site, moment: datetime | None, text: str, written: str) -> None:
    profile = make_user(profile={PATH: moment}).profile
    assert read(profile.pk) == (text, written)


def test_a_zero_date_is_null(site: Site) -> None:
    profile = make_user().profile
    with connection.cursor() as cursor:
        cursor.execute("SET @before = @@sql_mode, SESSION sql_mode = ''")
        cursor.execute(f"UPDATE auth_userprofile SET {PATH} = '0000-00-00 00:00:00' WHERE id = %s", [profile.pk])
        cursor.execute("SET SESSION sql_mode = @before")
    assert UserProfile.objects.values_list(PATH, flat=True).get(pk=profile.pk) is None
    assert read(profile.pk) == ("0000-00-00 00:00:00.000000", "")


def test_years_are_their_digits(site: Site) -> None:
    profile = make_user(profile={"year_of_birth": 1984}).profile
    assert UserProfileSink().read(Selection(keys=[profile.pk])).as_read("year_of_birth") == [b"1984"]


@pytest.mark.parametrize("character_set", ["utf8mb4", "utf8mb3", "latin1"])
def test_texts_are_utf_8_whatever_the_column_is(site: Site, character_set: str) -> None:
    text = "Zoë Nyström\\\x1f\n"
    profile = make_user(profile={"name": "小龍 \N{GRINNING FACE}", "phone_number": text}).profile
    alter = "ALTER TABLE auth_userprofile MODIFY phone_number varchar(50) CHARACTER SET"
    with connection.cursor() as cursor:
        cursor.execute(f"{alter} {character_set}")
    try:
        batch = UserProfileSink().read(Selection(keys=[profile.pk]))
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"{alter} utf8mb4")
    assert batch.as_read("phone_number") == [text.encode()]
    assert batch.as_read("name") == [profile.name.encode()]
    assert batch.as_read("bio") == [b""]
