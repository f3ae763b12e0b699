"""Filters that course authors write: accepted ones become clauses, the others are refused with a reason."""

from __future__ import annotations

import logging

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from platform_plugin_aspects.dashboards.access.author_filters import (
    MAX_DEPTH,
    MAX_LENGTH,
    RefusedFilter,
    parse_filter,
    parse_filters,
)

TAKEN = {
    "mode = 'verified'": "COLUMNS('^mode$') = 'verified'",
    "'verified' = mode": "'verified' = COLUMNS('^mode$')",
    "n == 1": "COLUMNS('^n$') = 1",
    "n != -1.5": "COLUMNS('^n$') <> -1.5",
    "n<>1e3": "COLUMNS('^n$') <> 1e3",
    "n < 1": "COLUMNS('^n$') < 1",
    "n <= 1": "COLUMNS('^n$') <= 1",
    "n > 1": "COLUMNS('^n$') > 1",
    "n >= (1)": "COLUMNS('^n$') >= 1",
    "is_active = TRUE": "COLUMNS('^is_active$') = true",
    "is_active = false": "COLUMNS('^is_active$') = false",
    "mode IN ('a', 2)": "COLUMNS('^mode$') IN ('a', 2)",
    "mode not in ('a')": "NOT (COLUMNS('^mode$') IN ('a'))",
    "mode LIKE 'a%'": "COLUMNS('^mode$') LIKE 'a%'",
    "mode NOT ILIKE '_b'": "NOT (COLUMNS('^mode$') ILIKE '_b')",
    "n BETWEEN 1 AND 2": "COLUMNS('^n$') BETWEEN 1 AND 2",
    "n NOT BETWEEN 1 AND 2": "NOT (COLUMNS('^n$') BETWEEN 1 AND 2)",
    "mode IS NULL": "COLUMNS('^mode$') IS NULL",
    "mode IS NOT NULL": "NOT (COLUMNS('^mode$') IS NULL)",
    "\"a column\" = 'x' AND `b` = 1": "(COLUMNS('^a column$') = 'x') AND (COLUMNS('^b$') = 1)",
    "timestamp > '2026-01-01 10:00:00'": "COLUMNS('^timestamp$') > '2026-01-01 10:00:00'",
    "a = 1 OR b = 2 AND NOT c = 3": (
        "(COLUMNS('^a$') = 1) OR ((COLUMNS('^b$') = 2) AND (NOT (COLUMNS('^c$') = 3)))"  # AND binds closer
    ),
    "(a = 1 OR b = 2) AND c = 3": "((COLUMNS('^a$') = 1) OR (COLUMNS('^b$') = 2)) AND (COLUMNS('^c$') = 3)",
    "mode = 'it''s'": "COLUMNS('^mode$') = unhex('69742773')",
    r"mode = '\'\\'": "COLUMNS('^mode$') = unhex('275c')",
    "mode = '-- {{ é'": "COLUMNS('^mode$') = unhex('2d2d207b7b20c3a9')",
    "mode = '100%%'": "COLUMNS('^mode$') = unhex('3130302525')",
    "mode = ''": "COLUMNS('^mode$') = ''",
}

