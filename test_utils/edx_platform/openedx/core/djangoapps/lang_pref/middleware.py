"""The language that a user chose."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from openedx.core.djangoapps.user_api.models import UserPreference


class LanguagePreferenceMiddleware:
    """Puts the preference ``pref-lang`` of a user who is logged in into the cookie that LocaleMiddleware reads."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Set the cookie of this request, before LocaleMiddleware sees it."""
        if request.user.is_authenticated:
            language = UserPreference.get_value(request.user, "pref-lang")
            if language:
                request.COOKIES[settings.LANGUAGE_COOKIE_NAME] = language
        return self.get_response(request)
