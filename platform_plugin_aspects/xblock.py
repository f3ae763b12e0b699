"""An XBlock that shows a Superset dashboard to the course team, in the middle of the course."""

from __future__ import annotations

import json
import logging
from math import ceil
from typing import Any
from uuid import UUID

from crum import get_current_user
from django.contrib.auth import get_user_model
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from opaque_keys.edx.keys import CourseKey
from rest_framework.exceptions import Throttled
from web_fragments.fragment import Fragment
from webob import Request, Response
from xblock.core import XBlock
from xblock.fields import Scope, String
from xblock.utils.studio_editable import StudioEditableXBlockMixin
from xblock.validation import Validation, ValidationMessage

from platform_plugin_aspects import content_keys
from platform_plugin_aspects.dashboards.access import tokens
from platform_plugin_aspects.dashboards.access.author_filters import RefusedFilter, check_size, parse_filter
from platform_plugin_aspects.dashboards.access.permissions import may_see_reports
from platform_plugin_aspects.dashboards.dashboard_settings import Dashboard
from platform_plugin_aspects.dashboards.pages import embedding
from platform_plugin_aspects.dashboards.pages.throttling import count_request
from platform_plugin_aspects.dashboards.shown import in_language_of, offered_to
from platform_plugin_aspects.dashboards.superset.errors import SupersetError, SupersetMisconfigured

log = logging.getLogger(__name__)

#: The dashboards of the workbench's scenarios: the first two of Aspects.
EXAMPLES = ("c0e64194-33d1-4d5a-8c10-4f51530c5ee9", "abae8a25-1ba4-4653-81bd-d3937a162a11")
#: The id of the list of dashboards in the editor, of which Studio opens one at a time.
OFFER = "aspects-dashboards-on-offer"


class Lines(String):
    """Text, one entry a line; a list of texts, as itself or as JSON, is read as its lines."""

    def from_json(self, value: Any) -> Any:
        """The lines as one text."""
        if isinstance(value, str) and value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return super().from_json(value)
        if isinstance(value, list):
            value = "\n".join(" ".join(str(entry).splitlines()) for entry in value)
        return super().from_json(value)


