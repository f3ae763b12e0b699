"""User profiles."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from platform_plugin_aspects.clickhouse.text import whole_json
from platform_plugin_aspects.sinks.column import Column, Moment, Text
from platform_plugin_aspects.sinks.conversion import convert_each
from platform_plugin_aspects.sinks.model_sink import ModelBaseSink

_SESSION = "session_id"
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
#: The platform writes this for most learners: the session key and nothing else; and the same as one of many lines.
_ONLY_SESSION = re.compile(r'\{"session_id": (?:"[0-9a-zA-Z]*"|null)\}')
_LINE_WITH_SESSION = re.compile(rf"\n{_ONLY_SESSION.pattern}(?=\n)")
#: A session key named inside a text: a mapping that was made a string before it was stored.
_IN_TEXT = re.compile(r"""["']session_id\\*["']\s*:""")


def without_session(meta: str | None) -> str:
    """``UserProfile.meta`` without the learner's session key, which the platform keeps there under ``session_id``.

    Text without a session key stays as it is, to the byte, except for escaped halves of surrogate pairs. In JSON the
    key is removed wherever it stands. Text that is not JSON but names a session key is dropped whole, because nobody
    knows where the key ends; so is JSON with such text in one of its strings.
    """
    if not meta:
        return ""
    if _SESSION not in meta and ("\\u" not in meta or _SESSION not in _ESCAPED.sub(_unescaped, meta)):
        return whole_json(meta)
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
        # NaN and Infinity, which Python reads and writes, are not JSON.
        left = json.dumps(cleaned, allow_nan=False) if named else meta
        return "" if _IN_TEXT.search(_ESCAPED.sub(_unescaped, left)) else whole_json(left)
    except (ValueError, RecursionError):
        return ""


def all_without_session(metas: Sequence[str | None]) -> Sequence[str]:
    """``without_session`` of each; in a fraction of the time where none says more of a session than the key."""
    lines = "\n".join(["", *[meta or "" for meta in metas], ""])
    left = _LINE_WITH_SESSION.sub("\n{}", lines)
    texts = left[1:-1].split("\n")
    if _SESSION in left or "\\u" in left or len(texts) != len(metas):
        return convert_each(metas, without_session)
    return texts


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16))


class UserProfileSink(ModelBaseSink):
    """A row: a learner's profile, with the names of the account.

    Trigger: the profile or the account is saved; when the profile is deleted its rows go. Personal data: all. Retired
    learners are not written; the session key never is.
    """

    name = "user_profile"
    model = "user_profile"
    columns = (
        Column("id", "Int32"),
        Column("user_id", "Int32", personal=True),
        Column("name", "String", Text(), personal=True),
        Column("username", "String", Text("user__username"), personal=True),
        Column("email", "String", Text("user__email"), personal=True),
        Column("meta", "String", Text(convert_all=all_without_session), personal=True),
        Column("courseware", "String", Text()),
        Column("language", "String", Text(), personal=True),
        Column("location", "String", Text(), personal=True),
        Column("year_of_birth", "String", Text(), personal=True),
        Column("gender", "String", Text(), personal=True),
        Column("level_of_education", "String", Text(), personal=True),
        Column("mailing_address", "String", Text(), personal=True),
        Column("city", "String", Text(), personal=True),
        Column("country", "String", Text(), personal=True),
        Column("state", "String", Text(), personal=True),
        Column("goals", "String", Text(), personal=True),
        Column("bio", "String", Text(), personal=True),
        Column("profile_image_uploaded_at", "String", Moment()),
        Column("phone_number", "String", Text(), personal=True),
    )
    partition_by = "user_id MOD 100"
    learner = "user_id"
    deletes = True
    # Every insert makes a part in each of up to 100 partitions, and parts are merged: few and large inserts spare
    # ClickHouse most of its work.
    insert_size = 100_000
