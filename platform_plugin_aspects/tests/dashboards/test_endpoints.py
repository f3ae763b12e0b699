"""The endpoints: permissions, answers and errors, in LMS and CMS."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import jwt
import prison
import pytest
from common.djangoapps.student.roles import (
    CourseDataResearcherRole,
    CourseInstructorRole,
    CourseLimitedStaffRole,
    CourseStaffRole,
    GlobalStaff,
    OrgStaffRole,
)
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from edx_rest_framework_extensions.auth.jwt.tests.utils import (
    generate_jwt,
    generate_jwt_token,
    generate_latest_version_payload,
)
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.user_api.models import UserPreference

from platform_plugin_aspects import urls
from platform_plugin_aspects.dashboards import dashboard_settings as dashboards
from platform_plugin_aspects.dashboards import shown
from platform_plugin_aspects.dashboards.provision.provisioned import Provisioned, record
from platform_plugin_aspects.operations.checks.superset import check_dashboards
from platform_plugin_aspects.settings import common
from test_utils.factories import make_ccx, make_course, make_overview, make_user
from test_utils.properties import examples
from test_utils.silent_cache import CACHES
from test_utils.superset_endpoint import Reply, SupersetEndpoint

pytestmark = pytest.mark.django_db

SECRET = "a secret that Superset shares, of 32 bytes or more"
KEY = CourseKey.from_string("course-v1:Org+Course+Run")
OTHER_RUN = CourseKey.from_string("course-v1:Org+Course+Other")
OLD_STYLE = CourseKey.from_string("Org/Course/Old")
ELSEWHERE = CourseKey.from_string("course-v1:Else+Course+Run")
PROBLEM = KEY.make_usage_key("problem", "p1")

TOKEN, IN_CONTEXT, DASHBOARDS = ENDPOINTS = (
    *("superset_guest_token", "superset_in_context_dashboard", "superset_instructor_dashboard"),
)

ROLES = {
    "staff of another course": CourseStaffRole(OTHER_RUN),
    "limited staff": CourseLimitedStaffRole(KEY),
    "data researcher": CourseDataResearcherRole(KEY),
    "staff": CourseStaffRole(KEY),
    "instructor": CourseInstructorRole(KEY),
    "org staff": OrgStaffRole("Org"),
    "global staff": GlobalStaff(),
}


@pytest.fixture(autouse=True)
def _superset(settings: Any) -> None:
    """A Superset whose guest tokens are signed here."""
    settings.SUPERSET_CONFIG = {"service_url": "https://superset.example.com", "guest_token_secret": SECRET}


@pytest.fixture
def course() -> CourseKey:
    make_overview(KEY)
    return KEY


@pytest.fixture
def log_in(client: Client) -> Callable[..., User]:
    """Log in somebody new, with a role of ROLES if one is named."""

    def _log_in(who: str = "", **columns: Any) -> User:
        user = make_user(**columns)
        if who:
            ROLES[who].add_users(user)
        client.force_login(user)
        return user

    return _log_in


def path(endpoint: str, key: Any) -> str:
    return f"/aspects/{endpoint}/{key}"


# Who may ask


MATRIX = """
                          LMS                              CMS
                          token  in-context  dashboards    token  in-context  dashboards
