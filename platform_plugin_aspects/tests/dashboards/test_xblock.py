"""The XBlock, in XBlock's own runtime and in the workbench."""

from __future__ import annotations

import json
import logging
import sys
from html.parser import HTMLParser
from types import FrameType
from typing import Any

import pytest
from common.djangoapps.student.roles import CourseStaffRole
from common.djangoapps.xblock_django.user_service import DjangoXBlockUserService
from crum import impersonate
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client
from lms.djangoapps.courseware.masquerade import CourseMasquerade
from lxml import etree
from opaque_keys.edx.keys import CourseKey
from opaque_keys.edx.locator import LibraryLocator
from openedx.core.djangoapps.user_api.models import UserPreference
from webob import Request, Response
from workbench.scenarios import init_scenarios
from xblock.fields import ScopeIds
from xblock.runtime import DictKeyValueStore, KvsFieldData
from xblock.test.tools import TestRuntime

from platform_plugin_aspects.dashboards.access.author_filters import parse_filter
from platform_plugin_aspects.dashboards.access.clauses import clauses_for
from platform_plugin_aspects.dashboards.provision.provisioned import Provisioned, record
from platform_plugin_aspects.xblock import EXAMPLES, SupersetXBlock
from test_utils.factories import make_course_key, make_enrollment, make_user
from test_utils.superset_endpoint import SupersetEndpoint

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("lms")]

UUID = "c0e64194-33d1-4d5a-8c10-4f51530c5ee9"
OTHER_UUID = "abae8a25-1ba4-4653-81bd-d3937a162a11"
REFUSED = "1=1) OR (1=1"
WORKBENCH_COURSE = CourseKey.from_string("course-v1:edX+Demo+2020")


class Courseware(TestRuntime):
    """XBlock's runtime, with blocks in a course and, as the platform has it, a user service."""

    def __init__(self, user: Any = None):
        self.kvs = DictKeyValueStore()
        services: dict[str, Any] = {"field-data": KvsFieldData(self.kvs)}
        if user is not None:
            services["user"] = DjangoXBlockUserService(user)
        super().__init__(services=services)

    def handler_url(self, block: Any, handler_name: str, *args: Any, **kwargs: Any) -> str:
        return f"/{block.scope_ids.usage_id}/{handler_name}"

    def block(self, context_key: Any, name: str = "block", **fields: Any) -> SupersetXBlock:
        """A block with these fields as they are stored, whatever their shape."""
        usage_key = context_key.make_usage_key("superset", name)
        block = self.construct_xblock("superset", ScopeIds(None, "superset", usage_key, usage_key))
        for field, value in fields.items():
            self.service(block, "field-data").set(block, field, value)
        return block


