"""aspects_check on a real Superset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from platform_plugin_aspects.tests.operations.test_aspects_check import check, marked
from test_utils.e2e.site import COURSE_BOARD, INSTRUCTOR_DASHBOARDS, PROBLEM_BOARD, Site

pytestmark = pytest.mark.e2e

UNKNOWN = "8661d20c-cee6-4245-9fcc-610daea5fd24"


@pytest.fixture
def lms(site: Site, settings: Any) -> Site:
    """The site, with the LMS where Superset knows it to be."""
    settings.LMS_ROOT_URL = site.lms.url
    return site


def problems() -> list[tuple[str, str]]:
    """(text, remedy) of each problem that aspects_check finds with Superset."""
    code, said = check("--only", "superset")
    found = [(text, remedy) for _section, text, remedy in marked(said, "problem")]
    assert code == bool(found)
    assert marked(said, "skipped") == marked(said, "crashed") == []
    return found


def change(settings: Any, **values: str) -> None:
    settings.SUPERSET_CONFIG = {**settings.SUPERSET_CONFIG, **values}


def share_secret(site: Site, settings: Any, **values: str) -> None:
    change(settings, guest_token_secret=site.superset.guest_token_secret, **values)


def test_a_working_superset_has_no_problems_whoever_makes_the_guest_tokens(lms: Site, settings: Any) -> None:
    assert problems() == []
    share_secret(lms, settings, username="nobody")
    assert problems() == []


def unprivileged(site: Site, settings: Any) -> None:
    """The service account may read CSRF tokens, and not grant guest tokens."""
    api = site.superset.api()
    role = api.find("security/roles/", "name", "eq", "Gamma")[0]
    account = {"username": "gamma", "password": site.passwords["ch_report"]}
    names = {"first_name": "G", "last_name": "G", "email": "gamma@example.invalid"}
    api.post("security/users/", **account, **names, active=True, roles=[role])
    change(settings, **account)


def unknown_dashboard(_site: Site, settings: Any) -> None:
    board = {"name": "Learners at risk", "slug": "learners", "uuid": UNKNOWN, "allow_translations": False}
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [*INSTRUCTOR_DASHBOARDS, board]


def another_language(_site: Site, settings: Any) -> None:
    settings.SUPERSET_DASHBOARD_LOCALES = ["en", "ar", "fr"]


#: A fault: how it is made; words of the problem and of the remedy.
BROKEN: dict[str, tuple[Callable[[Site, Any], None], str, str]] = {
    "password": (
        lambda _site, settings: change(settings, password="another"),
        "/api/v1/security/login was answered with HTTP 401",
        "Correct username and password",
    ),
    "rights": (
        unprivileged,
        "Superset does not let the service account grant guest tokens",
        "can grant guest token on SecurityRestApi",
    ),
    "dashboard": (unknown_dashboard, f"no embedded dashboard {UNKNOWN}: Learners at risk", "INSTRUCTOR_DASHBOARDS"),
    "translation": (another_language, "Course Dashboard, translated (fr)", "or SUPERSET_DASHBOARD_LOCALES"),
    "shared secret": (
        lambda _site, settings: change(settings, guest_token_secret="x" * 32),
        "Superset refuses guest tokens made with guest_token_secret",
        "GUEST_TOKEN_JWT_SECRET",
    ),
    "audience": (
        lambda site, settings: share_secret(site, settings, guest_token_audience="elsewhere"),
        "Superset refuses guest tokens for 'elsewhere'",
        "to 'http://0.0.0.0:8080/'",
    ),
    "algorithm": (
        lambda site, settings: share_secret(site, settings, guest_token_algorithm="HS384"),
        "Superset refuses guest tokens made with guest_token_secret",
        "GUEST_TOKEN_JWT_ALGO",
    ),
    "address": (
        lambda site, settings: change(settings, service_url=f"{site.superset.url}superset/"),
        "was answered with HTTP 404",
        "Correct internal_service_url",
    ),
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_is_found(name: str, lms: Site, settings: Any) -> None:
    break_it, words, remedy_words = BROKEN[name]
    break_it(lms, settings)
    ((text, remedy),) = problems()
    assert words in text
    assert remedy_words in remedy


def test_another_page_may_neither_embed_nor_frame(lms: Site, settings: Any) -> None:
    settings.LMS_ROOT_URL = "http://another.invalid"
    embedded, framed = problems()
    assert embedded[0].startswith("Superset does not embed in pages of http://another.invalid: Course Dashboard")
    assert COURSE_BOARD in embedded[0]
    assert PROBLEM_BOARD not in embedded[0]
    assert framed[0].startswith("Browsers do not show Superset in pages of http://another.invalid")


@pytest.fixture
def reconfigure(lms: Site) -> Iterator[Callable[..., None]]:
    """Starts Superset anew with other values in its configuration."""
    configured = dict(lms.superset.changes)

    def restart(**changes: Any) -> None:
        lms.superset.stop()
        lms.superset.changes = {**configured, **changes}
        lms.superset.start()

    yield restart
    restart()


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_faults_of_superset_s_own_configuration_are_found(
    reconfigure: Callable[..., None], lms: Site, settings: Any
) -> None:
    configured = settings.SUPERSET_CONFIG
    for changes, words in (
        ({"GUEST_TOKEN_JWT_SECRET": "test-guest-secret-change-me"}, "GUEST_TOKEN_JWT_SECRET is Superset's default"),
        ({"GUEST_ROLE_NAME": "Public"}, "Guests may not read embedded dashboards in Superset"),
        ({"FEATURE_FLAGS": {"EMBEDDED_SUPERSET": False}}, "Superset does not embed dashboards"),
        ({"FEATURE_FLAGS": {"ALLOW_ADHOC_SUBQUERY": True}}, "Superset's flag ALLOW_ADHOC_SUBQUERY is on"),
    ):
        reconfigure(**changes)
        settings.SUPERSET_CONFIG = configured
        ((text, _remedy),) = problems()
        assert text.startswith(words)
        share_secret(lms, settings)
        ((text, _remedy),) = problems()
        assert text.startswith(words)
