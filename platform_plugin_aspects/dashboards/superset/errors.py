"""Why Superset gives no guest token, or takes no boards: one class for each thing that somebody can do about it.

``str()`` of an error is for the log; it names no secret and no person, and quotes nothing that Superset said. ``code``,
``status`` and ``message`` are for the browser.
"""

from __future__ import annotations

from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class SupersetError(Exception):
    """Superset cannot show the dashboards: always one of the classes below.

    ``problem`` and ``remedy`` are the two parts of the text; the latter is empty where it is not known what to do.
    """

    def __init__(self, problem: str, remedy: str = ""):
        super().__init__(f"{problem}: {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy

    #: For programs.
    code: ClassVar[str]
    #: The HTTP status that our own endpoints answer with.
    status: ClassVar[int]
    #: For people, translated when it is shown.
    message: ClassVar[str | Promise]


class SupersetUnavailable(SupersetError):
    """Superset cannot be reached, or is starting or overloaded; it may be back in a moment."""

    code = "superset_unavailable"
    status = 503
    message = _("The reports are not available at the moment. Please try again in a few minutes.")


class SupersetTimeout(SupersetError):
    """Superset did not answer in time."""

    code = "superset_timeout"
    status = 504
    message = _("The reports take too long to answer. Please try again in a few minutes.")


class SupersetRefused(SupersetError):
    """Superset refused the service account's request, or answered as no Superset does."""

    code = "superset_refused"
    status = 502
    message = _("The reports could not be opened. Please tell the site's administrators if this persists.")


class SupersetMisconfigured(SupersetError):
    """SUPERSET_CONFIG, or a setting of the dashboards, must be corrected."""

    code = "superset_misconfigured"
    status = 502
    message = _("The reports are not set up correctly. Please tell the site's administrators.")


class SupersetForbidden(SupersetRefused):
    """The account has not the right to do this: an administrator of Superset has."""


class SupersetConflict(SupersetRefused):
    """A name or an object that a board needs belongs to somebody else in Superset."""
