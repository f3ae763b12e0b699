"""The Content-Security-Policy of the pages."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from edx_django_utils.security.csp import middleware


def content_security_policy_middleware(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Send CSP_STATIC_ENFORCE with every page but the workbench's, whose own scripts are inline."""
    with_policy = middleware.content_security_policy_middleware(get_response)

    def respond(request: HttpRequest) -> HttpResponse:
        return (get_response if request.path.startswith("/workbench/") else with_policy)(request)

    return respond
