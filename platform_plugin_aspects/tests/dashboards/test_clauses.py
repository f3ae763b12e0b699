"""Row-level clauses run in ClickHouse as Superset runs them: no text selects a row of another course."""

from __future__ import annotations

import contextlib
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import sqlglot
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from opaque_keys.edx.keys import CourseKey
from sqlglot.errors import ParseError

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.dashboards.access.author_filters import RefusedFilter, parse_filter
from platform_plugin_aspects.dashboards.access.clauses import clauses_for
from platform_plugin_aspects.operations.checks.superset import check_extra_filters
from test_utils.properties import examples

# The engine and the table are per test, not per example.
through_the_engine = hypothesis_settings(max_examples=examples(100))

ORG, COURSE = "OrgX", "course-v1:OrgX+CS101+2026"
KEY = CourseKey.from_string(COURSE)

# Text that Superset, its libraries or ClickHouse read in ways of their own; then text that broke pasted clauses.
AWKWARD = [
    "ELSE",
    "",
    "'",
    "''",
    "\\",
    "\\'",
    "\\\\:x",
    "a:b::c",
    ":name",
    "50%",
    "100%%",
    "%s %(x)s",
    "a--b",
    "/* b */",
    "/*",
    "# x",
    ";",
    "{{ 1 }}",
    "{% raw %}",
    "{# x #}",
    "{user.password}",
    "{x:String}",
    "$$",
    "‘x’",
    "\x00",
    "a\x00b",
    "tab\tline\nfeed\r\n",
    "Zoë 张伟 👩‍👩‍👧‍👦 e\u0301 \u202e",
    "\ud800",
    r"\x41\N\e",
    "_",
    "A_b%c\\d",
]
ATTACKS = [
    "1=1) OR (1=1",
    "') OR ('1'='1",
    "\\') OR (1=1) --",
    "' OR 1=1 --",
    "1=1) --",
    "1=1) #",
    "1=1) /*",
    "1=1 OR org != ''",
    "1=0) UNION SELECT id FROM {table} WHERE (1=1",
    "1=0 UNION ALL SELECT id FROM {table}",
    "org='A'); TRUNCATE TABLE {table}; SELECT 1 WHERE (1=1",
    "id IN (SELECT id FROM {table})",
    "1=1) OR (1=1) SETTINGS max_threads=1 --",
    "1=1) LIMIT 100 OFFSET 0 --",
    "1 AS org) OR (org",
    "'OrgX' AS org",
    "{{ 1=1) OR (1=1 }}",
    "x:y) OR (:1=:1",
    "$a$) OR ($a$",
    "‘) OR (1=1) --‘ = ’",
    "id = 1 FORMAT Null",
    "[1) OR (1]",
    "{user}) OR ({user}",
    "'{user}) OR (1=1) --'",
    "\\'{user}\\' OR 1=1",
    "`{user}` = 1",
    "{user!r}",
    "{user.__class__}",
    "{course[0]}",
]
TEXTS = st.text() | st.sampled_from([*AWKWARD, *ATTACKS]) | st.text(alphabet="'\\%_-{}():;#/*$`\"\n aA=1")


@dataclass(frozen=True)
class AnyKey:
    """A course's key of a kind that allows any text, as kinds of third parties may."""

    text: str
    org: str
    course: str = "CS101"
    run: str = "2026"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Row:
    """A row of the dataset: ``mine`` is of the course that the clauses are for."""

    id: int
    mine: bool
    org: str
    course_key: str
    username: str
    email: str
    mode: str | None
    n: int
    is_active: bool
    a_b: str


COLUMNS = (
    *(("id", "Int32"), ("org", "String"), ("course_key", "String"), ("username", "String"), ("email", "String")),
    *(("mode", "Nullable(String)"), ("n", "Int32"), ("is_active", "Bool"), ("a b", "String")),
)
PEOPLE = [("alice", "alice@x.org"), ("o'brien", "o'b_1@x.org"), ("%", "%"), ("", "")]
MODES = ["audit", "Audit", "it's", "100%", "50_%", "a\\b", "-- {{x}}", "é\n", "", None]


