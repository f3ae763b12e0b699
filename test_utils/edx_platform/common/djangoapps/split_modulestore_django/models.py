"""Which version of each course is the published one."""

from django.db import models
from opaque_keys.edx.django.models import LearningContextKeyField


class SplitModulestoreCourseIndex(models.Model):
    """A course's place in the modulestore. Only the published version is kept here."""

    course_id = LearningContextKeyField(max_length=255, db_index=True, unique=True, null=False)
    published_version = models.CharField(max_length=24, null=False, blank=True)

    class Meta:
        app_label = "split_modulestore_django"
        ordering = ("course_id",)

    def __str__(self) -> str:
        return f"Course Index ({self.course_id})"
