"""The sinks: whether each is on, and why."""

from __future__ import annotations

from collections.abc import Iterator

from waffle import get_waffle_flag_model

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.operations.checks import valid
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, capitalized, manage
from platform_plugin_aspects.sinks import BaseSink, UserRetirementSink
from platform_plugin_aspects.sinks.personal_data import personal_tables
from platform_plugin_aspects.sinks.registry import is_on, sinks


def examine(examination: Examination) -> Iterator[Finding]:
    """A line for each sink, then faults of several sinks together."""
    known = list(sinks().values())
    names = [sink.flag() for sink in known]
    flags = dict(get_waffle_flag_model().objects.filter(name__in=names).values_list("name", "everyone"))
    for sink in known:
        yield _state(sink, flags, examination)
    if not any(sink.tables and (sink.is_set_on() or flags.get(sink.flag(), False) is not False) for sink in known):
        yield Mark.PROBLEM(
            "No sink is on: nothing is written to ClickHouse",
            "Set EVENT_SINK_CLICKHOUSE_COURSE_OVERVIEWS_ENABLED = True, and likewise for the other models",
        )
    # A system check reports a setting that is invalid.
    erasable = valid(personal_tables) or ()
    personal = [sink.name for sink in known if is_on(sink) and any(table.name in erasable for table in sink.tables)]
    # If its model is missing, turning it on does not help.
    if personal and not (is_on(UserRetirementSink) or UserRetirementSink.is_set_on()):
        yield Mark.PROBLEM(
            f"{', '.join(personal)}: on, while retirement is off: retired learners stay in ClickHouse",
            f"Set {UserRetirementSink.setting()} = True",
        )


def _state(sink: type[BaseSink], flags: dict[str, bool | None], examination: Examination) -> Finding:
    """Whether a sink is on; ``flags``: what the waffle flags say for everyone, None when they are on for some."""
    for_everyone = flags.get(sink.flag(), False)
    wanted_by = sink.setting() if sink.is_set_on() else sink.flag() if for_everyone else ""
    unusable = sink.why_unusable() if wanted_by else ""
    if unusable:
        why, _, remedy = unusable.partition(": ")
        return Mark.PROBLEM(f"{sink.name}: off, though {wanted_by} is on, because {why}", capitalized(remedy))
    if wanted_by and (not sink.needs_model or edx_platform.get_model(sink.model) is not None):
        return Mark.OK(f"{sink.name}: on, by {wanted_by}")
    without_model = f"{sink.name}: off, because its model cannot be imported"
    if sink.is_set_on():
        return examination.because_of("Settings", without_model)
    if wanted_by:
        return Mark.PROBLEM(without_model, f"Correct EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{sink.model!r}]")
    if for_everyone is None:
        return Mark.PROBLEM(
            f"{sink.name}: off, because the flag {sink.flag()} is not on for everyone",
            f"Run {manage(f'waffle_flag {sink.flag()} --everyone')}",
        )
    return Mark.NOTE(f"{sink.name}: off, neither {sink.setting()} nor the flag {sink.flag()} is on")
