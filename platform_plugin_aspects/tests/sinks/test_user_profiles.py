"""User profiles: the session key that never leaves, and learners whose retirement begins meanwhile."""

from __future__ import annotations

import json
from typing import Any

import pytest
from common.djangoapps.student.models import UserProfile
from hypothesis import example, given
from hypothesis import strategies as st
from openedx.core.djangoapps.user_api.models import UserRetirementStatus

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery.isolate import write_and_clean_up
from platform_plugin_aspects.sinks import ExternalIdSink, Selection, UserProfileSink, user_profile_sink
from platform_plugin_aspects.sinks.user_profile_sink import all_without_session, without_session
from platform_plugin_aspects.tests.conftest import rows
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.factories import make_external_id, make_many_users, make_user, utc
from test_utils.retirement import request_retirement, retire, retirement_steps

# The learner's session key

KEY = "5e5510nk3y"
NAME = "session_id"
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
# Values that hold the name, but no key.
SCALARS |= st.sampled_from([NAME, f"the {NAME} is not here", "\\u0073ession_id"])
KEYS = st.text() | st.sampled_from([f"my_{NAME}", "session", "Session_id"])
PLAIN = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)


@st.composite
def _with_key(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> Any:
    value = draw(st.dictionaries(KEYS, inner, max_size=3))
    value[NAME] = draw(st.just(KEY) | st.just([KEY]) | st.just({"deep": {"deeper": KEY}}) | st.none())
    return value


HOLDING = st.recursive(
    _with_key(PLAIN),
    lambda inner: st.lists(inner, min_size=1, max_size=2) | st.dictionaries(KEYS, inner, min_size=1) | _with_key(inner),
    max_leaves=4,
)
ESCAPES = st.lists(st.booleans(), min_size=len(NAME), max_size=len(NAME))


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stripped(inner) for key, inner in value.items() if key != NAME}
    return [_stripped(inner) for inner in value] if isinstance(value, list) else value


def _holds(value: Any) -> bool:
    if isinstance(value, dict):
        return NAME in value or any(map(_holds, value.values()))
    return isinstance(value, list) and any(map(_holds, value))


@given(value=HOLDING, escapes=ESCAPES, ensure_ascii=st.booleans(), indent=st.sampled_from([None, 1]))
def test_the_session_key_never_leaves(value: Any, escapes: list[bool], ensure_ascii: bool, indent: int | None) -> None:
    escaped = "".join(f"\\u{ord(char):04X}" if flag else char for char, flag in zip(NAME, escapes, strict=True))
    meta = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent).replace(f'"{NAME}": ', f'"{escaped}": ')
    left = without_session(meta)
    assert KEY not in left
    assert json.loads(left) == _stripped(value)


@given(value=PLAIN, indent=st.sampled_from([None, 3]), ensure_ascii=st.booleans())
def test_meta_without_a_session_key_stays_to_the_byte(value: Any, indent: int | None, ensure_ascii: bool) -> None:
    assert not _holds(value)
    meta = json.dumps(value, indent=indent, ensure_ascii=ensure_ascii)
    assert without_session(meta) == meta


@example(before='"', after='"')
@given(before=st.text(), after=st.text())
def test_text_that_is_no_json_but_names_a_session_key_is_dropped(before: str, after: str) -> None:
    meta = f"{before}{{'{NAME}': '{KEY}'{after}"
    assert KEY not in without_session(meta)


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        (None, ""),
        ("", ""),
        ("no json at all", "no json at all"),
        ("{broken", "{broken"),
        (f'{{"{NAME}": "{KEY}"', ""),
        (f'{{"x": "{{\\"{NAME}\\": \\"{KEY}\\"}}"}}', ""),
        (f'{{"{NAME}": null, "a": "é"}}', '{"a": "\\u00e9"}'),
        (f'{{"{NAME}": "{KEY}", "{NAME}": "{KEY}"}}', "{}"),
        # A dictionary keeps the last of two values of one key: the first goes with its session key, or stays whole.
        (f'{{"a": {{"{NAME}": "{KEY}"}}, "a": 1}}', '{"a": 1}'),
        (f'{{"{NAME}": "{KEY}", "n": NaN}}', ""),
        (f'{{"{NAME}": "{KEY}", "n": 1e999}}', ""),
        ('{"a": "\\u005f"}', '{"a": "\\u005f"}'),
        ("[" * 200_000 + f'{{"{NAME}": "{KEY}"}}', ""),
    ],
)
def test_edges_of_meta(meta: str | None, expected: str) -> None:
    assert without_session(meta) == expected


