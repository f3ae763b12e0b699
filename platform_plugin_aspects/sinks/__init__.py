"""Sinks, one module per subject. A sink declares what a row is, and where each value comes from.

``registry`` finds them. To add a sink, subclass ``ModelBaseSink``.
"""

from platform_plugin_aspects.sinks.base_sink import BaseSink
from platform_plugin_aspects.sinks.batch import Batch, Selection, Written
from platform_plugin_aspects.sinks.column import Column, Flag, Moment, Text, Uuid, Value
from platform_plugin_aspects.sinks.course_enrollment_sink import CourseEnrollmentSink
from platform_plugin_aspects.sinks.course_overview_sink import CourseOverviewSink
from platform_plugin_aspects.sinks.external_id_sink import ExternalIdSink
from platform_plugin_aspects.sinks.model_sink import ModelBaseSink
from platform_plugin_aspects.sinks.statement_sink import StatementSink
from platform_plugin_aspects.sinks.tag_sink import ObjectTagSink, TagSink, TaxonomySink
from platform_plugin_aspects.sinks.user_profile_sink import UserProfileSink
from platform_plugin_aspects.sinks.user_retire_sink import UserRetirementSink
from platform_plugin_aspects.sinks.xblock_sink import XBlockSink

__all__ = [
    "BaseSink",
    "Batch",
    "Column",
    "CourseEnrollmentSink",
    "CourseOverviewSink",
    "ExternalIdSink",
    "Flag",
    "ModelBaseSink",
    "Moment",
    "ObjectTagSink",
    "Selection",
    "StatementSink",
    "TagSink",
    "TaxonomySink",
    "Text",
    "UserProfileSink",
    "UserRetirementSink",
    "Uuid",
    "Value",
    "Written",
    "XBlockSink",
]
