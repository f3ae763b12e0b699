"""Acts in the forum."""

from __future__ import annotations

from typing import Any

from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.load_test.acts.act import Act


def thread_created(course: CourseKey, topic: str, thread: str, title: str, body: str) -> Act:
    """A thread is begun in the forum."""
    data = {
        **_post(thread, topic, body),
        "title": title,
        "title_truncated": False,
        "thread_type": "discussion",
        "anonymous": False,
        "anonymous_to_peers": False,
        "options": {"followed": True},
    }
    path = f"/courses/{course}/discussion/{topic}/threads/create"
    return Act("edx.forum.thread.created", data, course, "server", path)


def thread_viewed(course: CourseKey, topic: str, thread: str, title: str) -> Act:
    """A thread is read."""
    data = {"id": thread, "commentable_id": topic, "title": title, "title_truncated": False}
    path = f"/courses/{course}/discussion/forum/{topic}/threads/{thread}"
    return Act("edx.forum.thread.viewed", data, course, "server", path)


def thread_voted(course: CourseKey, topic: str, thread: str) -> Act:
    """A thread gets a vote."""
    data = {"id": thread, "commentable_id": topic, "undo_vote": False, "vote_value": "up"}
    path = f"/courses/{course}/discussion/threads/{thread}/upvote"
    return Act("edx.forum.thread.voted", data, course, "server", path)


def response_created(course: CourseKey, topic: str, thread: str, response: str, body: str) -> Act:
    """A response is given to a thread."""
    data = {**_post(response, topic, body), "discussion": {"id": thread}}
    return Act("edx.forum.response.created", data, course, "server", f"/courses/{course}/discussion/threads/{thread}")


def comment_created(course: CourseKey, topic: str, thread: str, response: str, comment: str, body: str) -> Act:
    """A response gets a comment."""
    data = {**_post(comment, topic, body), "discussion": {"id": thread}, "response": {"id": response}}
    return Act("edx.forum.comment.created", data, course, "server", f"/courses/{course}/discussion/comments/{response}")


def _post(post: str, topic: str, body: str) -> dict[str, Any]:
    return {
        "id": post,
        "commentable_id": topic,
        "body": body,
        "truncated": False,
        "group_id": None,
        "team_id": None,
        "user_forums_roles": ["Student"],
        "user_course_roles": [],
    }
