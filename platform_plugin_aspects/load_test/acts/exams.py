"""Acts in a special exam."""

from __future__ import annotations

from opaque_keys.edx.keys import UsageKey

from platform_plugin_aspects.load_test.acts.act import Act


def exam_started(sequence: UsageKey, name: str, user_id: int, attempt: int, kind: str = "timed") -> Act:
    """An attempt at a special exam begins; ``kind``: timed, practice or proctored."""
    return _exam("created", sequence, name, user_id, attempt, kind)


def exam_submitted(sequence: UsageKey, name: str, user_id: int, attempt: int, kind: str = "timed") -> Act:
    """An attempt at a special exam is submitted."""
    return _exam("submitted", sequence, name, user_id, attempt, kind)


def _exam(what: str, sequence: UsageKey, name: str, user_id: int, attempt: int, kind: str) -> Act:
    data = {
        "exam_id": 1,
        "exam_content_id": str(sequence),
        "exam_name": name,
        "exam_default_time_limit_mins": 60,
        "exam_is_proctored": kind == "proctored",
        "exam_is_practice_exam": kind == "practice",
        "exam_is_active": True,
        "attempt_id": attempt,
        "attempt_user_id": user_id,
        "attempt_started_at": "2026-03-01T10:00:00+00:00",
        "attempt_completed_at": None if what == "created" else "2026-03-01T10:40:00+00:00",
        "attempt_code": f"00000000-0000-4000-8000-{attempt:012}",
        "attempt_allowed_time_limit_mins": 60,
        "attempt_status": what,
        "attempt_event_elapsed_time_secs": 0 if what == "created" else 2400,
    }
    course = sequence.course_key
    path = "/api/edx_proctoring/v1/proctored_exam/attempt"
    return Act(f"edx.special_exam.{kind}.attempt.{what}", data, course, "server", path)
