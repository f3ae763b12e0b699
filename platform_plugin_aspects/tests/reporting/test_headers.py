"""A relation's file that lacks something is refused with its name and what is missing."""

from __future__ import annotations

import pytest

from platform_plugin_aspects.reporting.relation import Column, InvalidRelation, hashes, in_order, parse, relations
from platform_plugin_aspects.reporting.rules import Rules

FILE = """-- One row: a day
--   of a course.
-- From: events.
-- Key: the day.
-- Population: everybody.
-- Read by: boards
-- Freshness: at once
-- Columns:
--   day: Day,
--     UTC.
--   learners: Learners.
SELECT day, learners FROM {events} WHERE learners > {rule.smallest_group}
"""


def test_a_file_is_read() -> None:
    relation = parse("days", FILE)
    assert relation.head["One row"] == "a day of a course."
    assert relation.columns == (Column("day", "", "Day, UTC."), Column("learners", "", "Learners."))
    assert (relation.references, relation.rules) == (("events",), ("smallest_group",))
    assert not relation.is_stored
    assert relation.is_for_boards


@pytest.mark.parametrize(
    ("found", "instead", "message"),
    [
        ("-- From: events.\n", "", 'days.sql: its header has no "From:"'),
        ("-- Freshness: at once\n", "", 'days.sql: its header has no "Freshness:"'),
        ("-- Population: everybody.\n", "", 'days.sql: its header has no "Population:"'),
        ("--   learners: Learners.\n", "--   learners:\n", "days.sql: column learners has no definition"),
        ("-- Key: ", "-- Kee: ", "days.sql: the header does not understand '-- Kee: the day.'"),
        ("SELECT", "DROP", "days.sql: it does not begin with SELECT or WITH after its header"),
        ("-- Columns:", "-- Engine: MergeTree\n-- Columns:", 'days.sql: its header has no "Source:"; '),
    ],
)
def test_what_is_refused(found: str, instead: str, message: str) -> None:
    with pytest.raises(InvalidRelation) as caught:
        parse("days", FILE.replace(found, instead))
    assert str(caught.value).startswith(message)


def test_relations_that_are_unknown_or_read_each_other_are_refused() -> None:
    with pytest.raises(InvalidRelation, match=r"days.sql reads events, which is not a relation"):
        in_order([parse("days", FILE)])
    with pytest.raises(InvalidRelation, match="These relations read each other in a circle: days, events"):
        in_order([parse("days", FILE), parse("events", FILE.replace("{events}", "{days}"))])


def test_a_definition_changes_with_what_it_says_and_not_with_prose() -> None:
    def of(text: str, **rules: int) -> str:
        found = [parse("days", text), parse("events", FILE.replace("{events}", "x"))]
        return hashes(in_order(found), {**Rules().values(), **rules})["days"]

    same = of(FILE)
    assert of(FILE.replace("Learners.", "Everybody.").replace(" WHERE", "\n  WHERE")) == same
    assert of(FILE, away_days=9) == same
    assert len({same, of(FILE.replace("WHERE", "FINAL WHERE")), of(FILE, smallest_group=9)}) == 3


def test_relations_come_after_those_that_they_read() -> None:
    known: set[str] = set()
    for relation in relations():
        assert set(relation.references) <= known
        known.add(relation.name)
    assert len(known) > 20
