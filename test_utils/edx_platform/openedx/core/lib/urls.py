"""URLs that both services have."""

from django.contrib import admin
from django.http import HttpRequest, JsonResponse
from django.urls import path


def heartbeat(request: HttpRequest) -> JsonResponse:
    """Say that the service is up."""
    return JsonResponse({"status": "OK"})


common_urlpatterns = [path("admin/", admin.site.urls), path("heartbeat", heartbeat)]
