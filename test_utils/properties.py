"""How many examples the property tests try: what each says or, for all, EXAMPLES in the environment."""

from __future__ import annotations

import os

from hypothesis import settings

EXAMPLES = int(os.environ.get("EXAMPLES") or 0)

if EXAMPLES:
    # For tests that say nothing; the plugin fixtures imports this before it imports tests.
    settings.register_profile("examples", max_examples=EXAMPLES, deadline=None)
    settings.load_profile("examples")


def examples(number: int) -> int:
    """The number of a test, unless the environment says otherwise: ``@settings(max_examples=examples(25))``."""
    return EXAMPLES or number
