"""Learners for the benchmark: per learner an account, a profile, an enrollment and an external id.

A profile is filled in as learners fill theirs in: most of the optional fields stay empty, one profile in three keeps
a session key in ``meta``, one in four has a photograph. Names are not all ASCII.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.contrib.auth.models import User
from django.db import connection, transaction
from openedx.core.djangoapps.external_user_ids.models import ExternalId, ExternalIdType

PORTION = 20_000
COURSES = 200
START = datetime(2020, 1, 1, tzinfo=UTC)
GIVEN = ("Ada", "José", "Zoë", "Мария", "李", "Amina", "Olu", "Björn", "Priya", "Tom")
FAMILY = ("Okafor", "García", "Smith", "Иванова", "小龍", "Haddad", "Nyström", "Rao", "Silva", "O'Neill")
CITIES = ("", "", "", "Lagos", "São Paulo", "Kraków", "東京", "Leeds")


def seed(number: int) -> None:
    """Fill the tables up to ``number`` learners. The same number gives the same rows, whatever was there before."""
    ExternalIdType.objects.get_or_create(name="xapi", defaults={"description": "xAPI"})
    type_id = ExternalIdType.objects.get(name="xapi").pk
    there = User.objects.count()
    for model, rows in (
        (User, map(_user, range(there + 1, number + 1))),
        (UserProfile, map(_profile, range(there + 1, number + 1))),
        (CourseEnrollment, map(_enrollment, range(there + 1, number + 1))),
        (ExternalId, (_external_id(each, type_id) for each in range(there + 1, number + 1))),
    ):
        _insert(model, rows)
    with connection.cursor() as cursor:
        tables = [model._meta.db_table for model in (User, UserProfile, CourseEnrollment, ExternalId)]
        for table in tables:
            # A site's database has such statistics of its tables after a while.
            cursor.execute(f"ANALYZE {'TABLE ' if connection.vendor == 'mysql' else ''}{table}")


def _insert(model: Any, rows: Iterator[dict[str, Any]]) -> None:
    """Insert without model instances: a million of them would take minutes."""
    fields = {field.attname: field for field in model._meta.local_concrete_fields}
    while portion := list(islice(rows, PORTION)):
        names = list(portion[0])
        columns = ", ".join(connection.ops.quote_name(fields[name].column) for name in names)
        places = ", ".join(["%s"] * len(names))
        prepare = [fields[name].get_db_prep_save for name in names]
        values = [
            [each(value, connection) for each, value in zip(prepare, row.values(), strict=True)] for row in portion
        ]
        with transaction.atomic(), connection.cursor() as cursor:
            table = connection.ops.quote_name(model._meta.db_table)
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", values)


def _moment(number: int) -> datetime:
    return START + timedelta(seconds=97 * number, microseconds=(number * 7919) % 1_000_000)


def _user(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "password": "!",
        "is_superuser": False,
        "username": f"learner_{number}",
        "first_name": "",
        "last_name": "",
        "email": f"learner_{number}@example.invalid",
        "is_staff": False,
        "is_active": True,
        "date_joined": _moment(number),
    }


def _profile(number: int) -> dict[str, Any]:
    chance = random.Random(number)
    session = f'{{"session_id": "{chance.getrandbits(128):032x}"}}' if number % 3 == 0 else ""
    return {
        "id": number,
        "user_id": number,
        "name": f"{chance.choice(GIVEN)} {chance.choice(FAMILY)}",
        "meta": session,
        "courseware": "course.xml",
        "language": chance.choice(("", "", "en", "es-419")),
        "location": "",
        "year_of_birth": chance.choice((None, chance.randrange(1940, 2010))),
        "gender": chance.choice((None, "", "f", "m", "o")),
        "level_of_education": chance.choice((None, "", "b", "m", "hs", "p")),
        "mailing_address": chance.choice((None, "", f"{chance.randrange(1, 200)} High Street")),
        "city": chance.choice(CITIES),
        "country": chance.choice((None, "NG", "BR", "PL", "JP", "GB", "US")),
        "state": None,
        "goals": chance.choice((None, "", "To learn something new every day of the week")),
        "bio": chance.choice((None, None, None, "I teach, and I would like to teach better. " * 3)),
        "profile_image_uploaded_at": _moment(number) if number % 4 == 0 else None,
        "phone_number": None,
    }


def _enrollment(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "user_id": number,
        "course_id": f"course-v1:Org+Course{number * 31 % COURSES}+2026",
        "created": _moment(number),
        "is_active": number % 10 != 0,
        "mode": ("audit", "audit", "audit", "verified", "honor")[number % 5],
    }


def _external_id(number: int, type_id: int) -> dict[str, Any]:
    return {
        "id": number,
        "created": _moment(number),
        "modified": _moment(number),
        "external_user_id": uuid.UUID(int=random.Random(number).getrandbits(128), version=4),
        "external_id_type_id": type_id,
        "user_id": number,
    }