anonymous                 401    401         401           401    401         401
learner                   403    403         403           403    403         403
staff of another course   403    403         403           403    403         403
limited staff             200    200         200           403    403         403
data researcher           200    200         200           403    403         403
staff                     200    200         200           200    200         200
instructor                200    200         200           200    200         200
org staff                 200    200         200           200    200         200
global staff              200    200         200           200    200         200
superuser                 200    200         200           403    403         403
"""


def cells() -> list[tuple[str, str, str, int]]:
    found = []
    for line in MATRIX.splitlines()[3:]:
        who, *statuses = line[:26].strip(), *line[26:].split()
        for index, status in enumerate(statuses):
            found.append((who, ("lms", "cms")[index // 3], ENDPOINTS[index % 3], int(status)))
    return found


@pytest.mark.parametrize(("who", "variant", "endpoint", "status"), cells())
def test_permissions_are_those_of_the_matrix(
    who: str,
    variant: str,
    endpoint: str,
    status: int,
    course: CourseKey,
    client: Client,
    log_in: Any,
    request: pytest.FixtureRequest,
) -> None:
    if variant == "lms":
        request.getfixturevalue("lms")
    if who != "anonymous":
        log_in(who if who in ROLES else "", is_superuser=who == "superuser")
    keys = (KEY, PROBLEM) if endpoint == IN_CONTEXT else (KEY,)
    assert [client.get(path(endpoint, key)).status_code for key in keys] == [status] * len(keys)


def test_the_permission_matrix_is_complete() -> None:
    assert len(cells()) == 10 * 3 * 2


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("who", ["", "staff", "global staff"])
def test_inactive_users_may_see_nothing(
    endpoint: str, who: str, service: str, course: CourseKey, client: Client, log_in: Any
) -> None:
    user = log_in(who)
    User.objects.filter(pk=user.pk).update(is_active=False)
    response = client.get(path(endpoint, KEY))
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_learners_are_not_told_which_courses_there_are(
    endpoint: str, service: str, course: CourseKey, client: Client, log_in: Any
) -> None:
    log_in("staff of another course")
    known, unknown = (client.get(path(endpoint, key)) for key in (KEY, ELSEWHERE))
    assert known.status_code == unknown.status_code == 403
    assert known.content == unknown.content


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_those_with_permission_are_told_that_there_is_no_such_course(
    endpoint: str, service: str, course: CourseKey, client: Client, log_in: Any
) -> None:
    log_in("org staff")
    response = client.get(path(endpoint, OTHER_RUN))
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_course_without_an_overview_exists(service: str, client: Client, log_in: Any) -> None:
    log_in("global staff")
    key = make_course(publish=False)
    assert client.get(path(DASHBOARDS, key)).status_code == (200 if service == "cms" else 404)


def test_a_block_needs_the_permission_of_its_course(
    service: str, course: CourseKey, client: Client, log_in: Any
) -> None:
    make_overview(ELSEWHERE)
    log_in("staff")
    assert client.get(path(IN_CONTEXT, PROBLEM)).status_code == 200
    assert client.get(path(IN_CONTEXT, ELSEWHERE.make_usage_key("problem", "p1"))).status_code == 403


# Authentication


def jwt_cookies(token: str) -> dict[str, str]:
    header_and_payload, _, signature = token.rpartition(".")
    return {"edx-jwt-cookie-header-payload": header_and_payload, "edx-jwt-cookie-signature": signature}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_jwt_in_the_header_or_in_the_cookies_of_a_micro_frontend(
    endpoint: str, service: str, course: CourseKey, client: Client
) -> None:
    staff, learner = make_user(), make_user()
    CourseStaffRole(KEY).add_users(staff)
    for user, status in ((staff, 200), (learner, 403)):
        token = generate_jwt(user)
        assert client.get(path(endpoint, KEY), headers={"Authorization": f"JWT {token}"}).status_code == status
        client.cookies.load(jwt_cookies(token))
        assert client.get(path(endpoint, KEY)).status_code == status
        client.cookies.clear()


def test_jwts_that_are_refused(service: str, course: CourseKey, client: Client) -> None:
    staff = make_user()
    CourseStaffRole(KEY).add_users(staff)
    good = generate_latest_version_payload(staff)
    tokens = {
        generate_jwt_token({**good, "exp": 1}): (401, "authentication_failed"),
        generate_jwt_token(good, "another key that is long enough to sign with"): (401, "authentication_failed"),
        "garbage": (401, "authentication_failed"),
        generate_jwt(staff, is_restricted=True): (403, "permission_denied"),
    }
    for token, answer in tokens.items():
        response = client.get(path(TOKEN, KEY), headers={"Authorization": f"JWT {token}"})
        assert (response.status_code, response.json()["code"]) == answer
        assert response["Cache-Control"] == "no-store"


# Answers


def test_the_guest_token_opens_this_course_and_no_other(
    service: str, course: CourseKey, client: Client, log_in: Any
) -> None:
    user = log_in("staff")
    answer = client.get(path(TOKEN, KEY)).json()
    assert list(answer) == ["guestToken"]
    claims = jwt.decode(answer["guestToken"], SECRET, ["HS256"], audience="http://0.0.0.0:8080/")
    assert claims["user"] == {"username": user.username}
    assert {resource["id"] for resource in claims["resources"]} == set(shown.token_uuids_for(None))
    org, course_key = (rule["clause"] for rule in claims["rls_rules"])
    assert "'Org'" in org
    assert f"'{KEY}'" in course_key


def test_the_instructor_dashboard_embeds_the_listed_dashboards(
    service: str, course: CourseKey, client: Client, log_in: Any, settings: Any
) -> None:
    settings.SUPERSET_DASHBOARD_LOCALES = ["en", "es-419"]
    settings.SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK = False
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [
        {
            "name": "Course Dashboard",
            "slug": "course-dashboard",
            "uuid": "c0e64194-33d1-4d5a-8c10-4f51530c5ee9",
            "allow_translations": True,
        },
        {"name": "Ours", "slug": "ours", "uuid": "00000000-0000-0000-0000-00000000000A", "allow_translations": False},
    ]
    user = log_in("staff")
    UserPreference.objects.create(user=user, key="pref-lang", value="es-419")
    answer = client.get(path(DASHBOARDS, KEY)).json()
    assert answer == {
        "superset_dashboards": [
            {
                "name": "Panel del curso",
                "slug": "course-dashboard-es-419",
                "uuid": "735d0451-0ff9-5157-93db-b748c814550f",
                "allow_translations": True,
            },
            {
                "name": "Ours",
                "slug": "ours",
                "uuid": "00000000-0000-0000-0000-00000000000a",
                "allow_translations": False,
            },
        ],
        "superset_url": "https://superset.example.com/",
        "superset_guest_token_url": "http://testserver/aspects/superset_guest_token/course-v1:Org+Course+Run",
        "show_dashboard_link": False,
    }
    assert client.get(urlsplit(answer["superset_guest_token_url"]).path).status_code == 200


def test_pages_show_and_tokens_open_the_boards_that_are_in_superset(
    service: str, course: CourseKey, client: Client, log_in: Any, settings: Any
) -> None:
    settings.ASPECTS_REPORTING_ENABLED = True
    ids = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(4)]
    record(
        Provisioned(slug, language, slug.upper(), "d" * 8, uuid, "0" * 64, block_type)
        for slug, block_type, language, uuid in (
            ("course", "", "en", ids[0]),
            ("course", "", "fr", ids[1]),
            ("in-context-problem", "problem", "en", ids[2]),
            ("in-context-problem", "problem", "fr", ids[3]),
        )
    )
    user = log_in("staff")
    UserPreference.objects.create(user=user, key="pref-lang", value="fr")
    assert client.get(path(DASHBOARDS, KEY)).json()["superset_dashboards"] == [
        {"name": "COURSE", "slug": "course", "uuid": ids[1], "allow_translations": False}
    ]
    beside = client.get(path(IN_CONTEXT, PROBLEM)).json()
    assert beside["dashboardId"] == ids[3]
    assert filter_values(beside["courseRuns"][str(KEY)]["native_filters"]) == {
        "course_key": [str(KEY)],
        "block_id": ["p1"],
    }
    token = client.get(path(TOKEN, KEY)).json()["guestToken"]
    claims = jwt.decode(token, SECRET, ["HS256"], audience="http://0.0.0.0:8080/")
    assert [resource["id"] for resource in claims["resources"]] == [ids[1], ids[3]]


def filter_values(native_filters: str) -> dict[str, list[str]]:
    """Column -> values of each native filter."""
    found = [native_filter["extraFormData"]["filters"] for native_filter in prison.loads(native_filters).values()]
    return {condition["col"]: condition["val"] for (condition,) in found}


def test_studio_embeds_the_dashboard_of_the_block_s_type(
    service: str, course: CourseKey, client: Client, log_in: Any, settings: Any
) -> None:
    settings.SUPERSET_DASHBOARD_LOCALES = ["es-419"]
    user = log_in("staff")
    UserPreference.objects.create(user=user, key="pref-lang", value="es-419")
    answer = client.get(path(IN_CONTEXT, PROBLEM)).json()
    board = dashboards.in_context_entries()["problem"]
    assert answer == {
        "dashboardId": dashboards.localized(board, "es-419").uuid,
        "supersetUrl": "https://superset.example.com/",
        "courseRuns": {str(KEY): {"native_filters": dashboards.native_filters(board, KEY, "p1")}},
        "defaultCourseRun": str(KEY),
    }


def test_studio_embeds_the_dashboard_of_the_course(
    service: str, course: CourseKey, client: Client, log_in: Any
) -> None:
    log_in("staff")
    answer = client.get(path(IN_CONTEXT, KEY)).json()
    board = dashboards.in_context_entries()["course"]
    assert answer["dashboardId"] == dashboards.localized(board, "en").uuid
    assert answer["courseRuns"] == {str(KEY): {"native_filters": dashboards.native_filters(board, KEY)}}
    block = client.get(path(IN_CONTEXT, KEY.make_usage_key("course", "course"))).json()
    assert block == answer


def test_a_block_is_looked_for_in_all_runs_that_the_user_may_see(
    service: str, course: CourseKey, client: Client, log_in: Any
) -> None:
    user = log_in("staff")
    make_overview("course-v1:Org+Course+Hidden")
    for key in (OLD_STYLE, OTHER_RUN, ELSEWHERE, CourseKey.from_string("course-v1:Org+Course2+Run")):
        make_overview(key)
        CourseStaffRole(key).add_users(user)
    answer = client.get(path(IN_CONTEXT, PROBLEM)).json()
    assert answer["defaultCourseRun"] == str(KEY)
    assert list(answer["courseRuns"]) == [str(KEY), str(OTHER_RUN), str(OLD_STYLE)]
    assert {run: filter_values(entry["native_filters"]) for run, entry in answer["courseRuns"].items()} == {
        str(KEY): {"course_key": [str(KEY)], "block_id": ["p1"]},
        str(OTHER_RUN): {"course_key": [str(OTHER_RUN)], "block_id": ["p1"]},
        str(OLD_STYLE): {"course_key": ["Org/Course/Old"], "block_id": ["p1"]},
    }


def test_the_run_that_was_asked_for_is_there_even_without_an_overview(client: Client, log_in: Any) -> None:
    log_in("global staff")
    key = make_course(publish=False)
    assert list(client.get(path(IN_CONTEXT, key)).json()["courseRuns"]) == [str(key)]


def test_custom_courses_are_runs_in_the_lms_and_nothing_in_the_cms(service: str, client: Client, log_in: Any) -> None:
    log_in("global staff")
    course = make_course()
    ccx = make_ccx(course)
    block = ccx.make_usage_key("video", "v1")
    response = client.get(path(IN_CONTEXT, block))
    if service == "cms":
        assert response.status_code == 403
        return
    answer = response.json()
    assert answer["defaultCourseRun"] == str(ccx)
    assert list(answer["courseRuns"]) == [str(ccx), str(course)]
    for run in (ccx, course):
        assert filter_values(answer["courseRuns"][str(run)]["native_filters"])["block_id"] == ["v1"]


@pytest.mark.parametrize("key", [KEY.make_usage_key("html", "h1"), KEY.make_usage_key("vertical", "v1")])
def test_most_types_of_blocks_have_no_dashboard(key: Any, course: CourseKey, client: Client, log_in: Any) -> None:
    log_in("staff")
    response = client.get(path(IN_CONTEXT, key))
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_the_setting_turns_dashboards_in_context_off(
    course: CourseKey, client: Client, log_in: Any, settings: Any
) -> None:
    settings.ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS = False
    log_in("staff")
    assert [client.get(path(IN_CONTEXT, key)).status_code for key in (KEY, PROBLEM)] == [404, 404]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_queries_do_not_grow_with_the_number_of_runs(
    endpoint: str, service: str, course: CourseKey, client: Client, log_in: Any
) -> None:
    log_in("org staff")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path(endpoint, KEY)).status_code == 200
        return len(captured)

    one = queries()
    for number in range(20):
        make_overview(f"course-v1:Org+Course+{number}")
    # The platform's: session, user, language, a savepoint's two. Ours: roles, existence, runs, language.
    assert queries() == one <= 9


# Keys in URLs


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("write", [str, quote, lambda key: quote(key, safe="")], ids=["plain", "quoted", "all quoted"])
@pytest.mark.parametrize(
    ("endpoint", "text", "run"),
    [
        (DASHBOARDS, "course-v1:Org+Course+Run", "course-v1:Org+Course+Run"),
        (DASHBOARDS, "Org/Course/Old", "Org/Course/Old"),
        (DASHBOARDS, "ccx-v1:Org+Course+Run+ccx@7", "ccx-v1:Org+Course+Run+ccx@7"),
        (DASHBOARDS, "course-v1:Org+Course+Run+branch@draft-branch", "course-v1:Org+Course+Run"),
        (IN_CONTEXT, "Org/Course/Old", "Org/Course/Old"),
        (IN_CONTEXT, "block-v1:Org+Course+Run+type@problem+block@p1", "course-v1:Org+Course+Run"),
        (IN_CONTEXT, "ccx-block-v1:Org+Course+Run+ccx@7+type@problem+block@p1", "ccx-v1:Org+Course+Run+ccx@7"),
    ],
)
def test_keys_of_all_styles_survive_the_url(
    endpoint: str, text: str, run: str, write: Callable[[str], str], slash: str, lms: None, client: Client, log_in: Any
) -> None:
    for key in (KEY, OLD_STYLE, "ccx-v1:Org+Course+Run+ccx@7"):
        make_overview(key)
    log_in("global staff")
    response = client.get(f"/aspects/{endpoint}/{write(text)}{slash}")
    assert response.status_code == 200
    answer = response.json()
    assert (answer.get("defaultCourseRun") or answer["superset_guest_token_url"]).endswith(run)


ASIDE = f"aside-usage-v1:{PROBLEM}::tagging_aside"
NO_COURSES = (
    *("Course", "course-v1:Org+Course", "a/b", "%20", "//"),
    *("library-v1:Org+Library", "course-v1:version@519665f6223ebd6980884f2b"),
)


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        *((endpoint, text) for endpoint in ENDPOINTS for text in NO_COURSES),
        *((endpoint, str(PROBLEM)) for endpoint in (TOKEN, DASHBOARDS)),
        *((IN_CONTEXT, text) for text in ("i4x://Org/Course/problem/p1", "lb:Org:Library:problem:p1", ASIDE)),
    ],
)
def test_an_invalid_key_is_not_found(
    endpoint: str, text: str, service: str, course: CourseKey, client: Client, log_in: Any
) -> None:
    assert client.get(path(endpoint, text)).status_code == 401
    for who in ("", "global staff"):
        log_in(who)
        response = client.get(path(endpoint, text))
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.fixture
def no_limit(settings: Any) -> None:
    """Any number of requests. Set once, because each setting of a setting nests within the one before."""
    settings.ASPECTS_API_THROTTLE_RATE = None


@pytest.fixture
def staff(db: None) -> Client:
    """The client of a member of staff."""
    client = Client()
    client.force_login(User.objects.create(username="staff", is_staff=True))
    return client


@pytest.mark.usefixtures("no_limit")
@hypothesis_settings(max_examples=examples(150))
@given(
    endpoint=st.sampled_from(ENDPOINTS),
    text=st.text(min_size=1).filter(lambda text: text.isprintable())
    | st.from_regex(r"(course-v1:|ccx-v1:|block-v1:|i4x://)[\w+@:/. %]+", fullmatch=True),
)
def test_no_text_is_an_error_of_ours(staff: Client, endpoint: str, text: str) -> None:
    url = path(endpoint, quote(text, safe=""))
    assert Client().get(url).status_code == 401
    response = staff.get(url)
    assert (response.status_code, response.json()["code"]) in ((404, "not_found"), (403, "permission_denied"))


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_names_of_urls_stay(endpoint: str, service: str) -> None:
    argument = "content_id" if endpoint == IN_CONTEXT else "course_id"
    assert reverse(f"platform_plugin_aspects:{endpoint}", kwargs={argument: KEY}) == path(endpoint, KEY)
    assert reverse(f"platform_plugin_aspects:{endpoint}", args=[OLD_STYLE]) == path(endpoint, OLD_STYLE)


# Errors and limits


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "head", "options"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_endpoints_answer_get_only(endpoint: str, method: str, course: CourseKey, client: Client, log_in: Any) -> None:
    log_in("staff")
    response = getattr(client, method)(path(endpoint, KEY))
    assert (response.status_code, response["Cache-Control"]) == (405, "no-store")


def test_nothing_is_stored_by_browsers_and_every_error_has_a_code(
    service: str, course: CourseKey, client: Client, log_in: Any, settings: Any
) -> None:
    settings.ASPECTS_API_THROTTLE_RATE = "2/day"
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "EXCEPTION_HANDLER": f"{__name__}.their_handler"}

    def ask(key: Any) -> tuple[int, str | None]:
        response = client.get(path(DASHBOARDS, key))
        assert response["Cache-Control"] == "no-store"
        assert set(response.json()) == {"detail", "code"} or response.status_code == 200
        return response.status_code, response.json().get("code")

    assert ask(KEY) == (401, "not_authenticated")
    log_in("")
    assert ask(KEY) == (403, "permission_denied")
    log_in("org staff")
    assert ask(OTHER_RUN) == (404, "not_found")
    assert ask(KEY) == (200, None)
    assert ask(KEY) == (429, "throttled")


def their_handler(error: Exception, context: Any) -> Any:
    """As a site may configure, for all endpoints that do not say otherwise."""
    raise AssertionError("not for these endpoints")


@pytest.mark.parametrize("kind", CACHES)
def test_without_a_cache_there_is_no_limit_and_all_endpoints_answer(
    kind: str, service: str, course: CourseKey, client: Client, log_in: Any, settings: Any
) -> None:
    settings.ASPECTS_API_THROTTLE_RATE = "1/day"
    log_in("staff")
    settings.CACHES = CACHES[kind]
    assert [client.get(path(endpoint, KEY)).status_code for endpoint in (*ENDPOINTS, *ENDPOINTS)] == [200] * 6


def test_each_user_has_a_limit_for_all_endpoints_together(
    service: str, course: CourseKey, client: Client, log_in: Any, settings: Any
) -> None:
    settings.ASPECTS_API_THROTTLE_RATE = "3/day"
    log_in("staff")
    assert [client.get(path(endpoint, KEY)).status_code for endpoint in ENDPOINTS] == [200, 200, 200]
    refused = client.get(path(TOKEN, KEY))
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    log_in("instructor")
    assert client.get(path(TOKEN, KEY)).status_code == 200
    settings.ASPECTS_API_THROTTLE_RATE = None
    assert {client.get(path(TOKEN, KEY)).status_code for _ in range(9)} == {200}


@pytest.mark.parametrize("rate", ["", "many/hour", "5", "5/", "5/fortnight", "5/hour/user", 5])
def test_an_invalid_rate_is_reported_and_refused(
    rate: Any, course: CourseKey, client: Client, log_in: Any, settings: Any
) -> None:
    settings.ASPECTS_API_THROTTLE_RATE = rate
    (found,) = check_dashboards(None)
    assert found.id == "platform_plugin_aspects.W023"
    assert f"ASPECTS_API_THROTTLE_RATE is {rate!r}" in found.msg
    log_in("staff")
    response = client.get(path(DASHBOARDS, KEY))
    assert (response.status_code, response.json()["code"]) == (502, "superset_misconfigured")


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (Reply(503, "<p>nginx"), 503, "superset_unavailable"),
        (Reply(504, "<p>nginx"), 504, "superset_timeout"),
        (Reply(403, {"message": "Forbidden"}), 502, "superset_refused"),
        (Reply(200, "<p>Welcome"), 502, "superset_refused"),
    ],
)
def test_errors_of_superset_have_a_status_and_a_code(
    reply: Reply,
    status: int,
    code: str,
    course: CourseKey,
    superset_endpoint: SupersetEndpoint,
    client: Client,
    log_in: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    superset_endpoint.plan("guest_token", reply)
    user = log_in("staff")
    response = client.get(path(TOKEN, KEY))
    assert (response.status_code, response["Cache-Control"]) == (status, "no-store")
    answer = response.json()
    assert set(answer) == {"detail", "code"}
    assert answer["code"] == code
    (record,) = [found for found in caplog.records if found.name.startswith("platform_plugin_aspects")]
    assert record.levelno == logging.ERROR
    for hidden in ("127.0.0.1", "nginx", "Forbidden", "Welcome", user.username):
        assert hidden not in response.content.decode()
    assert user.username not in caplog.text


def test_the_dashboards_to_embed_are_listed_while_superset_is_down(
    course: CourseKey, superset_endpoint: SupersetEndpoint, client: Client, log_in: Any
) -> None:
    superset_endpoint.stop()
    log_in("staff")
    statuses = [client.get(path(endpoint, KEY)).status_code for endpoint in ENDPOINTS]
    assert statuses == [503, 200, 200]


@pytest.mark.parametrize(
    ("endpoint", "setting", "value"),
    [
        *((endpoint, "SUPERSET_CONFIG", {"service_url": "superset"}) for endpoint in ENDPOINTS),
        *((endpoint, "SUPERSET_DASHBOARD_LOCALES", "en") for endpoint in ENDPOINTS),
        *((endpoint, "ASPECTS_INSTRUCTOR_DASHBOARDS", ["x"]) for endpoint in (TOKEN, DASHBOARDS)),
        *((endpoint, "ASPECTS_IN_CONTEXT_DASHBOARDS", {"course": {}}) for endpoint in (TOKEN, IN_CONTEXT)),
    ],
)
def test_invalid_settings_are_an_error_without_details(
    endpoint: str,
    setting: str,
    value: Any,
    course: CourseKey,
    client: Client,
    log_in: Any,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    setattr(settings, setting, value)
    log_in("staff")
    response = client.get(path(endpoint, KEY))
    assert (response.status_code, response.json()["code"]) == (502, "superset_misconfigured")
    assert setting not in response.content.decode()
    (record,) = [found for found in caplog.records if found.name.startswith("platform_plugin_aspects")]
    assert setting in record.getMessage()


# Without Superset


def test_a_site_without_superset_has_no_dashboards_and_no_errors(
    service: str, course: CourseKey, client: Client, log_in: Any, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SUPERSET_CONFIG = common.defaults()["SUPERSET_CONFIG"]
    log_in("staff")
    listed = client.get(path(DASHBOARDS, KEY))
    assert (listed.status_code, listed.json()) == (
        200,
        {
            "superset_dashboards": [],
            "superset_url": "",
            "superset_guest_token_url": "",
            "show_dashboard_link": False,
        },
    )
    token = client.get(path(TOKEN, KEY))
    assert (token.status_code, token.json()) == (
        404,
        {"detail": "This site shows no dashboards of Superset.", "code": "superset_off"},
    )
    in_context = client.get(path(IN_CONTEXT, KEY))
    assert (in_context.status_code, in_context.json()["code"]) == (404, "not_found")
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


# The schema


def test_the_schema_is_whole_and_without_warnings() -> None:
    GENERATOR_STATS.reset()
    schema = SchemaGenerator(patterns=urls.urlpatterns).get_schema(request=None, public=True)
    assert not GENERATOR_STATS
    assert set(schema["paths"]) == {
        path(TOKEN, "{course_id}/"),
        path(DASHBOARDS, "{course_id}/"),
        path("course_summary", "{course_id}/"),
        path(IN_CONTEXT, "{content_id}/"),
    }
    for operations in schema["paths"].values():
        assert list(operations) == ["get"]
        assert operations["get"]["security"] == [{"jwtAuth": []}, {"cookieAuth": []}]
        assert set(operations["get"]["responses"]) == {"200", "401", "403", "404", "429", "502", "503", "504"}
    assert schema["components"]["schemas"]["Error"]["required"] == ["code", "detail"]
