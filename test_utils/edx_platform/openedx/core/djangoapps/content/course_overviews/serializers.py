"""Overviews as data."""

from typing import Any

from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from rest_framework import serializers


class CourseOverviewBaseSerializer(serializers.ModelSerializer):
    """All columns, and what the platform derives of them."""

    class Meta:
        model = CourseOverview
        fields = "__all__"

    def to_representation(self, instance: CourseOverview) -> dict[str, Any]:
        """Return the columns and the derived values; keys are text."""
        return {
            **super().to_representation(instance),
            "display_name_with_default": instance.display_name_with_default,
            "pacing": "self" if instance.self_paced else "instructor",
        }
