"""Provisioning reads what Superset has, says what differs, and writes only that; whatever happens on the way."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from platform_plugin_aspects.dashboards.provision.provision import Change, Provision
from platform_plugin_aspects.dashboards.provision.provisioned import provisioned, record
from platform_plugin_aspects.dashboards.provision.rights import GUEST_RIGHTS, SERVICE_RIGHTS
from platform_plugin_aspects.dashboards.superset.api import Account, SupersetApi, WrongPassword
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.errors import (
    SupersetConflict,
    SupersetError,
    SupersetForbidden,
    SupersetMisconfigured,
    SupersetRefused,
    SupersetUnavailable,
)
from platform_plugin_aspects.operations.provision.standing import standing
from test_utils.small_boards import small_bundle, small_database, uuid_of
from test_utils.superset_endpoint import Reply, SupersetEndpoint

pytestmark = pytest.mark.django_db

DATABASE = small_database()
BOARDS = {"course": {"enrolled": "enrollment", "active": "activity"}, "forum": {"posts": "activity"}}
#: As BOARDS, but for a chart that is gone, and its dataset with it.
LATER = {"course": {"active": "activity"}, "forum": {"posts": "activity"}}
ENGLISH = small_bundle(BOARDS)
BUNDLES = (ENGLISH, small_bundle(BOARDS, language="fr"))
ADMIN = Account("admin", "admin-secret")
LMS = "https://lms.example.com"


@pytest.fixture
def superset(superset_endpoint: SupersetEndpoint) -> SupersetEndpoint:
    """A bare Superset, with an administrator and a ClickHouse that it reaches."""
    superset_endpoint.accounts.clear()
    return superset_endpoint


def provision(superset: SupersetEndpoint, bundles: Sequence[Any] = BUNDLES, **more: Any) -> Provision:
    url = f"{superset.url}/"
    options = {"admin": ADMIN, "allowed_domains": [LMS], "database_password": "reader-secret", "database": DATABASE}
    return Provision(bundles, config=SupersetConfig(url, url, "aspects", "service-secret"), **{**options, **more})


def texts(changes: Sequence[Change]) -> list[str]:
    return [change.text for change in changes]


def names(superset: SupersetEndpoint, kind: str) -> list[str]:
    column = {"dataset": "table_name", "chart": "slice_name", "dashboard": "slug"}[kind]
    return sorted(row[column] for row in superset.objects.of(kind).values())


def embedded(superset: SupersetEndpoint) -> dict[str, str]:
    objects = superset.objects
    return {objects.dashboard[number]["slug"]: found["uuid"] for number, found in objects.embedded.items()}


def contents(superset: SupersetEndpoint) -> Mapping[str, Any]:
    """Everything but the UUIDs that Superset chose."""
    found = copy.deepcopy(vars(superset.objects))
    found["embedded"] = {number: it["allowed_domains"] for number, it in found["embedded"].items()}
    return {name: value for name, value in found.items() if name != "clickhouse"}


def table() -> list[tuple[str, str, str, bool, int, int]]:
    return [(r.slug, r.language, r.title, bool(r.embedded_uuid), len(r.datasets), len(r.charts)) for r in provisioned()]


def states() -> dict[str, tuple[str, bool]]:
    """Board -> its checksum, and whether its datasets are closed."""
    return {row.slug: (row.hash, row.is_closed) for row in provisioned()}


# From bare to boards


def test_a_bare_superset_gets_everything(superset: SupersetEndpoint) -> None:
    assert texts(provision(superset).apply()) == [
        "create the role 'Aspects Service' with 13 rights",
        "create the account 'aspects' with the role 'Aspects Service'",
        "create the role 'Aspects Guest' with 13 rights",
        "create the connection 'Small reports' to clickhouse.invalid:8123/aspects_reports as 'reader'",
        "let the role 'Aspects Service' use the connection 'Small reports'",
        "create 2 datasets: activity, enrollment",
        "close 2 datasets for people who log in to Superset (row rule 'Aspects boards: closed')",
        "create aspects-course-en, aspects-forum-en (2 dashboards, 3 charts)",
        "create aspects-course-fr, aspects-forum-fr (2 dashboards, 3 charts)",
        "embed aspects-course-en",
        "embed aspects-forum-en",
        "embed aspects-course-fr",
        "embed aspects-forum-fr",
        "note 4 boards in the plugin's table",
    ]
    assert names(superset, "dashboard") == [
        "aspects-course-en",
        "aspects-course-fr",
        "aspects-forum-en",
        "aspects-forum-fr",
    ]
    assert names(superset, "dataset") == ["activity", "enrollment"]
    assert table() == [
        ("course", "en", "Course", True, 2, 2),
        ("course", "fr", "Course", True, 2, 2),
        ("forum", "en", "Forum", True, 1, 1),
        ("forum", "fr", "Forum", True, 1, 1),
    ]
    assert {row.embedded_uuid for row in provisioned()} == set(embedded(superset).values())
    assert provision(superset).verify() == []


def test_the_service_account_owns_the_boards_and_has_few_rights(superset: SupersetEndpoint) -> None:
    provision(superset).apply()
    objects = superset.objects
    (number,) = [user["id"] for user in objects.users.values() if user["username"] == "aspects"]
    assert all(
        row["owners"] == {number} for kind in ("dataset", "chart", "dashboard") for row in objects.of(kind).values()
    )
    roles = {role["name"]: role["rights"] for role in objects.roles.values()}
    assert roles["Aspects Service"] == {*SERVICE_RIGHTS, ("database_access", "[Small reports].(id:1)")}
    assert roles["Aspects Guest"] == GUEST_RIGHTS


def test_the_row_rule_is_closed_for_all_but_administrators_and_guests(superset: SupersetEndpoint) -> None:
    provision(superset).apply()
    (rule,) = superset.objects.rules.values()
    assert (rule["clause"], rule["filter_type"], rule["tables"]) == ("1 = 0", "Base", {1, 2})
    assert {superset.objects.roles[role]["name"] for role in rule["roles"]} == {"Admin", "Aspects Guest"}


@pytest.mark.parametrize("imports", [2, 3, 4])
def test_datasets_are_closed_before_anything_shows_them(imports: int, superset: SupersetEndpoint) -> None:
    """Imports: the connection, datasets, and the boards of each language. Whichever fails, no dataset is open."""
    superset.plan("assets/import", *[None] * (imports - 1), Reply(500, "<!doctype html><title>500</title>"))
    with pytest.raises(SupersetRefused, match=r"^Superset did not take the (datasets|boards) "):
        provision(superset).apply()
    there = set(superset.objects.dataset)
    assert there == (set() if imports == 2 else {1, 2})
    assert {table for rule in superset.objects.rules.values() for table in rule["tables"]} == there
    provision(superset).apply()
    assert provision(superset).plan() == []


def test_the_password_is_in_no_plan_and_no_error(superset: SupersetEndpoint) -> None:
    it = provision(superset, database_password="another-secret")
    with pytest.raises(SupersetRefused) as error:
        it.plan()
    assert "another-secret" not in f"{error.value!r}{error.value}{it!r}{vars(it)}"
    changes = provision(superset).plan()
    assert not any(secret in f"{changes!r}" for secret in ("reader-secret", "service-secret", "admin-secret"))


def test_datasets_are_sent_once(superset: SupersetEndpoint) -> None:
    """They take most of Superset's time, and the languages share them."""
    provision(superset).apply()
    (connection, datasets, english, french) = superset.objects.imports
    assert connection == ["databases/reports.yaml", "metadata.yaml"]
    assert datasets == [
        "databases/reports.yaml",
        "datasets/reports/activity.yaml",
        "datasets/reports/enrollment.yaml",
        "metadata.yaml",
    ]
    assert english == [
        "charts/active.yaml",
        "charts/enrolled.yaml",
        "charts/posts.yaml",
        "dashboards/course.yaml",
        "dashboards/forum.yaml",
        "databases/reports.yaml",
        "metadata.yaml",
    ]
    assert french == [name for name in english if not name.startswith("data")]


