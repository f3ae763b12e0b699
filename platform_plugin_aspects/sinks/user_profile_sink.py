"""User profiles."""

from __future__ import annotations

import json
import re
from typing import Any

from platform_plugin_aspects.clickhouse.schema import Column
from platform_plugin_aspects.sinks.base_sink import ModelBaseSink
from platform_plugin_aspects.sinks.formats import iso_utc

_SESSION = "session_id"
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
#: What the platform writes for most learners: the session key and nothing else.
_ONLY_SESSION = re.compile(r'\{"session_id": (?:"[0-9a-zA-Z]*"|null)\}')

#: A session key named inside a text: a mapping that was made a string before it was stored.
_IN_TEXT = re.compile(r"""["']session_id\\*["']\s*:""")


def without_session(meta: str | None) -> str:
    """``UserProfile.meta`` without the learner's session key, which the platform keeps there under ``session_id``.

    Text without a session key stays as it is, to the byte. In JSON the key is removed wherever it stands. Text that
    is no JSON but names a session key is dropped whole, for nobody knows where the key ends; so is JSON with such text
    in one of its strings.
    """
    if not meta:
        return ""
    if _SESSION not in meta and ("\\u" not in meta or _SESSION not in _ESCAPED.sub(_unescaped, meta)):
        return meta
    if _ONLY_SESSION.fullmatch(meta):
        return "{}"
    named = False

    def keep(found: dict[str, Any]) -> dict[str, Any]:
        # Called for every object, also for one that a second value of the same key replaces.
        nonlocal named
        named = named or _SESSION in found
        found.pop(_SESSION, None)
        return found

    try:
        cleaned = json.loads(meta, object_hook=keep)
        # NaN and Infinity, which Python reads and writes, are no JSON.
        left = json.dumps(cleaned, allow_nan=False) if named else meta
        return "" if _IN_TEXT.search(_ESCAPED.sub(_unescaped, left)) else left
    except (ValueError, RecursionError):
        return ""


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16))


class UserProfileSink(ModelBaseSink):
    """A row: a learner's profile, with the names of the account.

    Trigger: a profile is saved. Personal data: all. Learners in retirement are not written; the session key never is.
    """

    name = "user_profile"
    model = "user_profile"
    columns = (
        Column("id", "Int32"),
        Column("user_id", "Int32", personal=True),
        Column("name", "String", personal=True),
        Column("username", "String", source="user__username", personal=True),
        Column("email", "String", source="user__email", personal=True),
        Column("meta", "String", convert=without_session, personal=True),
        Column("courseware", "String"),
        Column("language", "String", personal=True),
        Column("location", "String", personal=True),
        Column("year_of_birth", "String", as_text=True, personal=True),
        Column("gender", "String", personal=True),
        Column("level_of_education", "String", personal=True),
        Column("mailing_address", "String", personal=True),
        Column("city", "String", personal=True),
        Column("country", "String", personal=True),
        Column("state", "String", personal=True),
        Column("goals", "String", personal=True),
        Column("bio", "String", personal=True),
        Column("profile_image_uploaded_at", "String", convert=iso_utc, as_text=True),
        Column("phone_number", "String", personal=True),
    )
    partition_by = "user_id MOD 100"
    learner = "user_id"
    # Every insert makes a part in each of up to 100 partitions, and parts are merged: few and large inserts spare
    # ClickHouse most of its work.
    insert_size = 100_000