class Elements(HTMLParser):
    """The configurations of the elements in a page."""

    def __init__(self, page: str):
        super().__init__()
        self.configs: list[dict[str, Any]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "aspects-dashboards":
            self.configs.append(json.loads(dict(attrs)["data-config"] or ""))


@pytest.fixture
def course_key() -> CourseKey:
    return make_course_key()


@pytest.fixture
def staff(course_key: CourseKey) -> User:
    user = make_user()
    CourseStaffRole(course_key).add_users(user)
    return user


@pytest.fixture
def superset(superset_endpoint: SupersetEndpoint) -> SupersetEndpoint:
    superset_endpoint.dashboards |= {UUID, OTHER_UUID}
    return superset_endpoint


def ask(block: SupersetXBlock, method: str = "GET") -> Response:
    """The handler's answer, which no cache may keep."""
    answer = block.runtime.handle(block, "guest_token", Request.blank("/", method=method))
    assert answer.headers["Cache-Control"] == "no-store"
    return answer


def test_staff_see_the_dashboard(staff: User, course_key: CourseKey, superset: SupersetEndpoint) -> None:
    block = Courseware(staff).block(course_key, dashboard_uuid=UUID.upper(), display_name="</script><b>'\"")
    fragment = block.render("student_view")
    (config,) = Elements(fragment.content).configs
    assert config["dashboards"] == [{"uuid": UUID, "name": "</script><b>'\"", "slug": ""}]
    assert config["summaryUrl"] == ""
    assert config["supersetUrl"] == f"{superset.url}/"
    assert config["guestTokenUrl"] == f"/{block.scope_ids.usage_id}/guest_token"
    assert config["link"] is None
    assert "</script><b>" not in fragment.content
    assert [resource.data for resource in fragment.resources] == [
        "/static/platform_plugin_aspects/dist/aspects-dashboards.js"
    ]
    assert superset.requests == []


def test_the_token_is_for_the_block_alone(staff: User, course_key: CourseKey, superset: SupersetEndpoint) -> None:
    filters = "mode = 'verified'\n\n  id > 5  "
    answer = ask(Courseware(staff).block(course_key, dashboard_uuid=UUID.upper(), filters=filters))
    assert answer.status_code == 200
    claims = superset.read_guest_token(answer.json["guestToken"])
    assert claims["resources"] == [{"type": "dashboard", "id": UUID}]
    assert claims["user"] == {"username": staff.username}
    expected = clauses_for(staff, course_key, ["mode = 'verified'", "id > 5"])
    assert [rule["clause"] for rule in claims["rls_rules"]] == expected
    assert len(expected) == 4


def test_blocks_of_one_page_are_independent(staff: User, course_key: CourseKey, superset: SupersetEndpoint) -> None:
    runtime = Courseware(staff)
    blocks = [
        runtime.block(course_key, "one", dashboard_uuid=UUID, filters="id = 1"),
        runtime.block(course_key, "two", dashboard_uuid=OTHER_UUID, filters="id = 2"),
    ]
    configs = [Elements(block.render("student_view").content).configs[0] for block in blocks]
    assert configs[0]["guestTokenUrl"] != configs[1]["guestTokenUrl"]
    claims = [superset.read_guest_token(ask(block).json["guestToken"]) for block in blocks]
    assert [found["resources"][0]["id"] for found in claims] == [UUID, OTHER_UUID]
    assert [found["rls_rules"][-1]["clause"] for found in claims] == [parse_filter("id = 1"), parse_filter("id = 2")]


def _staff_of_another_course(course_key: CourseKey) -> User:
    user = make_user()
    CourseStaffRole(make_course_key()).add_users(user)
    return user


def _inactive_staff(course_key: CourseKey) -> User:
    user = make_user(is_active=False)
    CourseStaffRole(course_key).add_users(user)
    return user


@pytest.mark.parametrize(
    "make_reader",
    [
        lambda course_key: make_user(),
        _staff_of_another_course,
        _inactive_staff,
        lambda course_key: None,
    ],
    ids=["learner", "staff of another course", "inactive staff", "no user service"],
)
@pytest.mark.parametrize("variant", ["lms", "cms"])
def test_others_see_a_notice_and_get_no_token(
    make_reader: Any, variant: str, course_key: CourseKey, superset: SupersetEndpoint, settings: Any
) -> None:
    settings.SERVICE_VARIANT = variant
    block = Courseware(make_reader(course_key)).block(course_key, dashboard_uuid=UUID)
    fragment = block.render("student_view")
    assert "The course team sees a dashboard here." in fragment.content
    assert UUID not in fragment.content
    assert fragment.resources == []
    answer = ask(block)
    assert (answer.status_code, answer.json["code"]) == (403, "permission_denied")
    assert superset.requests == []


def test_people_whose_session_has_ended_are_told_to_log_in(course_key: CourseKey, superset: SupersetEndpoint) -> None:
    block = Courseware(AnonymousUser()).block(course_key, dashboard_uuid=UUID)
    assert "The course team sees a dashboard here." in block.render("student_view").content
    answer = ask(block)
    assert (answer.status_code, answer.json["code"]) == (401, "not_authenticated")
    assert superset.requests == []


def test_nobody_sees_the_reports_of_somebody_else(
    staff: User, course_key: CourseKey, superset: SupersetEndpoint
) -> None:
    colleague = make_user()
    CourseStaffRole(course_key).add_users(colleague)
    block = Courseware(colleague).block(course_key, dashboard_uuid=UUID)
    for requester, status in ((colleague, 200), (staff, 403), (AnonymousUser(), 403)):
        with impersonate(requester):
            assert ask(block).status_code == status


def test_the_cms_has_rules_of_its_own(
    staff: User, course_key: CourseKey, superset: SupersetEndpoint, settings: Any
) -> None:
    settings.SERVICE_VARIANT = "cms"
    block = Courseware(staff).block(course_key, dashboard_uuid=UUID)
    assert Elements(block.render("student_view").content).configs
    assert ask(block).status_code == 200


def test_a_block_in_a_library_has_no_course(superset: SupersetEndpoint) -> None:
    block = Courseware(make_user(is_staff=True)).block(LibraryLocator("Org", "lib"), dashboard_uuid=UUID)
    assert Elements(block.render("student_view").content).configs == []
    assert ask(block).status_code == 403


@pytest.mark.parametrize("uuid", [None, "", "course-dashboard"])
def test_a_block_without_a_dashboard_says_so(
    uuid: str | None, staff: User, course_key: CourseKey, superset: SupersetEndpoint
) -> None:
    block = Courseware(staff).block(course_key, dashboard_uuid=uuid)
    assert "There is no dashboard yet" in block.render("student_view").content
    answer = ask(block)
    assert (answer.status_code, answer.json["code"]) == (400, "no_dashboard")
    assert superset.requests == []


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ("\n".join(["id = 1"] * 51), "There are 51 filters, but at most 50 are allowed."),
        ("\n".join(["mode = '" + "a" * 1991 + "'"] * 3), "The filters have 6000 characters together"),
        ("\n".join(["id = 1"] * 100_000), "There are 100000 filters"),
    ],
    ids=["lines", "characters", "many lines"],
)
def test_too_many_filters_are_refused_in_the_editor_and_for_the_token(
    filters: str, said: str, staff: User, course_key: CourseKey, superset: SupersetEndpoint
) -> None:
    block = Courseware(staff).block(course_key, dashboard_uuid=UUID, filters="id = 7")
    answer = edit(block, filters=filters)
    assert answer.status_code == 400
    (message,) = answer.json["error"]["messages"]
    assert said in message["text"]
    assert block.filters == "id = 7"

    stored = Courseware(staff).block(course_key, dashboard_uuid=UUID, filters=filters)
    answer = ask(stored)
    assert (answer.status_code, answer.json["code"]) == (400, "refused_filter")
    assert said in answer.json["detail"]
    assert superset.requests == []


