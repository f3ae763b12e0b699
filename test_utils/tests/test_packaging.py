"""Building the package with and without the browser's bundle, by the hooks that pip calls."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from platform_plugin_aspects import __version__
from test_utils.processes import REPOSITORY

DIST = "platform_plugin_aspects/static/platform_plugin_aspects/dist"
BUNDLE = f"{DIST}/aspects-dashboards.js"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files of the repository that a build reads: as after ``git clone``, without the bundle."""
    ignored = shutil.ignore_patterns("dist", "tests", "migrations", "locale", "__pycache__", "*.egg-info")
    shutil.copytree(REPOSITORY / "platform_plugin_aspects", tmp_path / "platform_plugin_aspects", ignore=ignored)
    (tmp_path / "requirements").mkdir()
    for name in ("setup.py", "MANIFEST.in", "pyproject.toml", "README.rst", "LICENSE", "requirements/base.in"):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    return tmp_path


def build(checkout: Path, kind: str) -> subprocess.CompletedProcess[str]:
    """Call a hook of PEP 517 or 660, as pip does: what is built is in ``out``."""
    (checkout / "out").mkdir(exist_ok=True)
    hook = f"from setuptools import build_meta; build_meta.build_{kind}('out')"
    command = [sys.executable, "-W", "ignore", "-c", hook]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_without_the_bundle_nothing_is_built_and_one_message_says_what_to_run(checkout: Path, kind: str) -> None:
    done = build(checkout, kind)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-3:] == [
        f"error: {BUNDLE} is missing: the dashboards would stay blank.",
        "It is built with npm and not kept in git. In a clone of the repository, run `make wheel` and install the",
        "wheel in dist/; or run `make bundle`, then install from the clone.",
    ]
    assert "Traceback" not in done.stderr
    assert list((checkout / "out").iterdir()) == []


def test_an_editable_installation_needs_no_bundle(checkout: Path) -> None:
    done = build(checkout, "editable")
    assert done.returncode == 0, done.stderr
    assert [path.suffix for path in (checkout / "out").iterdir()] == [".whl"]


def test_the_bundle_and_its_licences_are_in_the_wheel(checkout: Path) -> None:
    (checkout / DIST).mkdir()
    (checkout / BUNDLE).write_text("built;")
    (checkout / f"{BUNDLE}.LICENSES.txt").write_text("theirs")
    done = build(checkout, "wheel")
    assert done.returncode == 0, done.stderr
    (wheel,) = (checkout / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(BUNDLE) == b"built;"
        assert archive.read(f"{BUNDLE}.LICENSES.txt") == b"theirs"


@pytest.mark.parametrize("page", ["README.rst", "docs/how-tos/tutor.rst", "docs/how-tos/without_tutor.rst"])
def test_pages_install_the_wheel_that_is_built_and_not_what_no_registry_has(page: str) -> None:
    text = (REPOSITORY / page).read_text()
    assert set(re.findall(r"platform_plugin_aspects-[\w.-]*whl", text)) == {
        f"platform_plugin_aspects-{__version__}-py3-none-any.whl"
    }
    assert re.findall(r"platform-plugin-aspects(?:\[\w+\])?>=3[\w.]*", text) == []
    assert "Version 3.0 is not released yet" in text