ONLY_A_SESSION = st.sampled_from([None, KEY, ""]).map(lambda key: json.dumps({NAME: key}))
METAS = st.just("") | ONLY_A_SESSION | st.builds(json.dumps, PLAIN)


@given(metas=st.lists(METAS) | st.lists(METAS | st.none() | st.text() | st.builds(json.dumps, HOLDING)))
@example(metas=[f'{{"{NAME}": null}}\n{{"{NAME}": "{KEY}"}}', ""])
@example(metas=[f'{{"{NAME}": "{KEY}"}}', f' {{"{NAME}": "{KEY}"}}'])
@example(metas=[f'{{"{NAME}": "{KEY}"}}', f'{{"{NAME}": "{KEY}"}} '])
@example(metas=[f'{{"{NAME}": "{KEY}"}}', '{"\\u0073ession_id": 1}'])
def test_metas_cleaned_at_once_are_those_cleaned_one_by_one(metas: list[str | None]) -> None:
    assert all_without_session(metas) == list(map(without_session, metas))


def test_the_usual_metas_are_not_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(user_profile_sink, "without_session")
    metas = ["", f'{{"{NAME}": "{KEY}"}}', f'{{"{NAME}": null}}', "", '{"old_names": []}', f'{{"{NAME}": "{KEY}"}}']
    assert all_without_session(metas) == ["", "{}", "{}", "", '{"old_names": []}', "{}"]


@pytest.mark.django_db
def test_the_session_key_of_a_login_does_not_arrive(clickhouse: ClickHouse) -> None:
    (user,) = make_many_users(1, meta='{"old_names": [["A", "why", "2026"]]}')
    user.profile.set_login_session(KEY)
    assert KEY in UserProfile.objects.get(user=user).meta
    sink = UserProfileSink()
    sink.write(sink.read(Selection(keys=[user.profile.pk])), utc(2026, 1, 1))
    (row,) = rows(clickhouse, "user_profile")
    assert row["meta"] == '{"old_names": [["A", "why", "2026"]]}'


# Learners in retirement


@pytest.mark.django_db
@pytest.mark.parametrize("sink_class", [UserProfileSink, ExternalIdSink])
def test_a_retirement_that_begins_after_the_reading_takes_its_rows_back(
    sink_class: type[UserProfileSink], clickhouse: ClickHouse
) -> None:
    staying, leaving = make_user(), make_user()
    for user in (staying, leaving):
        make_external_id(user)
    sink = sink_class()
    batch = sink.read(Selection())
    request_retirement(leaving)
    stamp = UserRetirementStatus.objects.get(user=leaving).created
    written = write_and_clean_up(sink, batch, stamp)
    assert written.rows == {sink.name: 2}
    assert [row["user_id"] for row in rows(clickhouse, sink.name)] == [staying.pk]


@pytest.mark.django_db
def test_retirements_of_others_cost_no_delete(clickhouse_http: ClickHouseEndpoint) -> None:
    user, leaving = make_user(), make_user()
    request_retirement(leaving)
    sink = UserProfileSink()
    write_and_clean_up(sink, sink.read(Selection(keys=[user.profile.pk])), utc(2026, 1, 1))
    assert not [request for request in clickhouse_http.requests if "DELETE" in request.statement]


@pytest.mark.django_db
def test_no_step_of_a_retirement_writes_the_profile_again(clickhouse: ClickHouse) -> None:
    user = make_user(profile={"bio": "mine"})
    sink = UserProfileSink()
    for step in retirement_steps(user):
        assert len(sink.read(Selection(keys=[user.profile.pk]))) == 0, step


@pytest.mark.django_db
def test_everyone_is_written_where_profiles_are_not_named_as_personal_data(
    clickhouse: ClickHouse, settings: Any
) -> None:
    user = make_user()
    retire(user)
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["external_id"]
    sink = UserProfileSink()
    write_and_clean_up(sink, sink.read(Selection(keys=[user.profile.pk])), utc(2026, 1, 1))
    assert len(rows(clickhouse, "user_profile")) == 1
