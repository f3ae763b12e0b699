"""Settings that LMS and CMS share before plugins, operators and Tutor have their say."""

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

from openedx.envs.environment import broker_url, caches, courses_dir, databases, eager, tagging_app, tracking_log

PLATFORM_ROOT = Path(__file__).resolve().parents[2]

SECRET_KEY = "only for the stand-in platform, and 32 bytes or more"
DEBUG = False
ALLOWED_HOSTS = ["*"]
SITE_ID = 1
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ar", "العربية"), ("es-419", "Español (Latinoamérica)"), ("fr", "Français")]
LANGUAGE_COOKIE_NAME = "openedx-language-preference"
STATIC_URL = "/static/"
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/heartbeat"
SESSION_SERIALIZER = "openedx.core.lib.session_serializers.PickleSerializer"
# Stricter than most sites. One that frames Superset should name it in frame-src.
CSP_STATIC_ENFORCE = "default-src 'self'; img-src 'self' data:; frame-src http: https:"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
# No New Relic, OpenTelemetry or Datadog here.
OPENEDX_TELEMETRY = []

PLATFORM_NAME = "Stand-in"
LMS_ROOT_URL = "http://lms.standin.invalid"
CMS_ROOT_URL = "http://cms.standin.invalid"
INSTRUCTOR_MICROFRONTEND_URL = "http://apps.standin.invalid/instructor-dashboard"

REGISTRATION_EMAIL_PATTERNS_ALLOWED = None

FEATURES = {
    # The platform's default. Tutor turns it off.
    "PREVENT_CONCURRENT_LOGINS": True,
}
CUSTOM_COURSES_EDX = False
CUSTOM_COURSES_APPS = ["lms.djangoapps.ccx"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.sites",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.admin",
    "rest_framework",
    "drf_spectacular",
    "waffle",
    "rules.apps.AutodiscoverRulesConfig",
    "django_countries",
    "celery_utils",
    "openedx_events",
    "eventtracking.django.apps.EventTrackingConfig",
    # Before course_overviews: plugins hear of a publish before the platform has updated its own rows.
    "openedx.core.djangoapps.plugins.apps.PluginsConfig",
    "openedx.core.djangoapps.content.course_overviews.apps.CourseOverviewsConfig",
    "common.djangoapps.student.apps.StudentConfig",
    "common.djangoapps.split_modulestore_django.apps.SplitModulestoreDjangoBackendAppConfig",
    "openedx.core.djangoapps.external_user_ids.apps.ExternalUserIDConfig",
    "openedx.core.djangoapps.user_api.apps.UserApiConfig",
    tagging_app(),
    "openedx.core.djangoapps.content_tagging.apps.ContentTaggingConfig",
    # No parts of edx-platform: the LMS shows them, since the stand-in has no courseware.
    "workbench",
    "sample_xblocks.basic",
]

WORKBENCH = {
    "reset_state_on_restart": False,
    "services": {"user": "common.djangoapps.xblock_django.user_service.WorkbenchUserService"},
}
EXCLUDED_XBLOCKS: set[str] = set()

MIDDLEWARE = [
    "openedx.core.lib.csp.content_security_policy_middleware",
    "crum.CurrentRequestUserMiddleware",
    "edx_django_utils.cache.middleware.RequestCacheMiddleware",
    # Referrer-Policy: same-origin, among others.
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    # Micro-frontends send the two halves of a JWT as cookies.
    "edx_rest_framework_extensions.auth.jwt.middleware.JwtAuthCookieMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "openedx.core.djangoapps.lang_pref.middleware.LanguagePreferenceMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "edx_django_utils.cache.middleware.TieredCacheMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "common.djangoapps.track.middleware.TrackMiddleware",
    "waffle.middleware.WaffleMiddleware",
]

