"""Says of each request who makes it and from where, in the context of the events it emits, and logs the request."""

import hashlib
import json
import re
from contextlib import suppress
from typing import Any

from common.djangoapps.track import contexts, views
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from eventtracking import tracker

CONTEXT_NAME = "edx.request"
META_KEY_TO_CONTEXT_KEY = {
    "SERVER_NAME": "host",
    "HTTP_USER_AGENT": "agent",
    "PATH_INFO": "path",
    "HTTP_REFERER": "referer",
    "HTTP_ACCEPT_LANGUAGE": "accept_language",
}
CENSORED = ("password", "newpassword", "new_password", "oldpassword", "old_password", "new_password1", "new_password2")
LONGEST = 512


class TrackMiddleware(MiddlewareMixin):
    """Enters the request's context, and emits one event for each request, which its path names."""

    def process_request(self, request: HttpRequest) -> None:
        try:
            self.enter_request_context(request)
            if not self.should_process_request(request):
                return
            sent = {"GET": dict(request.GET), "POST": dict(request.POST)}
            for values in sent.values():
                values.update({name: "********" for name in CENSORED if name in values})
            views.server_track(request, request.META["PATH_INFO"], json.dumps(sent)[:LONGEST])
        except Exception as error:
            # The platform drops what even this does not report.
            views.server_track(
                request, request.META["PATH_INFO"], {"event-type": "exception", "exception": repr(type(error))}
            )

    def should_process_request(self, request: HttpRequest) -> bool:
        patterns = getattr(settings, "TRACKING_IGNORE_URL_PATTERNS", [])
        return not any(re.match(pattern, request.META["PATH_INFO"]) for pattern in patterns)

    def enter_request_context(self, request: HttpRequest) -> None:
        context: dict[str, Any] = {
            "session": self.get_session_key(request),
            "user_id": getattr(getattr(request, "user", None), "pk", ""),
            "username": getattr(getattr(request, "user", None), "username", ""),
            "ip": request.META.get("HTTP_X_FORWARDED_FOR", request.META.get("REMOTE_ADDR", "")).split(",")[0],
        }
        for header, key in META_KEY_TO_CONTEXT_KEY.items():
            context[key] = request.META.get(header, "")
        context["client_id"] = request.META.get("HTTP_X_EDX_GA_CLIENT_ID")
        context.update(contexts.course_context_from_url(request.build_absolute_uri()))
        tracker.get_tracker().enter_context(CONTEXT_NAME, context)

    def get_session_key(self, request: HttpRequest) -> str:
        """Return a hash of the session's key, always the same one; empty without a session."""
        key = getattr(getattr(request, "session", None), "session_key", None)
        if not key:
            return ""
        return hashlib.shake_128(settings.SECRET_KEY.encode() + key.encode()).hexdigest(16)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        # A request that an earlier middleware answered has entered no context.
        with suppress(Exception):
            tracker.get_tracker().exit_context(CONTEXT_NAME)
        return response
