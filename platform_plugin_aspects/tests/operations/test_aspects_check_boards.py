"""aspects_check, section Boards: as far as it goes without the content of Superset; the rest is tested in e2e."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from platform_plugin_aspects.dashboards.provision.provisioned import Provisioned, forget, record
from platform_plugin_aspects.operations.doctor import boards
from platform_plugin_aspects.operations.doctor.findings import Examination, Mark
from platform_plugin_aspects.operations.provision.superset import SupersetPart
from platform_plugin_aspects.tests.operations.provision.test_superset import configured  # noqa: F401
from test_utils.superset_endpoint import SupersetEndpoint

pytestmark = pytest.mark.django_db

RUN = "Run python manage.py cms aspects_provision"


def found() -> list[tuple[Mark, str, str]]:
    return [(finding.mark, finding.text, finding.remedy) for finding in boards.examine(Examination())]


@pytest.fixture
def there(configured: Any, superset_endpoint: SupersetEndpoint) -> list[Provisioned]:  # noqa: F811
    """The boards of this version, as the last run left them."""
    configured.SUPERSET_CONFIG = superset_endpoint.config()
    made = [
        Provisioned(
            row.slug, bundle.language, row.title, row.dashboard_uuid, row.dashboard_uuid, bundle.hash, row.block_type
        )
        for bundle in SupersetPart.from_settings().bundles
        for row in bundle.rows
    ]
    record(made)
    return made


def test_a_site_without_boards_is_a_note(settings: Any) -> None:
    assert found() == [
        (
            Mark.NOTE,
            "The plugin's boards are not shown: SUPERSET_CONFIG is not set",
            "Set it in LMS and CMS to show boards in Superset",
        )
    ]


def test_boards_that_are_not_in_superset_are_a_note(there: list[Provisioned]) -> None:
    forget(there)
    assert found() == [(Mark.NOTE, "Superset has none of the plugin's boards", RUN)]


def test_boards_of_this_version(there: list[Provisioned]) -> None:
    assert len({row.language for row in there}) == 4
    # Without names of learners: the course, the forum, and those of Studio.
    assert found()[0] == (Mark.OK, "Superset has the 6 boards of this version", "")


def test_boards_that_are_missing_or_of_another_version_are_named(there: list[Provisioned]) -> None:
    course, *_others = there
    forum = next(row for row in there if (row.slug, row.language) == ("forum", "fr"))
    video = next(row for row in there if (row.slug, row.language) == ("in-context-video", "ar"))
    record([replace(course, hash="of a former version"), replace(video, embedded_uuid="")])
    forget([forum])
    assert found()[:2] == [
        (Mark.PROBLEM, "2 boards are missing in Superset: in-context-video (ar), forum (fr)", RUN),
        (Mark.PROBLEM, "1 board is of another version in Superset: course (en)", RUN),
    ]


def test_a_faulty_board_of_the_site_s_own_is_a_problem_beside_the_others(
    there: list[Provisioned],
    configured: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    configured.ASPECTS_BOARDS_DIR = str(tmp_path)
    (tmp_path / "labs.zip").write_bytes(b"broken")
    faulty, versions, *_more = found()
    assert (faulty[0], faulty[1].partition(": ")[0]) == (Mark.PROBLEM, str(tmp_path / "labs.zip"))
    assert versions == (Mark.OK, "Superset has the 6 boards of this version", "")


def test_a_superset_that_does_not_answer_is_a_problem_of_its_own_section(
    there: list[Provisioned], superset_endpoint: SupersetEndpoint
) -> None:
    superset_endpoint.accounts["superset"] = ("another", set())
    mark, text, remedy = found()[-1]
    assert (mark, remedy) == (Mark.PROBLEM, "Run python manage.py cms aspects_check --only Superset")
    assert text.startswith("Superset does not let 'superset' log in")
