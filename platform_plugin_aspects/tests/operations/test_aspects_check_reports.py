"""aspects_check on a site that shows reports, and on sites where a part of them is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from platform_plugin_aspects.dashboards.pages.embedding import SCRIPT
from platform_plugin_aspects.dashboards.provision.provisioned import Provisioned, record
from platform_plugin_aspects.dashboards.shown import token_uuids_for
from platform_plugin_aspects.dashboards.superset.guest_tokens import get_guest_token
from platform_plugin_aspects.extensions.filters import LEGACY, NEW
from platform_plugin_aspects.tests.operations.test_aspects_check import check, marked, only_the_problem, site  # noqa: F401
from test_utils.superset_endpoint import GRANT, READ, Reply, SupersetEndpoint

#: The sections whose findings depend on how reports are shown.
OF_REPORTS = ("--only", "settings", "filters", "superset")


@dataclass
class Reports:
    """An LMS that shows reports."""

    settings: Any
    superset: SupersetEndpoint

    def configure_superset(self, **values: Any) -> None:
        self.settings.SUPERSET_CONFIG = {**self.settings.SUPERSET_CONFIG, **values}

    def share_secret(self, **values: Any) -> None:
        """Guest tokens are made by the plugin."""
        self.configure_superset(guest_token_secret=self.superset.guest_token_secret, **values)

    def configure_filters(self, **steps: str) -> None:
        """Pages have these steps: ``legacy``, ``new``."""
        pages = {"legacy": LEGACY, "new": NEW}
        self.settings.OPEN_EDX_FILTERS_CONFIG = {pages[name].filter_type: [step] for name, step in steps.items()}

    def lose(self, *uuids: str) -> None:
        """Superset no longer has these dashboards."""
        self.superset.dashboards -= set(uuids)


@pytest.fixture
def reports(lms: None, superset_endpoint: SupersetEndpoint, settings: Any, tmp_path: Path) -> Reports:
    """Superset has every dashboard, in two languages, and may be framed by the site's pages; the script is built."""
    settings.SUPERSET_DASHBOARD_LOCALES = ["en", "es-419"]
    settings.STATICFILES_DIRS = [tmp_path]
    (tmp_path / SCRIPT).parent.mkdir(parents=True)
    (tmp_path / SCRIPT).touch()
    superset_endpoint.dashboards |= set(token_uuids_for(None))
    pages = (settings.LMS_ROOT_URL, settings.CMS_ROOT_URL, "http://apps.standin.invalid")
    superset_endpoint.framing["Content-Security-Policy"] = f"frame-ancestors {' '.join(pages)}"
    superset_endpoint.allowed_domains = {
        COURSE_BOARD: [settings.LMS_ROOT_URL],
        # Pages of the LMS do not show it.
        IN_CONTEXT_BOARD: ["http://apps.standin.invalid"],
    }
    found = Reports(settings, superset_endpoint)
    found.configure_filters(legacy=LEGACY.step, new=NEW.step)
    return found


@pytest.mark.usefixtures("site")
def test_nothing_is_wrong_with_a_site_that_shows_reports(reports: Reports) -> None:
    for verb in ("grants", "accepts"):
        code, said = check()
        assert marked(said, "problem") == marked(said, "skipped") == []
        assert (code, said["problems"], said["crashed"]) == (0, 0, 0)
        assert [text for title, text, _remedy in marked(said, "ok") if title in ("Filters", "Superset")] == [
            "The reports are added to the legacy instructor dashboard",
            "The reports are added to the new instructor dashboard",
            f"Superset {verb} guest tokens",
            "Superset has 21 of the dashboards and their translations",
            "Browsers may show Superset in pages of http://lms.standin.invalid",
            "Browsers may show Superset in pages of http://cms.standin.invalid",
            "Browsers may show Superset in pages of http://apps.standin.invalid",
        ]
        reports.superset.accounts.clear()  # needed no more
        reports.share_secret()


