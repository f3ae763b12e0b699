"""Boards in each language: the texts of views, headings of CSV files, and what Superset lets guests ask."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from io import StringIO

import pytest

from platform_plugin_aspects.dashboards.boards.parts import Board
from platform_plugin_aspects.dashboards.provision.rights import GUEST_ROLE
from test_utils.e2e.answers import Answers, answer, columns_of, unlike
from test_utils.e2e.charts import Stored, all_boards, boards_of_tab, shown
from test_utils.e2e.site import Site
from test_utils.e2e.words import WORDS, in_language
from test_utils.show.people import COURSE, READERS
from test_utils.show.superset import TIMEOUT_SECS, ask_as_guest

from .conftest import Meet, log_in, open_board

pytestmark = pytest.mark.e2e

BOARDS = {board.slug: board for board in all_boards()}
OF_TAB = boards_of_tab()
TRANSLATED = [language for language in READERS if language != "en"]
Token = Callable[[str], str]


@pytest.fixture
def token(site: Site) -> Token:
    """The guest token of a reader of a language. It lives for five minutes."""
    tokens: dict[str, str] = {}

    def get(language: str) -> str:
        if language not in tokens:
            session = log_in(site, READERS[language], site.show.lms.url)
            url = f"{site.show.lms.url}/aspects/superset_guest_token/{COURSE}"
            tokens[language] = session.get(url, timeout=TIMEOUT_SECS).json()["guestToken"]
        return tokens[language]

    return get


@pytest.mark.parametrize("answers", ["current"], indirect=True)
@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_each_chart_shows_the_known_answer_in_each_language(
    site: Site, stored: Stored, token: Token, answers: Answers, board: Board, language: str
) -> None:
    """Numbers, names and texts. The test of English is in test_boards.py."""
    for chart in board.charts:
        views, found = answers.beside(
            [chart.view],
            lambda chart=chart: shown(site.superset, stored, token(language), board, chart, language),
        )
        known = in_language(answer(chart, views), columns_of(chart), language)
        assert known, chart.name
        assert unlike(found, known) == ([], []), chart.name


HEADINGS = {
    "en": ["Username", "Name", "Email", "Reasons", "Last visit", "Progress", "Grade", "Days active"],
    "es-419": [
        *("Usuario", "Nombre", "Correo electrónico", "Motivos"),
        *("Última visita", "Progreso", "Calificación", "Días activos"),
    ],
    "fr": [
        *("Nom d’utilisateur", "Nom", "E-mail", "Raisons"),
        *("Dernière visite", "Progression", "Note", "Jours d’activité"),
    ],
    "ar": [
        *("اسم المستخدم", "الاسم", "البريد الإلكتروني", "الأسباب"),
        *("آخر زيارة", "التقدم", "الدرجة", "أيام النشاط"),
    ],
}


@pytest.mark.parametrize("language", HEADINGS)
def test_a_csv_has_headings_and_texts_in_the_language(site: Site, stored: Stored, token: Token, language: str) -> None:
    board = BOARDS["at-risk"]
    [chart] = [chart for chart in board.charts if chart.name == "at-risk-learners"]
    answered = ask_as_guest(site.superset, token(language), stored.context(board, chart, language), "csv")
    answered.encoding = "utf-8-sig"
    head, *rows = csv.reader(StringIO(answered.text))
    assert head == HEADINGS[language]
    reason = "behind the others"
    assert any(row[3].endswith(WORDS[language].get(reason, reason)) for row in rows)


@pytest.fixture
def guests_may_read_datasets(site: Site) -> Iterator[None]:
    """The role of guests as on sites where it may read datasets: Superset compares what guests ask (ADR 17)."""
    api = site.superset.api()
    [role] = api.find("security/roles/", "name", "eq", f"'{GUEST_ROLE}'")
    granted = [found["id"] for found in api.get(f"security/roles/{role}/permissions/")["result"]]
    [right] = _rights(site, "all_datasource_access")
    path = f"security/roles/{role}/permissions"
    api.post(path, permission_view_menu_ids=[*granted, right])
    yield
    api.post(path, permission_view_menu_ids=granted)


def _rights(site: Site, name: str) -> list[int]:
    """The numbers of Superset's rights of this name."""
    api, size = site.superset.api(), 100
    found: list[int] = []
    for page in range(100):
        rows = api.get("security/permissions-resources/", q=f"(page:{page},page_size:{size})")["result"]
        found += [row["id"] for row in rows if row["permission"]["name"] == name]
        if len(rows) < size:
            break
    return found


@pytest.mark.usefixtures("guests_may_read_datasets")
@pytest.mark.parametrize("language", ["es-419", "ar"])
def test_superset_takes_what_the_page_asks_for_as_what_was_saved(
    site: Site, stored: Stored, meet: Meet, token: Token, language: str
) -> None:
    """All kinds of charts, and a request that Superset must refuse."""
    board = BOARDS["at-risk"]
    [chart] = [chart for chart in board.charts if chart.name == "at-risk-learners"]
    context = stored.context(board, chart, language)
    [query] = context["queries"]
    changed = {**context, "queries": [{**query, "columns": [{**query["columns"][3], "sqlExpression": "reasons"}]}]}
    assert ask_as_guest(site.superset, token(language), context).status_code == 200
    refused = ask_as_guest(site.superset, token(language), changed)
    assert "Guest user cannot modify chart payload" in refused.text

    reader = meet(READERS[language])
    for board in OF_TAB:
        page = open_board(reader, OF_TAB.index(board))
        for place, tab in enumerate(board.tabs):
            with page.inside():
                page.open_tab(place, len(board.tabs))
                page.wait_until_drawn(len(list(tab.charts)))
                assert page.errors() == []
                assert page.empty() == []
            reader.browser.screenshot(f"{language}-{board.slug}-{tab.name}")
