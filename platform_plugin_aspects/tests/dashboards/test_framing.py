"""Whether browsers let one page frame another, by its headers."""

from __future__ import annotations

import pytest

from platform_plugin_aspects.dashboards.pages.framing import may_frame

SUPERSET = "https://superset.example/"


@pytest.mark.parametrize(
    ("sources", "framer", "may"),
    [
        ("https://lms.example", "https://lms.example", True),
        ("https://LMS.example", "https://lms.EXAMPLE/courses", True),
        ("https://lms.example/", "https://lms.example", True),
        ("https://lms.example", "http://lms.example", False),
        ("http://lms.example", "https://lms.example", True),
        ("https://lms.example", "https://lms.example:8443", False),
        ("https://lms.example:443", "https://lms.example", True),
        ("https://lms.example:8443", "https://lms.example:8443", True),
        ("https://lms.example:*", "https://lms.example:8443", True),
        ("https://lms.example", "https://studio.lms.example", False),
        ("https://*.example", "https://studio.lms.example", True),
        ("https://*.lms.example", "https://lms.example", False),
        ("https://*.lms.example", "https://evil-lms.example", False),
        ("lms.example", "https://lms.example", True),
        ("lms.example", "http://lms.example", False),
        ("a.example  https://lms.example", "https://lms.example", True),
        ("a.example b.example", "https://lms.example", False),
        ("*", "http://lms.example:8000", True),
        ("https:", "https://lms.example", True),
        ("https:", "http://lms.example", False),
        ("http:", "https://lms.example", True),
        ("'self'", "https://superset.example/lms", True),
        ("'self'", "https://superset.example:444", False),
        ("'none'", "https://lms.example", False),
        ("", "https://lms.example", False),
        ("lms?", "https://lms.example", False),
    ],
)
def test_frame_ancestors(sources: str, framer: str, may: bool) -> None:
    policy = f"default-src 'self'; Frame-Ancestors {sources}; img-src *"
    assert may_frame(framer, SUPERSET, {"Content-Security-Policy": policy, "X-Frame-Options": "DENY"}) is may


@pytest.mark.parametrize(
    ("policy", "may"),
    [
        ("frame-ancestors *, frame-ancestors https://lms.example", True),
        ("frame-ancestors *, frame-ancestors 'self'", False),
        ("frame-ancestors *; frame-ancestors 'none'", True),
        ("default-src 'none'; script-src 'self'", True),
        (" ;, ;", True),
    ],
)
def test_all_policies_hold_and_of_each_the_first_directive(policy: str, may: bool) -> None:
    assert may_frame("https://lms.example", SUPERSET, {"Content-Security-Policy": policy}) is may


@pytest.mark.parametrize(
    ("options", "framer", "may"),
    [
        ("SAMEORIGIN", "https://lms.example", False),
        ("sameorigin", "https://superset.example", True),
        ("SAMEORIGIN", "https://superset.example:443/lms", True),
        ("SAMEORIGIN, SAMEORIGIN", "https://lms.example", False),
        ("SAMEORIGIN, DENY", "https://superset.example", False),
        ("deny", "https://superset.example", False),
        ("ALLOW-FROM https://lms.example", "https://a.example", True),
    ],
)
def test_x_frame_options_count_where_no_policy_says_it(options: str, framer: str, may: bool) -> None:
    headers = {"X-Frame-Options": options, "Content-Security-Policy": "default-src 'self'"}
    assert may_frame(framer, SUPERSET, headers) is may


def test_every_page_may_frame_one_without_headers() -> None:
    assert may_frame("https://lms.example", SUPERSET, {})
