"""From a bare Superset and an empty ClickHouse to boards, as an operator does it: by ``aspects_provision``."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from test_utils.processes import ADMIN, REPOSITORY

from .superset import ADMIN_USERNAME

if TYPE_CHECKING:
    from .site import Site


def config_text(site: Site) -> str:
    """The lines that the command prints for superset_config.py, as an operator pastes them."""
    return aspects_provision(site, "--superset", "--print").partition("# LMS and CMS:")[0]


def clickhouse(site: Site) -> str:
    """Databases, tables, users and reports. Returns what the command says."""
    return aspects_provision(site, "--clickhouse")


def superset(site: Site) -> str:
    """The service account, the connection and the boards. Returns what the command says."""
    return aspects_provision(site, "--superset")


def aspects_provision(site: Site, *options: str) -> str:
    """Run the command as an operator, who has the passwords of the administrators. Returns its output."""
    environment = {
        **os.environ,
        **site.environment,
        "DJANGO_SETTINGS_MODULE": "lms.envs.standin",
        "ASPECTS_CLICKHOUSE_ADMIN_USERNAME": ADMIN[0],
        "ASPECTS_CLICKHOUSE_ADMIN_PASSWORD": ADMIN[1],
        "ASPECTS_SUPERSET_ADMIN_USERNAME": ADMIN_USERNAME,
        "ASPECTS_SUPERSET_ADMIN_PASSWORD": site.passwords[ADMIN_USERNAME],
    }
    command = [sys.executable, "manage.py", "lms", "aspects_provision", *options]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command[1:])} failed:\n{done.stdout}{done.stderr}"
    return done.stdout
