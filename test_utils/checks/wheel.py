"""Checks a built sdist and wheel: what they hold, and that the wheel loads in an empty environment.

Usage: wheel.py <folder that holds both>, from the root of the repository. Exit code 1 with the reasons when
something is wrong.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

PACKAGE = "platform_plugin_aspects"
CONFIG_CLASS = f"{PACKAGE}.apps:PlatformPluginAspectsConfig"
#: By group and name.
ENTRY_POINTS = {
    ("lms.djangoapp", PACKAGE): CONFIG_CLASS,
    ("cms.djangoapp", PACKAGE): CONFIG_CLASS,
    ("xblock.v1", "superset"): f"{PACKAGE}.xblock:SupersetXBlock",
}
#: Files of the sdist that setup.py reads or that people expect.
SDIST_FILES = {"setup.py", "requirements/base.in", "README.rst", "LICENSE", "CHANGELOG.rst", "pyproject.toml"}
#: Not in the repository: built by npm. The bundle carries other people's code.
BUNDLE = f"{PACKAGE}/static/{PACKAGE}/dist/aspects-dashboards.js"
BUILT_FILES = {BUNDLE, f"{BUNDLE}.LICENSES.txt"}
PLUGIN_HOST = Path(__file__).with_name("plugin_host.py")


def source_files() -> set[str]:
    """Return every file of the package that a user needs: all but the tests and what Python compiled."""
    paths = (path for path in Path(PACKAGE).rglob("*") if path.is_file())
    return BUILT_FILES | {
        path.as_posix()
        for path in paths
        if path.suffix not in {".pyc", ".pyo"} and not {"tests", "__pycache__"} & set(path.parts)
    }


def wheel_faults(wheel: Path) -> Iterator[str]:
    """Yield what is wrong with the wheel's contents and metadata."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        info = next(name.split("/")[0] for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        entry_points = ConfigParser()
        entry_points.read_string(archive.read(f"{info}/entry_points.txt").decode())
    held = {name for name in names if not name.startswith(f"{info}/")}
    wanted = source_files()
    for name in sorted(wanted - held):
        yield f"{wheel.name} lacks {name}: see MANIFEST.in and packages in setup.py"
    for name in sorted(held - wanted):
        yield f"{wheel.name} holds {name}, which is not a part of the package"
    for (group, name), wanted_class in ENTRY_POINTS.items():
        found = entry_points.get(group, name, fallback=None)
        if found != wanted_class:
            yield f"{wheel.name}: entry point {name} of {group} is {found!r}, not {wanted_class!r}"
    if metadata["Name"] != "platform-plugin-aspects":
        yield f"{wheel.name}: the distribution is called {metadata['Name']!r}"


def sdist_faults(sdist: Path) -> Iterator[str]:
    """Yield what is missing in the sdist."""
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    for name in sorted((SDIST_FILES | source_files()) - names):
        yield f"{sdist.name} lacks {name}: see MANIFEST.in"


def load_faults(wheel: Path) -> Iterator[str]:
    """Install the wheel in an empty environment and yield what fails when the plugin is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder, "venv")
        venv.create(environment, with_pip=True)
        python = str(environment / "bin" / "python")
        pip = [python, "-m", "pip", "-qq", "--disable-pip-version-check", "--no-input"]
        subprocess.run([*pip, "install", str(wheel.resolve())], check=True)
        # Away from the repository, whose folder of the same name would otherwise be imported.
        host = shutil.copy(PLUGIN_HOST, folder)
        for variant in ("lms", "cms"):
            # -I: no PYTHONPATH, no user site, nothing of the working directory.
            command = [python, "-I", "-W", "default", host, variant]
            done = subprocess.run(
                command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            if done.returncode:
                yield f"{wheel.name} does not load as {variant.upper()} plugin:\n{done.stdout}"


def main(folder: str) -> int:
    """Return the exit code: 0 when there is nothing wrong."""
    wheels, sdists = list(Path(folder).glob("*.whl")), list(Path(folder).glob("*.tar.gz"))
    if (len(wheels), len(sdists)) != (1, 1):
        print(f"{folder} should hold one wheel and one sdist, not {wheels + sdists}", file=sys.stderr)
        return 1
    wheel, sdist = wheels[0], sdists[0]
    faults = [*wheel_faults(wheel), *sdist_faults(sdist)] or list(load_faults(wheel))
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        print(f"{wheel.name} holds the whole package and loads as LMS and as CMS plugin in an empty environment")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
