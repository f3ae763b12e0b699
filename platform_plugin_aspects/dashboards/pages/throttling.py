"""How often a user may ask the endpoints and the XBlock's handlers."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from rest_framework.exceptions import Throttled
from rest_framework.throttling import UserRateThrottle

from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured

log = logging.getLogger(__name__)


class ReportsThrottle(UserRateThrottle):
    """So many requests per user, to all endpoints together, as ASPECTS_API_THROTTLE_RATE says.

    Requests are counted in Django's cache: while that is down, there is no limit. Raises SupersetMisconfigured for an
    invalid rate.
    """

    scope = "platform_plugin_aspects"

    def get_rate(self) -> Any:
        """The setting's value, read when it is used."""
        return settings.ASPECTS_API_THROTTLE_RATE

    def parse_rate(self, rate: Any) -> Any:
        """Requests and seconds; None and None without a limit."""
        try:
            return super().parse_rate(rate)
        except (AttributeError, LookupError, TypeError, ValueError):
            raise SupersetMisconfigured(
                f"ASPECTS_API_THROTTLE_RATE is {rate!r}: write a number per second, minute, hour or day, such as "
                "'2000/hour', or None."
            ) from None

    def allow_request(self, request: Any, view: Any) -> bool:
        """Whether this request is within the limit."""
        try:
            return bool(super().allow_request(request, view))
        except Exception as error:
            log.warning("Requests are not counted: the cache does not answer (%s: %s)", type(error).__name__, error)
            return True


def count_request(user: Any) -> None:
    """Count a request of the user to an address that Django REST framework does not serve. Raises Throttled."""
    throttle = ReportsThrottle()
    if not throttle.allow_request(SimpleNamespace(user=user), None):
        raise Throttled(throttle.wait())
