"""How property tests run, and how many examples they try: what each says or, for all, EXAMPLES in the environment."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("EXAMPLES") or 0)

# A busy machine makes no test fail, and the fixtures of these tests serve all examples of one. The plugin fixtures
# imports this before it imports tests.
settings.register_profile(
    "project",
    **({"max_examples": EXAMPLES} if EXAMPLES else {}),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("project")


def examples(number: int) -> int:
    """The number of a test, unless the environment says otherwise: ``@settings(max_examples=examples(25))``."""
    return EXAMPLES or number
