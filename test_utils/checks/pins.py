"""Proves that the base requirements resolve on Python 3.12 with edx-platform's pins.

Usage: pins.py <requirements> <pins>. Asks pip to resolve, for the platform's Python whichever one runs this,
the requirements with the pins as constraints, then both together; installs nothing. Exit code 1 if either
cannot be.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

PLATFORM_PYTHON = "3.12"


def resolve(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Ask pip to resolve `arguments`; only wheels count, as another Python's source builds cannot be run."""
    with tempfile.TemporaryDirectory() as target:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
        command += ["--quiet", "--dry-run", "--ignore-installed", "--target", target]
        command += ["--only-binary=:all:", "--python-version", PLATFORM_PYTHON, *arguments]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def main(requirements: str, pins: str) -> int:
    """Return the exit code: 0 when every way of naming the pins resolves."""
    ways = {
        "with the pins as constraints": ["-r", requirements, "-c", pins],
        "with everything that is pinned": ["-r", requirements, "-r", pins],
    }
    for way, arguments in ways.items():
        done = resolve(arguments)
        if done.returncode:
            print(done.stdout, file=sys.stderr)
            print(
                f"{requirements} does not resolve {way} ({pins}) on Python {PLATFORM_PYTHON}: installing the "
                "plugin would change or break edx-platform's image. Loosen the requirement named above.",
                file=sys.stderr,
            )
            return 1
    print(f"{requirements} resolves with {pins} on Python {PLATFORM_PYTHON}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