class Dataset:
    """A table with rows of the course, of another one of its organization, and of other organizations."""

    def __init__(self, client: ClickHouse):
        self.client = client
        self.table = client.qualified("dataset")
        columns = ", ".join(f"`{name}` {type_}" for name, type_ in COLUMNS)
        client.command(f"CREATE TABLE {self.table} ({columns}) ENGINE = MergeTree ORDER BY (org, course_key)")
        self.rows: list[Row] = []

    def fill(self, org: str = ORG, course: str = COURSE, people: Sequence[tuple[str, str]] = PEOPLE) -> None:
        self.client.command(f"TRUNCATE TABLE {self.table}")
        other = "course-v1:OrgX+CS102+2026" if course != "course-v1:OrgX+CS102+2026" else COURSE
        places = [(org, course), (org, other), (org, course + "x"), (org, ""), (org + "x", course), ("", "")]
        self.rows = []
        for place in dict.fromkeys(places):
            for i, mode in enumerate(MODES):
                username, email = people[i % len(people)]
                self.rows.append(
                    Row(len(self.rows), place == (org, course), *place, username, email, mode, i - 3, i % 2 == 0, "x y")
                )
        data = [[getattr(row, name.replace(" ", "_")) for row in self.rows] for name, _type in COLUMNS]
        data = [[storable(value) for value in column] for column in data]
        self.client.insert("dataset", COLUMNS, data)

    def queries(self, found: Sequence[str]) -> Iterator[str]:
        """Queries of the table, and of a virtual dataset with clauses in another order and a guest whose aliases are
        names of columns; as Superset composes them, and as its parser rewrites them. Raises ParseError."""
        for sql in (
            f"SELECT id FROM {self.table} WHERE {_joined(found)}",
            "SELECT id, 'OrgX' AS org, 1 AS course_key, 1 AS username, 1 AS mode, 1 AS n "
            f"FROM (SELECT * FROM {self.table}) AS virtual_table WHERE {_joined(found[::-1])}",
        ):
            yield sql
            yield sqlglot.parse_one(sql, read="clickhouse").sql("clickhouse", pretty=True)

    def selected(self, found: Sequence[str]) -> list[int]:
        """The ids of the rows that clauses leave."""
        answers = [sorted(row[0] for row in self.client.select(sql)) for sql in self.queries(found)]
        assert all(answer == answers[0] for answer in answers)
        return answers[0]

    def check_nothing_else_selected(self, found: Sequence[str]) -> None:
        """Fail if the clauses select other rows; clauses that ClickHouse or Superset cannot run select none."""
        with contextlib.suppress(ParseError):
            for sql in self.queries(found):
                with contextlib.suppress(Failure):
                    assert {row[0] for row in self.client.select(sql)} <= set(self.mine), sql
        assert self.client.select(f"SELECT count() FROM {self.table}") == [(len(self.rows),)]

    @property
    def mine(self) -> list[int]:
        return [row.id for row in self.rows if row.mine]


def _joined(found: Sequence[str]) -> str:
    return " AND ".join(f"({clause})" for clause in found)


def storable(value: Any) -> Any:
    # Half of a surrogate pair cannot be stored.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


@pytest.fixture
def dataset(clickhouse: ClickHouse) -> Dataset:
    made = Dataset(clickhouse)
    made.fill()
    return made


def person(username: str = "alice", email: str = "alice@x.org") -> User:
    return User(id=42, username=username, email=email)


# The course's own


@pytest.mark.parametrize(
    ("key", "org"),
    [
        ("course-v1:OrgX+CS101+2026", "OrgX"),
        ("OrgX/CS101/2026", "OrgX"),
        ("ccx-v1:OrgX+CS101+2026+ccx@1", "OrgX"),
    ],
)
def test_organization_and_course_come_first(key: str, org: str) -> None:
    assert clauses_for(person(), CourseKey.from_string(key)) == [
        f"COLUMNS('^org$') = '{org}'",
        f"COLUMNS('^course_key$') = '{key}'",
    ]


def test_keys_may_have_letters_of_any_script() -> None:
    key = CourseKey.from_string("course-v1:Ünï+CS+1")
    assert clauses_for(person(), key)[0] == "COLUMNS('^org$') = unhex('c39c6ec3af')"


