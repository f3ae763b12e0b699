"""Columns in the language of a chart: what ClickHouse makes of the expressions, and where charts have them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils.translation import override
from hypothesis import HealthCheck, example, given, settings
from hypothesis.strategies import characters, dictionaries, lists, text

from platform_plugin_aspects.dashboards.access.literals import literal
from platform_plugin_aspects.dashboards.boards.catalog import ALL
from platform_plugin_aspects.dashboards.boards.labels import LABELS
from platform_plugin_aspects.dashboards.boards.values import VALUES
from platform_plugin_aspects.dashboards.bundle.bundle import bundle
from platform_plugin_aspects.dashboards.bundle.columns import expression, replaced
from platform_plugin_aspects.dashboards.own_boards.sql import refusal_of_expression
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.tests.dashboards.bundle.small_board import DATABASE, LANGUAGES
from test_utils.properties import examples

REASONS = "no visit for 7 days; low grade; behind the others"
#: The language, the column, what the view writes, and what people read.
SHOWN = [
    ("en", "reasons", REASONS, REASONS),
    ("es-419", "reasons", REASONS, "sin visitas desde hace 7 días; calificación baja; detrás de los demás"),
    ("fr", "reasons", REASONS, "aucune visite depuis 7 jours; note basse; en retard sur les autres"),
    ("ar", "reasons", REASONS, "بلا زيارة منذ 7 أيام; درجة منخفضة; متأخر عن الآخرين"),
    ("fr", "reason", "never visited", "aucune visite"),
    ("fr", "enrollment", "left", "terminée"),
    ("ar", "enrollment", "enrolled", "مسجل"),
    ("es-419", "enrollment", "unknown", "desconocida"),
    ("es-419", "flags", "many attempts", "muchos intentos"),
    # Not at risk, and without a remark.
    ("fr", "reasons", "", ""),
    # A rule that changed after the boards were provisioned.
    ("fr", "reasons", "no visit for 9 days; low grade", "no visit for 9 days; note basse"),
    # Not ours.
    ("fr", "mode", "left", "left"),
]


def asked(reports: Reports, column: str, value: str, sql: str) -> Any:
    """The value of SQL over a column with this value, in ClickHouse."""
    [(found,)] = reports.client.select(f"SELECT {sql} AS shown FROM (SELECT {literal(value)} AS {column})")
    return found


@pytest.mark.django_db
def test_people_read_values_in_their_language(reports: Reports) -> None:
    for language, column, value, wanted in SHOWN:
        with override(language):
            sql = column if language == "en" else expression(column)
        assert asked(reports, column, value, sql) == wanted, (language, column)


#: Texts of translators and of values: all that a catalog can hold.
TEXTS = text(characters(exclude_categories=("Cs",)), max_size=8)
PARTS = text(characters(exclude_categories=("Cs",), exclude_characters="|"), min_size=1, max_size=4)


@pytest.mark.django_db
@given(texts=dictionaries(PARTS, TEXTS, min_size=1, max_size=4), parts=lists(PARTS, max_size=3))
@example(texts={"a'b": "c\\' OR 1=1 --", "%%s": "{{ x }}"}, parts=["%%s", "a'b", "z"])
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_replaces_its_value_and_no_other(reports: Reports, texts: dict[str, str], parts: list[str]) -> None:
    several = [*parts, next(iter(texts))]
    sql = replaced("some", texts, "|")
    assert asked(reports, "some", "|".join(several), sql) == "|".join(texts.get(part, part) for part in several)
    assert asked(reports, "some", several[0], replaced("some", texts)) == texts.get(several[0], several[0])


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_expressions_may_be_in_boards_of_a_site_s_own(language: str) -> None:
    """A site may put a chart of ours on its dashboard, and add the export."""
    with override(language):
        for column in {*VALUES, *(column for board in ALL for chart in board.charts for column in chart.columns)}:
            assert refusal_of_expression(expression(column)) is None, column


def chart(name: str, language: str) -> dict[str, Any]:
    """The content of a chart's file."""
    return bundle(ALL, language, DATABASE).contents[f"charts/{name}.{language}.yaml"]


def labelled(label: str, sql: str) -> dict[str, str]:
    return {"expressionType": "SQL", "label": label, "sqlExpression": sql}


def test_a_table_has_its_labels_in_the_language() -> None:
    """They are the headings of its CSV, and its columns have formats and colours by them."""
    found = chart("forum-days", "fr")
    columns = [
        *(labelled("Jour", "day"), labelled("Messages", "posts")),
        *(labelled("Apprenants qui écrivent", "learners_posting"), labelled("Vues", "views")),
        labelled("Apprenants", "learners"),
    ]
    assert found["params"]["all_columns"] == columns
    assert json.loads(found["query_context"])["queries"][0]["columns"] == columns
    assert found["params"]["column_config"]["Vues"] == {
        "customColumnName": "Vues",
        "d3NumberFormat": ",d",
        "d3SmallNumberFormat": ",d",
    }
    assert [rule["column"] for rule in found["params"]["conditional_formatting"]] == ["Messages", "Vues"]
    # The order is the view's own.
    assert found["params"]["order_by_cols"] == ['["day", false]']


def test_an_axis_has_texts_and_its_label_in_the_language_but_days_stay() -> None:
    found = chart("at-risk-reasons", "fr")
    axis = found["params"]["x_axis"]
    assert axis["label"] == "Raison"
    assert axis["sqlExpression"].startswith("transform(reason, ['no visit for 7 days', 'never visited', 'low grade', ")
    [query] = json.loads(found["query_context"])["queries"]
    assert query["columns"] == [{"columnType": "BASE_AXIS", "timeGrain": None, **axis}]
    assert found["params"]["orientation"] == "horizontal"

    found = chart("course-enrollment-by-track-and-day", "fr")
    assert found["params"]["x_axis"] == "day"
    assert found["params"]["groupby"] == [labelled("Parcours", "mode")]

    found = chart("course-outline-heat", "fr")
    assert found["params"]["groupby"] == labelled("Sous-section", "subsection_place")
    [query] = json.loads(found["query_context"])["queries"]
    assert query["orderby"] == [
        [labelled("Unité", "unit"), True],
        [labelled("Sous-section", "subsection_place"), False],
    ]


def test_english_charts_name_columns_only() -> None:
    """Also in an axis, for which Superset wants the form of an expression."""

    def expressions(found: Any) -> list[tuple[str, str]]:
        if isinstance(found, dict):
            own = [(found["sqlExpression"], found["label"])] if "sqlExpression" in found else []
            return own + [pair for inner in found.values() for pair in expressions(inner)]
        return [pair for inner in found for pair in expressions(inner)] if isinstance(found, list) else []

    for path, content in bundle(ALL, "en", DATABASE).contents.items():
        if path.startswith("charts/"):
            context = json.loads(content["query_context"])
            assert all(sql == name and sql in LABELS for sql, name in expressions([content["params"], context])), path
