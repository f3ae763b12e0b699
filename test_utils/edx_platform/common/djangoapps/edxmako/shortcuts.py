"""Pages rendered by Mako, as the legacy pages of the LMS are."""

from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth.context_processors import auth
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language, get_language_bidi
from mako.lookup import TemplateLookup


@cache
def _lookup(*folders: str) -> TemplateLookup:
    # Nothing is escaped unless a template says so.
    return TemplateLookup(directories=folders, default_filters=["decode.utf8"], encoding_errors="replace")


def render_to_response(template_name: str, dictionary: dict[str, Any], request: HttpRequest) -> HttpResponse:
    """Render a template of MAKO_TEMPLATE_DIRS_BASE, where the first folder that has it wins."""
    template = _lookup(*map(str, settings.MAKO_TEMPLATE_DIRS_BASE)).get_template(template_name)
    context = {
        "request": request,
        "LANGUAGE_CODE": get_language(),
        "LANGUAGE_BIDI": get_language_bidi(),
        **auth(request),
        **dictionary,
    }
    return HttpResponse(template.render_unicode(**context))