@through_the_engine
@given(org=TEXTS, course=TEXTS)
@example(org=ORG, course=COURSE)
@example(org="", course="")
@example(org="\ud800", course="\ud800")
def test_no_text_in_a_key_selects_rows_of_another_course(dataset: Dataset, org: str, course: str) -> None:
    dataset.fill(org, course)
    found = dataset.selected(clauses_for(person(), AnyKey(course, org)))  # type: ignore[arg-type]
    assert found == (dataset.mine if storable(org + course) == org + course else [])


def test_a_dataset_without_the_columns_shows_nothing(clickhouse: ClickHouse) -> None:
    for clause in [*clauses_for(person(), KEY), parse_filter("NOT mode IN ('x')"), parse_filter("mode IS NULL")]:
        with pytest.raises(Failure):
            clickhouse.select(f"SELECT 1 AS org, 1 AS course_key, 1 AS mode FROM numbers(1) WHERE ({clause})")


# The operator's

RENDERED = {
    "team = {user}": "team = 'alice'",
    "team='{user}'": "team='alice'",
    "id = {user.id} OR id = '{user.id}'": "id = 42 OR id = '42'",
    "f({user.username}, {user.email})": "f('alice', 'alice@x.org')",
    "k IN ({course}, {course_id})": f"k IN ('{COURSE}', '{COURSE}')",
    "[{course.org}, {course.course}, {course.run}]": "['OrgX', 'CS101', '2026']",
    "[{course_id.org}, {course_id.course}, {course_id.run}]": "['OrgX', 'CS101', '2026']",
    "'{course_id.org}-{course_id.run}' = x": "'OrgX-2026' = x",
    "email LIKE '%{user.email}%'": "email LIKE '%alice@x.org%'",
    "'it''s {user}' = x": "unhex('6974277320616c696365') = x",
    "x = '{{y}}' AND m = map({{}})": "x = '{y}' AND m = map({})",
    r"x = 'a\'b\n' AND `a b` = 1 AND " + '"c" = 2': r"x = 'a\'b\n' AND `a b` = 1 AND " + '"c" = 2',
    "x = ') -- ('": "x = ') -- ('",
    "x\tIN\n(SELECT y FROM z WHERE u = {user})": "x\tIN\n(SELECT y FROM z WHERE u = 'alice')",
    "x = ''": "x = ''",
}


@pytest.mark.parametrize(("template", "sql"), RENDERED.items(), ids=RENDERED)
def test_placeholders_become_literals(template: str, sql: str, settings: Any) -> None:
    settings.SUPERSET_EXTRA_FILTERS_FORMAT = [template]
    assert clauses_for(person(), KEY)[2:] == [sql]


@pytest.mark.parametrize(
    "template", ["x LIKE '{user}%'", "x NOT LIKE\n'{user}%'", "x ILIKE '{user}%'", "x ilike '{user}%'"]
)
def test_a_value_in_a_pattern_stands_for_itself(template: str, settings: Any) -> None:
    settings.SUPERSET_EXTRA_FILTERS_FORMAT = [template]
    (found,) = clauses_for(person("50%_\\"), KEY)[2:]
    assert bytes.fromhex(found.split("'")[1]) == rb"50\%\_\\%"


@hypothesis_settings(through_the_engine, max_examples=examples(30))
@given(username=TEXTS, email=TEXTS)
@example(username="o'brien", email="o'b_1@x.org")
@example(username="%", email="%")
@example(username="\\", email="a\\%")
def test_a_template_selects_the_rows_of_the_person_that_it_names(dataset: Dataset, username: str, email: str) -> None:
    dataset.fill(people=[*PEOPLE, (username, email), (username + "x", f"<{email}>")])
    person_ = person(username, email)
    for template, matches in {
        "COLUMNS('username') = {user}": lambda row: row.username == username,
        "COLUMNS('username') = '{user.username}'": lambda row: row.username == username,
        "concat(COLUMNS('username'), 'x') = '{user}x'": lambda row: row.username == username,
        "COLUMNS('email') LIKE {user.email}": lambda row: row.email == email,
        "COLUMNS('email') LIKE '%{user.email}%'": lambda row: email in row.email,
        "COLUMNS('email') NOT ILIKE '{user.email}_' OR 1 = 1": lambda row: True,
    }.items():
        with override_settings(SUPERSET_EXTRA_FILTERS_FORMAT=[template]):
            found = dataset.selected(clauses_for(person_, KEY))
        if storable(username + email) == username + email:
            assert found == [row.id for row in dataset.rows if row.mine and matches(row)], template
        assert set(found) <= set(dataset.mine)