def test_filters_are_parsed_only_where_no_token_is_cached(
    staff: User, course_key: CourseKey, superset: SupersetEndpoint
) -> None:
    block = Courseware(staff).block(course_key, dashboard_uuid=UUID, filters="id = 1\nid < 9")
    parsed = []

    def note(frame: FrameType, event: str, _arg: Any) -> None:
        if event == "call" and frame.f_code is parse_filter.__code__:
            parsed.append(frame.f_locals["text"])

    previous = sys.getprofile()
    sys.setprofile(note)
    try:
        first, second = ask(block), ask(block)
    finally:
        sys.setprofile(previous)
    assert first.json == second.json
    assert parsed == ["id = 1", "id < 9"]


def test_the_handler_is_throttled_as_the_endpoints_are(
    staff: User, course_key: CourseKey, superset: SupersetEndpoint, settings: Any
) -> None:
    settings.ASPECTS_API_THROTTLE_RATE = "2/day"
    block = Courseware(staff).block(course_key, dashboard_uuid=UUID)
    assert [ask(block).status_code for _ in range(3)] == [200, 200, 429]
    answer = ask(block)
    assert answer.json["code"] == "throttled"
    assert "Request was throttled. Expected available in" in answer.json["detail"]
    assert int(answer.headers["Retry-After"]) > 80_000

    colleague = make_user()
    CourseStaffRole(course_key).add_users(colleague)
    assert ask(Courseware(colleague).block(course_key, dashboard_uuid=UUID)).status_code == 200
    settings.ASPECTS_API_THROTTLE_RATE = "often"
    assert ask(block).json["code"] == "superset_misconfigured"


