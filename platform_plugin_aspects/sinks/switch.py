"""Whether a sink is on: the setting and the waffle flag that turn it on."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from waffle import get_waffle_flag_model

from platform_plugin_aspects import edx_platform


class Switch:
    """Turns a sink on by a setting or by a waffle flag, both named after ``model``."""

    #: The name in EVENT_SINK_CLICKHOUSE_MODEL_CONFIG, in the setting and in the flag.
    model: ClassVar[str] = ""
    #: Whether the sink is off while its model cannot be imported.
    needs_model: ClassVar[bool] = True

    @classmethod
    def is_enabled(cls) -> bool:
        """Whether operators turned the sink on: by EVENT_SINK_CLICKHOUSE_<MODEL>_ENABLED or by its waffle flag.

        The flag counts when it is on for everyone: what is copied does not depend on who clicks. A sink whose model
        cannot be imported is off.
        """
        if not cls.is_set_on() and not _is_on_for_everyone(cls.flag()):
            return False
        if cls.needs_model and edx_platform.get_model(cls.model) is None:
            edx_platform.warn_of_missing_model(cls.model)
            return False
        return not cls.why_unusable()

    @classmethod
    def why_unusable(cls) -> str:
        """Why the sink stays off though it is turned on, and what to do; empty when it can be used."""
        return ""

    @classmethod
    def is_set_on(cls) -> bool:
        """Whether EVENT_SINK_CLICKHOUSE_<MODEL>_ENABLED is True; needs no database."""
        return getattr(settings, cls.setting(), False) is True

    @classmethod
    def setting(cls) -> str:
        """The name of the setting that turns the sink on."""
        return f"EVENT_SINK_CLICKHOUSE_{cls.model.upper()}_ENABLED"

    @classmethod
    def flag(cls) -> str:
        """The name of the waffle flag that turns the sink on."""
        # .. toggle_name: event_sink_clickhouse.<model>.enabled
        # .. toggle_implementation: WaffleFlag
        # .. toggle_default: False
        # .. toggle_description: Turns the sink of that model on, at once and without a restart, when it is on for
        #   everyone. On for some users, groups or a percentage counts as off.
        # .. toggle_use_cases: opt_in
        # .. toggle_creation_date: 2026-11-20
        return f"event_sink_clickhouse.{cls.model}.enabled"


def _is_on_for_everyone(flag: str) -> bool:
    model = get_waffle_flag_model()
    try:
        return model.get(flag).everyone is True
    except Exception:
        # Waffle asks the cache first. A cache that is gone must not turn sinks off.
        return model.objects.filter(name=flag, everyone=True).exists()