AUTHENTICATION_BACKENDS = [
    # Inactive users, those who have not confirmed their email address, may log in.
    "django.contrib.auth.backends.AllowAllUsersModelBackend",
    "rules.permissions.ObjectPermissionBackend",
]

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_RATES": {"user": "60/minute"},
}
JWT_AUTH = {
    "JWT_ALGORITHM": "HS256",
    "JWT_AUTH_COOKIE": "edx-jwt-cookie",
    "JWT_AUTH_COOKIE_HEADER_PAYLOAD": "edx-jwt-cookie-header-payload",
    "JWT_AUTH_COOKIE_SIGNATURE": "edx-jwt-cookie-signature",
    "JWT_AUTH_HEADER_PREFIX": "JWT",
    "JWT_DECODE_HANDLER": "edx_rest_framework_extensions.auth.jwt.decoder.jwt_decode_handler",
    "JWT_ISSUERS": [{"ISSUER": f"{LMS_ROOT_URL}/oauth2", "AUDIENCE": "openedx", "SECRET_KEY": SECRET_KEY}],
    "JWT_LEEWAY": 1,
    # The platform has RSA keys here. While there is no key at all, edx-drf-extensions accepts any signature.
    "JWT_PUBLIC_SIGNING_JWK_SET": json.dumps(
        {"keys": [{"kty": "oct", "k": urlsafe_b64encode(SECRET_KEY.encode()).decode().rstrip("=")}]}
    ),
    "JWT_VERIFY_EXPIRATION": True,
}
# Claims of a JWT, which may be stale, change nothing of the user.
EDX_DRF_EXTENSIONS = {"JWT_PAYLOAD_USER_ATTRIBUTE_MAPPING": {}}

MAKO_TEMPLATE_DIRS_BASE = [PLATFORM_ROOT / "templates"]
TEMPLATES = [
    {
        "NAME": "django",
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = databases()
CACHES = caches()

CELERY_BROKER_URL = broker_url()
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ALWAYS_EAGER = eager()
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = TIME_ZONE

STANDIN_COURSES_DIR = courses_dir()

TRACK_MAX_EVENT = 50000
TRACKING_IGNORE_URL_PATTERNS = [r"^/event", r"^/login", r"^/heartbeat", r"^/segmentio/event", r"^/performance"]
EVENT_TRACKING_ENABLED = True
EVENT_TRACKING_BACKENDS = {
    "tracking_logs": {
        "ENGINE": "eventtracking.backends.routing.RoutingBackend",
        "OPTIONS": {
            "backends": {
                "logger": {
                    "ENGINE": "eventtracking.backends.logger.LoggerBackend",
                    "OPTIONS": {"name": "tracking", "max_event_size": TRACK_MAX_EVENT},
                }
            },
            "processors": [
                {"ENGINE": "common.djangoapps.track.shim.LegacyFieldMappingProcessor"},
                {"ENGINE": "common.djangoapps.track.shim.PrefixedEventProcessor"},
            ],
        },
    },
    "segmentio": {
        "ENGINE": "eventtracking.backends.routing.RoutingBackend",
        "OPTIONS": {
            "backends": {"segment": {"ENGINE": "eventtracking.backends.segment.SegmentBackend"}},
            "processors": [
                # The platform's own list is empty, too.
                {
                    "ENGINE": "eventtracking.processors.whitelist.NameWhitelistProcessor",
                    "OPTIONS": {"whitelist": []},
                },
            ],
        },
    },
}
EVENT_TRACKING_PROCESSORS: list[dict[str, str]] = []

RETIRED_USERNAME_PREFIX = "retired__user_"
RETIRED_USERNAME_FMT = RETIRED_USERNAME_PREFIX + "{}"
RETIRED_EMAIL_FMT = "retired__user_{}@retired.invalid"
RETIREMENT_STATES = [
    "PENDING",
    "LOCKING_ACCOUNT",
    "LOCKING_COMPLETE",
    "RETIRING_FORUMS",
    "FORUMS_COMPLETE",
    "RETIRING_LMS_MISC",
    "LMS_MISC_COMPLETE",
    "RETIRING_ENROLLMENTS",
    "ENROLLMENTS_COMPLETE",
    "RETIRING_LMS",
    "LMS_COMPLETE",
    "ERRORED",
    "ABORTED",
    "COMPLETE",
]

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {"platform_plugin_aspects": {"level": "INFO"}},
    "root": {"level": "WARNING", "handlers": ["console"]},
}
if tracking_log():
    # As Tutor has it: the log may be rotated at any time.
    LOGGING["handlers"]["tracking"] = {
        "class": "logging.handlers.WatchedFileHandler",
        "filename": tracking_log(),
        "formatter": "raw",
    }
    LOGGING["formatters"]["raw"] = {"format": "%(message)s"}
LOGGING["loggers"]["tracking"] = {
    "level": "INFO",
    "handlers": ["tracking"] if tracking_log() else [],
    "propagate": False,
}
