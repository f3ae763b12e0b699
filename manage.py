#!/usr/bin/env python
"""Run a Django command on the stand-in platform: ``manage.py [lms|cms] <command>`` (default: lms)."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VARIANTS = ("lms", "cms")


def main(argv: list[str]) -> None:
    """Pick the settings of the variant named first, then hand the rest to Django."""
    sys.path[:0] = [str(ROOT), str(ROOT / "test_utils" / "edx_platform")]
    settings_name = os.environ.get("EDX_PLATFORM_SETTINGS", "standin")
    if len(argv) > 1 and argv[1] in VARIANTS:
        variant = argv.pop(1)
        os.environ["DJANGO_SETTINGS_MODULE"] = f"{variant}.envs.{settings_name}"
    else:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"lms.envs.{settings_name}")

    from django.core.management import execute_from_command_line

    execute_from_command_line(argv)


if __name__ == "__main__":
    main(sys.argv)
