"""The XBlock in xblock-sdk's workbench, whose blocks are of COURSE, with the dashboards of a real Superset."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from test_utils.e2e.dashboards import Dashboards
from test_utils.e2e.site import COURSE, COURSES, INSTRUCTOR_DASHBOARDS, LEARNER

from .conftest import Person

pytestmark = pytest.mark.e2e

PREFIX, MODES = COURSES[COURSE]
SEVERAL = "/workbench/scenario/superset.1/"

Visit = Callable[[str], Person]


def test_several_blocks_on_one_page_each_with_its_filters(visit: Visit) -> None:
    estelle = visit("estelle")
    estelle.browser.open(SEVERAL)
    course, learners = Dashboards(estelle.browser, 0), Dashboards(estelle.browser, 1)
    assert course.tabs == learners.tabs == []
    # Its filter: mode = 'verified'.
    assert len(learners.table()) == MODES["verified"]
    assert {row[2] for row in learners.table()} == {"verified"}
    assert course.table() == [[COURSE, mode, str(number)] for mode, number in MODES.items()]
    course.wait_until_drawn()
    estelle.browser.driver.execute_script("window.scrollTo(0, 0)")
    estelle.browser.screenshot("xblock")


def test_learners_see_a_notice_and_get_no_token(visit: Visit) -> None:
    estelle, learner = visit("estelle"), visit(LEARNER)
    estelle.browser.open(SEVERAL)
    config = json.loads(Dashboards(estelle.browser).element.get_attribute("data-config"))
    answer = learner.get(config["guestTokenUrl"])
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    learner.browser.open(SEVERAL)
    assert "The course team sees a dashboard here." in learner.browser.find_all("body")[0].text
    assert learner.browser.find_all("aspects-dashboards") == []
    learner.browser.screenshot("xblock-learner")


def test_authors_are_offered_the_site_s_dashboards_by_name(visit: Visit) -> None:
    estelle = visit("estelle")
    estelle.browser.open("/workbench/scenario/superset.2/studio_view/")
    (field,) = estelle.browser.find_all("#xb-field-edit-dashboard_uuid")
    offered = "return [...arguments[0].list.options].map((option) => [option.label, option.value])"
    assert estelle.browser.driver.execute_script(offered, field) == [
        [board["name"], board["uuid"]] for board in INSTRUCTOR_DASHBOARDS
    ]
    estelle.browser.screenshot("xblock-editor")


def test_staff_who_view_the_course_as_a_learner_see_the_notice(visit: Visit) -> None:
    estelle = visit("estelle")
    estelle.browser.open(SEVERAL)
    estelle.browser.driver.execute_async_script(
        "const [address, done] = arguments;"
        "const token = document.cookie.match(/csrftoken=(\\w+)/)[1];"
        "fetch(address, {method: 'POST', body: '{}', headers: {'X-CSRFToken': token}}).then(() => done())",
        f"/courses/{COURSE}/masquerade",
    )
    estelle.browser.open(SEVERAL)
    assert "The course team sees a dashboard here." in estelle.browser.find_all("body")[0].text
    assert estelle.browser.find_all("aspects-dashboards") == []