REFUSED = {
    "": "empty",
    " \n ": "empty",
    "-- mode = 1": "empty",
    "mode = 1; DROP TABLE t": "semicolon",
    "mode = 1;": "semicolon",
    "mode = 1 --": "comment",
    "mode = 1 -- or not": "comment: “or not”",
    "mode = /* or */ 1": "comment: “or”",
    "mode = 1 # or": "comment",
    "mode = 'a": "not closed",
    "mode = 1 /* ": "not closed",
    "mode = 1 AND": "“mode = 1 AND”",
    "mode = 1)": "“mode = 1)”",
    "(mode = 1": "“(mode = 1”",
    "1=1) OR (1=1": "“1=1)”",
    "1=0) UNION SELECT * FROM other WHERE (1=1": "“1=0)”",
    "org='A'); CREATE TABLE t (n Int32); SELECT 1 WHERE (1=1": "semicolon",
    "mode = 1 UNION SELECT 1": "“mode = 1 UNION”",
    "1 = 1": "“1” is not the name of a column",
    "'a' = 'a'": "“'a'” is not the name of a column",
    "true": "“TRUE” does not compare a column",
    "mode": "“mode” does not compare a column",
    "NOT mode": "“mode” does not compare a column",
    "org = course_key": "“course_key” is not a value",
    "mode = NULL": "“NULL” is not a value",
    "mode IS TRUE": "“mode IS TRUE” does not compare a column",
    "mode IN (SELECT mode FROM other)": "does not compare a column",
    "mode IN other": "does not compare a column",
    "mode IN ()": "does not compare a column",
    "mode IN (org)": "“org” is not a value",
    "mode IN (('a', 'b'))": "is not a value",
    "mode GLOBAL IN ('a')": "does not compare a column",
    "mode = (SELECT 1)": "is not a value",
    "EXISTS (SELECT 1)": "does not compare a column",
    "now() > 1": "“now()” is not a value",
    "mode = now()": "“now()” is not a value",
    "lower(mode) = 'a'": "is not a value",
    "sleep(3) = 0": "is not a value",
    "COLUMNS('.*') = 'a'": "is no",
    "mode LIKE ANY ('a')": "is not a value",
    "mode LIKE 'a' ESCAPE '!'": "does not compare a column",
    "mode LIKE concat('a', 'b')": "is not a value",
    "n BETWEEN SYMMETRIC 1 AND 2": "does not compare a column",
    "n BETWEEN 1 AND m": "“m” is not a value",
    "mode REGEXP 'a'": "does not compare a column",
    "mode <=> 'a'": "does not compare a column",
    "mode IS DISTINCT FROM 'a'": "does not compare a column",
    "mode = 'a' = 1": "is no",
    "n + 1 = 2": "is not a value",
    "n = 1 + 1": "“1 + 1” is not a value",
    "n = - - 1": "is not a value",
    "n = -'1'": "is not a value",
    "n = -true": "is not a value",
    "n = -m": "is not a value",
    "n = 0x41": "is not a value",
    "n = 1e": "“1e” is not a value",
    "n = 1e5.5": "“1e5.5” is not a value",
    "n = 1::Int32": "is not a value",
    "mode::String = 'a'": "is not a value",
    "CAST(mode AS String) = 'a'": "is not a value",
    "mode = CAST('a' AS String)": "is not a value",
    "mode = {name:String}": "is not a value",
    "mode = :name": "is not a value",
    "mode = ?": "is not a value",
    "mode = @name": "is not a value",
    "mode = 'a' 'b'": "is not a value",
    "mode = $$a$$": "is not a value",
    "mode = N'a'": "is not a value",
    "mode = ['a']": "is not a value",
    "mode[1] = 'a'": "is not a value",
    "(mode, n) = ('a', 1)": "is not a value",
    "mode = INTERVAL 1 DAY": "is not a value",
    "mode = DATE '2026-01-01'": "is not a value",
    "CASE WHEN n = 1 THEN 1 END = 1": "is not a value",
    "n = 1 ? 2 : 3": "“n = 1 ?”",
    "x -> x = 1": "is not a value",
    "t.mode = 'a'": "“t.mode” is not the name of a column",
    "db.t.mode = 'a'": "“db.t.mode” is not the name of a column",
    "t.1 = 'a'": "is not the name of a column",
    "* = 'a'": "“*”",
    "mode = 'a' AS b": "“mode = 'a' AS”",
    "\"mode$') OR (COLUMNS('^n\" = 'a'": "is not the name of a column",
    '"a.*" = 1': "is not the name of a column",
    '"" = 1': "is not the name of a column",
    "модель = 1": "“модель” is not the name of a column",
    "mode = ‘a’": "is not a value",
    "{{ 1 }} = 1": "",
    "SELECT 1": "“SELECT”",
    "n = 1 SETTINGS max_threads = 1": "“n = 1 SETTINGS”",
    "n = 1 FORMAT Null": "“n = 1 FORMAT”",
    "n = 1\0": "",
}


@pytest.mark.parametrize(("text", "sql"), TAKEN.items(), ids=TAKEN)
def test_an_accepted_filter_is_written_anew(text: str, sql: str) -> None:
    assert parse_filter(text) == sql