@pytest.mark.parametrize("path", ["login", "test_connection", "assets/import"])
def test_no_frame_of_an_error_shows_a_password(path: str, superset: SupersetEndpoint) -> None:
    """Error reporters show the variables of each frame."""
    superset.plan(path, *[Reply(0)] * 3)
    with pytest.raises(SupersetError) as error:
        provision(superset).apply()
    frames = [frame for frame, _line in traceback.walk_tb(error.value.__traceback__)][2:]
    shown = "".join(f"{value!r}" for frame in frames for value in frame.f_locals.values())
    assert [secret for secret in ("reader-secret", "service-secret", "admin-secret") if secret in shown] == []
    assert "Run(" in shown


# Again


def test_a_plan_writes_nothing(superset: SupersetEndpoint) -> None:
    before = contents(superset)
    assert len(provision(superset).plan()) == 14
    assert superset.writes() == []
    assert contents(superset) == before
    assert table() == []


@pytest.mark.parametrize("admin", [ADMIN, None])
def test_a_second_run_writes_nothing(admin: Account | None, superset: SupersetEndpoint) -> None:
    provision(superset).apply()
    superset.clear()
    assert provision(superset, admin=admin).plan() == []
    assert provision(superset, admin=admin).apply() == []
    assert superset.writes() == []


