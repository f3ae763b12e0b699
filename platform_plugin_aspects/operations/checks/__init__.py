"""Django system checks: they report wrong settings at start-up, before data is missing.

They look at settings and at importable names only: no database, no network.
"""

from platform_plugin_aspects.operations.checks import events, filters, names, reports, sinks, superset
from platform_plugin_aspects.operations.checks.check import CHECKS, TAG, valid

__all__ = ["CHECKS", "TAG", "events", "filters", "names", "reports", "sinks", "superset", "valid"]
