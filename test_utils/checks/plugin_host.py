"""Loads the installed plugin the way edx-platform does, without edx-platform.

Usage: plugin_host.py lms|cms, with a Python that has only the plugin and what it requires. Run as a script
from outside the repository; imports nothing of it.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import types

PACKAGE = "platform_plugin_aspects"
#: They need the extra "report", and are imported when a report with charts is asked for.
OF_EXTRAS = {f"{PACKAGE}.load_test.page"}


def platform_settings(variant: str) -> types.ModuleType:
    """Return a settings module like the platform's, with the plugin's added in the platform's order."""
    from edx_django_utils.plugins import add_plugins, get_plugin_apps

    settings = types.ModuleType("plugin_host_settings")
    project = f"{variant}.djangoapp"
    settings.__dict__.update(
        SERVICE_VARIANT=variant,
        SECRET_KEY="not a secret: nothing is served",
        USE_TZ=True,
        TIME_ZONE="UTC",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        MAKO_TEMPLATE_DIRS_BASE=[],
        FEATURES={},
        ENV_TOKENS={},
        # The admin site, and what its own system checks ask for.
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "waffle",
            *get_plugin_apps(project),
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
    )
    sys.modules[settings.__name__] = settings
    for settings_type in ("common", "production"):
        add_plugins(settings.__name__, project, settings_type)
    return settings


def main(variant: str) -> None:
    """Load the plugin as LMS or CMS; any exception is the answer."""
    settings = platform_settings(variant)
    os.environ["DJANGO_SETTINGS_MODULE"] = settings.__name__

    import django
    from django.apps import apps
    from django.core.management import call_command, get_commands

    django.setup()
    location = apps.get_app_config(PACKAGE).path
    if "site-packages" not in location:
        raise RuntimeError(f"{PACKAGE} was loaded from {location}, not from the installed wheel")
    call_command("check", fail_level="ERROR")
    call_command("migrate", verbosity=0)

    package = importlib.import_module(PACKAGE)
    modules = [found.name for found in pkgutil.walk_packages(package.__path__, f"{PACKAGE}.")]
    for module in sorted(set(modules) - OF_EXTRAS):
        importlib.import_module(module)
    tasks = importlib.import_module(f"{PACKAGE}.tasks")
    for name in ("dump_course_to_clickhouse", "dump_data_to_clickhouse"):
        if getattr(tasks, name).name != f"{PACKAGE}.tasks.{name}":
            raise RuntimeError(f"the task {name} is registered as {getattr(tasks, name).name}")
    for command in ("dump_data_to_clickhouse", "aspects_create_tables", "aspects_compare"):
        if get_commands().get(command) != PACKAGE:
            raise RuntimeError(f"manage.py {variant} has no command {command}")
    print(f"{variant}: {len(modules)} modules, {settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG['database']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
