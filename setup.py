"""Packaging of platform-plugin-aspects."""

import re
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist
from setuptools.errors import SetupError

ROOT = Path(__file__).parent
PACKAGE = "platform_plugin_aspects"
PLUGIN = f"{PACKAGE} = {PACKAGE}.apps:PlatformPluginAspectsConfig"
#: The browser's part, which npm builds, and the licences of what it holds.
BUNDLE = f"{PACKAGE}/static/{PACKAGE}/dist/aspects-dashboards.js"
BUILT = (BUNDLE, f"{BUNDLE}.LICENSES.txt")


def version() -> str:
    """Return the package's `__version__`, read as text: importing it may need what is not installed yet."""
    source = (ROOT / PACKAGE / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    if found is None:
        raise RuntimeError(f'{PACKAGE}/__init__.py has no line __version__ = "...": add it')
    return found.group(1)


def requirements(name: str) -> list[str]:
    """Return the requirement lines of requirements/<name>, without comments and blank lines."""
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    stripped = (line.split("#", 1)[0].strip() for line in lines)
    return [line for line in stripped if line]


def require_bundle() -> None:
    """Refuse to build a package whose dashboards would stay blank."""
    missing = [name for name in BUILT if not (ROOT / name).is_file()]
    if missing:
        raise SetupError(
            f"{missing[0]} is missing: the dashboards would stay blank.\n"
            "It is built with npm and not kept in git. In a clone of the repository, run `make wheel` and install the\n"
            "wheel in dist/; or run `make bundle`, then install from the clone."
        )


class BuildPy(build_py):
    """Editable installations, with which development begins, need no bundle."""

    def run(self) -> None:
        """Build, unless the bundle is missing."""
        if not self.editable_mode:
            require_bundle()
        super().run()


class Sdist(sdist):
    """A wheel is built from the sdist without npm."""

    def run(self) -> None:
        """Build, unless the bundle is missing."""
        require_bundle()
        super().run()


setup(
    name="platform-plugin-aspects",
    version=version(),
    description="Copies what Open edX knows into ClickHouse, and shows course teams the dashboards of Aspects",
    long_description=(ROOT / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    keywords="Open edX, edx-platform, ClickHouse, analytics, Aspects",
    cmdclass={"build_py": BuildPy, "sdist": Sdist},
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"], exclude=["*.tests", "*.tests.*"]),
    include_package_data=True,
    python_requires=">=3.11",
    install_requires=requirements("base.in"),
    extras_require={
        # For chdb:/// urls: the ClickHouse engine inside the process. The bound is clickhouse-connect's own.
        "embedded": ["chdb>=4.1.7"],
        # The event buses that monitor_load_test_tracking can watch; edx-platform has its redis already.
        "kafka": ["confluent-kafka>=2"],
        "redis": ["redis"],
        # The charts of aspects_load_test_report.
        "report": ["matplotlib>=3.9"],
        # Learning events as xAPI statements. edx-event-routing-backends (AGPL) is imported only where the sink is on;
        # 9.3 is the last for Python 3.11. zstandard reads tracking logs that are compressed so.
        "xapi": ["edx-event-routing-backends>=9.3", "zstandard"],
    },
    entry_points={
        "lms.djangoapp": [PLUGIN],
        "cms.djangoapp": [PLUGIN],
        "xblock.v1": [f"superset = {PACKAGE}.xblock:SupersetXBlock"],
    },
    zip_safe=False,
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Framework :: Django",
        "Framework :: Django :: 4.2",
        "Framework :: Django :: 5.2",
        "Intended Audience :: Developers",
        "Natural Language :: English",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
    ],
)