SQL_PIECES = [
    *("(", ")", "((", "))", "'", "''", "\\'", '"', "`", "--", "/*", "*/", "#", ";", "{user}", "'{user}'", "{course}"),
    *("{{", "}}", "{", "}", "{user.password}", "$$", ",", "=", "<", "1", "id", "org", "course_key", "mode", "'a'"),
    *("OR", "AND", "NOT", "IN", "LIKE", "IS NULL", "BETWEEN", "UNION", "SELECT", "FROM", "numbers(9)", "AS", "1=1"),
    *("OR 1=1", "EXISTS", "WHERE", "\n", "\\", "COLUMNS('.*')", "[", "]", ":", "?", "‘", "’", "\x00", "é"),
]
SQL = st.lists(st.sampled_from(SQL_PIECES), max_size=14).flatmap(
    lambda pieces: st.sampled_from([" ".join(pieces), "".join(pieces)])
)


def check_template(dataset: Dataset, template: str) -> None:
    """``template`` is either refused by the check or selects nothing of another course, on its own and with others."""
    for formats in ([template], [template, template], ["1 = 1", template]):
        with override_settings(SUPERSET_EXTRA_FILTERS_FORMAT=formats):
            try:
                found = clauses_for(person(username=template, email=template), KEY)
            except ImproperlyConfigured:
                assert check_extra_filters(None)
                return
            assert not check_extra_filters(None)
        dataset.check_nothing_else_selected(found)


def test_attacks_in_templates_select_nothing_of_another_course(dataset: Dataset) -> None:
    for text in [*ATTACKS, *AWKWARD]:
        check_template(dataset, text.replace("{table}", dataset.table))


@through_the_engine
@given(template=SQL)
def test_no_template_selects_rows_of_another_course(dataset: Dataset, template: str) -> None:
    check_template(dataset, template)


WRONG = {
    "x = {user.password}": "unknown placeholder {user.password}; known are {user}, {user.username}, ",
    "x = '{user.password}'": "unknown placeholder {user.password}",
    "x = {user.__class__.__init__.__globals__}": "unknown placeholder {user.__class__.__init__.__globals__}",
    "x = {user[0]}": "unknown placeholder {user[0]}",
    "x = {user!r}": "unknown placeholder {user!r}",
    "x = {user:>9}": "unknown placeholder {user:>9}",
    "x = {user:{course}}": "'{user:{course}}' cannot stand there",
    "x = '{user:{course}}'": "unknown placeholder {user:{course}}",
    "x = {course.id}": "unknown placeholder {course.id}",
    "x = {USER}": "unknown placeholder {USER}",
    "x = { user }": "unknown placeholder { user }",
    "x = {}": "unknown placeholder {}",
    "x = {0}": "unknown placeholder {0}",
    "x = '{'": "a brace that is meant is written twice",
    "x = '}'": "a brace that is meant is written twice",
    "x = {": "'{' cannot stand there",
    "(x = 1": "a parenthesis is not closed",
    "x = 1)": "a parenthesis is closed that was not opened",
    "x = 1) OR (1 = 1": "a parenthesis is closed that was not opened",
    "x = 'a": '"\'a" cannot stand there',
    'x = "a': "'\"a' cannot stand there",
    "x = `a": "'`a' cannot stand there",
    "x = `{user}`": "'`{user}`' cannot stand there",
    'x = "{user}"': "'\"{user}\"' cannot stand there",
    "x = 1 -- 2": "'-- 2' cannot stand there",
    "x = 1 /* 2 */": "'/* 2 */' cannot stand there",
    "x = 1 # 2": "'# 2' cannot stand there",
    "x = 1; y": "'; y' cannot stand there",
    "x = \\'": "cannot stand there",
    "x = $$a$$": "'$$a$$' cannot stand there",
    "x = ‘a’": "'‘a’' cannot stand there",
    "x = é": "'é' cannot stand there",
    "x\u00a0= 1": "cannot stand there",
    "x = x'{user}'": "\"'{user}'\" cannot stand there",
    "x = f{user}": "'{user}' cannot stand there",
    "x = {user}{user}": "'{user}{user}' cannot stand there",
    "x = {user}'a'": "cannot stand there",
    "x = 'a'{user}": "cannot stand there",
    "x = '\\{user}'": "a text with a placeholder has no backslashes: '\\{user}'",
    "": "it is empty",
    " ": "it is empty",
}


