"""aspects_provision in Superset: why it is left out, and the texts to paste. The e2e suite tests the rest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from platform_plugin_aspects.dashboards.boards.labels import LABELS
from platform_plugin_aspects.dashboards.provision.provisioned import provisioned
from platform_plugin_aspects.dashboards.provision.rights import GUEST_ROLE
from platform_plugin_aspects.dashboards.superset.api import Account
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured
from platform_plugin_aspects.operations.provision.superset import SupersetPart, why_without
from platform_plugin_aspects.tests.commands import Ended, ended
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.own_board import BUSY_DAYS, OUTLINE, archive, exported
from test_utils.superset_endpoint import SupersetEndpoint
from test_utils.superset_objects import ClickHouse

pytestmark = pytest.mark.django_db

SUPERSET = {"service_url": "http://superset.invalid/", "username": "aspects", "password": "superset-secret"}


def provision(*args: str) -> Ended:
    return ended("aspects_provision", *args)


@pytest.fixture
def configured(settings: Any) -> Any:
    """Settings of a site with boards in Superset."""
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": "https://ch.invalid:8443", "password": "plugin-secret"}
    settings.ASPECTS_REPORTING_ENABLED = True
    settings.ASPECTS_SUPERSET_READER = {"username": "boards", "password": "boards-secret"}
    settings.SUPERSET_CONFIG = SUPERSET
    settings.LMS_ROOT_URL = "https://lms.example.com"
    settings.CMS_ROOT_URL = "https://studio.example.com"
    settings.INSTRUCTOR_MICROFRONTEND_URL = "https://apps.example.com/instructor"
    settings.COURSE_AUTHORING_MICROFRONTEND_URL = "https://apps.example.com/authoring"
    return settings


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SUPERSET_CONFIG", None, "SUPERSET_CONFIG is not set: set it in LMS and CMS to show boards in Superset"),
        (
            "ASPECTS_REPORTING_ENABLED",
            False,
            "ASPECTS_REPORTING_ENABLED is False: set ASPECTS_REPORTING_ENABLED to True in LMS and CMS",
        ),
        (
            "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG",
            {"url": "chdb:///var/ch"},
            "Superset cannot read chdb:///var/ch, which is the embedded engine: name a server by url in "
            "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG",
        ),
        (
            "ASPECTS_SUPERSET_READER",
            {"username": "boards"},
            "ASPECTS_SUPERSET_READER has no password, with which Superset reads: set username and password in "
            "ASPECTS_SUPERSET_READER",
        ),
    ],
)
def test_without_a_setting_superset_is_left_out(name: str, value: Any, said: str, configured: Any) -> None:
    assert why_without() == ("", "")
    setattr(configured, name, value)
    assert provision("--superset") == (1, "", said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"SUPERSET_CONFIG": {"service_url": "superset.invalid"}},
            "SUPERSET_CONFIG",
        ),
        ({"ASPECTS_BOARDS_DIR": "/nowhere/boards"}, "ASPECTS_BOARDS_DIR is '/nowhere/boards'"),
        (
            {"ASPECTS_SUPERSET_READER": {"username": "b", "password": "boards-secret", "url": "http://ch.invalid/a"}},
            "http://ch.invalid/a",
        ),
    ],
)
def test_wrong_settings_of_superset_are_said_before_the_first_change(
    change: dict[str, Any], said: str, bare: ClickHouseEndpoint, configured: Any, settings: Any
) -> None:
    connection = {"url": bare.url, "username": "plugin", "password": "plugin-secret", "database": "not_made"}
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = connection
    for name, value in change.items():
        setattr(settings, name, value)
    for args in ((), ("--dry-run",), ("--superset",)):
        done = provision(*args)
        assert (done.code, done.out) == (1, "")
        assert said in done.err
    assert bare.engine.query("SELECT count() FROM system.databases WHERE name = 'not_made'") == [(0,)]
    assert list(bare.users) == ["root"]


def test_a_wrong_setting_of_superset_is_said_in_place_of_its_texts(configured: Any) -> None:
    configured.SUPERSET_CONFIG = {"service_url": "superset.invalid"}
    assert "SUPERSET_CONFIG" in provision("--print").err


def test_both_parts_do_without_superset(bare: ClickHouseEndpoint, settings: Any) -> None:
    done = provision("--dry-run")
    assert done.code == 0
    assert done.err == (
        "note  Superset is left out: SUPERSET_CONFIG is not set\n"
        "  -> Set it in LMS and CMS to show boards in Superset\n"
    )
    assert provision("--dry-run", "--clickhouse").err == ""


def test_a_superset_s_wrong_password_is_said(
    configured: Any, superset_endpoint: SupersetEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASPECTS_SUPERSET_ADMIN_USERNAME", "superset")
    monkeypatch.setenv("ASPECTS_SUPERSET_ADMIN_PASSWORD", "wr0ng")
    done = provision("--superset", "--dry-run")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "Superset does not let 'superset' log in: correct the username and the password, which come from the options, "
        "the environment or the prompt"
    )
    monkeypatch.delenv("ASPECTS_SUPERSET_ADMIN_PASSWORD")
    assert provision("--superset").err.startswith("Superset's administrator is missing: set ASPECTS_SUPERSET_ADMIN_")


def test_the_address_of_clickhouse_may_be_another_one_for_superset(configured: Any) -> None:
    configured.ASPECTS_SUPERSET_READER["url"] = "http://clickhouse.internal:8123"
    assert SupersetPart.from_settings().database.uri == (
        "clickhousedb://boards:XXXXXXXXXX@clickhouse.internal:8123/aspects_reports"
    )


def test_the_role_of_guests_is_said_in_one_place() -> None:
    assert SupersetConfig("http://a/", "http://a/").guest_role == GUEST_ROLE == "Aspects Guest"


# Boards of a site's own


def test_an_export_is_kept_and_is_a_board_from_then_on(configured: Any, tmp_path: Path) -> None:
    configured.ASPECTS_BOARDS_DIR = str(tmp_path / "boards")
    export = tmp_path / "export.zip"
    export.write_bytes(archive(exported()))
    assert provision("--add", str(export)).err.startswith(f"{export} is not kept:\n  ASPECTS_BOARDS_DIR is ")
    (tmp_path / "boards").mkdir()
    kept = f"Kept Labs of Physics as {tmp_path}/boards/labs.zip. aspects_provision puts it into Superset.\n"
    assert provision("--add", str(export)) == (0, kept, "")
    *_ours, own = SupersetPart.from_settings().bundles
    assert own.dashboards.keys() == {"aspects-own-labs"}
    # It may read what the checks allow.
    printed = provision("--print", "--clickhouse").out
    assert sorted(re.findall(r"GRANT SELECT ON `event_sink`\.`(.*)` TO `boards`;", printed)) == [
        "course_blocks",
        "course_overviews",
    ]

    (tmp_path / "boards" / "labs.zip").write_bytes(b"broken")
    with pytest.raises(SupersetMisconfigured) as caught:
        SupersetPart.from_settings()
    assert str(caught.value).startswith(f"{tmp_path}/boards/labs.zip: ")


def test_an_export_that_cannot_be_kept(configured: Any, tmp_path: Path) -> None:
    configured.ASPECTS_BOARDS_DIR = str(tmp_path)
    assert provision("--add", "/nowhere.zip") == (1, "", "/nowhere.zip cannot be read: No such file or directory")
    (tmp_path / "export").write_bytes(b"no zip")
    refused = provision("--add", str(tmp_path / "export"))
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith(f"{tmp_path}/export is not kept:\n  ")


@pytest.fixture
def export(tmp_path: Path, configured: Any) -> Path:
    """An export of Superset, on a site that keeps boards in a folder beside it."""
    configured.ASPECTS_BOARDS_DIR = str(tmp_path / "boards")
    (tmp_path / "boards").mkdir()
    path = tmp_path / "export.zip"
    path.write_bytes(archive(exported()))
    return path


def put_into_superset() -> list[str]:
    return [change.text for change in SupersetPart.from_settings().provision(Account("admin", "admin-secret")).apply()]


def test_a_board_that_is_added_is_kept_and_put_into_superset_with_the_rest(
    export: Path, superset_endpoint: SupersetEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    superset_endpoint.accounts.clear()
    superset_endpoint.objects.clickhouse = ClickHouse("ch.invalid:8443", {"boards": "boards-secret"})
    monkeypatch.setenv("ASPECTS_SUPERSET_ADMIN_PASSWORD", "wr0ng")
    done = provision("--superset", "--add", str(export))
    kept = export.parent / "boards" / "labs.zip"
    assert (done.code, done.out) == (1, f"Kept Labs of Physics as {kept}. aspects_provision puts it into Superset.\n")
    # From then on it is one of the site's boards, in each run.
    made = put_into_superset()
    assert [text.partition(" (")[0] for text in made if "own-labs" in text] == [
        "create aspects-own-labs",
        "embed aspects-own-labs",
    ]
    own = [board for board in provisioned() if board.slug == "own-labs"]
    assert [(board.title, board.language, len(board.charts), len(board.datasets)) for board in own] == [
        ("Labs of Physics", "", 2, 2)
    ]
    assert [board.slug for board in provisioned()][-1] == "own-labs"
    assert put_into_superset() == []
    # It goes with its file.
    kept.unlink()
    assert "delete 1 dashboard that no board has any more: aspects-own-labs" in put_into_superset()
    assert not [board for board in provisioned() if board.slug == "own-labs"]


@pytest.mark.parametrize("fault", ["broken", "names"])
def test_a_faulty_board_does_not_stop_the_others(
    fault: str, export: Path, configured: Any, superset_endpoint: SupersetEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    superset_endpoint.accounts.clear()
    superset_endpoint.objects.clickhouse = ClickHouse("ch.invalid:8443", {"boards": "boards-secret"})
    monkeypatch.setenv("ASPECTS_SUPERSET_ADMIN_USERNAME", "admin")
    monkeypatch.setenv("ASPECTS_SUPERSET_ADMIN_PASSWORD", "admin-secret")
    configured.EVENT_SINK_CLICKHOUSE_USER_PROFILE_ENABLED = configured.EVENT_SINK_CLICKHOUSE_EXTERNAL_ID_ENABLED = True
    if fault == "names":
        files = exported()
        files[OUTLINE]["table_name"] = "learner_status_with_names"
        export.write_bytes(archive(files))
    provision("--add", str(export))
    put_into_superset()
    (own,) = [board for board in provisioned() if board.slug == "own-labs"]
    assert {board.slug for board in provisioned()} >= {"course", "at-risk", "learners"}

    # The operator turns names off, and the board that is kept has a fault.
    configured.EVENT_SINK_CLICKHOUSE_USER_PROFILE_ENABLED = False
    kept = export.parent / "boards" / "labs.zip"
    if fault == "broken":
        kept.write_bytes(b"broken")
    done = provision("--superset")
    assert done.code == 1
    assert [line.partition(": ")[0] for line in done.err.splitlines()[:1]] == [f"problem  {kept}"]
    there = {board.slug: board for board in provisioned()}
    assert "course" in there
    assert not there.keys() & {"at-risk", "learners"}
    slugs = [row["slug"] for row in superset_endpoint.objects.dashboard.values()]
    assert "aspects-learners-en" not in slugs
    # A board with names leaves, too; another one is as it was.
    assert ("own-labs" in there, "aspects-own-labs" in slugs) == (fault == "broken",) * 2
    assert there.get("own-labs", own) == own
    # A second run has nothing to do, and says the same.
    again = provision("--superset")
    assert (again.code, again.out) == (1, "Superset: nothing to do\n")


def test_an_export_that_is_not_usable_is_refused_before_anything_else(
    export: Path, superset_endpoint: SupersetEndpoint
) -> None:
    files = exported()
    files[BUSY_DAYS]["sql"] = "SELECT * FROM event_sink.user_profile"
    files[OUTLINE]["columns"] = []
    export.write_bytes(archive(files))
    done = provision("--superset", "--add", str(export))
    assert (done.code, done.out) == (1, "")
    assert [line.partition(",")[0] for line in done.err.splitlines()] == [
        f"{export} is not kept:",
        "  Dataset 'busy_days' reads event_sink.user_profile",
        "  Dataset 'course_outline' has no column org and no column course_key",
    ]
    assert list((export.parent / "boards").iterdir()) == []
    assert superset_endpoint.requests == []


@pytest.mark.parametrize("option", ["--dry-run", "--print"])
def test_nothing_is_kept_where_nothing_is_to_be_changed(option: str, export: Path) -> None:
    done = provision("--add", str(export), option)
    assert done.code == 1
    assert f"argument {option}: not allowed with argument --add" in done.err
    assert list((export.parent / "boards").iterdir()) == []


# Texts to paste


def test_superset_s_configuration_is_printed(configured: Any) -> None:
    printed = provision("--print", "--superset")
    assert printed.code == 0
    python, _comment, settings_to_add = printed.out.partition("# LMS and CMS")
    assert "GUEST_ROLE_NAME = 'Aspects Guest'\n" in python
    (secret,) = re.findall('"([0-9a-f]{64})"', python)
    assert secret not in provision("--print", "--superset").out
    assert "superset fab create-admin" in python
    assert "secret" not in re.sub("# .*|test-guest-secret-change-me", "", printed.out)
    # The other settings are there.
    assert set(yaml.safe_load(settings_to_add.partition("\n")[2])) == {
        "EVENT_SINK_CLICKHOUSE_COURSE_OVERVIEWS_ENABLED",
        "EVENT_SINK_CLICKHOUSE_COURSE_ENROLLMENT_ENABLED",
        "EVENT_SINK_CLICKHOUSE_XAPI_ENABLED",
        "OPEN_EDX_FILTERS_CONFIG",
    }


def test_a_shared_secret_is_not_printed(configured: Any) -> None:
    configured.SUPERSET_CONFIG = {**SUPERSET, "guest_token_secret": "shared-by-two-systems-0123456789abcdef"}
    printed = provision("--print", "--superset", "--guest_role", "Visitors")
    assert "shared-by" not in printed.out
    # Nor is another one set in its place.
    assert "GUEST_TOKEN_JWT_SECRET = " not in printed.out
    assert "# Set GUEST_TOKEN_JWT_SECRET to guest_token_secret of SUPERSET_CONFIG in LMS and CMS.\n" in printed.out
    assert "GUEST_ROLE_NAME = 'Visitors'\n" in printed.out


def test_settings_that_are_missing_are_printed(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": "https://ch.invalid:8443"}
    printed = provision("--print")
    assert printed.out.startswith(
        "-- ClickHouse: run as an administrator.\nCREATE DATABASE IF NOT EXISTS `event_sink`;\n"
    )
    assert printed.code == 0
    missing = yaml.safe_load(printed.out.partition("# LMS and CMS")[2].partition("\n")[2])
    assert missing["EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG"]["url"] == "https://ch.invalid:8443"
    assert missing["ASPECTS_REPORTING_ENABLED"] is True
    assert missing["ASPECTS_SUPERSET_READER"] == {"username": "ch_report", "password": "choose one"}
    assert missing["SUPERSET_CONFIG"]["username"] == "aspects"
    assert missing["OPEN_EDX_FILTERS_CONFIG"]["org.openedx.learning.instructor.dashboard.render.started.v1"][
        "pipeline"
    ] == ["platform_plugin_aspects.extensions.filters.AddSupersetTab"]


@pytest.mark.parametrize("shares_secret", [False, True])
def test_what_a_bare_superset_lacks_is_printed_at_once(
    shares_secret: bool, configured: Any, superset_endpoint: SupersetEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    superset_endpoint.accounts.clear()
    superset_endpoint.objects.clickhouse = ClickHouse("ch.invalid:8443", {"boards": "boards-secret"})
    superset_endpoint.embeds = False
    superset = {"service_url": f"{superset_endpoint.url}/", "username": "aspects", "password": "service-secret"}
    if shares_secret:
        superset["guest_token_secret"] = superset_endpoint.guest_token_secret
    configured.SUPERSET_CONFIG = superset
    monkeypatch.setenv("ASPECTS_SUPERSET_ADMIN_USERNAME", "admin")
    monkeypatch.setenv("ASPECTS_SUPERSET_ADMIN_PASSWORD", "admin-secret")
    done = provision("--superset")
    assert done.code == 1
    assert done.err.splitlines() == [
        "problem  Superset embeds no dashboards",
        '  -> Add "EMBEDDED_SUPERSET": True to FEATURE_FLAGS in Superset\'s configuration, and restart Superset',
        "Something is left to do: see the problems above",
    ]
    heading = "# Superset: add these lines at the end of superset_config.py, and restart it.\n"
    lines = done.out.partition(heading)[2].splitlines()
    # A secret that is shared is not printed.
    secret = [] if shares_secret else ["GUEST_TOKEN_JWT_SECRET"]
    assert [line.partition(" = ")[0].strip() for line in lines if line.strip()[0].isupper()] == [
        "FEATURE_FLAGS",
        "GUEST_ROLE_NAME",
        *secret,
        "TALISMAN_CONFIG",
        'TALISMAN_CONFIG["content_security_policy"]',
        "CACHE_CONFIG",
        "DATA_CACHE_CONFIG",
    ]


def test_an_invalid_rule_is_an_error_of_the_settings(configured: Any) -> None:
    """Texts of boards name the rules."""
    configured.ASPECTS_REPORTING_RULES = {"away_days": 0}
    with pytest.raises(SupersetMisconfigured) as caught:
        SupersetPart.from_settings()
    assert "away_days" in str(caught.value)


def test_equal_labels_are_an_error_with_the_chart_that_has_them(
    configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site that changes the boards in Python can make some."""
    # The list of learners, which has both, exists while names are on.
    configured.EVENT_SINK_CLICKHOUSE_USER_PROFILE_ENABLED = configured.EVENT_SINK_CLICKHOUSE_EXTERNAL_ID_ENABLED = True
    monkeypatch.setitem(LABELS, "email", LABELS["username"])
    with pytest.raises(SupersetMisconfigured) as caught:
        SupersetPart.from_settings()
    assert str(caught.value).startswith("chart at-risk-learners: in the language ar, two of its columns ")


def test_a_rule_changes_the_boards_whose_texts_name_it(configured: Any) -> None:
    # The board of learners at risk, which exists while names are on, translates its reasons.
    configured.EVENT_SINK_CLICKHOUSE_USER_PROFILE_ENABLED = configured.EVENT_SINK_CLICKHOUSE_EXTERNAL_ID_ENABLED = True
    before = {bundle.language: bundle.hash for bundle in SupersetPart.from_settings().bundles}
    configured.ASPECTS_REPORTING_RULES = {"away_days": 14}
    after = {bundle.language: bundle.hash for bundle in SupersetPart.from_settings().bundles}
    assert {language for language in before if before[language] != after[language]} == {"ar", "es-419", "fr"}
