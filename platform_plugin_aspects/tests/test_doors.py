"""Modules that import edx-platform: edx_platform.py for the plugin, load_test/platform.py for the load test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import platform_plugin_aspects

DOORS = {"edx_platform.py", "load_test/platform.py"}
#: Plugin types, settings that name models, and signals that are listened to. The door loads the last two.
ONLY_NAMES = {"apps.py", "delivery/triggers.py", "settings/common.py"}
OF_THE_PLATFORM = re.compile(r"(common|cms|lms|openedx|xmodule)\.[\w.]+")


def modules_of_the_platform(tree: ast.AST) -> set[str]:
    """Dotted paths into edx-platform that are imported, or that are a text of their own."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {f"{alias.name}.__init__" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant):
            found.add(str(node.value))
    return set(filter(OF_THE_PLATFORM.fullmatch, found))


@pytest.mark.parametrize(
    "line",
    [
        "import openedx",
        "from common.djangoapps import student",
        "from lms import x",
        "import_string('cms.djangoapps.contentstore')",
    ],
)
def test_an_import_of_edx_platform_is_seen(line: str) -> None:
    assert modules_of_the_platform(ast.parse(line))


@pytest.mark.parametrize(
    "line", ["from .lms_pages import x", "import openedx_events.learning", "'cms'", "'common. Yes'"]
)
def test_other_imports_and_texts_are_not(line: str) -> None:
    assert not modules_of_the_platform(ast.parse(line))


def test_only_the_doors_import_edx_platform() -> None:
    folder = Path(platform_plugin_aspects.__file__).parent
    modules = {
        str(path.relative_to(folder)): modules_of_the_platform(ast.parse(path.read_text()))
        for path in folder.rglob("*.py")
        if "tests" not in path.relative_to(folder).parts
    }
    assert {module for module, found in modules.items() if found} == DOORS | ONLY_NAMES
