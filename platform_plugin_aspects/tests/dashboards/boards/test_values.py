"""Each text that views write has a translation, and a column without such texts says whose its values are."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.utils.translation import override

from platform_plugin_aspects.dashboards.boards.catalog import ALL
from platform_plugin_aspects.dashboards.boards.parts import Chart
from platform_plugin_aspects.dashboards.boards.values import VALUES
from platform_plugin_aspects.dashboards.bundle.datasets import TEXT, type_of
from platform_plugin_aspects.reporting.relation import relations
from platform_plugin_aspects.reporting.rules import Rules
from platform_plugin_aspects.tests.reporting.site import SMALLEST_GROUP, make_class
from platform_plugin_aspects.tests.reporting.ways import known_answers

#: Columns of texts that boards show and that are not ours, and whose they are.
OF_OTHERS = {
    **dict.fromkeys(("answer", "email", "name", "username"), "the learner's"),
    **dict.fromkeys(("problem_name", "section_name", "subsection_name", "unit_name", "video_name"), "the author's"),
    **dict.fromkeys(("subsection_place", "video_place"), "numbers, and the author's"),
    **dict.fromkeys(("block_id", "course_key", "mode", "run"), "the platform's"),
    **dict.fromkeys(("place", "tenth"), "numbers"),
}
#: Words in the SQL of relations that no reader sees: kinds, verbs and types, and parts of keys and of dates.
CODES = {
    *("answer", "answers", "asked", "attempted", "chapter", "completable", "completed", "completion", "course"),
    *("discussion", "earned", "enrollment", "evaluated", "failed", "forum", "grade", "hint", "navigated", "outcome"),
    *("page", "passed", "paused", "played", "posted", "problem", "progressed", "registered", "seeked", "sequential"),
    *(
        "solution",
        "terminated",
        "unregistered",
        "vertical",
        "video",
        "viewed",
        "visits",
        "other",
        "next unit",
        "previous unit",
    ),
    *("cmi.interaction", "GroupActivity", "UTC"),
}
_LITERAL = re.compile(r"'((?:[^'\\]|\\.|'')*)'")
_COMMENT = re.compile(r"--.*")
#: A text for people has a word of so many letters.
_WORD = re.compile(r"[^\W\d_]{3}")
#: Types, parts of keys, parts of addresses, and regular expressions have words, too.
_OTHERS = (r"Tuple\(.*", r"(ccx-)?((block|course|ccx)-v1:)?|\+type@", r"/[a-z./]+", r".*(\[\^|\(\.\+\)|\^\().*")
_NO_TEXT = re.compile("|".join(f"(?:{other})" for other in _OTHERS), re.DOTALL)


def literals() -> Iterator[tuple[str, str]]:
    """(relation, literal) of all literals of words in the SQL of relations."""
    for relation in relations():
        for literal in _LITERAL.findall(_COMMENT.sub("", relation.select)):
            if is_text(literal):
                yield relation.name, literal


def is_text(literal: str) -> bool:
    """Whether people may be meant to read a literal of SQL."""
    return bool(_WORD.search(literal)) and not _NO_TEXT.fullmatch(literal)


@pytest.mark.parametrize(
    "literal",
    [
        *("late", "not graded (late)", "no answer yet, so far", "2 or more attempts", "half-way", "doesn't finish"),
        *("a course: over", "in {rule.away_days} days!", "déjà vu", "left/enrolled"),
    ],
)
def test_a_sentence_of_any_kind_is_a_text(literal: str) -> None:
    assert is_text(literal)


def test_each_text_in_the_sql_of_views_has_a_translation_or_is_a_code() -> None:
    texts = {text for values in VALUES.values() for text in values.texts}
    unknown = {(name, literal) for name, literal in literals() if literal not in texts | CODES}
    assert unknown == set(), "name these in values.py if people read them, or in CODES here"
    written = {literal for _name, literal in literals()}
    assert texts - written == set(), "no view writes these any more"


def of_texts(chart: Chart) -> set[str]:
    """The columns of texts that a chart shows."""
    shown = {*chart.columns, chart.by, chart.split} - {""}
    return {column for column in shown if type_of(chart.relation, column) == TEXT}


def test_each_text_that_a_chart_shows_is_ours_or_that_of_somebody() -> None:
    shown = {column for board in ALL for chart in board.charts for column in of_texts(chart)}
    shown |= {filter_.column for board in ALL for filter_ in board.filters if hasattr(filter_, "column")}
    assert shown - VALUES.keys() == set(OF_OTHERS)
    assert VALUES.keys() <= shown


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_store", "reports")
def test_each_value_of_the_known_answers_has_a_text() -> None:
    known = known_answers(make_class(20, verticals=1), SMALLEST_GROUP)
    found: dict[str, set[str]] = {}
    for rows in known.values():
        for row in rows:
            for column in row.keys() & VALUES.keys():
                separator = VALUES[column].separator
                parts = row[column].split(separator) if separator else [row[column]]
                found.setdefault(column, set()).update(part for part in parts if part)
    assert found.keys() == VALUES.keys()
    for column, parts in found.items():
        assert parts <= VALUES[column].translated(Rules()).keys(), column


SPANISH = {
    "no visit for 7 days": "sin visitas desde hace 7 días",
    "never visited": "sin ninguna visita",
    "low grade": "calificación baja",
    "behind the others": "detrás de los demás",
}


def test_a_text_is_in_the_language_and_has_the_number_of_the_rule() -> None:
    with override("es-419"):
        assert VALUES["reason"].translated(Rules()) == SPANISH
        [(value, text), *_others] = VALUES["reason"].translated(Rules(away_days=1)).items()
    assert (value, text) == ("no visit for 1 days", "sin visitas desde hace 1 día")
    with override("ar"):
        [(value, text), *_others] = VALUES["reasons"].translated(Rules(away_days=30)).items()
    assert (value, text) == ("no visit for 30 days", "بلا زيارة منذ 30 يومًا")
