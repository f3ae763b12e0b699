"""Somebody who follows a page on a site of the stand-in platform.

console
    Lines after ``$`` are run by bash in the operator's folder, where ``python manage.py`` is the stand-in's and the
    programs in ``bin`` are there. Each must succeed. Output that the page shows must match: ``...`` stands for
    anything, and white space may differ.
sql
    Statements, each ended by a semicolon, for ClickHouse's administrator.
yaml
    Goes into the env tokens of LMS and CMS.
python
    Settings, assigned last of all, as Tutor's are.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from test_utils.processes import REPOSITORY

from .page import Block

BIN = Path(__file__).parent / "bin"
#: A command, which a backslash continues on the next line, and the output that is shown below it.
_COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)((?:\n(?!\$ ).*)*)", re.MULTILINE)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class PageFailed(AssertionError):
    """A step of the page did not do what the page says."""


class Operator:
    """``names``: what the page calls a thing, and what it is here. ``administrator``: ClickHouse's, name and password.

    ``folder`` is empty; ``environment`` is added to that of this process.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        names: Mapping[str, str],
        administrator: tuple[str, str],
    ):
        self.folder = folder
        self.names = names
        self.administrator = administrator
        self.tokens: dict[str, Any] = {}
        self.tutor_settings: dict[str, Any] = {}
        files = {"STANDIN_ENV_TOKENS": "env-tokens.json", "STANDIN_TUTOR_SETTINGS": "tutor-settings.json"}
        self.environment = {
            **os.environ,
            **environment,
            **{variable: str(folder / name) for variable, name in files.items()},
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(BIN), os.environ["PATH"]]),
        }
        (folder / "manage.py").symlink_to(REPOSITORY / "manage.py")
        self._save_settings()

    def follow(self, blocks: Iterable[Block], *sections: str) -> None:
        """Do what the blocks of these sections say, in the order of the page; PageFailed when that cannot be done."""
        chosen = [block for block in blocks if block.section in sections]
        without = set(sections) - {block.section for block in chosen}
        if without:
            raise PageFailed(f"There is nothing to do in {', '.join(sorted(without))}")
        kinds: dict[str, Callable[[str], None]] = {
            "console": self.type,
            "sql": self.ask_clickhouse,
            "yaml": self.set_tokens,
            "python": self.set_tutor_settings,
        }
        for block in chosen:
            if block.language not in kinds:
                raise PageFailed(f"Nobody knows how to follow a block of {block.language!r}: {block.text}")
            if not block.not_run:
                kinds[block.language](self._here(block.text))

    def type(self, text: str) -> None:
        """Run the commands in ``text`` and compare what they say with what it shows."""
        if not text.startswith("$ "):
            raise PageFailed(f"Output without a command: {text}")
        for command, shown in _COMMAND.findall(text):
            said = self.run(command)
            if shown and not doctest.OutputChecker().check_output(shown.lstrip("\n"), said, _FLAGS):
                raise PageFailed(f"$ {command}\nThe page shows:\n{shown}\nIt says:\n{said}")

    def run(self, command: str, given: str = "") -> str:
        """The standard output of a bash command; raises PageFailed when it fails."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PageFailed(f"$ {command}\nended with exit code {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def python(self, statements: str, service: str = "cms") -> str:
        """The output of Python statements that are run on the site."""
        return self.run(f"python manage.py {service} shell --verbosity 0 -c {shlex.quote(statements)}")

    def ask_clickhouse(self, statements: str) -> None:
        """Run statements as the administrator."""
        user, password = map(shlex.quote, self.administrator)
        self.run(f"clickhouse-client --user {user} --password {password}", given=statements)

    def set_tokens(self, text: str) -> None:
        """Add what the YAML says to the env tokens."""
        self.tokens |= yaml.safe_load(text)
        self._save_settings()

    def set_tutor_settings(self, text: str) -> None:
        """Add what the Python assigns to the settings that are assigned last of all."""
        assigned: dict[str, Any] = {}
        exec(text, {}, assigned)
        self.tutor_settings |= assigned
        self._save_settings()

    def _save_settings(self) -> None:
        Path(self.environment["STANDIN_ENV_TOKENS"]).write_text(json.dumps(self.tokens))
        Path(self.environment["STANDIN_TUTOR_SETTINGS"]).write_text(json.dumps(self.tutor_settings))

    def _here(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace(name, value)
        return text