COURSE_BOARD = "c0e64194-33d1-4d5a-8c10-4f51530c5ee9"
#: The UUID of the Spanish board of at-risk learners, as Aspects makes it.
SPANISH_BOARD = "16caa764-cae5-5b47-8355-411cb803dd3d"
IN_CONTEXT_BOARD = "98ff33ff-18dd-48f9-8c58-629ae4f4194b"
DEFAULT_SECRET = "test-guest-secret-change-me"


def allow_other_domains(reports: Reports) -> None:
    reports.superset.allowed_domains[COURSE_BOARD] = ["https://lms.standin.invalid"]


def secure_the_lms(reports: Reports) -> None:
    reports.settings.LMS_ROOT_URL = "https://lms.standin.invalid"
    reports.superset.allowed_domains[COURSE_BOARD] = [reports.settings.LMS_ROOT_URL]


def expect_address_as_audience(reports: Reports) -> None:
    reports.superset.guest_token_audience = reports.superset.url
    reports.share_secret()


def change_default_secret(reports: Reports) -> None:
    reports.superset.guest_token_secret = DEFAULT_SECRET


def hash_static_files(reports: Reports) -> None:
    reports.settings.STATIC_ROOT = reports.settings.STATICFILES_DIRS[0] / "collected"
    reports.settings.STORAGES = {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
    }