def test_people_without_permission_are_not_counted(staff: User, course_key: CourseKey, settings: Any) -> None:
    settings.ASPECTS_API_THROTTLE_RATE = "1/day"
    block = Courseware(make_user()).block(course_key, dashboard_uuid=UUID)
    assert [ask(block).status_code for _ in range(3)] == [403, 403, 403]


def test_a_stored_filter_that_is_refused_never_reaches_superset(
    staff: User, course_key: CourseKey, superset: SupersetEndpoint
) -> None:
    answer = ask(Courseware(staff).block(course_key, dashboard_uuid=UUID, filters=f"id = 1\n{REFUSED}"))
    assert (answer.status_code, answer.json["code"]) == (400, "refused_filter")
    assert "cannot be understood" in answer.json["detail"]
    assert superset.requests == []


@pytest.mark.parametrize(
    "stored",
    [
        "mode = 'audit'\nid = 1",
        ["mode = 'audit'", "id = 1"],
        '["mode = \'audit\'", "id = 1"]',
        ["mode =\n'audit'", "id = 1"],
    ],
)
def test_filters_that_are_stored_as_a_list_are_read_too(
    stored: Any, staff: User, course_key: CourseKey, superset: SupersetEndpoint
) -> None:
    block = Courseware(staff).block(course_key, dashboard_uuid=UUID, filters=stored)
    assert block.filters == "mode = 'audit'\nid = 1"


def test_text_that_only_looks_like_a_list_is_a_filter_that_is_refused(
    staff: User, course_key: CourseKey, superset: SupersetEndpoint
) -> None:
    block = Courseware(staff).block(course_key, dashboard_uuid=UUID, filters="[1")
    assert block.filters == "[1"
    assert ask(block).status_code == 400


