"""Settings that LMS and CMS share before plugins, operators and Tutor have their say."""

from pathlib import Path

from openedx.envs.environment import broker_url, caches, courses_dir, databases, eager, tagging_app

PLATFORM_ROOT = Path(__file__).resolve().parents[2]

SECRET_KEY = "only for the stand-in platform"
DEBUG = False
ALLOWED_HOSTS = ["*"]
SITE_ID = 1
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
STATIC_URL = "/static/"
LOGIN_URL = "/admin/login/"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
# No New Relic, OpenTelemetry or Datadog here.
OPENEDX_TELEMETRY = []

PLATFORM_NAME = "Stand-in"
LMS_ROOT_URL = "http://lms.standin.invalid"
CMS_ROOT_URL = "http://cms.standin.invalid"

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
    "waffle",
    "rules.apps.AutodiscoverRulesConfig",
    "django_countries",
    "openedx_events",
    # Before course_overviews: plugins hear of a publish before the platform has updated its own rows.
    "openedx.core.djangoapps.plugins.apps.PluginsConfig",
    "openedx.core.djangoapps.content.course_overviews.apps.CourseOverviewsConfig",
    "common.djangoapps.student.apps.StudentConfig",
    "openedx.core.djangoapps.external_user_ids.apps.ExternalUserIDConfig",
    "openedx.core.djangoapps.user_api.apps.UserApiConfig",
    tagging_app(),
    "openedx.core.djangoapps.content_tagging.apps.ContentTaggingConfig",
]

MIDDLEWARE = [
    "crum.CurrentRequestUserMiddleware",
    "edx_django_utils.cache.middleware.RequestCacheMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "edx_django_utils.cache.middleware.TieredCacheMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "waffle.middleware.WaffleMiddleware",
]

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "rules.permissions.ObjectPermissionBackend",
]

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

RETIRED_USERNAME_FMT = "retired__user_{}"
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

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {"platform_plugin_aspects": {"level": "INFO"}},
    "root": {"level": "WARNING", "handlers": ["console"]},
}
