"""The description of the endpoints, as drf-spectacular makes it for the platform's API documentation."""

from __future__ import annotations

from typing import Any

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.contrib.rest_framework_jwt import JWTScheme
from drf_spectacular.utils import extend_schema

from platform_plugin_aspects.dashboards.pages import serializers


class PlatformJwtScheme(JWTScheme):
    """The platform's JWTs, in the header ``Authorization`` or, from micro-frontends, in cookies."""

    target_class = "edx_rest_framework_extensions.auth.jwt.authentication.JwtAuthentication"


class PlatformSessionScheme(SessionScheme):
    """The platform's sessions."""

    target_class = "edx_rest_framework_extensions.auth.session.authentication.SessionAuthenticationAllowInactiveUser"


def answers_with(serializer: Any) -> Any:
    """Decorate a view's ``get`` whose answer ``serializer`` describes."""
    errors = dict.fromkeys((401, 403, 404, 429, 502, 503, 504), serializers.ErrorSerializer)
    return extend_schema(tags=["aspects"], responses={200: serializer, **errors})
