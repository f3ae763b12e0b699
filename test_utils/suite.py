"""Running pytest in the process that has started the servers of a suite."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

#: For each test: they wait for servers.
TIMEOUT_SECS = "900"


def run_tests(suite: str, arguments: Sequence[str], plugin: object) -> int:
    """Run the tests of tests/``suite`` that are marked ``suite``, and return pytest's exit code.

    ``arguments``: further ones of pytest's. ``plugin``: the servers, as the tests' fixtures find them.
    """
    options = ["-m", suite, "--ds", "cms.envs.standin", "-p", "no:cacheprovider", "--timeout", TIMEOUT_SECS]
    return int(pytest.main([*options, f"platform_plugin_aspects/tests/{suite}", *arguments], plugins=[plugin]))