@pytest.mark.parametrize("admin", [ADMIN, None])
def test_a_changed_board_is_updated_in_place(admin: Account | None, superset: SupersetEndpoint) -> None:
    provision(superset, [ENGLISH]).apply()
    before = embedded(superset)
    numbers = {row["slug"]: number for number, row in superset.objects.dashboard.items()}
    superset.clear()
    assert texts(provision(superset, [small_bundle(LATER, edition="2")], admin=admin).apply()) == [
        "update aspects-course-en, aspects-forum-en (2 dashboards, 2 charts)",
        "delete 1 chart that no board has any more: enrolled",
        "delete 1 dataset that no board has any more: enrollment",
        "note 2 boards in the plugin's table",
    ]
    assert superset.writes() == ["POST assets/import/", "DELETE chart/", "DELETE dataset/"]
    assert embedded(superset) == before
    assert {row["slug"]: number for number, row in superset.objects.dashboard.items()} == numbers
    assert names(superset, "chart") == ["active 2", "posts 2"]
    assert names(superset, "dataset") == ["activity"]
    assert table() == [("course", "en", "Course", True, 1, 1), ("forum", "en", "Forum", True, 1, 1)]


def test_a_board_and_a_language_that_are_gone_are_deleted(superset: SupersetEndpoint) -> None:
    provision(superset).apply()
    course = small_bundle({"course": BOARDS["course"]})
    assert texts(provision(superset, [course], admin=None).apply()) == [
        "update aspects-course-en (1 dashboards, 2 charts)",
        "delete 3 dashboards that no board has any more: aspects-course-fr, aspects-forum-en, aspects-forum-fr",
        "delete 4 charts that no board has any more: active, enrolled, posts, posts",
        "note 4 boards in the plugin's table",
    ]
    assert names(superset, "dashboard") == ["aspects-course-en"]
    assert names(superset, "dataset") == ["activity", "enrollment"]
    assert table() == [("course", "en", "Course", True, 2, 2)]


def test_objects_of_others_stay(superset: SupersetEndpoint) -> None:
    """A chart that somebody has taken over, and a dataset that somebody's chart uses."""
    provision(superset, [ENGLISH]).apply()
    objects = superset.objects
    someone = objects.add_user("grace", "secret", [3])
    enrolled = next(row for row in objects.chart.values() if row["slice_name"] == "enrolled")
    enrolled["owners"] = {someone}
    later = small_bundle(LATER, edition="2")
    assert texts(provision(superset, [later]).apply()) == [
        "update aspects-course-en, aspects-forum-en (2 dashboards, 2 charts)",
        "delete 1 dataset that no board has any more: enrollment",
        "note 2 boards in the plugin's table",
    ]
    assert "enrolled" in names(superset, "chart")