def test_the_block_is_shown_while_superset_is_down(
    staff: User, course_key: CourseKey, superset: SupersetEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    superset.stop()
    block = Courseware(staff).block(course_key, dashboard_uuid=UUID)
    assert Elements(block.render("student_view").content).configs
    answer = ask(block)
    assert (answer.status_code, answer.json["code"]) == (503, "superset_unavailable")
    assert "not available at the moment" in answer.json["detail"]
    assert "127.0.0.1" not in answer.text
    (record,) = [found for found in caplog.records if found.name.startswith("platform_plugin_aspects")]
    assert record.levelno == logging.ERROR
    assert "login failed" in record.getMessage()


def test_the_block_says_that_superset_is_misconfigured(
    staff: User, course_key: CourseKey, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SUPERSET_CONFIG = {"service_url": "nowhere"}
    block = Courseware(staff).block(course_key, dashboard_uuid=UUID)
    with caplog.at_level(logging.ERROR):
        fragment = block.render("student_view")
    assert "not set up correctly" in fragment.content
    assert "nowhere" not in fragment.content
    assert "service_url in SUPERSET_CONFIG is 'nowhere'" in caplog.text
    assert ask(block).status_code == 502


def test_without_the_bundle_the_block_says_so(
    staff: User, course_key: CourseKey, superset: SupersetEndpoint, settings: Any
) -> None:
    settings.STATICFILES_FINDERS = []
    fragment = Courseware(staff).block(course_key, dashboard_uuid=UUID).render("student_view")
    assert "their script is missing from this installation" in fragment.content
    assert Elements(fragment.content).configs == []
    assert fragment.resources == []


def test_the_handler_answers_get_only(staff: User, course_key: CourseKey, superset: SupersetEndpoint) -> None:
    assert ask(Courseware(staff).block(course_key, dashboard_uuid=UUID), "POST").status_code == 405
    assert superset.requests == []


def edit(block: SupersetXBlock, **values: Any) -> Response:
    """The answer to Studio's editor when an author saves."""
    body = json.dumps({"values": values, "defaults": []}).encode()
    return block.runtime.handle(block, "submit_studio_edits", Request.blank("/", method="POST", body=body))


def test_authors_edit_the_fields(staff: User, course_key: CourseKey) -> None:
    block = Courseware(staff).block(course_key, filters=["id = 1", "id < 5"])
    editor = etree.HTML(block.render("studio_view").content)
    names = editor.xpath("//li/@data-field-name")
    assert names == ["display_name", "dashboard_uuid", "filters"]
    assert editor.xpath("//textarea")[0].text == "id = 1\nid < 5"

    assert edit(block, display_name="Ours", dashboard_uuid=f" {UUID}\n", filters="mode = 'audit'").status_code == 200
    assert (block.display_name, block.dashboard_uuid, block.filters) == ("Ours", UUID, "mode = 'audit'")
    assert not block.validate().messages


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"dashboard_uuid": "course-dashboard"}, "“course-dashboard” is not a UUID"),
        ({"filters": f"id = 1\n{REFUSED}"}, f"Filter “{REFUSED}”: "),
        ({"filters": [REFUSED]}, f"Filter “{REFUSED}”: "),
        ({"filters": "id IN (SELECT 1)"}, "Filter “id IN (SELECT 1)”: "),
    ],
)
def test_authors_are_told_what_is_refused(
    values: dict[str, Any], said: str, staff: User, course_key: CourseKey
) -> None:
    block = Courseware(staff).block(course_key, dashboard_uuid=UUID, filters="id = 7")
    answer = edit(block, **values)
    assert answer.status_code == 400
    (message,) = answer.json["error"]["messages"]
    assert message["type"] == "error"
    assert said in message["text"]
    assert (block.dashboard_uuid, block.filters) == (UUID, "id = 7")


def test_every_refused_filter_is_named(staff: User, course_key: CourseKey) -> None:
    block = Courseware(staff).block(course_key, dashboard_uuid="x", filters=f"{REFUSED}\nid = 1\nnow()")
    texts = [message.text for message in block.validate().messages]
    assert len(texts) == 3
    assert "now()" in texts[2]


def test_the_block_survives_export_and_import(staff: User, course_key: CourseKey) -> None:
    runtime = Courseware(staff)
    block = runtime.block(course_key, display_name="Ours", dashboard_uuid=UUID, filters="id = 1\nmode <> 'a'")
    node = etree.Element("superset")
    block.add_xml_to_node(node)
    key = course_key.make_usage_key("superset", "copy")
    text = etree.fromstring(etree.tostring(node))
    copy = SupersetXBlock.parse_xml(text, runtime, ScopeIds(None, "superset", key, key))
    assert (copy.display_name, copy.dashboard_uuid, copy.filters) == ("Ours", UUID, "id = 1\nmode <> 'a'")


def test_a_list_in_olx_is_read(staff: User, course_key: CourseKey) -> None:
    key = course_key.make_usage_key("superset", "old")
    node = etree.fromstring("""<superset filters='["id = 1", "id &lt; 5"]'/>""")
    block = SupersetXBlock.parse_xml(node, Courseware(staff), ScopeIds(None, "superset", key, key))
    assert block.filters == "id = 1\nid < 5"


