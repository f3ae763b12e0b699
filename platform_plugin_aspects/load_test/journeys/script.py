"""A learner's way through a course, as a plan: neither events nor answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from platform_plugin_aspects.load_test.acts.problems import Answer
from platform_plugin_aspects.load_test.journeys.structure import Problem, Unit, Video


class Kind(StrEnum):
    """Kinds of learners."""

    PASSES = "passes"
    FAILS = "fails"
    BROWSES = "browses"
    LEAVES = "leaves"
    STAYS_AWAY = "stays away"


@dataclass(frozen=True)
class Watch:
    """A video is played in stretches, each from one second to another. Between them the learner pauses or seeks."""

    video: Video
    stretches: Sequence[tuple[int, int]]
    with_transcript: bool = False


@dataclass(frozen=True)
class Solve:
    """A problem is submitted, each time with an answer to every question."""

    problem: Problem
    submissions: Sequence[Sequence[Answer]]
    asks_hint: bool = False
    asks_answer: bool = False


@dataclass(frozen=True)
class Post:
    """Something is written in the forum: a thread, or a response to one's own."""

    kind: str
    number: int


@dataclass(frozen=True)
class Read:
    """A thread of the forum is read: the number of the course team's thread, from 1, and its title."""

    number: int
    title: str


#: Something that is done in a unit.
Step = Watch | Solve | Post | Read


@dataclass(frozen=True)
class Study:
    """A unit, and what is done there, in order."""

    unit: Unit
    steps: Sequence[Step]

    @property
    def seconds(self) -> int:
        """How long it takes, about and at most."""
        watched = sum(
            end - start + 10 for step in self.steps if isinstance(step, Watch) for start, end in step.stretches
        )
        return watched + 60 * (1 + len(self.unit.texts) + 2 * len(self.steps))


@dataclass(frozen=True)
class Visit:
    """A stay in the course, without long breaks."""

    start: datetime
    session: str
    studies: Sequence[Study]


@dataclass(frozen=True)
class Script:
    """A learner's way through a course; a moment is None when it never comes."""

    kind: Kind
    enrolled_at: datetime
    upgraded_at: datetime | None = None
    left_at: datetime | None = None
    visits: Sequence[Visit] = field(default_factory=list)

    @property
    def mode(self) -> str:
        """The mode of the enrollment in the end."""
        return "audit" if self.upgraded_at is None else "verified"

    @property
    def is_active(self) -> bool:
        """Whether the learner is still enrolled in the end."""
        return self.left_at is None