def test_a_dataset_that_a_chart_of_somebody_uses_stays(superset: SupersetEndpoint) -> None:
    provision(superset, [ENGLISH]).apply()
    objects = superset.objects
    dataset = next(number for number, row in objects.dataset.items() if row["table_name"] == "enrollment")
    objects.chart[99] = {
        "id": 99,
        "uuid": uuid_of("chart", "own"),
        "slice_name": "Own",
        "owners": {1},
        "dataset": dataset,
    }
    assert texts(provision(superset, [small_bundle(LATER)]).apply())[1:] == [
        "delete 1 chart that no board has any more: enrolled",
        "note 2 boards in the plugin's table",
    ]
    assert names(superset, "dataset") == ["activity", "enrollment"]
    # It stays closed, also when the rule is written anew.
    threads = small_bundle({"forum": {"posts": "activity", "threads": "threads"}})
    assert "correct the row rule 'Aspects boards: closed': add 1 dataset" in texts(
        provision(superset, [threads]).apply()
    )
    assert superset.objects.rules[1]["tables"] == {1, 2, 3}
    assert names(superset, "dataset") == ["activity", "enrollment", "threads"]


def test_a_dataset_that_was_deleted_by_hand_comes_back_closed(superset: SupersetEndpoint) -> None:
    """It gets another number, which the row rule does not have; so it takes an administrator."""
    provision(superset, [ENGLISH]).apply()
    superset.objects.delete("dataset", 1)
    superset.objects.rules[1]["tables"] = {2}
    with pytest.raises(SupersetForbidden, match="New in Superset: the datasets activity: run the command once"):
        provision(superset, [ENGLISH], admin=None).apply()
    changes = [
        "create 1 dataset: activity",
        "correct the row rule 'Aspects boards: closed': add 1 dataset",
        "update aspects-course-en, aspects-forum-en (2 dashboards, 3 charts)",
        "note 2 boards in the plugin's table",
    ]
    assert texts(provision(superset, [ENGLISH]).apply()) == changes
    assert superset.objects.rules[1]["tables"] == set(superset.objects.dataset)
    assert provision(superset, [ENGLISH]).plan() == []


def test_other_allowed_domains_are_sent(superset: SupersetEndpoint) -> None:
    provision(superset, [ENGLISH]).apply()
    superset.clear()
    studio = "https://studio.example.com"
    assert texts(provision(superset, [ENGLISH], admin=None, allowed_domains=[LMS, studio]).apply()) == [
        "embed aspects-course-en in pages of https://lms.example.com, https://studio.example.com",
        "embed aspects-forum-en in pages of https://lms.example.com, https://studio.example.com",
    ]
    assert {tuple(it["allowed_domains"]) for it in superset.objects.embedded.values()} == {(LMS, studio)}


def test_changes_of_hand_are_corrected(superset: SupersetEndpoint) -> None:
    """Somebody deletes a dashboard and a chart, opens the connection, takes a right, and a role out of the row rule."""
    provision(superset, [ENGLISH]).apply()
    objects = superset.objects
    before = contents(superset)
    objects.delete("dashboard", 1)
    objects.delete("chart", 3)
    objects.databases[1]["allow_dml"] = True
    objects.rules[1]["roles"] = {1}
    service = next(role for role in objects.roles.values() if role["name"] == "Aspects Service")
    service["rights"] -= {("can_write", "Chart")}
    assert texts(provision(superset, [ENGLISH]).apply()) == [
        "give the role 'Aspects Service' can_write on Chart",
        "update the connection 'Small reports': switch off allow_dml",
        "correct the row rule 'Aspects boards: closed': exclude the roles 'Admin' and 'Aspects Guest'",
        "create aspects-course-en (2 dashboards, 3 charts)",
        "embed aspects-course-en",
        "note 2 boards in the plugin's table",
    ]
    after = contents(superset)
    assert {name: after[name] for name in ("roles", "databases", "rules")} == {
        name: before[name] for name in ("roles", "databases", "rules")
    }
    assert provision(superset, [ENGLISH]).plan() == []


