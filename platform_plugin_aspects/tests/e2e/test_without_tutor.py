"""docs/how-tos/without_tutor.rst, followed on a bare ClickHouse and a bare Superset, to boards with numbers."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from test_utils.how_tos import Operator, read_page
from test_utils.processes import REPOSITORY, Endpoint
from test_utils.show.site import PLATFORM, Worker
from test_utils.show.superset import Superset

pytestmark = pytest.mark.e2e

PAGE = REPOSITORY / "docs" / "how-tos" / "without_tutor.rst"
CLICKHOUSE = ("default", "admin-secret")
SUPERSET = "superset-admin-secret"
#: The way to boards with numbers; its commands are counted.
WAY = ("Install", "Settings", "Superset's configuration", "Provision", "Start", "Check")
#: The demo's people have no administrator.
SUPERUSER = "from test_utils.factories import make_user; make_user('root', is_superuser=True)"
#: Superset's own process is a cache that needs no Redis.
CACHE = {"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 300}


class Host:
    """A platform with the demo's course and learners, a worker, and a ClickHouse and a Superset that are bare."""

    def __init__(self, folder: Path):
        self.clickhouse = Endpoint(folder)
        self.clickhouse.command += ["--users", json.dumps({CLICKHOUSE[0]: [CLICKHOUSE[1], "all"]})]
        self.superset = Superset(folder, SUPERSET)
        self.superset.own = {"CACHE_CONFIG": CACHE, "DATA_CACHE_CONFIG": CACHE}
        queue = folder / "queue"
        queue.mkdir()
        names = {
            "https://clickhouse.example.com:8443": self.clickhouse.url,
            "https://superset.example.com/": self.superset.url,
        }
        environment = {
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(PLATFORM)]),
            "STANDIN_DATA_DIR": str(folder / "standin"),
            "STANDIN_COURSES_DIR": str(folder / "courses"),
            "STANDIN_BROKER_URL": "filesystem://localhost//",
            "CLICKHOUSE_URL": self.clickhouse.url,
        }
        self.operator = Operator(folder, environment, names, CLICKHOUSE)
        transport = {"data_folder_in": str(queue), "data_folder_out": str(queue), "control_folder": f"{queue}-control"}
        self.operator.set_tokens(
            json.dumps({"CELERY_BROKER_TRANSPORT_OPTIONS": transport, "STATIC_ROOT": str(folder / "static")})
        )
        self.worker = Worker(folder)
        self.worker.environment |= self.operator.environment

    def prepare(self, stack: ExitStack) -> None:
        """The state of a site before it has read the page."""
        for process in (self.clickhouse, self.superset, self.worker):
            stack.callback(process.kill)
        self.clickhouse.start()
        self.operator.run("python manage.py cms migrate")
        self.operator.python("from test_utils.demo_data import load_demo; load_demo()")
        self.operator.python(SUPERUSER)
        self.operator.run("python manage.py cms migrate platform_plugin_aspects zero")

    def restart_superset(self) -> None:
        """Paste what is printed into Superset's configuration, and start it."""
        text = self.operator.run("python manage.py lms aspects_provision --print --superset")
        assert SUPERSET not in text
        self.superset.config_text.write_text(text.partition("# LMS and CMS")[0])
        self.superset.prepare()
        self.superset.start()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with ExitStack() as stack:
        host = Host(tmp_path)
        host.prepare(stack)
        yield host


def test_the_way_is_six_commands() -> None:
    blocks = [block for block in read_page(PAGE) if block.section in WAY and block.language == "console"]
    commands = [line for block in blocks for line in block.text.splitlines() if line.startswith("$ ")]
    last = next(number for number, line in enumerate(commands, 1) if "--end_to_end" in line)
    assert last == 6


def test_a_bare_clickhouse_and_a_bare_superset_show_boards_with_numbers(host: Host) -> None:
    page, operator = read_page(PAGE), host.operator
    operator.follow(page, "Install", "Settings")
    host.restart_superset()
    operator.follow(page, "Superset's configuration", "Provision")
    host.worker.start()
    operator.follow(page, "Start", "Check")

    environment = {
        "ASPECTS_CLICKHOUSE_ADMIN_USERNAME": CLICKHOUSE[0],
        "ASPECTS_CLICKHOUSE_ADMIN_PASSWORD": CLICKHOUSE[1],
        "ASPECTS_SUPERSET_ADMIN_USERNAME": "admin",
        "ASPECTS_SUPERSET_ADMIN_PASSWORD": SUPERSET,
    }
    operator.environment |= environment
    again = "python manage.py lms aspects_provision"
    assert operator.run(again) == "ClickHouse: nothing to do\nSuperset: nothing to do\n"

    # Passwords that change in the settings are applied, and Superset reads with the new one.
    changed = {name: secrets.token_urlsafe() for name in ("ch_cms", "reports")}
    config = {**operator.tokens["EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG"], "password": changed["ch_cms"]}
    reader = {"username": "reports", "password": changed["reports"]}
    operator.set_tokens(json.dumps({"EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": config, "ASPECTS_SUPERSET_READER": reader}))
    said = operator.run(again)
    assert said.splitlines()[:2] == ["  change the password of ch_cms", "  change the password of reports"]
    assert not any(password in said for password in changed.values())
    operator.run("python manage.py lms aspects_check --only ClickHouse Boards")

    # A Superset whose operator pasted nothing: all lines are printed at once, and nothing that is wrong only then.
    host.superset.stop()
    host.superset.config_text.write_text("")
    host.superset.start()
    bare = operator.run(f"{again} --superset 2>&1 || true")
    assert "EMBEDDED_SUPERSET" in bare
    assert "FEATURE_FLAGS = " in bare
    assert "GUEST_ROLE_NAME = " in bare
    assert "DATA_CACHE_CONFIG = " in bare
    assert "Browsers do not find Superset" not in bare
