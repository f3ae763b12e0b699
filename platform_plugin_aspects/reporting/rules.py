"""The thresholds that reports use, as the setting ASPECTS_REPORTING_RULES has them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.mapping_settings import WrongValue, kind, read_mapping

SETTING = "ASPECTS_REPORTING_RULES"


def _number(least: float, most: float, *, whole: bool = False) -> Callable[[Any], float]:
    """The kind of numbers in these limits."""

    def convert(value: Any) -> float:
        try:
            found = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            found = math.nan
        if not least <= found <= most or (whole and found != int(found)):
            of = "a whole number" if whole else "a number"
            raise WrongValue(f"is {value!r}: it must be {of} from {least:g} to {most:g}")
        return int(found) if whole else found

    return convert


_SHARE = kind(_number(0, 1))


@dataclass(frozen=True)
class Rules:
    """Thresholds. Shares are from 0 to 1."""

    #: A learner is at risk after so many days without a visit.
    away_days: int = field(default=7, metadata=kind(_number(1, 365, whole=True)))
    #: A learner with a grade below this is at risk.
    low_grade: float = field(default=0.5, metadata=_SHARE)
    #: A learner whose progress is below this share of the course's median is at risk.
    behind: float = field(default=0.5, metadata=_SHARE)
    #: A problem is hard when fewer learners than this share get it right at first.
    low_success: float = field(default=0.4, metadata=_SHARE)
    #: A problem does not discriminate when the best third is better than the weakest by less than this.
    low_discrimination: float = field(default=0.1, metadata=_SHARE)
    #: A problem takes many attempts when learners need more than this, on average.
    many_attempts: float = field(default=2.0, metadata=kind(_number(1, 1_000)))
    #: Groups of fewer learners are hidden where one of them could be recognised.
    smallest_group: int = field(default=5, metadata=kind(_number(1, 1_000, whole=True)))
    #: A run of a course is shown beside so many former ones; 0: beside none.
    runs_compared: int = field(default=3, metadata=kind(_number(0, 20, whole=True)))

    @classmethod
    def from_settings(cls) -> Rules:
        """The configured rules. Raises Misconfigured for an invalid value."""
        return cls(**read_mapping(cls, SETTING, Misconfigured))

    def values(self) -> dict[str, float]:
        """The thresholds by name."""
        return asdict(self)
