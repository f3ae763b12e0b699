"""The SQL of exports: what is allowed, and what would show rows of other courses, or more than the reader may read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_plugin_aspects.dashboards.own_boards.sql import refusal_of_expression, refusal_of_select, unreadable

READABLE = {("reports", "course_outline"), ("event_sink", "course_enrollment")}


def refusal(sql: str) -> str | None:
    return refusal_of_select(sql, "reports", READABLE)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM reports.course_outline",
        "SELECT * FROM course_outline;",
        "select org, course_key, mode from event_sink.course_enrollment where is_active = 1",
        "SELECT t.org, t.course_key, t.title AS unit FROM course_outline AS t",
        "SELECT t.*, upper(t.title) AS loud FROM course_outline t -- a comment",
        "SELECT org, course_key, count() AS n, sumIf(learners, graded) FROM course_outline GROUP BY org, course_key "
        "HAVING n > 5 ORDER BY n",
        "SELECT DISTINCT org, course_key, title FROM `reports`.`course_outline` WHERE title IN ('a', 'b')",
        "SELECT org, course_key, arrayMap(x -> x + 1, [1, 2]) AS a FROM course_outline PREWHERE graded",
        "SELECT org, course_key, if(learners > 0, 1 / learners, NULL)::Nullable(Float64) AS s FROM course_outline",
    ],
)
def test_one_select_from_one_relation_is_allowed(sql: str) -> None:
    assert refusal(sql) is None


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM event_sink.user_profile", "reads event_sink.user_profile, which Superset's reader may not"),
        ("SELECT * FROM user_profile", "reads reports.user_profile"),
        ("SELECT * FROM system.query_log", "It may read: event_sink.course_enrollment, reports.course_outline"),
        ("SELECT 1", "reads no table or view by name"),
        ("SELECT * FROM url('http://x', 'CSV')", "reads no table or view by name"),
        ("SELECT * FROM (SELECT * FROM course_outline)", "reads no table or view by name"),
        ("SELECT * FROM course_outline, event_sink.user_profile", "has joins"),
        ("SELECT * FROM course_outline JOIN event_sink.course_enrollment USING course_key", "has joins"),
        ("SELECT * FROM course_outline UNION ALL SELECT * FROM course_outline", "is not one SELECT"),
        ("WITH x AS (SELECT 1) SELECT * FROM course_outline", "has with"),
        ("WITH 'Org' AS org SELECT org, course_key FROM course_outline", "has with"),
        ("SELECT * FROM course_outline LIMIT 10", "has limit"),
        ("SELECT * FROM course_outline LIMIT 1 BY title", "has limit"),
        ("SELECT * FROM course_outline OFFSET 10", "has offset"),
        ("SELECT * FROM course_outline SETTINGS max_threads = 1", "has settings"),
        ("SELECT * FROM course_outline FORMAT JSON", "has format"),
        ("SELECT * FROM course_outline FINAL", "reads no table or view by name"),
        ("SELECT * FROM course_outline SAMPLE 0.1", "has sample at its table"),
        ("SELECT * FROM course_outline ARRAY JOIN ['A'] AS org", "has joins"),
        ("SELECT *, (SELECT count() FROM course_outline) AS n FROM course_outline", "has a subquery"),
        ("SELECT * FROM course_outline WHERE learners > (SELECT 1)", "has a subquery"),
        ("SELECT *, count() OVER () AS n FROM course_outline", "has a window function (OVER)"),
        ("SELECT DISTINCT ON (title) org, course_key FROM course_outline", "has DISTINCT ON"),
        ("SELECT 'A' AS org, course_key FROM course_outline", "gives the name org to something else"),
        ("SELECT course_key, title AS org FROM course_outline", "gives the name org to something else"),
        ("SELECT title AS course_key, org FROM course_outline", "gives the name course_key to something else"),
        ("SELECT 'A' org, course_key FROM course_outline", "gives the name org to something else"),
        ("SELECT 'A' AS `org`, course_key FROM course_outline", "gives the name org to something else"),
        ("SELECT * FROM course_outline WHERE (('A' AS org) = 'A')", "gives the name org to something else"),
        ("SELECT * FROM course_outline AS org", "gives the name org to something else"),
        ("SELECT org FROM course_outline", "does not select course_key unchanged"),
        ("SELECT title FROM course_outline", "does not select org and course_key"),
        ("SELECT upper(org), course_key FROM course_outline", "does not select org"),
        ("SELECT * EXCEPT (org) FROM course_outline", "does not select org and course_key"),
        ("SELECT * REPLACE ('A' AS org) FROM course_outline", "org"),
        ("SELECT COLUMNS('.*') FROM course_outline", "does not select org and course_key"),
        ("SELECT * FROM course_outline WHERE title IN event_sink.user_profile", "has IN with something else"),
        ("SELECT * FROM course_outline WHERE title IN (names)", "has IN with something else"),
        ("SELECT * FROM course_outline WHERE title IN (SELECT name FROM event_sink.user_profile)", "has IN"),
        ("SELECT * FROM course_outline WHERE notIn(title, event_sink.t)", "calls notIn"),
        ("SELECT *, dictGet('event_sink.user_pii', 'name', 1) AS n FROM course_outline", "calls dictGet"),
        ("SELECT *, `dictGetOrNull`('event_sink.user_pii', 'name', 1) AS n FROM course_outline", "calls dictGetOrNull"),
        ("SELECT *, joinGet('a.b', 'name', 1) AS n FROM course_outline", "calls joinGet"),
        ("SELECT *, file('/etc/passwd') AS n FROM course_outline", "calls file"),
        ("SELECT *, sleepEachRow(3) AS n FROM course_outline", "calls sleepEachRow"),
        ("SELECT * FROM course_outline WHERE org = '{{ current_username() }}'", "has a Jinja template"),
        ("SELECT * FROM course_outline {% if 1 %} {% endif %}", "has a Jinja template"),
        ("SELECT *, {p:String} AS n FROM course_outline", "has a placeholder"),
        ("SELECT * FROM course_outline; DROP TABLE course_outline", "holds 2 statements"),
        ("DROP TABLE course_outline", "is not one SELECT"),
        ("INSERT INTO course_outline SELECT * FROM course_outline", "is not one SELECT"),
        ("SELECT * INTO OUTFILE 'x' FROM course_outline", "cannot be read as SQL"),
        ("SELECT FROM WHERE", "cannot be read as SQL"),
        ("", "holds 0 statements"),
        ("SELECT * FROM course_outline WHERE " + "(" * 5000 + "1", "cannot be read as SQL"),
        ("SELECT * FROM course_outline -- " + "x" * 20_000, "has more than 20,000 characters"),
    ],
)
def test_anything_else_is_refused_with_the_reason(sql: str, words: str) -> None:
    assert words in (refusal(sql) or "")


@pytest.mark.parametrize(
    "text",
    [
        "sum(learners)",
        "countIf(passed) / count()",
        "quantile(0.5)(grade)",
        "uniqExact(user_id)",
        "mode IN ('verified', 'honor') AND NOT is_active",
        "CASE WHEN grade > 0.5 THEN 'high' ELSE 'low' END",
        "toStartOfWeek(day)",
        "title LIKE '%a%'",
        "tags[1]",
    ],
)
def test_expressions_compute_with_columns(text: str) -> None:
    assert refusal_of_expression(text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(SELECT max(grade) FROM event_sink.user_profile)", "has a subquery or a statement"),
        ("EXISTS(SELECT 1)", "has a subquery or a statement"),
        ("SELECT 1", "has a subquery or a statement"),
        ("DROP TABLE x", "has a subquery or a statement"),
        ("1) UNION SELECT (1", "cannot be read as SQL"),
        ("1; SELECT 2", "holds 2 statements"),
        ("name IN event_sink.user_profile", "has IN with something else"),
        ("globalNotIn(name, event_sink.user_profile)", "calls globalNotIn"),
        ("dictHas('d', 1)", "calls dictHas"),
        ("'A' AS org", "has AS"),
        ("{{ 1 }}", "has a Jinja template"),
    ],
)
def test_expressions_that_do_more_are_refused(text: str, words: str) -> None:
    assert words in (refusal_of_expression(text) or "")


def test_a_table_must_be_one_that_the_reader_may_read() -> None:
    assert unreadable(("reports", "course_outline"), READABLE) is None
    assert unreadable(("event_sink", "user_profile"), READABLE) == (
        "reads event_sink.user_profile, which Superset's reader may not. "
        "It may read: event_sink.course_enrollment, reports.course_outline"
    )


@given(st.text() | st.from_regex(r"(SELECT|FROM|\(|\)|'|`|\{|--|/\*|\*|org|course_key|IN|,| |;){1,20}", fullmatch=True))
def test_no_text_breaks_the_reader(text: str) -> None:
    for reason in (refusal(text), refusal_of_expression(text)):
        assert reason is None or reason
