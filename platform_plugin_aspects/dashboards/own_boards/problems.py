"""Why an export cannot become a board."""

from __future__ import annotations

from collections.abc import Iterable


class UnusableBoard(Exception):
    """An export, a kept board or ASPECTS_BOARDS_DIR is unusable. ``problems``: texts that say what to do."""

    def __init__(self, problems: Iterable[str]):
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))