@XBlock.wants("user")
class SupersetXBlock(StudioEditableXBlockMixin, XBlock):
    """A dashboard of Superset, for those who may see the course's reports; others see a short notice."""

    display_name = String(
        display_name=gettext_lazy("Display name"),
        help=gettext_lazy("The heading of this component."),
        # As in version 2: blocks without a heading of their own keep the one that they have shown.
        default=gettext_lazy("Superset Dashboard"),
        scope=Scope.settings,
    )
    dashboard_uuid = String(
        display_name=gettext_lazy("Dashboard UUID"),
        help=gettext_lazy(
            "Choose one of the site's dashboards by its name, or enter the UUID under which Superset embeds another."
        ),
        default="",
        scope=Scope.settings,
    )
    filters = Lines(
        display_name=gettext_lazy("Filters"),
        help=gettext_lazy(
            "Comparisons of columns, one a line, that narrow down what the dashboard shows, "
            "such as: enrollment_mode IN ('verified', 'honor')"
        ),
        default="",
        scope=Scope.settings,
        multiline_editor=True,
    )
    editable_fields = ("display_name", "dashboard_uuid", "filters")

    def student_view(self, context: dict[str, Any] | None = None) -> Fragment:
        """The dashboard, or why there is none to see; in Studio too."""
        fragment = Fragment(format_html("<h3>{}</h3>", self.display_name or ""))
        uuid, reader = _uuid(self.dashboard_uuid), self._reader()
        if reader is None:
            notice = _("The course team sees a dashboard here.")
        elif uuid is None:
            notice = _("There is no dashboard yet: edit this component in Studio and enter the dashboard's UUID.")
        else:
            try:
                uuid = in_language_of(reader[0], uuid)
                dashboard = Dashboard(str(self.display_name or ""), slug="", uuid=uuid, allow_translations=False)
                config = embedding.embed_config([dashboard], self.runtime.handler_url(self, "guest_token"))
                fragment.add_content(embedding.element({**config, "link": None}))
                if script := embedding.script_url():
                    fragment.add_javascript_url(script)
                return fragment
            except SupersetMisconfigured as error:
                log.error("The dashboard of %s is not shown: %s", self.scope_ids.usage_id, error)
                notice = str(error.message)
        fragment.add_content(format_html("<p>{}</p>", notice))
        return fragment

    def studio_view(self, context: dict[str, Any] | None = None) -> Fragment:
        """The editor, which offers the dashboards of the Reports page by name; others need their UUID."""
        fragment = super().studio_view(context)
        try:
            offered = offered_to(get_current_user())
        except SupersetMisconfigured as error:
            log.error("The editor of %s offers no dashboards: %s", self.scope_ids.usage_id, error)
            offered = []
        if offered:
            field = 'id="xb-field-edit-dashboard_uuid"'
            fragment.content = fragment.content.replace(field, f'{field} list="{OFFER}"')
            options = ((dashboard.uuid, dashboard.name) for dashboard in offered)
            options_html = format_html_join("", '<option value="{}">{}</option>', options)
            fragment.add_content(format_html('<datalist id="{}">{}</datalist>', OFFER, options_html))
        return fragment

    @XBlock.handler
    def guest_token(self, request: Request, suffix: str = "") -> Response:
        """Answer a GET with ``{"guestToken"}`` for this block's dashboard, or with ``{"detail", "code"}``."""
        return self._token_answer(request, "GET")

    @XBlock.handler
    def get_superset_guest_token(self, request: Request, suffix: str = "") -> Response:
        """Answer a POST as ``guest_token`` answers a GET: pages of version 2 may be open during an upgrade."""
        return self._token_answer(request, "POST")

    def _token_answer(self, request: Request, method: str) -> Response:
        if request.method != method:
            detail = _("This address answers {method} only.").format(method=method)
            return _refusal(405, detail, "method_not_allowed", allow=[method])
        reader = self._reader()
        if reader is None:
            if not self._user_attributes().get("edx-platform.is_authenticated", True):
                return _refusal(401, _("Your session has ended. Please log in again."), "not_authenticated")
            return _refusal(403, _("You do not have permission to see this dashboard."), "permission_denied")
        uuid = _uuid(self.dashboard_uuid)
        if uuid is None:
            return _refusal(400, _("This component does not name a dashboard."), "no_dashboard")
        try:
            count_request(reader[0])
            token = tokens.guest_token(*reader, [in_language_of(reader[0], uuid)], _filters(self.filters))
        except Throttled as error:
            retry_after = ceil(error.wait) if error.wait else None
            return _refusal(error.status_code, str(error.detail), error.default_code, retry_after=retry_after)
        except RefusedFilter as error:
            return _refusal(400, str(error), "refused_filter")
        except SupersetError as error:
            log.error("The dashboard of %s cannot be shown: %s", self.scope_ids.usage_id, error)
            return _refusal(error.status, str(error.message), error.code)
        return _answer(200, {"guestToken": token})

    def clean_studio_edits(self, data: dict[str, Any]) -> None:
        """Take away what comes along when a UUID is pasted."""
        if data.get("dashboard_uuid"):
            data["dashboard_uuid"] = data["dashboard_uuid"].strip()

    def validate_field_data(self, validation: Validation, data: Any) -> None:
        """Tell the author about an invalid UUID, and about filters that are refused."""
        if data.dashboard_uuid and _uuid(data.dashboard_uuid) is None:
            problem = _("“{value}” is not a UUID. Find it in Superset under Embed dashboard.")
            validation.add(ValidationMessage(ValidationMessage.ERROR, problem.format(value=data.dashboard_uuid)))
        filters = _filters(data.filters)
        try:
            check_size(filters)
        except RefusedFilter as error:
            validation.add(ValidationMessage(ValidationMessage.ERROR, str(error)))
            return
        for text in filters:
            try:
                parse_filter(text)
            except RefusedFilter as error:
                problem = _("Filter “{filter}”: {problem}").format(filter=text, problem=error)
                validation.add(ValidationMessage(ValidationMessage.ERROR, problem))

    @staticmethod
    def workbench_scenarios() -> list[tuple[str, str]]:
        """Examples for the workbench, whose blocks are those of the course course-v1:edX+Demo+2020."""
        course, learners = EXAMPLES
        return [
            ("Superset dashboard", f'<superset display_name="Course" dashboard_uuid="{course}"/>'),
            (
                "Several Superset dashboards",
                f"""<vertical_demo>
                    <superset display_name="Course" dashboard_uuid="{course}"/>
                    <superset display_name="Verified" dashboard_uuid="{learners}" filters="mode = 'verified'"/>
                </vertical_demo>""",
            ),
            ("Superset dashboard that is not set up", "<superset/>"),
        ]

    def _reader(self) -> tuple[Any, CourseKey] | None:
        """The user and this block's course, whose reports the user may see; None if not, or if either is not known.

        Nobody sees the reports of somebody else, such as staff who view the course as a specific student. Staff who
        view it as any student see none: only the request's own user object says that they do.
        """
        user = get_user_model().objects.filter(pk=self._user_attributes().get("edx-platform.user_id")).first()
        course_key, requester = self._course_key(), get_current_user()
        if user is None or course_key is None or requester not in (None, user):
            return None
        user = requester or user
        return (user, course_key) if may_see_reports(user, course_key) else None

    def _user_attributes(self) -> dict[str, Any]:
        """The runtime's attributes of the user; empty if the runtime does not say who it is."""
        service = self.runtime.service(self, "user")
        return dict(service.get_current_user().opt_attrs) if service else {}

    def _course_key(self) -> CourseKey | None:
        """The course of this block; None in a library. The workbench's ids say nothing, but it names a course."""
        places = (self.scope_ids.usage_id, getattr(self, "course_id", ""))
        return next(filter(None, (content_keys.course_of(str(place)) for place in places)), None)


def _uuid(text: str | None) -> str | None:
    try:
        return str(UUID(text))
    except (TypeError, ValueError):
        return None


def _filters(text: str | None) -> list[str]:
    return [line.strip() for line in (text or "").splitlines() if line.strip()]


def _refusal(status: int, detail: str, code: str, **headers: Any) -> Response:
    return _answer(status, {"detail": detail, "code": code}, **headers)


def _answer(status: int, body: dict[str, str], **headers: Any) -> Response:
    return Response(json=body, status=status, cache_control="no-store", **headers)