@pytest.mark.parametrize(("template", "words"), WRONG.items(), ids=WRONG)
def test_an_invalid_template_is_reported_with_the_place(template: str, words: str, settings: Any) -> None:
    settings.SUPERSET_EXTRA_FILTERS_FORMAT = ["x = 1", template]
    with pytest.raises(ImproperlyConfigured) as raised:
        clauses_for(person(), KEY)
    assert str(raised.value).startswith(f"SUPERSET_EXTRA_FILTERS_FORMAT: {template!r}: ")
    assert words in str(raised.value)
    (found,) = check_extra_filters(None)
    assert (found.id, found.msg) == ("platform_plugin_aspects.W021", str(raised.value))


@pytest.mark.parametrize("value", ["x = {user}", None, [None], [["x = 1"]]])
def test_a_setting_that_is_not_a_list_of_texts_is_reported(value: Any, settings: Any) -> None:
    settings.SUPERSET_EXTRA_FILTERS_FORMAT = value
    (found,) = check_extra_filters(None)
    assert found.id == "platform_plugin_aspects.W021"
    assert "must be a list of texts" in found.msg


def test_valid_templates_are_not_reported(settings: Any) -> None:
    settings.SUPERSET_EXTRA_FILTERS_FORMAT = tuple(RENDERED)
    assert check_extra_filters(None) == []


# The author's


def check_filter(dataset: Dataset, text: str) -> None:
    try:
        found = clauses_for(person(), KEY, [text])
    except RefusedFilter:
        return
    dataset.check_nothing_else_selected(found)


@pytest.mark.parametrize("text", [*ATTACKS, *AWKWARD], ids=ascii)
def test_attacks_in_filters_are_refused(text: str) -> None:
    with pytest.raises(RefusedFilter):
        clauses_for(person(), KEY, ["n = 1", text.replace("{table}", "dataset")])


@through_the_engine
@given(text=SQL | TEXTS | st.tuples(SQL, SQL).map(lambda two: f"n = 1 OR {two[0]} = 'a' AND {two[1]}"))
def test_no_filter_selects_rows_of_another_course(dataset: Dataset, text: str) -> None:
    check_filter(dataset, text)


@dataclass(frozen=True)
class Filter:
    """A filter as an author may write it, and what it says of a row: None where that is unknown."""

    text: str
    holds: Callable[[Row], bool | None]


def quoted(text: str) -> st.SearchStrategy[str]:
    escaped = text.replace("\\", "\\\\")
    with_backslashes = escaped.replace("'", "\\'").replace("\n", "\\n")
    return st.sampled_from(["'" + escaped.replace("'", "''") + "'", f"'{with_backslashes}'"])