def test_an_operators_additions_stay(superset: SupersetEndpoint) -> None:
    """Further rights of guests, a further role of the account, and a role that may see rows."""
    provision(superset, [ENGLISH]).apply()
    objects = superset.objects
    guest = next(role for role in objects.roles.values() if role["name"] == "Aspects Guest")
    guest["rights"] = {*(GUEST_RIGHTS - {("can_csv", "Superset")}), ("can_read", "View 1")}
    objects.rules[1]["roles"].add(3)
    objects.rules[1]["tables"] = {1}
    provision(superset, [ENGLISH]).apply()
    assert guest["rights"] == {*GUEST_RIGHTS, ("can_read", "View 1")}
    assert objects.rules[1]["roles"] == {1, 3, guest["id"]}
    assert objects.rules[1]["tables"] == {1, 2}


# Interrupted


#: Role, its rights, account, role, its rights, connection, the right to it, datasets, row rule, boards, two embedded.
WRITES = 12


@pytest.mark.parametrize("writes", range(1, WRITES + 1))
def test_a_run_that_ends_after_any_write_is_completed_by_the_next(writes: int, superset: SupersetEndpoint) -> None:
    """The write is done, its answer is lost, and Superset is gone."""
    superset.die_after(writes)
    with pytest.raises(SupersetUnavailable):
        provision(superset, [ENGLISH]).apply()
    superset.revive()
    provision(superset, [ENGLISH]).apply()
    assert superset.objects.rules[1]["tables"] == {1, 2}
    assert names(superset, "dashboard") == ["aspects-course-en", "aspects-forum-en"]
    assert {row.embedded_uuid for row in provisioned()} == set(embedded(superset).values())
    assert table() == [("course", "en", "Course", True, 2, 2), ("forum", "en", "Forum", True, 1, 1)]
    assert states() == {"course": (ENGLISH.hash, True), "forum": (ENGLISH.hash, True)}
    assert provision(superset, [ENGLISH]).plan() == []
    assert provision(superset, [ENGLISH], admin=None).plan() == []


def test_the_number_of_writes(superset: SupersetEndpoint) -> None:
    provision(superset, [ENGLISH]).apply()
    assert len(superset.writes()) == WRITES


@pytest.mark.parametrize("writes", [1, 2, 3])
def test_an_interrupted_update_leaves_nothing_behind(writes: int, superset: SupersetEndpoint) -> None:
    provision(superset, [ENGLISH]).apply()
    superset.die_after(writes)
    with pytest.raises(SupersetUnavailable):
        provision(superset, [small_bundle(LATER, edition="2")], admin=None).apply()
    superset.revive()
    # Superset has perhaps the new version, perhaps the former one.
    assert states() == {"course": ("", True), "forum": ("", True)}
    # The next version, and not the one that was interrupted.
    provision(superset, [small_bundle({"forum": LATER["forum"]}, edition="3")], admin=None).apply()
    assert names(superset, "dashboard") == ["aspects-forum-en"]
    assert names(superset, "chart") == ["posts 3"]
    assert names(superset, "dataset") == ["activity"]


def test_a_run_that_ended_before_the_row_rule_needs_an_administrator_again(superset: SupersetEndpoint) -> None:
    superset.die_after(8)
    with pytest.raises(SupersetUnavailable):
        provision(superset, [ENGLISH]).apply()
    superset.revive()
    assert superset.objects.rules == {}
    assert names(superset, "dataset") == ["activity", "enrollment"]
    with pytest.raises(SupersetForbidden, match="and the datasets activity, enrollment: run"):
        provision(superset, [ENGLISH], admin=None).apply()
    assert [row.embedded_uuid for row in provisioned()] == ["", ""]
    assert states() == {"course": ("", False), "forum": ("", False)}