@pytest.mark.parametrize(("text", "words"), REFUSED.items(), ids=[ascii(text) for text in REFUSED])
def test_a_refusal_names_the_part_that_is_wrong(text: str, words: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RefusedFilter) as refused:
        parse_filter(text)
    assert words in str(refused.value)
    assert not caplog.records  # sqlglot would warn with the author's text


@pytest.mark.parametrize(
    "text",
    [
        "NOT " * (MAX_DEPTH + 1) + "n = 1",
        "(" * 900 + "n = 1" + ")" * 900,
        "n = " + "- " * 900 + "1",
        "n = " + "[" * 900 + "]" * 900,
        "f(" * 600,
        "n = " + "1+" * 900 + "1",
        "n = 1 AND (n = 1 OR (" * (MAX_DEPTH // 2) + "n = 1 AND n = 2" + "))" * (MAX_DEPTH // 2),
    ],
    ids=lambda text: text[:20],
)
def test_a_deep_filter_is_refused_without_a_crash(text: str) -> None:
    with pytest.raises(RefusedFilter):
        parse_filter(text)


def test_a_filter_as_deep_as_people_need_is_accepted() -> None:
    assert parse_filter("NOT " * MAX_DEPTH + "n = 1").count("NOT") == MAX_DEPTH
    assert parse_filter("(" * 20 + "n = 1" + ")" * 20) == "COLUMNS('^n$') = 1"


def test_a_long_chain_is_not_deep() -> None:
    chain = " OR ".join(f"n = {i}" for i in range(180))
    assert len(chain) < MAX_LENGTH
    assert parse_filter(chain).count(" OR ") == 179


def test_a_filter_is_limited_in_length() -> None:
    fits = "mode = '" + "a" * (MAX_LENGTH - 9) + "'"
    assert len(fits) == MAX_LENGTH
    assert parse_filter(fits)
    with pytest.raises(RefusedFilter, match=f"longer than {MAX_LENGTH}"):
        parse_filter(fits + " ")


def test_messages_are_plain_text_in_the_language_of_the_request() -> None:
    with translation.override("en"), pytest.raises(RefusedFilter) as refused:
        parse_filter("n = 1;")
    assert str(refused.value) == "The filter has a semicolon."


def test_filters_together_are_limited_in_number() -> None:
    assert parse_filters(["n = 1"] * 50) == ["COLUMNS('^n$') = 1"] * 50
    with pytest.raises(RefusedFilter) as refused:
        parse_filters(["n = 1"] * 51)
    assert str(refused.value) == "There are 51 filters, but at most 50 are allowed. Join some of them by AND."


def test_filters_together_are_limited_in_length() -> None:
    fits = ["mode = '" + "a" * 1991 + "'", "mode = '" + "b" * 1991 + "'"]
    assert [len(text) for text in fits] == [2000, 2000]
    assert len(parse_filters(fits)) == 2
    with pytest.raises(RefusedFilter) as refused:
        parse_filters([*fits, "n = 1"])
    assert str(refused.value) == "The filters have 4005 characters together, but at most 4000 are allowed."


#: Texts of which sqlglot would log a part.
LOGGED = ["a -> '$[a secret' = 1", "json_extract(a, '$[a secret') = 1", "a[1] = 1"]


@pytest.mark.parametrize("text", LOGGED)
def test_sqlglot_logs_nothing_of_an_author_s_text(text: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "sqlglot"), pytest.raises(RefusedFilter):
        parse_filter(text)
    assert caplog.records == []
    # Others in this process may use sqlglot, too.
    logging.getLogger("sqlglot").warning("of somebody else")
    assert caplog.messages == ["of somebody else"]


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@given(st.text(st.sampled_from("an1.,:;$@[](){}'\"`->=<|&!?*/% "), max_size=40))
def test_no_text_is_logged(text: str) -> None:
    heard = _Records()
    root = logging.getLogger()
    root.addHandler(heard)
    try:
        parse_filter(text)
    except RefusedFilter:
        pass
    finally:
        root.removeHandler(heard)
    assert heard.messages == []
