"""Django system checks: what is set up wrongly is said at start-up, and not found out by missing data.

They look at settings and at importable names only: no database, no network.
"""

from platform_plugin_aspects.operations.checks import events, filters, names, old_sinks, sinks, superset, unusable_sinks
from platform_plugin_aspects.operations.checks.tag import TAG

__all__ = ["TAG", "events", "filters", "names", "old_sinks", "sinks", "superset", "unusable_sinks"]