# The workbench itself uses what XBlock has deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:xblock.runtime", "ignore::DeprecationWarning:workbench")
@pytest.mark.parametrize(("scenario", "boards"), [("superset.0", 1), ("superset.1", 2), ("superset.2", 0)])
def test_the_workbench_shows_every_scenario(
    client: Client, superset: SupersetEndpoint, scenario: str, boards: int
) -> None:
    superset.dashboards |= set(EXAMPLES)
    # They stand in the database, of which an earlier test's is gone.
    init_scenarios()
    user = make_user()
    client.force_login(user)
    page = f"/workbench/scenario/{scenario}/"
    assert Elements(client.get(page).content.decode()).configs == []

    CourseStaffRole(WORKBENCH_COURSE).add_users(user)
    configs = Elements(client.get(page).content.decode()).configs
    assert len(configs) == boards
    for config in configs:
        answer = client.get(config["guestTokenUrl"])
        assert answer.status_code == 200
        claims = superset.read_guest_token(answer.json()["guestToken"])
        assert claims["resources"] == [{"type": "dashboard", "id": config["dashboards"][0]["uuid"]}]
    client.logout()
    for config in configs:
        assert client.get(config["guestTokenUrl"]).status_code == 401


@pytest.fixture
def workbench_staff(client: Client) -> User:
    """Somebody of the course team of the workbench's course, who is logged in."""
    init_scenarios()
    user = make_user()
    CourseStaffRole(WORKBENCH_COURSE).add_users(user)
    client.force_login(user)
    return user


@pytest.mark.filterwarnings("ignore::DeprecationWarning:xblock.runtime", "ignore::DeprecationWarning:workbench")
@pytest.mark.usefixtures("workbench_staff")
@pytest.mark.parametrize(
    ("chosen", "boards"),
    [({"role": "student"}, 0), ({"role": "student", "user_name": "learner"}, 0), ({"role": "staff"}, 1)],
    ids=["any learner", "this learner", "staff"],
)
def test_staff_who_view_the_course_as_a_learner_see_what_a_learner_sees(
    chosen: dict[str, str], boards: int, client: Client, superset: SupersetEndpoint
) -> None:
    superset.dashboards |= set(EXAMPLES)
    make_enrollment(make_user("learner"), WORKBENCH_COURSE)
    page = "/workbench/scenario/superset.0/"
    (config,) = Elements(client.get(page).content.decode()).configs

    address = f"/courses/{WORKBENCH_COURSE}/masquerade"
    assert client.post(address, chosen, content_type="application/json").json() == {"success": True}
    html = client.get(page).content.decode()
    assert len(Elements(html).configs) == boards
    assert ("The course team sees a dashboard here." in html) == (not boards)
    assert client.get(config["guestTokenUrl"]).status_code == (200 if boards else 403)


def test_a_learner_s_view_is_of_one_course(staff: User, course_key: CourseKey, superset: SupersetEndpoint) -> None:
    block = Courseware(staff).block(course_key, dashboard_uuid=UUID)
    staff.masquerade_settings = {make_course_key(): CourseMasquerade(make_course_key())}
    with impersonate(staff):
        assert ask(block).status_code == 200
    staff.masquerade_settings = {course_key: CourseMasquerade(course_key)}
    with impersonate(staff):
        assert ask(block).status_code == 403


# Version 2: its pages may be open during an upgrade, and its blocks stay.


def test_the_heading_of_blocks_without_one_stays(staff: User, course_key: CourseKey) -> None:
    assert Courseware(staff).block(course_key).display_name == "Superset Dashboard"


def test_the_handler_of_version_2_gives_the_same_token(
    staff: User, course_key: CourseKey, superset: SupersetEndpoint
) -> None:
    block = Courseware(staff).block(course_key, dashboard_uuid=UUID, filters="id = 1")
    request = Request.blank("/", method="POST", body=b"{}")
    answer = block.runtime.handle(block, "get_superset_guest_token", request)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json == {"guestToken": ask(block).json["guestToken"]}


