"""Texts of boards in Superset's files: in the language of the bundle, and as they are."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from django.conf import LazySettings
from django.utils.translation import gettext, override
from hypothesis import example, given, settings
from hypothesis.strategies import characters, text

from platform_plugin_aspects.dashboards.boards.catalog import ALL
from platform_plugin_aspects.dashboards.boards.house import bars, table
from platform_plugin_aspects.dashboards.boards.labels import LABELS
from platform_plugin_aspects.dashboards.boards.parts import Board, Chart, InvalidBoard, Measure, Tab
from platform_plugin_aspects.dashboards.bundle.bundle import bundle
from platform_plugin_aspects.dashboards.bundle.columns import label
from platform_plugin_aspects.tests.dashboards.bundle.small_board import DATABASE, LANGUAGES, TRACKS, TRANSLATED
from test_utils.properties import examples


def test_texts_are_in_the_language_of_the_bundle() -> None:
    titles = {language: bundle([TRANSLATED], language, DATABASE).rows[0].title for language in LANGUAGES}
    assert titles == {
        "en": "Course Dashboard",
        "ar": "لوحة معلومات المساق",
        "es-419": "Panel del curso",
        "fr": "Tableau de bord du cours",
    }
    styles = {
        language: bundle([TRANSLATED], language, DATABASE).contents[f"dashboards/translated.{language}.yaml"]["css"]
        for language in LANGUAGES
    }
    assert {language for language in LANGUAGES if "direction: rtl" in styles[language]} == {"ar"}
    # The name of a filtered column is an expression there.
    hides = {language for language in LANGUAGES if "cross-filters-highlight-emitter" in styles[language]}
    assert hides == {"ar", "es-419", "fr"}


def test_other_catalogs_of_the_platform_do_not_change_boards(settings: LazySettings, tmp_path: Path) -> None:
    """Django asks them first. This one would give two columns of a list one name."""
    hashes = {language: bundle(ALL, language, DATABASE).hash for language in LANGUAGES}
    for folder in ("en", "ar", "es_419", "fr"):
        catalog = Catalog(folder)
        for msgid in ("Username", "Email", "At risk", "never visited", "New events count at once."):
            catalog.add(msgid, "the platform's")
        catalog.add("enrolled", "the platform's", context="enrollment")
        place = tmp_path / folder / "LC_MESSAGES"
        place.mkdir(parents=True)
        with (place / "django.mo").open("wb") as file:
            write_mo(file, catalog)
    settings.LOCALE_PATHS = [str(tmp_path)]
    for language in LANGUAGES:
        with override(language):
            assert gettext("Email") == "the platform's", language
    assert {language: bundle(ALL, language, DATABASE).hash for language in LANGUAGES} == hashes


def test_labels_are_the_plugin_s_where_django_and_its_libraries_have_others() -> None:
    words = {"en": "Email", "ar": "البريد الإلكتروني", "es-419": "Correo electrónico", "fr": "E-mail"}
    for language, word in words.items():
        with override(language):
            assert label("email") == word
    with override("fr"):
        assert gettext("Email") != "E-mail"


UNITS = table("one-name", "?", "course_outline", ("section", "section_name"), ".", ".")
BARS = bars("one-name", "?", "course_outline", "unit", ("learners_reached",), ".", ".")


@pytest.mark.parametrize(
    ("chart", "language", "name"),
    [
        (UNITS, "es-419", "Sección"),
        (replace(BARS, split="unit_name"), "fr", "Unité"),
        (replace(BARS, measures=(Measure("section"), Measure("section_name"))), "en", "Section"),
        (replace(BARS, measures=(Measure("unit"),)), "ar", "الوحدة"),
    ],
)
def test_a_chart_with_two_columns_of_a_name_is_refused(chart: Chart, language: str, name: str) -> None:
    """In SQL, each is an alias, and ClickHouse refuses two that are equal."""
    board = Board("one", "One", ".", (Tab("one", "One", ((chart,),)),))
    with pytest.raises(InvalidBoard) as raised:
        bundle([board], language, DATABASE)
    assert str(raised.value) == (
        f"chart one-name: in the language {language}, two of its columns are called '{name}', which is one name in SQL;"
        " leave one out, or give them different labels in labels.py and the catalog"
    )


def test_an_english_table_may_have_two_columns_of_a_label() -> None:
    """It names columns."""
    found = bundle([Board("one", "One", ".", (Tab("one", "One", ((UNITS,),)),))], "en", DATABASE)
    columns = found.contents["charts/one-name.en.yaml"]["params"]["all_columns"]
    assert columns == ["section", "section_name"]


def test_no_label_is_a_column_of_its_view() -> None:
    """ClickHouse would take the label of a measure for the column in a row-level clause."""
    for language in LANGUAGES:
        with override(language):
            for board in ALL:
                for chart in board.charts:
                    columns = {column.name for column in chart.relation.columns}
                    assert not columns & set(labels(chart)), (language, chart.name)


def test_labels_tell_the_columns_of_a_chart_apart() -> None:
    """In Superset's answer, a column has its label for a name."""
    for language in LANGUAGES:
        with override(language):
            for board in ALL:
                for chart in board.charts:
                    assert len(set(labels(chart))) == len(labels(chart)), (language, chart.name)


