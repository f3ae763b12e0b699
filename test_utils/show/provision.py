"""From a bare Superset and an empty ClickHouse to boards."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

from django.core.management import call_command

from test_utils.processes import ADMIN

if TYPE_CHECKING:
    from .site import Site

ADMINISTRATOR = {"username": ADMIN[0], "password": ADMIN[1]}
CONFIG = """
from superset.config import TALISMAN_CONFIG

FEATURE_FLAGS = {{"EMBEDDED_SUPERSET": True}}
GUEST_ROLE_NAME = "Gamma"
TALISMAN_CONFIG = {{
    **TALISMAN_CONFIG,
    "content_security_policy": {{
        **TALISMAN_CONFIG["content_security_policy"],
        "frame-ancestors": {origins!r},
    }},
}}
"""


def config_text(site: Site) -> str:
    """The text that the operator pastes into superset_config.py."""
    return CONFIG.format(origins=[site.lms.url, site.cms.url])


def clickhouse(site: Site) -> None:
    """Databases, tables, users and reports."""
    call_command("aspects_create_tables", **ADMINISTRATOR, stdout=StringIO())
    _grant(site, "aspects_create_tables", "--print-grants")
    call_command("aspects_reports", "create", **ADMINISTRATOR, stdout=StringIO())
    _grant(site, "aspects_reports", "--print-grants")


def _grant(site: Site, *command: Any) -> None:
    printed = StringIO()
    call_command(*command, stdout=printed)
    for statement in printed.getvalue().removesuffix(";\n").split(";\n"):
        site.ask_clickhouse(statement)


def superset(site: Site) -> None:
    """The service account, the connection and the boards."""
    site.superset.make_service_account("aspects", site.passwords["aspects"])
