"""The endpoint that Prometheus scrapes."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from edx_rest_framework_extensions.permissions import NotJwtRestrictedApplication
from prometheus_client import CONTENT_TYPE_LATEST
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from platform_plugin_aspects.dashboards.access.permissions import MaySeeMetrics
from platform_plugin_aspects.dashboards.pages.views import AspectsView
from platform_plugin_aspects.operations import metrics


@extend_schema(exclude=True)  # Prometheus reads no schema, and browsers do not use this.
class MetricsView(AspectsView):
    """The figures of delivery for Prometheus, without a limit, because scrapers ask often."""

    permission_classes = (IsAuthenticated, NotJwtRestrictedApplication, MaySeeMetrics)
    throttle_classes = ()

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Accept any format: scrapers ask for some that REST framework does not know, and ignore the error's."""
        return super().perform_content_negotiation(request, force=True)

    def get(self, request: Request) -> HttpResponse:
        """The metrics in Prometheus' text format."""
        return HttpResponse(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)