#: As BROKEN.
BROKEN_REPORTS: dict[str, tuple[Callable[[Reports], Any], str, str, str]] = {
    "a key that nothing knows": (
        lambda reports: reports.configure_superset(pasword="s3cret"),
        "Settings",
        "'pasword' in SUPERSET_CONFIG has no effect",
        "Did you mean password?",
    ),
    "a stale path of a step": (
        lambda reports: reports.configure_filters(legacy="platform_plugin_superset.extensions.filters.AddSupersetTab"),
        "Settings",
        "OPEN_EDX_FILTERS_CONFIG names platform_plugin_superset.extensions.filters.AddSupersetTab, which does not",
        f"Write {LEGACY.step} instead",
    ),
    "no step": (
        lambda reports: reports.configure_filters(),
        "Settings",
        "OPEN_EDX_FILTERS_CONFIG has no step that adds the reports",
        f"Add {LEGACY.step} to the pipeline of {LEGACY.filter_type}",
    ),
    "no address of the new instructor dashboard": (
        lambda reports: setattr(reports.settings, "INSTRUCTOR_MICROFRONTEND_URL", None),
        "Filters",
        "INSTRUCTOR_MICROFRONTEND_URL is None: the new instructor dashboard lacks the reports",
        "Set it to the address of the micro-frontend",
    ),
    "the script is not in the package": (
        lambda reports: setattr(reports.settings, "STATICFILES_FINDERS", []),
        "Settings",
        f"The static file {SCRIPT} is missing",
        "`make wheel`",
    ),
    "static files are not collected": (
        hash_static_files,
        "Filters",
        f"The static file {SCRIPT} has not been collected",
        "python manage.py lms collectstatic",
    ),
    "Superset is not there": (
        lambda reports: reports.superset.stop(),
        "Superset",
        "/api/v1/security/login failed: [Errno 111] Connection refused",
        "Start Superset, or correct its address in SUPERSET_CONFIG",
    ),
    "something else is there": (
        lambda reports: reports.configure_superset(service_url=f"{reports.superset.url}/superset/"),
        "Superset",
        "/superset/api/v1/security/login was answered with HTTP 404",
        "Correct internal_service_url in SUPERSET_CONFIG",
    ),
    "something else is there, and the secret is shared": (
        lambda reports: reports.share_secret(service_url=f"{reports.superset.url}/superset/"),
        "Superset",
        "/superset/api/v1/me/ was answered with HTTP 404",
        "Correct internal_service_url in SUPERSET_CONFIG",
    ),
    "Superset's password is wrong": (
        lambda reports: reports.configure_superset(password="wr0ng-s3cret"),
        "Superset",
        "/api/v1/security/login was answered with HTTP 401",
        "Correct username and password in SUPERSET_CONFIG",
    ),
    "the account may not grant guest tokens": (
        lambda reports: reports.superset.accounts.update(superset=("s3cret-password", {READ})),
        "Superset",
        "Superset does not let the service account grant guest tokens",
        'Give it "can grant guest token on SecurityRestApi"',
    ),
    "the account may not read CSRF tokens": (
        lambda reports: reports.superset.accounts.update(superset=("s3cret-password", {GRANT})),
        "Superset",
        "was answered with HTTP 400, because the request had no CSRF token",
        'Give the service account "can read on SecurityRestApi"',
    ),
    "a dashboard is missing": (
        lambda reports: reports.lose(COURSE_BOARD),
        "Superset",
        f"Superset has no embedded dashboard {COURSE_BOARD}: Course Dashboard",
        "embedded under this UUID, or correct ASPECTS_INSTRUCTOR_DASHBOARDS",
    ),
    "a dashboard is missing, and the secret is shared": (
        lambda reports: (reports.share_secret(), reports.lose(IN_CONTEXT_BOARD)),
        "Superset",
        f"Superset has no embedded dashboard {IN_CONTEXT_BOARD}: Problem",
        "embedded under this UUID, or correct ASPECTS_IN_CONTEXT_DASHBOARDS",
    ),
    "a translation is missing": (
        lambda reports: reports.lose(SPANISH_BOARD),
        "Superset",
        f"Superset has no embedded dashboard {SPANISH_BOARD}: At-Risk Learners Dashboard, translated (es-419)",
        "or correct ASPECTS_INSTRUCTOR_DASHBOARDS, or SUPERSET_DASHBOARD_LOCALES",
    ),
    "Superset does not embed": (
        lambda reports: setattr(reports.superset, "embeds", False),
        "Superset",
        "Superset does not embed dashboards",
        'Add "EMBEDDED_SUPERSET": True to FEATURE_FLAGS',
    ),
    "Superset does not embed, and the secret is shared": (
        lambda reports: (reports.share_secret(), setattr(reports.superset, "embeds", False)),
        "Superset",
        "Superset does not embed dashboards",
        'Add "EMBEDDED_SUPERSET": True to FEATURE_FLAGS',
    ),
    "the shared secret is another": (
        lambda reports: reports.configure_superset(guest_token_secret="an0ther-s3cret-0123456789-abcdefgh"),
        "Superset",
        "Superset refuses guest tokens made with guest_token_secret",
        "Make guest_token_secret, guest_token_audience and guest_token_algorithm",
    ),
    "guest tokens are for others": (
        lambda reports: reports.share_secret(guest_token_audience="elsewhere"),
        "Superset",
        "Superset refuses guest tokens for 'elsewhere', but not those for 'http://0.0.0.0:8080/'",
        "Set guest_token_audience in SUPERSET_CONFIG to 'http://0.0.0.0:8080/'",
    ),
    "guest tokens are for Superset's address": (
        expect_address_as_audience,
        "Superset",
        "Superset refuses guest tokens for 'http://0.0.0.0:8080/', but not those for 'http://127.0.0.1:",
        "Set guest_token_audience in SUPERSET_CONFIG to 'http://127.0.0.1:",
    ),
    "everybody knows the secret": (
        change_default_secret,
        "Superset",
        "GUEST_TOKEN_JWT_SECRET is Superset's default, which is public",
        "Set it to a long random text in Superset's configuration",
    ),
    "everybody knows the secret, and another is shared": (
        lambda reports: (reports.share_secret(), change_default_secret(reports)),
        "Superset",
        "GUEST_TOKEN_JWT_SECRET is Superset's default, which is public",
        "Set it to guest_token_secret of SUPERSET_CONFIG",
    ),
    "guests may send subqueries": (
        lambda reports: reports.superset.feature_flags.update(ALLOW_ADHOC_SUBQUERY=True),
        "Superset",
        "Superset's flag ALLOW_ADHOC_SUBQUERY is on: guests read all that Superset's user in ClickHouse may read",
        "Remove it from FEATURE_FLAGS in Superset's configuration",
    ),
    "guests may do nothing": (
        lambda reports: setattr(reports.superset, "guests_may_read", False),
        "Superset",
        "Guests may not read embedded dashboards in Superset",
        "Set GUEST_ROLE_NAME in Superset's configuration to 'Aspects Guest', the role that aspects_provision makes, or "
        'to a role with "can read" on EmbeddedDashboard, Dataset, Chart and Dashboard, and without datasource access',
    ),
    "guests may do nothing, and the secret is shared": (
        lambda reports: (reports.share_secret(), setattr(reports.superset, "guests_may_read", False)),
        "Superset",
        "Guests may not read embedded dashboards in Superset",
        "Set GUEST_ROLE_NAME in Superset's configuration to 'Aspects Guest', the role that aspects_provision makes, or "
        'to a role with "can read" on EmbeddedDashboard, Dataset, Chart and Dashboard, and without datasource access',
    ),
    "other domains are allowed": (
        allow_other_domains,
        "Superset",
        f"Superset does not embed in pages of http://lms.standin.invalid: Course Dashboard ({COURSE_BOARD})",
        "Add http://lms.standin.invalid to the allowed domains",
    ),
    "Superset may not be framed": (
        lambda reports: reports.superset.framing.pop("Content-Security-Policy"),
        "Superset",
        "Browsers do not show Superset in pages of http://lms.standin.invalid",
        'Add http://lms.standin.invalid to "frame-ancestors"',
    ),
    "Superset is not https": (
        secure_the_lms,
        "Superset",
        "in pages of https://lms.standin.invalid: it is not https",
        "Serve Superset over https",
    ),
    "browsers look for Superset elsewhere": (
        lambda reports: reports.configure_superset(
            service_url=f"{reports.superset.url}/superset/", internal_service_url=reports.superset.url
        ),
        "Superset",
        "Browsers do not find Superset: GET ",
        "Correct service_url in SUPERSET_CONFIG",
    ),
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("name", BROKEN_REPORTS)
def test_what_is_broken_about_reports_is_named_with_its_remedy_and_nothing_else(name: str, reports: Reports) -> None:
    break_it, *expected = BROKEN_REPORTS[name]
    break_it(reports)
    only_the_problem(*check(*OF_REPORTS), *expected)


@pytest.mark.parametrize("share", [False, True])
def test_superset_may_have_no_dashboard_at_all(share: bool, reports: Reports) -> None:
    if share:
        reports.share_secret()
    reports.lose(*token_uuids_for(None))
    _code, said = check(*OF_REPORTS)
    ((_section, text, remedy),) = marked(said, "problem")
    assert text == "Superset has none of the 21 embedded dashboards and their translations"
    assert "under the UUIDs in ASPECTS_INSTRUCTOR_DASHBOARDS and ASPECTS_IN_CONTEXT_DASHBOARDS" in remedy


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_those_who_are_nobody_are_no_guests(reports: Reports) -> None:
    reports.configure_superset(guest_token_secret="another-secret-0123456789-abcdefgh")
    reports.superset.plan("me/", *[Reply(200, {"result": {"is_anonymous": True}})] * 7)
    only_the_problem(
        *check(*OF_REPORTS), "Superset", "Superset refuses guest tokens made with", "GUEST_TOKEN_JWT_SECRET"
    )


def test_an_account_that_is_logged_in_is_asked_to_log_in_again(reports: Reports) -> None:
    assert get_guest_token("ada", [COURSE_BOARD], ["1 = 1"])
    reports.superset.accounts.clear()
    only_the_problem(*check(*OF_REPORTS), "Superset", "login was answered with HTTP 401", "Correct username")


def test_the_legacy_instructor_dashboard_needs_no_micro_frontend(reports: Reports) -> None:
    reports.configure_filters(legacy=LEGACY.step)
    reports.settings.INSTRUCTOR_MICROFRONTEND_URL = None
    code, said = check("--only", "filters")
    assert code == 0
    assert marked(said, "note") == [
        (
            "Filters",
            "No step adds the reports to the new instructor dashboard",
            f"If the site uses it, add {NEW.step} to the pipeline of {NEW.filter_type}",
        )
    ]


def test_without_superset_the_new_instructor_dashboard_has_no_reports(reports: Reports) -> None:
    reports.settings.SUPERSET_CONFIG = {}
    reports.settings.ASPECTS_REPORTING_ENABLED = True
    reports.settings.INSTRUCTOR_MICROFRONTEND_URL = None
    code, said = check("--only", "filters")
    assert (code, [text for _section, text, _remedy in marked(said, "ok")]) == (
        0,
        ["The reports are added to the legacy instructor dashboard"],
    )
    assert marked(said, "note") == [
        (
            "Filters",
            "No reports in the new instructor dashboard: it shows dashboards of Superset only",
            "The numbers of the courses are in the legacy instructor dashboard",
        )
    ]


def test_studio_has_no_instructor_dashboard(reports: Reports) -> None:
    reports.settings.SERVICE_VARIANT = "cms"
    reports.configure_filters()
    code, said = check("--only", "settings", "filters")
    assert (code, [text for _section, text, _remedy in marked(said, "note")]) == (
        0,
        ["Studio has no instructor dashboard"],
    )


def test_superset_may_be_closed_to_the_lms_where_browsers_go(reports: Reports) -> None:
    with SupersetEndpoint() as gone:
        url = gone.url
    reports.configure_superset(service_url=url, internal_service_url=reports.superset.url)
    code, said = check("--only", "superset")
    assert code == 0
    (_section, text, _remedy), *_others = marked(said, "note")
    assert text.startswith(f"The browsers' way to Superset, service_url, is closed from here: GET {url}/embedded/")


def test_further_pages_that_may_not_frame_superset_are_noted(reports: Reports) -> None:
    reports.superset.framing["Content-Security-Policy"] = f"frame-ancestors {reports.settings.LMS_ROOT_URL}"
    code, said = check("--only", "superset")
    assert code == 0
    assert [text.partition(": ")[0] for _section, text, _remedy in marked(said, "note")] == [
        "Browsers do not show Superset in pages of http://cms.standin.invalid",
        "Browsers do not show Superset in pages of http://apps.standin.invalid",
    ]


@pytest.mark.parametrize(("status", "remedy"), [(503, "Start Superset, or "), (500, "Look into Superset's log")])
def test_a_page_answered_with_an_error_is_one_problem(status: int, remedy: str, reports: Reports) -> None:
    reports.superset.plan(f"embedded/{COURSE_BOARD}", Reply(status))
    code, said = check(*OF_REPORTS)
    only_the_problem(code, said, "Superset", f"/embedded/{COURSE_BOARD} was answered with HTTP {status}", remedy)


@pytest.mark.parametrize(
    ("configured", "texts"),
    [
        ({"SUPERSET_CONFIG": {}}, ["No reports are set up: see Superset", "SUPERSET_CONFIG is not set: no reports"]),
        (
            {"ASPECTS_INSTRUCTOR_DASHBOARDS": [], "ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS": False},
            ["No reports are set up: see Superset", "No dashboards are configured"],
        ),
    ],
)
def test_a_site_without_reports_is_well(configured: dict[str, Any], texts: list[str], reports: Reports) -> None:
    for name, value in configured.items():
        setattr(reports.settings, name, value)
    code, said = check(*OF_REPORTS)
    assert code == 0
    assert all(text.startswith(start) for (_, text, _), start in zip(marked(said, "note"), texts, strict=True))
    assert reports.superset.requests == []


OWN_BOARD = Provisioned("at-risk", "fr", "À risque", "d" * 8, "eeeeeeee-0000-0000-0000-000000000001", "0" * 64)


@pytest.mark.django_db
def test_boards_of_the_plugin_are_looked_for_by_their_names(reports: Reports) -> None:
    reports.settings.ASPECTS_REPORTING_ENABLED = True
    record([OWN_BOARD])
    reports.superset.dashboards.add(OWN_BOARD.embedded_uuid)
    code, said = check("--only", "settings", "superset")
    # Those of Studio are Aspects', in two languages.
    assert "Superset has 13 of the dashboards and their translations" in [text for _, text, _ in marked(said, "ok")]
    assert code == 0
    reports.lose(OWN_BOARD.embedded_uuid)
    code, said = check("--only", "settings", "superset")
    only_the_problem(
        code,
        said,
        "Superset",
        f"Superset has no embedded dashboard {OWN_BOARD.embedded_uuid}: the plugin's board À risque (at-risk, fr)",
        "Run aspects_provision --superset",
    )


@pytest.mark.django_db
def test_boards_of_the_plugin_that_were_never_put_into_superset_are_named(reports: Reports) -> None:
    reports.settings.ASPECTS_REPORTING_ENABLED = True
    reports.settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [{"slug": "course"}]
    code, said = check("--only", "settings", "superset")
    only_the_problem(
        code,
        said,
        "Superset",
        "ASPECTS_INSTRUCTOR_DASHBOARDS[0] names the board 'course', which is not in Superset. Boards in Superset: none",
        "Run aspects_provision --superset, or correct the setting",
    )


@pytest.mark.django_db
def test_a_superset_that_was_made_anew_has_neither_boards_nor_dashboards(reports: Reports) -> None:
    reports.settings.ASPECTS_REPORTING_ENABLED = True
    record([OWN_BOARD])
    reports.superset.dashboards.clear()
    code, said = check("--only", "settings", "superset")
    only_the_problem(
        code,
        said,
        "Superset",
        "Superset has none of the 13 embedded dashboards and their translations",
        "Run aspects_provision --superset. Import them into Superset, embedded under the UUIDs in "
        "ASPECTS_IN_CONTEXT_DASHBOARDS",
    )


def test_an_invalid_setting_is_one_problem(reports: Reports) -> None:
    reports.settings.ASPECTS_IN_CONTEXT_DASHBOARDS = {"problem": {}}
    code, said = check("--only", "settings", "superset")
    ((section, text, _remedy),) = marked(said, "problem")
    assert (code, section) == (1, "Settings")
    assert "ASPECTS_IN_CONTEXT_DASHBOARDS" in text
    assert [section for section, _text, _remedy in marked(said, "skipped")] == ["Superset"]


def test_an_older_release_has_no_metrics_in_studio(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openedx.core.release.RELEASE_LINE", "redwood")
    code, said = check(*OF_REPORTS)
    only_the_problem(code, said, "Settings", "Studio shows no metrics in Redwood", "to False before Sumac")


@pytest.mark.parametrize("address", ["/instructor-dashboard", "http://["])
def test_a_micro_frontend_without_a_host_of_its_own_is_a_page_of_the_lms(address: str, reports: Reports) -> None:
    reports.settings.INSTRUCTOR_MICROFRONTEND_URL = address
    _code, said = check("--only", "superset")
    assert [text for _title, text, _remedy in marked(said, "ok")][-2:] == [
        "Browsers may show Superset in pages of http://lms.standin.invalid",
        "Browsers may show Superset in pages of http://cms.standin.invalid",
    ]
    assert marked(said, "crashed") == marked(said, "problem") == marked(said, "note") == []


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<div data-bootstrap>",
        "<div data-bootstrap='{'>",
        "<div data-bootstrap='[]'>",
        "<div data-bootstrap='{\"common\": 5}'>",
        "<div data-bootstrap='" + "[" * 100_000 + "'>",
        "<![" * 1000,
    ],
)
def test_a_page_without_feature_flags_is_not_a_problem(page: str, reports: Reports) -> None:
    reports.superset.plan("/embedded/", *[Reply(200, page)] * 50)
    code, said = check("--only", "superset")
    assert marked(said, "crashed") == marked(said, "problem") == []
    assert code == 0


def test_the_default_secret_that_is_shared_is_a_problem(reports: Reports) -> None:
    reports.superset.guest_token_secret = DEFAULT_SECRET
    reports.share_secret()
    _code, said = check("--only", "superset")
    ((_section, text, remedy),) = marked(said, "problem")
    assert text.startswith("GUEST_TOKEN_JWT_SECRET is Superset's default, which is public")
    assert remedy == "Set it to a long random text in Superset's configuration, and guest_token_secret to the same"
