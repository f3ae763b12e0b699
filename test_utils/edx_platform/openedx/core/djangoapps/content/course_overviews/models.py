"""A row per course, read from the modulestore when the course is published."""

import logging
from typing import Any

from django.db import models
from model_utils.models import TimeStampedModel
from opaque_keys.edx.django.models import CourseKeyField
from opaque_keys.edx.keys import CourseKey
from xmodule.modulestore.django import modulestore

log = logging.getLogger(__name__)


class CourseOverview(TimeStampedModel):
    """The settings of a course run or CCX. The row outlives the course's structure."""

    VERSION = 19

    version = models.IntegerField()
    id = CourseKeyField(db_index=True, primary_key=True, max_length=255)
    org = models.TextField(max_length=255, default="outdated_entry")
    display_name = models.TextField(null=True)

    start = models.DateTimeField(null=True)
    end = models.DateTimeField(null=True)
    advertised_start = models.TextField(null=True)
    announcement = models.DateTimeField(null=True)

    # Null when the course's grading policy is malformed.
    lowest_passing_grade = models.DecimalField(max_digits=5, decimal_places=2, null=True)

    enrollment_start = models.DateTimeField(null=True)
    enrollment_end = models.DateTimeField(null=True)
    invitation_only = models.BooleanField(default=False)
    max_student_enrollments_allowed = models.IntegerField(null=True)

    effort = models.TextField(null=True)
    self_paced = models.BooleanField(default=False)
    enable_proctored_exams = models.BooleanField(default=False)
    entrance_exam_enabled = models.BooleanField(default=False)
    external_id = models.CharField(max_length=128, null=True, blank=True)
    language = models.TextField(null=True)

    COURSE_FIELDS = (
        "display_name",
        "start",
        "end",
        "advertised_start",
        "announcement",
        "enrollment_start",
        "enrollment_end",
        "invitation_only",
        "max_student_enrollments_allowed",
        "effort",
        "self_paced",
        "enable_proctored_exams",
        "entrance_exam_enabled",
        "language",
    )

    class Meta:
        app_label = "course_overviews"

    def __str__(self) -> str:
        return str(self.id)

    @property
    def display_name_with_default(self) -> str:
        """Return the name, or the last part of the key of a course without one."""
        return self.display_name if self.display_name is not None else self.id.run

    @classmethod
    def load_from_module_store(cls, course_id: CourseKey) -> "CourseOverview":
        """Read the course, save its row and return it; DoesNotExist when the store has no such course."""
        store = modulestore()
        with store.bulk_operations(course_id):
            course = store.get_course(course_id)
            if course is None:
                raise cls.DoesNotExist(f"the modulestore has no course {course_id}")
            overview = cls.objects.filter(id=course_id).first() or cls(id=course_id)
            overview._read(course)
        overview.save()
        return overview

    @classmethod
    def get_from_id(cls, course_id: CourseKey) -> "CourseOverview":
        """Return the row, reading the course first if there is none; may raise DoesNotExist."""
        overview = cls.objects.filter(id=course_id, version__gte=cls.VERSION).first()
        return overview or cls.load_from_module_store(course_id)

    @classmethod
    def course_exists(cls, course_id: CourseKey) -> bool:
        """Tell whether there is a row, or a course in the modulestore."""
        return cls.objects.filter(id=course_id).exists() or modulestore().has_course(course_id)

    def _read(self, course: Any) -> None:
        self.version = self.VERSION
        self.org = course.id.org
        for name in self.COURSE_FIELDS:
            setattr(self, name, getattr(course, name))
        try:
            self.lowest_passing_grade = course.lowest_passing_grade
        except ValueError as error:
            log.warning("Malformed grading policy in %s: %s", course.id, error)
            self.lowest_passing_grade = None
