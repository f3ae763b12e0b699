"""Acts in a video; times are in seconds."""

from __future__ import annotations

from typing import Any

from opaque_keys.edx.keys import UsageKey

from platform_plugin_aspects.load_test.acts.act import Act


def video_loaded(video: UsageKey, duration: float) -> Act:
    """A video's player is ready."""
    return _video("load_video", video, duration)


def played(video: UsageKey, duration: float, at: float) -> Act:
    """A video begins to play."""
    return _video("play_video", video, duration, currentTime=at)


def paused(video: UsageKey, duration: float, at: float) -> Act:
    """A video is paused."""
    return _video("pause_video", video, duration, currentTime=at)


def stopped(video: UsageKey, duration: float, at: float) -> Act:
    """A video has reached its end."""
    return _video("stop_video", video, duration, currentTime=at)


def completed(video: UsageKey, duration: float) -> Act:
    """A video is watched as far as completion takes."""
    return _video("complete_video", video, duration, currentTime=duration)


def sought(video: UsageKey, duration: float, old: float, new: float) -> Act:
    """The position in a video is moved."""
    return _video("seek_video", video, duration, old_time=old, new_time=new, type="onSlideSeek")


def speed_changed(video: UsageKey, duration: float, at: float, old: str, new: str) -> Act:
    """A video plays at another speed, such as "1.50"."""
    return _video("speed_change_video", video, duration, current_time=at, old_speed=old, new_speed=new)


def transcript_shown(video: UsageKey, duration: float, at: float) -> Act:
    """The transcript of a video is shown."""
    return _video("show_transcript", video, duration, current_time=at)


def transcript_hidden(video: UsageKey, duration: float, at: float) -> Act:
    """The transcript of a video is hidden."""
    return _video("hide_transcript", video, duration, current_time=at)


def captions_shown(video: UsageKey, duration: float, at: float) -> Act:
    """The captions of a video are shown."""
    return _video("edx.video.closed_captions.shown", video, duration, current_time=at)


def _video(name: str, video: UsageKey, duration: float, **more: Any) -> Act:
    data = {"id": video.block_id, "code": "html5", "duration": duration, **more}
    return Act(name, data, video.course_key, "browser")