@pytest.mark.parametrize(("admin", "is_closed"), [(None, False), (ADMIN, True)])
def test_only_an_administrator_closes_the_datasets_of_boards_that_stand(
    admin: Account | None, is_closed: bool, superset: SupersetEndpoint
) -> None:
    """Boards whose files became faulty right after the import."""
    provision(superset, [ENGLISH]).apply()
    record([replace(row, hash="", is_closed=False) for row in provisioned()])
    superset.objects.rules.clear()
    boards = standing({"course", "forum"}, SupersetApi(f"{superset.url}/", ADMIN))
    provision(superset, boards, admin=admin).apply()
    assert bool(superset.objects.rules) == is_closed
    assert states() == {"course": ("", is_closed), "forum": ("", is_closed)}


# Without an administrator


def test_a_bare_superset_needs_an_administrator(superset: SupersetEndpoint) -> None:
    with pytest.raises(WrongPassword, match=r"does not let 'aspects' log in: .* which come from SUPERSET_CONFIG"):
        provision(superset, admin=None).apply()


@pytest.mark.parametrize(
    ("boards", "found"),
    [
        ({**BOARDS, "learners": {"learner": "activity"}}, "the dashboards aspects-learners-en"),
        ({**BOARDS, "forum": {"threads": "threads"}}, "the datasets threads"),
    ],
)
def test_new_dashboards_and_datasets_need_one(boards: Any, found: str, superset: SupersetEndpoint) -> None:
    provision(superset, [ENGLISH]).apply()
    superset.clear()
    with pytest.raises(SupersetForbidden, match=f"New in Superset: {found}: run the command once with the log-in"):
        provision(superset, [small_bundle(boards)], admin=None).apply()
    assert superset.writes() == []
    provision(superset, [small_bundle(boards)]).apply()
    assert provision(superset, [small_bundle(boards)], admin=None).plan() == []


# Conflicts and faults


def test_a_wrong_password_of_an_administrator(superset: SupersetEndpoint) -> None:
    with pytest.raises(WrongPassword, match="'admin' log in: correct the username and the password, which come from"):
        provision(superset, admin=Account("admin", "wrong")).plan()


def test_an_administrator_without_rights(superset: SupersetEndpoint) -> None:
    superset.objects.add_user("grace", "secret", [3])
    superset.objects.roles[3]["rights"] = {("can_read", "SecurityRestApi")}
    with pytest.raises(SupersetForbidden, match=r"does not let 'grace' do this: .* HTTP 403: run the command with the"):
        provision(superset, admin=Account("grace", "secret")).plan()


def test_an_account_of_somebody_with_another_password(superset: SupersetEndpoint) -> None:
    superset.objects.add_user("aspects", "other", [3])
    with pytest.raises(
        SupersetConflict, match="The account 'aspects' of SUPERSET_CONFIG is there with another password"
    ):
        provision(superset).apply()
    assert superset.writes() == []


def test_a_changed_password_of_the_account_is_set(superset: SupersetEndpoint) -> None:
    provision(superset, [ENGLISH]).apply()
    superset.objects.users[2] |= {"password": "former", "active": False}
    change = "set the password of the account 'aspects' to that of SUPERSET_CONFIG, and activate it"
    assert texts(provision(superset, [ENGLISH]).apply()) == [change]
    assert provision(superset, [ENGLISH], admin=None).plan() == []


