"""From a bare Superset to the plugin's boards, again, from version to version, and after a run that was interrupted."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from platform_plugin_aspects.dashboards.boards.catalog import boards
from platform_plugin_aspects.dashboards.boards.parts import Board
from platform_plugin_aspects.dashboards.bundle.bundle import Bundle, bundle, languages
from platform_plugin_aspects.dashboards.bundle.database import DatabaseConnection
from platform_plugin_aspects.dashboards.provision.provision import Change, Provision
from platform_plugin_aspects.dashboards.provision.provisioned import provisioned, record
from platform_plugin_aspects.dashboards.superset.api import Account, SupersetApi
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.guest_tokens import sign
from platform_plugin_aspects.models import ProvisionedDashboard
from test_utils.e2e.site import Site
from test_utils.show.people import COURSE, OTHER
from test_utils.show.superset import ADMIN_USERNAME, TIMEOUT_SECS, Superset, ask_as_guest, rows_of
from test_utils.show.superset import SupersetApi as AdminApi

pytestmark = pytest.mark.e2e

ADMIN_PASSWORD, SERVICE_PASSWORD, PASSWORD = "an-admin's-secret", "the-service's-secret", "somebody's-secret"
CONFIG = 'FEATURE_FLAGS = {"EMBEDDED_SUPERSET": True}\nGUEST_ROLE_NAME = "Aspects Guest"\n'
WRITE = re.compile(r'"(POST|PUT|DELETE) /api/v1/(\S+) HTTP')
#: POSTs that change nothing.
READS = ("security/login", "security/guest_token/", "database/test_connection/", "chart/data")


@dataclass
class Bare:
    """A Superset without content, its log of requests, and the reader of the site's reports."""

    superset: Superset
    database: DatabaseConnection
    reader_password: str

    def bundles(self, found: tuple[Board, ...] | None = None) -> list[Bundle]:
        chosen = boards(personal=True) if found is None else found
        return [bundle(chosen, language, self.database) for language in languages()]

    @property
    def config(self) -> SupersetConfig:
        url = self.superset.url
        secret = self.superset.guest_token_secret
        return SupersetConfig(url, url, "aspects", SERVICE_PASSWORD, guest_token_secret=secret)

    def provision(self, bundles: list[Bundle], admin: bool = True) -> Provision:
        return Provision(
            bundles,
            config=self.config,
            database=self.database,
            database_password=self.reader_password,
            admin=Account(ADMIN_USERNAME, ADMIN_PASSWORD) if admin else None,
            allowed_domains=["https://lms.example.com"],
        )

    def writes(self, start: int) -> list[str]:
        """The requests since a place in the log that change something."""
        found = WRITE.findall(self.superset.log.read_text(errors="replace")[start:])
        return [f"{method} {path}" for method, path in found if path not in READS]

    def log_length(self) -> int:
        return len(self.superset.log.read_text(errors="replace"))


@pytest.fixture(scope="module")
def bare(site: Site) -> Iterator[Bare]:
    """Beside the site's own Superset, because that has its boards already."""
    folder = site.folder / "bare"
    folder.mkdir()
    superset = Superset(folder, ADMIN_PASSWORD)
    superset.command[1:1] = ["--access-logfile", "-"]
    superset.config_text.write_text(CONFIG)
    superset.prepare()
    superset.start()
    yield Bare(superset, DatabaseConnection.from_settings("ch_report"), site.passwords["ch_report"])
    superset.kill()
    log = superset.log.read_text(errors="replace")
    secrets = [ADMIN_PASSWORD, SERVICE_PASSWORD, PASSWORD, site.passwords["ch_report"]]
    assert [secret for secret in secrets if secret in log] == []


@pytest.fixture(autouse=True)
def others_rows(django_db_blocker: Any) -> Iterator[None]:
    """The table of the site's boards, which the tests of other modules need, is put back after each test.

    The mark django_db would empty the site's database.
    """
    with django_db_blocker.unblock():
        kept = provisioned()
        ProvisionedDashboard.objects.all().delete()
        record(OURS)
        yield
        OURS[:] = provisioned()
        ProvisionedDashboard.objects.all().delete()
        record(kept)


#: The table as these tests have it.
OURS: list[Any] = []


def embedded() -> dict[tuple[str, str], str]:
    return {(row.slug, row.language): row.embedded_uuid for row in provisioned()}


def numbers(api: AdminApi, kind: str) -> dict[str, int]:
    """UUID -> primary key of all that the administrator sees."""
    found: dict[str, int] = {}
    for page in itertools.count():
        rows = api.get(f"{kind}/", q=f"(columns:!(id,uuid),page_size:100,page:{page})")["result"]
        found |= {row["uuid"]: row["id"] for row in rows}
        if len(rows) < 100:
            return found
    raise AssertionError


def chart_of(api: AdminApi, name: str, dashboard_slug: str, bundles: list[Bundle]) -> dict[str, Any]:
    """The request of a browser for the data of a chart."""
    made = next(found for found in bundles if dashboard_slug in found.dashboards)
    chart = api.get(f"chart/{numbers(api, 'chart')[made.charts[name]]}")["result"]
    dashboard = numbers(api, "dashboard")[made.dashboards[dashboard_slug]]
    form = {**json.loads(chart["params"]), "dashboardId": dashboard, "slice_id": chart["id"]}
    return {**json.loads(chart["query_context"]), "form_data": form, "force": True}