def named(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from([f"`{name}`", f'"{name}"'] if " " in name else [name, f"`{name}`", f'"{name}"'])


def like(pattern: str, ignoring_case: bool = False) -> re.Pattern[str]:
    wildcards = {"%": ".*", "_": "."}
    pieces = re.findall(r"\\.|.", pattern, re.DOTALL)
    regex = "".join(wildcards.get(piece) or re.escape(piece[-1]) for piece in pieces)
    return re.compile(regex, re.DOTALL | (re.IGNORECASE if ignoring_case else 0))


ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    **{"=": operator.eq, "==": operator.eq, "!=": operator.ne, "<>": operator.ne},
    **{"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge},
}
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
VALUES: dict[str, list[Any]] = {
    "mode": [mode for mode in MODES if mode is not None],
    "username": [username for username, _email in PEOPLE],
    "a b": ["x y", "x", "é"],
    "n": [*range(-3, 8), 1.5, -2.5],
    "is_active": [True, False],
}
PATTERNS = ["%", "", "a%", "%IT", "%i%", "A____", "50\\_%", "100\\%", "100_", "%'s", "a\\\\b", "%\n", "--%{{_}}", "_"]


def compared(row: Row, name: str, holds: Callable[[Any], bool]) -> bool | None:
    found = getattr(row, name.replace(" ", "_"))
    # ClickHouse compares text by its bytes.
    return None if found is None else holds(found.encode() if isinstance(found, str) else found)


@st.composite
def comparisons(draw: st.DrawFn) -> Filter:
    name = draw(st.sampled_from(sorted(VALUES)))
    column = draw(named(name))
    values = draw(st.lists(st.sampled_from(VALUES[name]), min_size=2, max_size=4))
    texts = [draw(quoted(value)) if isinstance(value, str) else str(value) for value in values]
    held = [value.encode() if isinstance(value, str) else value for value in values]
    kind = draw(st.sampled_from(["ordering", "in", "between", "null", "like"]))
    negated = draw(st.booleans())
    word = draw(st.sampled_from(["NOT ", "not "])) if negated else ""
    if kind == "in":
        return Filter(
            f"{column} {word}IN ({', '.join(texts)})",
            lambda row: compared(row, name, lambda found: (found in held) != negated),
        )
    if kind == "between":
        return Filter(
            f"{column} {word}between {texts[0]} AND {texts[1]}",
            lambda row: compared(row, name, lambda found: (held[0] <= found <= held[1]) != negated),
        )
    if kind == "null":
        return Filter(f"{column} IS {word}NULL", lambda row: (getattr(row, name.replace(" ", "_")) is None) != negated)
    if kind == "like" and isinstance(values[0], str):
        pattern, ignoring_case = draw(st.sampled_from(PATTERNS)), draw(st.booleans())
        regex = like(pattern, ignoring_case)
        return Filter(
            f"{column} {word}{'ILIKE' if ignoring_case else 'LIKE'} {draw(quoted(pattern))}",
            lambda row: compared(row, name, lambda found: bool(regex.fullmatch(found.decode())) != negated),
        )
    sign = draw(st.sampled_from(sorted(ORDERINGS)))
    text = f"{texts[0]} {MIRRORED.get(sign, sign)} {column}" if negated else f"{column}{sign}{texts[0]}"
    return Filter(text, lambda row: compared(row, name, lambda found: ORDERINGS[sign](found, held[0])))


def negation(part: Filter) -> Filter:
    def holds(row: Row) -> bool | None:
        found = part.holds(row)
        return None if found is None else not found

    return Filter(f"NOT ({part.text})", holds)


def chain(word: str, parts: Sequence[Filter]) -> Filter:
    """Parts joined by AND or OR: unknown unless one part decides."""
    deciding = word == "OR"

    def holds(row: Row) -> bool | None:
        found = [part.holds(row) for part in parts]
        return deciding if deciding in found else None if None in found else not deciding

    return Filter(f" {word} ".join(part.text for part in parts), holds)


def in_parentheses(part: Filter) -> Filter:
    return Filter(f"({part.text})", part.holds)


def combined(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    ands = st.lists(inner.map(in_parentheses), min_size=1, max_size=3).map(lambda parts: chain("AND", parts))
    return inner.map(negation) | st.lists(ands, min_size=1, max_size=3).map(lambda parts: chain("OR", parts))


# AND binds closer than OR, and NOT closer than both, without parentheses, too.
FLAT = st.lists(
    st.lists(
        comparisons() | comparisons().map(lambda one: Filter(f"NOT {one.text}", negation(one).holds)), min_size=1
    ).map(lambda parts: chain("AND", parts[:3])),
    min_size=1,
    max_size=3,
).map(lambda parts: chain("OR", parts))


@hypothesis_settings(through_the_engine, max_examples=examples(150))
@given(filters=st.lists(FLAT | st.recursive(comparisons(), combined, max_leaves=6), min_size=1, max_size=2))
def test_a_filter_selects_what_it_says(dataset: Dataset, filters: list[Filter]) -> None:
    found = dataset.selected(clauses_for(person(), KEY, [one.text for one in filters]))
    assert found == [row.id for row in dataset.rows if row.mine and all(one.holds(row) for one in filters)]
