"""How often a user may ask the endpoints."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.throttling import UserRateThrottle

from platform_plugin_aspects.superset.errors import SupersetMisconfigured


class ReportsThrottle(UserRateThrottle):
    """So many requests per user, to all endpoints together, as ASPECTS_API_THROTTLE_RATE says.

    Raises SupersetMisconfigured for a rate that cannot be meant.
    """

    scope = "platform_plugin_aspects"

    def get_rate(self) -> Any:
        """The setting's value, read when it is used."""
        return settings.ASPECTS_API_THROTTLE_RATE

    def parse_rate(self, rate: Any) -> Any:
        """Requests and seconds; None and None without a limit."""
        try:
            return super().parse_rate(rate)
        except (AttributeError, LookupError, ValueError):
            raise SupersetMisconfigured(
                f"ASPECTS_API_THROTTLE_RATE is {rate!r}: write a number per second, minute, hour or day, such as "
                "'2000/hour', or None."
            ) from None
