"""URLs that both services have."""

from common.djangoapps.track.views import user_track
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.contrib.staticfiles.views import serve
from django.http import HttpRequest, JsonResponse
from django.urls import path


def heartbeat(request: HttpRequest) -> JsonResponse:
    """Say that the service is up."""
    return JsonResponse({"status": "OK"})


common_urlpatterns = [
    path("admin/", admin.site.urls),
    path("heartbeat", heartbeat),
    path("login", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("event", user_track),
    path("logout", LogoutView.as_view(), name="logout"),
    # Straight from the apps' folders, which is well enough for a stand-in.
    path("static/<path:path>", serve, {"insecure": True}),
]
