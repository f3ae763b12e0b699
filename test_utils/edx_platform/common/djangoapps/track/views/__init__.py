"""POST /event: what browsers report; and what pages report of themselves."""

import json
from typing import Any

from common.djangoapps.track import contexts
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from eventtracking import tracker


def user_track(request: HttpRequest) -> HttpResponse:
    """Emit the event whose name (event_type), data as JSON (event) and page a browser sends."""
    values = request.POST if request.method == "POST" else request.GET
    name = values.get("event_type", "")
    data: Any = values.get("event", {})
    page = values.get("page", "")
    if isinstance(data, str) and data:
        try:
            data = json.loads(data)
            _add_user_id_for_username(data)
        except ValueError:
            pass
    context = {
        **contexts.course_context_from_url(page, values.get("courserun_key")),
        "username": request.user.username,
        "event_source": "browser",
        "page": page,
    }
    with tracker.get_tracker().context("edx.course.browser", context):
        tracker.emit(name=name, data=data)
    return HttpResponse("success")


def _add_user_id_for_username(data: Any) -> None:
    if data and "username" in data and "user_id" not in data:
        user = User.objects.filter(username=data.get("username")).first()
        if user is not None:
            data["user_id"] = user.id


def server_track(request: HttpRequest, event_type: str, event: Any, page: str | None = None) -> None:
    """Emit an event of a page, or of a block (``page`` is "x_module" then)."""
    if event_type.startswith("/event_logs") and request.user.is_staff:
        return
    context = contexts.course_context_from_url(page)
    if not context["course_id"]:
        context = {}
    try:
        username = request.user.username
    except Exception:
        username = "anonymous"
    context |= {"username": username, "event_source": "server", "page": page}
    with tracker.get_tracker().context("edx.course.server", context):
        tracker.emit(name=event_type, data=event)