def test_a_bare_superset_gets_every_board(bare: Bare) -> None:
    bundles = bare.bundles()
    provision = bare.provision(bundles)
    done = [change.text for change in provision.apply()]
    assert sum(text.startswith("create aspects-") for text in done) == len(languages())
    assert provision.verify() == []
    assert set(embedded()) == {(row.slug, made.language) for made in bundles for row in made.rows}
    assert all(embedded().values())


@pytest.mark.parametrize("admin", [True, False])
def test_a_second_run_sends_no_write(admin: bool, bare: Bare) -> None:
    start = bare.log_length()
    provision = bare.provision(bare.bundles(), admin)
    assert provision.plan() == []
    assert provision.apply() == []
    assert bare.writes(start) == []


def test_a_guest_sees_the_rows_of_the_course_and_nobody_else_does(bare: Bare, site: Site) -> None:
    api = bare.superset.api()
    bundles = bare.bundles()
    context = chart_of(api, "course-enrolled", "aspects-course-en", bundles)
    for course in (COURSE, OTHER):
        clauses = [f"COLUMNS('^course_key$') = '{course}'"]
        token = sign(bare.config, "grace", [embedded()["course", "en"]], clauses).token
        answer = ask_as_guest(bare.superset, token, context)
        counted = site.ask_clickhouse(
            f"SELECT enrolled FROM {bare.database.database}.course_summary WHERE course_key = '{course}'"
        )
        assert [set(row.values()) for row in rows_of(answer)] == [{int(counted)}]
        assert int(counted) > 0
    roles = {role["name"]: role["id"] for role in api.get("security/roles/", q="(page_size:100)")["result"]}
    everything = {
        **{name: context[name] for name in ("datasource", "force")},
        "queries": [{"columns": ["course_key"], "metrics": [], "orderby": [], "row_limit": 100}],
    }
    seen = {}
    for role in ("Admin", "Alpha", "Gamma"):
        person = {"username": role.lower() + "-e2e", "first_name": role, "last_name": role, "active": True}
        email = f"{person['username']}@example.invalid"
        api.post("security/users/", **person, email=email, password=PASSWORD, roles=[roles[role]])
        theirs = AdminApi(bare.superset.url, person["username"], PASSWORD)
        seen[role] = theirs.session.post(f"{theirs.url}chart/data", json=everything, timeout=TIMEOUT_SECS)
    assert {COURSE, OTHER} <= {row["course_key"] for row in rows_of(seen["Admin"])}
    assert rows_of(seen["Alpha"]) == []
    assert seen["Gamma"].status_code == 403


def test_another_version_keeps_what_people_have_linked(bare: Bare) -> None:
    """The course board loses all tabs but the first: in every language, its charts go, and its UUIDs stay."""
    course, *others = boards(personal=True)
    short = replace(course, tabs=course.tabs[:1])
    gone = {chart.name for chart in course.charts} - {chart.name for chart in short.charts}
    assert gone
    api = bare.superset.api()
    before, bundles = bare.bundles(), bare.bundles((short, *others))
    uuids, dashboards, charts = embedded(), numbers(api, "dashboard"), numbers(api, "chart")
    provision = bare.provision(bundles, admin=False)
    provision.apply()
    assert embedded() == uuids
    assert numbers(api, "dashboard") == dashboards
    removed = {made.charts[name] for made in before for name in gone}
    assert set(charts) - set(numbers(api, "chart")) == removed
    assert provision.verify() == []
    assert provision.plan() == []


def test_a_run_that_was_interrupted_is_completed(bare: Bare) -> None:
    """In the second language; the run after it has one board less."""
    all_boards = boards(personal=True)

    def interrupt(change: Change) -> None:
        if "aspects-course-ar" in change.text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bare.provision(bare.bundles(all_boards)).apply(interrupt)
    bundles = bare.bundles(all_boards[:-1])
    provision = bare.provision(bundles)
    provision.apply()
    assert provision.plan() == []
    assert provision.verify() == []
    api = bare.superset.api()
    for kind in ("dashboard", "chart", "dataset"):
        wished = {uuid for made in bundles for uuid in getattr(made, f"{kind}s").values()}
        assert set(numbers(api, kind)) == wished


def test_another_password_of_the_reader(bare: Bare) -> None:
    """Superset's stored one is wrong: as after a change of the password in ClickHouse."""
    bundles = bare.bundles(boards(personal=True)[:-1])
    service = SupersetApi(bare.config.internal_service_url, Account("aspects", SERVICE_PASSWORD))
    (file,) = [path for path in bundles[0].files if path.startswith("databases/")]
    assert service.import_assets(bundles[0].zip, {file: "wrong"}).ok
    provision = bare.provision(bundles, admin=False)
    assert [change.text for change in provision.plan()] == [
        f"update the connection {bare.database.name!r}: its address or password"
    ]
    provision.apply()
    assert provision.plan() == []
    assert provision.verify() == []
