"""`<folder>/manage cms aspects_status`: a Django command on the demo's site, from any folder and in any shell.

The demo writes that script; it runs this file with the demo's folder and the words after it.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from test_utils.demo import site  # noqa: E402

SCRIPT = "manage"


def write(folder: Path) -> Path:
    """Write the script into the demo's folder; returns where it is."""
    script = folder / SCRIPT
    words = (sys.executable, str(Path(__file__).resolve()), str(folder))
    script.write_text(f'#!/bin/sh\n# A Django command on this demo\'s site.\nexec {shlex.join(words)} "$@"\n')
    script.chmod(0o755)
    return script


def main(folder: Path, *words: str) -> None:
    """Become manage.py, with the folder locked until that ends."""
    try:
        lock = site.lock(folder, shared=True)
    except (OSError, site.DemoFailed) as failure:
        sys.exit(f"{folder / SCRIPT}: {failure}")
    os.set_inheritable(lock, True)
    os.environ.update(site.environment(folder), EDX_PLATFORM_SETTINGS="standin")
    os.execv(sys.executable, [sys.executable, str(ROOT / "manage.py"), *words])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