def test_a_changed_password_of_clickhouse_is_set(superset: SupersetEndpoint) -> None:
    provision(superset, [ENGLISH]).apply()
    superset.objects.clickhouse.users["reader"] = "n%41w secret: @/"
    it = provision(superset, [ENGLISH], admin=None, database_password="n%41w secret: @/")
    assert texts(it.apply()) == ["update the connection 'Small reports': its address or password"]
    assert superset.objects.databases[1]["password"] == "n%41w secret: @/"


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"database_password": "wrong"}, "correct the reader's username and password"),
        ({"database": small_database("elsewhere.invalid")}, "name the host and port by which the machine of"),
    ],
)
def test_a_clickhouse_that_superset_cannot_use(change: Any, remedy: str, superset: SupersetEndpoint) -> None:
    with pytest.raises(SupersetRefused, match=rf"Superset cannot use ClickHouse at .* HTTP 400: {remedy}"):
        provision(superset, **change).apply()
    assert superset.writes() == []


def test_a_superset_without_the_driver(superset: SupersetEndpoint) -> None:
    superset.plan("test_connection", Reply(500, "<!doctype html><title>500</title>"))
    with pytest.raises(SupersetMisconfigured, match="install the driver where Superset runs: pip install"):
        provision(superset).apply()


def test_a_dashboard_of_somebody_with_the_slug(superset: SupersetEndpoint) -> None:
    """Superset would let the import take it over, draft or not."""
    mine = {"id": 7, "uuid": uuid_of("dashboard", "mine"), "slug": "aspects-forum-fr", "dashboard_title": "Mine"}
    superset.objects.dashboard[7] = {**mine, "owners": {1}, "published": False, "charts": []}
    with pytest.raises(
        SupersetConflict, match=r"'Mine' .number 7. has the slug 'aspects-forum-fr', which is a board's"
    ):
        provision(superset).apply()
    assert superset.writes() == []


def test_a_connection_of_somebody_with_the_name(superset: SupersetEndpoint) -> None:
    superset.objects.databases[7] = {"id": 7, "uuid": uuid_of("database", "mine"), "database_name": "Small reports"}
    with pytest.raises(SupersetConflict, match="another connection with the name 'Small reports': rename it"):
        provision(superset).apply()


def test_a_dataset_of_somebody_with_the_name(superset: SupersetEndpoint) -> None:
    provision(superset, [ENGLISH]).apply()
    row = {"id": 7, "uuid": uuid_of("dataset", "mine"), "table_name": "threads", "schema": "aspects_reports"}
    superset.objects.dataset[7] = {**row, "database": 1, "owners": {1}}
    threads = small_bundle({"forum": {"threads": "threads"}})
    with pytest.raises(SupersetConflict, match=r"Somebody has made a dataset 'threads' .number 7. of the connection"):
        provision(superset, [threads]).apply()


def test_boards_of_another_owner(superset: SupersetEndpoint) -> None:
    """As after an import by hand: the account may not update them, and an administrator makes it an owner."""
    provision(superset, [ENGLISH]).apply()
    for row in (superset.objects.dashboard[1], superset.objects.chart[1], superset.objects.chart[2]):
        row["owners"] = {1}
    with pytest.raises(SupersetConflict, match="'aspects' does not own the chart active, enrolled in Superset"):
        provision(superset, [ENGLISH], admin=None).apply()
    assert texts(provision(superset, [ENGLISH]).apply()) == [
        "make 'aspects' an owner of 2 charts: active, enrolled",
        "make 'aspects' an owner of 1 dashboard: aspects-course-en",
    ]
    assert superset.objects.chart[1]["owners"] == {1, 2}


@pytest.mark.parametrize("role", ["Public", "Gamma", "Admin"])
def test_guests_need_a_role_of_their_own(role: str, superset: SupersetEndpoint) -> None:
    with pytest.raises(SupersetMisconfigured, match=f"'{role}' is a role of Superset's own"):
        provision(superset, guest_role=role)


def test_people_with_the_role_of_guests(superset: SupersetEndpoint) -> None:
    provision(superset).apply()
    role = next(role["id"] for role in superset.objects.roles.values() if role["name"] == "Aspects Guest")
    superset.objects.add_user("grace", "secret", [4, role])
    with pytest.raises(SupersetConflict, match="1 accounts in Superset have the role 'Aspects Guest' of guests"):
        provision(superset).plan()