def labels(chart: Chart) -> list[str]:
    """The labels of all that a chart shows, in the active language."""
    names = [*chart.columns, chart.by, chart.split, *(measure.column for measure in chart.measures)]
    return [str(LABELS[name].text) for name in names if name]


#: Texts as Superset's files can hold them: YAML has no place for the other control characters.
TEXTS = text(characters(exclude_categories=("Cs", "Cc")), min_size=1)


@given(title=TEXTS, question=TEXTS, about=TEXTS, empty=TEXTS)
@example(title="'\"<b>: {}", question="- a: b # c", about="</style><script>", empty='\\"; } 😀 مرحبا')
@settings(max_examples=examples(30))
def test_any_text_arrives_as_it_is(title: str, question: str, about: str, empty: str) -> None:
    chart = replace(TRACKS, question=question, about=about, empty=empty)
    board = Board("any", title, about, (Tab("any", title, ((chart,),)),))
    found = bundle([board], "en", DATABASE)
    read = {path.partition("/")[0]: yaml.safe_load(content) for path, content in found.files.items()}
    assert read["dashboards"]["dashboard_title"] == title
    assert read["charts"]["slice_name"] == question
    assert read["charts"]["description"] == f"{about} Changes of enrollments count within seconds."
    css = read["dashboards"]["css"]
    assert "<" not in css
    [sentence] = re.findall(r'content: "(.*)" }', css)
    # Nothing in it ends the text, the rule or the style sheet.
    assert re.fullmatch(r'(?:[^"\\<>{}\n]|\\[0-9a-f]+ )+', sentence)
    assert re.sub(r"\\([0-9a-f]+) ", lambda found: chr(int(found[1], 16)), sentence) == empty


def test_no_cell_of_a_table_is_cut_off() -> None:
    found = bundle(ALL, "en", DATABASE).contents
    styles = {name: found[f"dashboards/{name}.en.yaml"]["css"] for name in ("at-risk", "learners")}
    for style in styles.values():
        assert "ellipsis" not in style
        assert "[data-test-viz-type=table] .chart-container div:has(table) { height: auto !important }\n" in style
    # An email has no spaces to break at, and a day is never broken.
    assert "#CHART-at-risk-learners + .chart-slice td:nth-child(3) { overflow-wrap: anywhere }\n" in styles["at-risk"]
    assert "#CHART-at-risk-learners + .chart-slice td:nth-child(5) { white-space: nowrap }\n" in styles["at-risk"]
    assert "#CHART-at-risk-learners + .chart-slice td:nth-child(4)" not in styles["at-risk"]
    # A table of twelve columns is narrower between them, and one of eight is not.
    assert "#CHART-learners-status + .chart-slice td, #CHART-learners-status + .chart-slice th {" in styles["learners"]
    assert "#CHART-at-risk-learners + .chart-slice td," not in styles["at-risk"]


def test_a_value_in_an_arabic_board_keeps_its_direction_and_charts_their_gaps() -> None:
    styles = {
        language: bundle(ALL, language, DATABASE).contents[f"dashboards/at-risk.{language}.yaml"]["css"]
        for language in ("ar", "fr")
    }
    assert {language for language, css in styles.items() if "unicode-bidi: plaintext" in css} == {"ar"}
    assert {language for language, css in styles.items() if "margin-left: 16px" in css} == {"ar"}
    assert {language for language, css in styles.items() if "text-align: right" in css} == {"ar"}
    assert "overflow-wrap: break-word; unicode-bidi: plaintext" in styles["ar"]
