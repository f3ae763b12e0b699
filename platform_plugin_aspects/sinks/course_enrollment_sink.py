"""Enrollments."""

from __future__ import annotations

from platform_plugin_aspects.sinks.column import Column, Flag, Moment, Text
from platform_plugin_aspects.sinks.model_sink import ModelBaseSink


class CourseEnrollmentSink(ModelBaseSink):
    """A row: the state of one learner's enrollment in one course, written each time it changes.

    Trigger: the enrollment or the account is saved; when the enrollment is deleted its rows go. Personal data: the
    username.
    """

    name = "course_enrollment"
    model = "course_enrollment"
    columns = (
        Column("id", "Int32"),
        Column("course_key", "String", Text("course_id")),
        Column("created", "String", Moment()),
        Column("is_active", "Bool", Flag()),
        Column("mode", "LowCardinality(String)"),
        Column("username", "String", Text("user__username"), personal=True),
        Column("user_id", "Int32"),
    )
    order_by = ("course_key", "user_id", "time_last_dumped")
    learner = "user_id"
    deletes = True
    date = "created"
    # Rows are narrow: larger batches make fewer inserts.
    batch_size = 25_000
