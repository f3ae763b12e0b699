"""The texts that views write into columns, with their translations: one set for a name, in whatever view it stands.

Views write English, because all languages read the same rows. A column without a set has values of others, such as
names, answers, and the tracks of the platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise

from platform_plugin_aspects.dashboards.boards.own_catalog import Plural, ngettext_lazy, pgettext_lazy
from platform_plugin_aspects.dashboards.boards.own_catalog import gettext_lazy as _
from platform_plugin_aspects.reporting.rules import Rules

Text = str | Promise | Plural


@dataclass(frozen=True)
class Values:
    """All values of a column. ``texts``: {the text as the SQL of the view has it: its translation}.

    ``separator``: what stands between the values of a column that holds several; empty: it holds one.
    """

    texts: Mapping[str, Text]
    separator: str = ""

    def translated(self, rules: Rules) -> dict[str, str]:
        """{the value as ClickHouse has it: the text in the active language}."""
        numbers = rules.values()
        found = {}
        for written, text in self.texts.items():
            value = written
            for name, number in numbers.items():
                value = value.replace(f"{{rule.{name}}}", str(number))
            # A text that names a rule has its number, and the plural of it.
            found[value] = text % numbers if isinstance(text, Plural) else str(text)
        return found


_REASONS: Mapping[str, Text] = {
    # Translators: why a learner is at risk.
    "no visit for {rule.away_days} days": ngettext_lazy(
        "no visit for %(away_days)d day", "no visit for %(away_days)d days", "away_days"
    ),
    # Translators: why a learner is at risk.
    "never visited": _("never visited"),
    # Translators: why a learner is at risk.
    "low grade": _("low grade"),
    # Translators: why a learner is at risk: little progress next to the others.
    "behind the others": _("behind the others"),
}

VALUES: Mapping[str, Values] = {
    "enrollment": Values(
        {
            # Translators: the enrollment of a learner, in a column called Enrollment.
            "enrolled": pgettext_lazy("enrollment", "enrolled"),
            # Translators: the enrollment of a learner, in a column called Enrollment.
            "left": pgettext_lazy("enrollment", "left"),
            # Translators: the enrollment of a learner, in a column called Enrollment.
            "unknown": pgettext_lazy("enrollment", "unknown"),
        }
    ),
    "flags": Values(
        {
            # Translators: a remark on a problem of the course.
            "few right at first": _("few right at first"),
            # Translators: a remark on a problem of the course.
            "does not tell strong from weak learners": _("does not tell strong from weak learners"),
            # Translators: a remark on a problem of the course.
            "many attempts": _("many attempts"),
        },
        separator="; ",
    ),
    "reason": Values(_REASONS),
    "reasons": Values(_REASONS, separator="; "),
}