def test_the_handler_of_version_2_refuses_as_the_other_does(course_key: CourseKey, superset: SupersetEndpoint) -> None:
    block = Courseware(make_user()).block(course_key, dashboard_uuid=UUID)
    for method, status in (("POST", 403), ("GET", 405)):
        request = Request.blank("/", method=method)
        assert block.runtime.handle(block, "get_superset_guest_token", request).status_code == status
    assert superset.requests == []


@pytest.mark.parametrize(
    "text",
    ["course_key = '{course_id}'", "username = '{user.username}'", "org = {course.org}", "name LIKE '%{ user }%'"],
)
def test_placeholders_of_version_2_are_refused_with_what_to_do(
    text: str, staff: User, course_key: CourseKey, superset: SupersetEndpoint
) -> None:
    stored = Courseware(staff).block(course_key, dashboard_uuid=UUID, filters=text)
    answer = ask(stored)
    assert (answer.status_code, answer.json["code"]) == (400, "refused_filter")
    shown = text[text.index("{") : text.index("}") + 1]
    assert answer.json["detail"].startswith(f"“{shown}” is not replaced: ")
    assert "already shows only this course" in answer.json["detail"]
    assert "SUPERSET_EXTRA_FILTERS_FORMAT" in answer.json["detail"]
    assert superset.requests == []
    assert shown in edit(Courseware(staff).block(course_key), filters=text).json["error"]["messages"][0]["text"]


def test_the_editor_offers_the_configured_dashboards_by_name(staff: User, course_key: CourseKey, settings: Any) -> None:
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [
        {"name": "Course Dashboard", "slug": "a", "uuid": UUID.upper(), "allow_translations": True},
        {"name": "<Learners>", "slug": "b", "uuid": OTHER_UUID, "allow_translations": False},
    ]
    block = Courseware(staff).block(course_key, dashboard_uuid=OTHER_UUID)
    editor = etree.HTML(block.render("studio_view").content)
    (field,) = editor.xpath("//input[@id='xb-field-edit-dashboard_uuid']")
    assert field.get("value") == OTHER_UUID
    (offer,) = editor.xpath("//datalist")
    assert field.get("list") == offer.get("id")
    assert [(option.get("value"), option.text) for option in offer] == [
        (UUID, "Course Dashboard"),
        (OTHER_UUID, "<Learners>"),
    ]


def test_each_reader_sees_a_board_of_the_plugin_in_their_language(
    staff: User, course_key: CourseKey, settings: Any, superset: SupersetEndpoint
) -> None:
    settings.ASPECTS_REPORTING_ENABLED = True
    record(
        Provisioned("course", language, title, "d" * 8, uuid, "0" * 64)
        for language, title, uuid in (("en", "Course", UUID), ("fr", "Cours", OTHER_UUID))
    )
    UserPreference.objects.create(user=staff, key="pref-lang", value="fr")
    block = Courseware(staff).block(course_key, dashboard_uuid=UUID)
    with impersonate(staff):
        editor = etree.HTML(block.render("studio_view").content)
    assert [(option.get("value"), option.text) for option in editor.xpath("//datalist")[0]] == [(UUID, "Cours")]
    (config,) = Elements(block.render("student_view").content).configs
    assert [dashboard["uuid"] for dashboard in config["dashboards"]] == [OTHER_UUID]
    claims = superset.read_guest_token(ask(block).json["guestToken"])
    assert claims["resources"] == [{"type": "dashboard", "id": OTHER_UUID}]


@pytest.mark.parametrize("dashboards", [[], "no list"])
def test_the_editor_opens_without_dashboards(
    dashboards: Any, staff: User, course_key: CourseKey, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = dashboards
    editor = etree.HTML(Courseware(staff).block(course_key).render("studio_view").content)
    assert editor.xpath("//datalist") == []
    assert len(editor.xpath("//input[@id='xb-field-edit-dashboard_uuid']")) == 1
    assert ("ASPECTS_INSTRUCTOR_DASHBOARDS is 'no list'" in caplog.text) == (dashboards == "no list")
