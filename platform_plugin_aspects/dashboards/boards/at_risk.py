"""The board of learners who need a word: who they are, and why. It shows names."""

from __future__ import annotations

from platform_plugin_aspects.dashboards.boards.house import bars, number, table
from platform_plugin_aspects.dashboards.boards.own_catalog import gettext_lazy as _
from platform_plugin_aspects.dashboards.boards.parts import Board, Condition, Order, Tab
from platform_plugin_aspects.dashboards.boards.texts import NOT_PUBLISHED

NO_RISK = _("No learner is at risk.")
RULES = _(
    "At risk: enrolled learners who do not pass yet, with no visit for some days, a low grade, or little progress next"
    " to the others. The site sets the limits."
)

NUMBER = number(
    "at-risk-number",
    _("How many are at risk?"),
    "course_summary",
    "at_risk",
    _("Enrolled learners who do not pass yet, and to whom one of the reasons applies."),
    NOT_PUBLISHED,
    width=3,
)
REASONS = bars(
    "at-risk-reasons",
    _("For which reasons?"),
    "at_risk_reasons",
    "reason",
    ("learners",),
    _("Learners at risk, by reason. A learner with two reasons is counted under both."),
    NO_RISK,
    height=40,
)
LIST = table(
    "at-risk-learners",
    _("Who needs a word?"),
    "learner_status_with_names",
    ("username", "name", "email", "reasons", "last_visit", "progress", "grade", "days_active"),
    RULES,
    NO_RISK,
    shaded=("progress", "grade"),
    where=(Condition("at_risk", "==", 1),),
    # A null, which is for those who never came, stands last.
    order=(Order("last_visit"),),
    limit=10_000,
    height=90,
)

AT_RISK = Board(
    "at-risk",
    _("At risk"),
    _("Learners who need a word, and why. The menu of the list downloads it as CSV."),
    (Tab("at-risk", _("At risk"), ((NUMBER, REASONS), (LIST,))),),
)
