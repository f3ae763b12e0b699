"""Superset as a process: on SQLite, in the environment of its own that `make e2e` makes."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from test_utils.processes import REPOSITORY, Process, answers, free_port

#: Superset's virtual environment; `make e2e` names it.
VENV = Path(os.environ.get("SUPERSET_VENV") or REPOSITORY / ".venv-superset").resolve()
CONFIG = Path(__file__).parent / "superset_config.py"
ADMIN_USERNAME = "admin"
TIMEOUT_SECS = 60
# As an operator sets it up.
PREPARE = (
    ("db", "upgrade"),
    ("fab", "create-admin", "--firstname", "Ada", "--lastname", "Min", "--email", "admin@example.invalid"),
    ("init",),
)


class Superset(Process):
    """A bare Superset on a free port: its own defaults, and the text that an operator pastes into its configuration.

    ``own``: the operator's values before that text, in Superset's dictionaries where they are such. ``changes``: values
    after it, likewise in its dictionaries.
    """

    def __init__(self, folder: Path, admin_password: str, port: int | None = None):
        self.port = port or free_port()
        self.admin_password = admin_password
        self.guest_token_secret = secrets.token_urlsafe(32)
        self.metadata = folder / "superset" / "metadata.sqlite"
        self.config_text = folder / "superset_config_text.py"
        self.config_text.write_text("")
        # An operator's own: a secret, and a cache, here of one process.
        cache = {"CACHE_TYPE": "SimpleCache"}
        self.own: dict[str, Any] = {
            "GUEST_TOKEN_JWT_SECRET": self.guest_token_secret,
            "CACHE_CONFIG": cache,
            "DATA_CACHE_CONFIG": cache,
        }
        self.changes: dict[str, Any] = {}
        command = [VENV / "bin" / "gunicorn", "--no-control-socket", "--worker-class", "gthread", "--threads", "8"]
        command += ["--timeout", "120", "--bind", f"127.0.0.1:{self.port}", "superset.app:create_app()"]
        environment = {
            "SHOW_SECRET_KEY": secrets.token_urlsafe(32),
            "SHOW_METADATA": f"sqlite:///{self.metadata}",
            "SHOW_CONFIG_TEXT": str(self.config_text),
            "FLASK_APP": "superset",
            # Nothing of the stand-in platform's.
            "PYTHONPATH": "",
            "SUPERSET_CONFIG_PATH": str(CONFIG),
            "SUPERSET_HOME": str(self.metadata.parent),
        }
        super().__init__("superset", folder, command, environment)

    def launch(self) -> None:
        self._configure()
        super().launch()

    def _configure(self) -> None:
        self.environment |= {"SHOW_CONFIG_OWN": json.dumps(self.own), "SHOW_CONFIG_CHANGES": json.dumps(self.changes)}

    @property
    def url(self) -> str:
        """Its base URL, as browsers and the plugin know it."""
        return f"http://127.0.0.1:{self.port}/"

    def prepare(self) -> None:
        """Make its database anew, with the account of an administrator."""
        self._configure()
        shutil.rmtree(self.metadata.parent, ignore_errors=True)
        self.metadata.parent.mkdir(parents=True)
        account = ("--username", ADMIN_USERNAME, "--password", self.admin_password)
        for arguments in PREPARE:
            command = [VENV / "bin" / "superset", *arguments, *(account if "create-admin" in arguments else ())]
            done = subprocess.run(
                command, cwd=REPOSITORY, env=self.environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"superset {arguments[0]} failed: {done.stdout[-2000:]}{done.stderr[-5000:]}"

    def is_ready(self) -> bool:
        return answers(f"{self.url}health")

    def api(self) -> SupersetApi:
        """Superset's API as its administrator."""
        return SupersetApi(self.url, ADMIN_USERNAME, self.admin_password)


class SupersetApi:
    """Superset's REST API in a session of one account."""

    def __init__(self, url: str, username: str, password: str):
        self.url = f"{url}api/v1/"
        self.session = requests.Session()
        account = {"username": username, "password": password, "provider": "db", "refresh": True}
        token = self.post("security/login", **account)["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.session.headers["X-CSRFToken"] = self.get("security/csrf_token/")["result"]

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """The answer to GET; AssertionError when it is an error."""
        return self._answer(self.session.get(self.url + path, params=params, timeout=TIMEOUT_SECS))

    def find(self, path: str, column: str, operation: str, value: Any) -> list[int]:
        """The ids of what a list holds, with one filter of Superset's."""
        return self.get(path, q=f"(filters:!((col:{column},opr:{operation},value:{value})))")["ids"]

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """The answer to POST; AssertionError when it is an error."""
        return self._answer(self.session.post(self.url + path, json=body, timeout=TIMEOUT_SECS))

    def put(self, path: str, **body: Any) -> dict[str, Any]:
        """The answer to PUT; AssertionError when it is an error."""
        return self._answer(self.session.put(self.url + path, json=body, timeout=TIMEOUT_SECS))

    @staticmethod
    def _answer(response: requests.Response) -> dict[str, Any]:
        assert response.ok, f"{response.request.method} {response.url}: {response.status_code} {response.text[:2000]}"
        return response.json()


def ask_as_guest(superset: Superset, token: str, context: Mapping[str, Any], form: str = "json") -> requests.Response:
    """Superset's answer to a browser with that guest token; ``context`` as `test_utils.e2e.boards.fill` returns it.

    ``form``: "json", or "csv" as the menu of a chart downloads it.
    """
    body = {**context, "result_format": form, "result_type": "full"}
    url = f"{superset.url}api/v1/chart/data"
    return requests.post(url, json=body, headers={"X-GuestToken": token}, timeout=TIMEOUT_SECS)


def rows_of(response: requests.Response) -> list[dict[str, Any]]:
    """The rows in an answer to `ask_as_guest`; AssertionError for any other answer."""
    assert response.ok, f"{response.status_code} {response.text[:2000]}"
    return [row for result in response.json()["result"] for row in result["data"]]