@pytest.mark.parametrize(
    ("path", "reply", "kind", "text"),
    [
        ("security/roles", Reply(404, {"message": "Not found"}), SupersetMisconfigured, "leave FAB_ADD_SECURITY_API"),
        ("assets/import", Reply(500, "<!doctype html>"), SupersetRefused, "HTTP 500: Superset's log says why"),
        ("security/roles", Reply(500, "<!doctype html>"), SupersetRefused, "HTTP 500: Superset's log says why"),
        ("security/roles", Reply(503, "<html>"), SupersetUnavailable, "HTTP 503"),
        (
            "security/roles",
            Reply(302, "", {"Location": "/login"}),
            SupersetMisconfigured,
            "correct internal_service_url",
        ),
        ("security/roles", Reply(200, "<html>a portal</html>"), SupersetRefused, "without JSON"),
        ("csrf_token", Reply(403, {"message": "Forbidden"}), SupersetForbidden, "gives 'admin' no CSRF token"),
    ],
)
def test_answers_that_are_not_expected(
    path: str, reply: Reply, kind: type[SupersetError], text: str, superset: SupersetEndpoint
) -> None:
    superset.plan(path, reply)
    with pytest.raises(kind, match=text):
        provision(superset).apply()
    provision(superset).apply()
    assert provision(superset).plan() == []


def test_an_import_that_fails_for_reasons_of_its_own(superset: SupersetEndpoint) -> None:
    provision(superset, [ENGLISH]).apply()
    superset.plan("assets/import", Reply(500, "<!doctype html><title>500</title>"))
    later = small_bundle(LATER, edition="2")
    with pytest.raises(
        SupersetRefused, match=r"did not take the boards in 'en', nor any part of them: .* HTTP 500: look"
    ):
        provision(superset, [later]).apply()
    assert texts(provision(superset, [later]).apply())[0] == (
        "update aspects-course-en, aspects-forum-en (2 dashboards, 2 charts)"
    )


def test_an_access_token_that_ends_during_the_run(superset: SupersetEndpoint) -> None:
    """Superset's live for 15 minutes."""

    def later(change: Change) -> None:
        superset.advance(1000)

    assert len(provision(superset, [ENGLISH]).apply(later)) == 11
    assert provision(superset, [ENGLISH]).plan() == []


# As a guest


def test_embedding_is_off(superset: SupersetEndpoint) -> None:
    """All that an administrator asks is answered as ever; only guests get nothing."""
    superset.embeds = False
    provision(superset).apply()
    (problem,) = provision(superset).verify()
    assert (problem.problem, problem.remedy) == (
        "Superset embeds no dashboards",
        'add "EMBEDDED_SUPERSET": True to FEATURE_FLAGS in Superset\'s configuration, and restart Superset',
    )


def test_guests_have_another_role(superset: SupersetEndpoint) -> None:
    provision(superset).apply()
    superset.guest_role = "Public"
    (problem,) = provision(superset).verify()
    assert problem.problem == "Guests in Superset have the role Public, and not 'Aspects Guest'"
    assert problem.remedy == "set GUEST_ROLE_NAME = 'Aspects Guest' in Superset's configuration, and restart Superset"
    superset.guests_may_read = False
    assert {problem.problem for problem in provision(superset).verify()} == {
        "Guests in Superset have another role than 'Aspects Guest'",
        "Guests may not open aspects-course-en in Superset",
    }


def test_a_chart_without_data(superset: SupersetEndpoint) -> None:
    provision(superset).apply()
    superset.plan("chart/data", Reply(500, {"message": "Fatal error"}))
    (problem,) = provision(superset).verify()
    assert problem.problem.startswith("Guests get no data of 'enrolled' in aspects-course-en: POST ")
    assert (
        provision(superset, [small_bundle({"other": {}})]).verify()[0].problem == "Superset embeds none of the boards"
    )
