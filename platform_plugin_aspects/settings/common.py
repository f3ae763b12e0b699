"""Every setting, its default and what it means.

edx-platform calls ``plugin_settings`` before it reads the operator's env tokens, and Tutor's settings come after both.
So nothing here is derived from another setting, and missing keys get their defaults where a setting is *read*.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

#: Templates of Mako, which renders the legacy instructor dashboard.
TEMPLATES = str(Path(__file__).resolve().parents[1] / "templates")


def _(text: str) -> str:
    """Mark a text for translation. Django's own gettext_noop reads the settings, which are not there yet."""
    return text


def _dashboard(name: str, slug: str, uuid: str, **filters: list[str]) -> dict[str, Any]:
    return {"name": name, "slug": slug, "uuid": uuid, "allow_translations": True, **filters}


def _in_context(name: str, slug: str, uuid: str, course_filter: str, *block_filters: str) -> dict[str, Any]:
    course, *block = (f"NATIVE_FILTER-{filter_id}" for filter_id in (course_filter, *block_filters))
    return _dashboard(name, slug, uuid, course_filter_ids=[course], block_filter_ids=block)


def defaults() -> dict[str, Any]:
    """The default of each setting, by name."""
    settings = SimpleNamespace()
    plugin_settings(settings)
    return vars(settings)


def plugin_settings(settings: Any) -> None:
    """Set the defaults of all the plugin's settings on ``settings``, the platform's settings module.

    Its MAKO_TEMPLATE_DIRS_BASE, where it has one, gets the plugin's templates too.
    """
    template_folders = getattr(settings, "MAKO_TEMPLATE_DIRS_BASE", [])
    if TEMPLATES not in template_folders:
        template_folders.append(TEMPLATES)

    # .. setting_name: EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG
    # .. setting_default: {"url": "http://clickhouse:8123", "username": "ch_cms", "password": "password",
    #   "database": "event_sink", "timeout_secs": 5}
    # .. setting_description: Where ClickHouse is. ``url``: its HTTP(S) interface with port, or ``chdb:///<folder>``
    #   for the embedded engine. ``database``: where the tables of this plugin live. ``timeout_secs``: for connecting
    #   and for each answer. Optional: ``xapi_database`` ("xapi"), ``xapi_table`` ("xapi_events_all"), ``runs_table``
    #   ("load_test_runs"), ``stats_table`` ("load_test_stats").
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {
        "url": "http://clickhouse:8123",
        "username": "ch_cms",
        "password": "password",
        "database": "event_sink",
        "timeout_secs": 5,
    }

    # .. setting_name: EVENT_SINK_CLICKHOUSE_PII_MODELS
    # .. setting_default: ["user_profile", "external_id"]
    # .. setting_description: ClickHouse tables with personal data: the rows of a learner are deleted from each of
    #   them when the learner is retired or the account deleted, and retired learners are not written to them. Models
    #   and tables of the plugin without a ``user_id`` column are skipped with an info line. While the setting is not a
    #   list, or names a table that does not exist, retirements and profiles are kept and not delivered.
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["user_profile", "external_id"]

    # .. setting_name: EVENT_SINK_CLICKHOUSE_MODEL_CONFIG
    # .. setting_default: the classes of edx-platform
    # .. setting_description: Which Django model each name means: ``{name: {"module": <dotted path>, "model": <class
    #   name>}}``. A value of your own needs all entries. A former path of openedx_tagging is understood.
    settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = {
        name: {"module": module, "model": model}
        for name, module, model in (
            ("auth_user", "django.contrib.auth.models", "User"),
            ("user_profile", "common.djangoapps.student.models", "UserProfile"),
            ("course_overviews", "openedx.core.djangoapps.content.course_overviews.models", "CourseOverview"),
            ("external_id", "openedx.core.djangoapps.external_user_ids.models", "ExternalId"),
            ("course_enrollment", "common.djangoapps.student.models", "CourseEnrollment"),
            ("custom_course_edx", "lms.djangoapps.ccx.models", "CustomCourseForEdX"),
            ("user_preference", "openedx.core.djangoapps.user_api.models", "UserPreference"),
            ("tag", "openedx_tagging.models.base", "Tag"),
            ("taxonomy", "openedx_tagging.models.base", "Taxonomy"),
            ("object_tag", "openedx_tagging.models.base", "ObjectTag"),
        )
    }

    # .. toggle_name: EVENT_SINK_CLICKHOUSE_<MODEL>_ENABLED
    # .. toggle_implementation: DjangoSetting
    # .. toggle_default: False
    # .. toggle_description: True turns the sink of that model on, e.g.
    #   ``EVENT_SINK_CLICKHOUSE_COURSE_OVERVIEWS_ENABLED``. The waffle flag ``event_sink_clickhouse.<model>.enabled``,
    #   set for everyone, does the same at run time. Not set at first.
    # .. toggle_use_cases: opt_in
    # .. toggle_creation_date: 2026-11-20

    # .. setting_name: EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS
    # .. setting_default: 2
    # .. setting_description: Seconds during which the changes of a sink are gathered before they are delivered in one
    #   insert.
    settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS = 2

    # .. setting_name: EVENT_SINK_CLICKHOUSE_SWEEP_SECS
    # .. setting_default: 60
    # .. setting_description: Each Celery worker looks this often, in seconds, for changes whose delivery was asked
    #   for but never happened (a worker killed, a broker that lost its queue). 0 turns the looking off.
    settings.EVENT_SINK_CLICKHOUSE_SWEEP_SECS = 60

    # .. setting_name: EVENT_SINK_CLICKHOUSE_XAPI_WORKERS
    # .. setting_default: 2
    # .. setting_description: How many Celery tasks may deliver learning events at once while more than one batch of
    #   1,000 waits. One delivers them where the platform's database cannot skip locked rows.
    settings.EVENT_SINK_CLICKHOUSE_XAPI_WORKERS = 2

    # .. setting_name: EVENT_SINK_CLICKHOUSE_XAPI_PENDING_LIMIT
    # .. setting_default: 100000
    # .. setting_description: ``aspects_check`` warns when more learning events than this wait for delivery, with less
    #   than 1 KB each in the platform's database. None is dropped.
    settings.EVENT_SINK_CLICKHOUSE_XAPI_PENDING_LIMIT = 100_000

    # .. setting_name: EVENT_SINK_CLICKHOUSE_CLUSTER_NAME
    # .. setting_default: ""
    # .. setting_description: Name of the ClickHouse cluster. When set, tables are Replicated and DDL carries ON
    #   CLUSTER.
    settings.EVENT_SINK_CLICKHOUSE_CLUSTER_NAME = ""

    # .. setting_name: EVENT_SINK_CLICKHOUSE_EXTRA_SINKS
    # .. setting_default: []
    # .. setting_description: Dotted paths of further sink classes (subclasses of
    #   ``platform_plugin_aspects.sinks.ModelBaseSink``): see the how-to "Add a sink".
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = []

    # .. setting_name: ASPECTS_REPORTING_ENABLED
    # .. setting_default: False
    # .. setting_description: Whether this site has reports. If True, ``aspects_check``, ``aspects_status`` and the
    #   metrics ask ClickHouse for the state of the relations, Superset's user may read the views of boards, and pages
    #   show numbers of a course, also without Superset. If False, none of them asks. ``aspects_reports`` works in both
    #   cases.
    settings.ASPECTS_REPORTING_ENABLED = False

    # .. setting_name: ASPECTS_REPORTING_DATABASE
    # .. setting_default: "aspects_reports"
    # .. setting_description: The ClickHouse database of the relations that boards read. ``aspects_reports create``
    #   creates it. It must not be a database of Aspects.
    settings.ASPECTS_REPORTING_DATABASE = "aspects_reports"

    # .. setting_name: ASPECTS_REPORTING_EVENT_DAYS
    # .. setting_default: 0
    # .. setting_description: Days after which rows of the relation ``events`` are deleted; 0: never. Boards do not
    #   change, because their states are stored apart. A rebuild of states can then only read the rows that are left.
    settings.ASPECTS_REPORTING_EVENT_DAYS = 0

    # .. setting_name: ASPECTS_REPORTING_RULES
    # .. setting_default: {}
    # .. setting_description: Thresholds of reports; missing ones have their defaults. A learner is at risk after
    #   ``away_days`` (7) without a visit, with a grade below ``low_grade`` (0.5), or with less progress than ``behind``
    #   (0.5) of the course's median. A problem is hard below ``low_success`` (0.4) right first answers, does not
    #   discriminate below ``low_discrimination`` (0.1), and takes many attempts above ``many_attempts`` (2).
    #   Groups of fewer than ``smallest_group`` (5) learners are hidden where one could be recognised. A run is shown
    #   beside ``runs_compared`` (3) former runs of the same course; 0: beside none. Run ``aspects_reports create``
    #   after a change.
    settings.ASPECTS_REPORTING_RULES = {}

    # .. setting_name: SUPERSET_CONFIG
    # .. setting_default: {"internal_service_url": "http://superset:8088", "service_url": "http://superset:8088/",
    #   "username": "superset", "password": "superset"}
    # .. setting_description: Where Superset is. ``service_url`` is the browser's way to it, ``internal_service_url``
    #   the server's own; where one is missing, the other serves both. ``username`` and ``password``: the service
    #   account that asks for guest tokens; in Superset it needs "can grant guest token" and "can read" on
    #   SecurityRestApi, and ``aspects_provision`` makes it. Optional: ``timeout_secs`` (5; 0.1 to 3600), for all
    #   requests that a guest token takes. ``guest_role`` ("Aspects Guest"): Superset's GUEST_ROLE_NAME.
    #   ``guest_token_secret``: Superset's GUEST_TOKEN_JWT_SECRET, with which guest tokens are made here, without asking
    #   Superset. Then also optional: ``guest_token_audience`` (Superset's GUEST_TOKEN_JWT_AUDIENCE or, while that is
    #   not set, exactly its WEBDRIVER_BASEURL; default: Superset's own default, ``"http://0.0.0.0:8080/"``),
    #   ``guest_token_algorithm`` ("HS256", as Superset's GUEST_TOKEN_JWT_ALGO; or "HS384", "HS512") and
    #   ``guest_token_lifetime_secs`` (300; 30 to 2592000, a month).
    settings.SUPERSET_CONFIG = {
        "internal_service_url": "http://superset:8088",
        "service_url": "http://superset:8088/",
        "username": "superset",
        "password": "superset",
    }

    # .. setting_name: ASPECTS_SUPERSET_READER
    # .. setting_default: {"username": "ch_report"}
    # .. setting_description: The user with whom Superset reads from ClickHouse. Guests read with its rights, past the
    #   clauses of their tokens: see ADR 0008. ``username``: its name. Optional: ``password``, with which
    #   ``aspects_create_tables --print-grants`` prints the statements that make this user, and ``aspects_check`` looks
    #   at its rights, and ``aspects_provision`` makes it; the options --reader_username and --reader_password replace
    #   both. ``relations``: the tables and views that the boards read, as ``["database.table", ...]``; default: the
    #   tables of the plugin without those in EVENT_SINK_CLICKHOUSE_PII_MODELS. ``url``: the address of ClickHouse as
    #   Superset reaches it; default: the one in EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG.
    settings.ASPECTS_SUPERSET_READER = {"username": "ch_report"}

    # .. setting_name: ASPECTS_INSTRUCTOR_DASHBOARDS
    # .. setting_default: the three dashboards of Aspects
    # .. setting_description: Dashboards of the Reports tab, in order: ``{"name", "slug", "uuid",
    #   "allow_translations"}``. An entry without ``uuid`` names a board of this plugin by its slug, such as
    #   ``{"slug": "at-risk"}``; a ``name`` replaces its title. While the setting has its default value and
    #   ASPECTS_REPORTING_ENABLED is True, the tab shows the plugin's boards in place of Aspects', once
    #   ``aspects_provision`` has put them into Superset.
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [
        _dashboard(_("Course Dashboard"), "course-dashboard", "c0e64194-33d1-4d5a-8c10-4f51530c5ee9"),
        _dashboard(_("Individual Learner Dashboard"), "individual-learner", "abae8a25-1ba4-4653-81bd-d3937a162a11"),
        _dashboard(_("At-Risk Learners Dashboard"), "learner-groups", "8661d20c-cee6-4245-9fcc-610daea5fd24"),
    ]

    # .. toggle_name: SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK
    # .. toggle_implementation: DjangoSetting
    # .. toggle_default: True
    # .. toggle_description: Show the link "View dashboards in Superset", to ``<service_url>login/openedxsso``.
    # .. toggle_use_cases: opt_out
    # .. toggle_creation_date: 2026-11-20
    settings.SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK = True

    # .. setting_name: SUPERSET_EXTRA_FILTERS_FORMAT
    # .. setting_default: []
    # .. setting_description: Templates of further row-level clauses: SQL for ClickHouse, in which ``{user}`` or
    #   ``{user.username}``, ``{user.id}``, ``{user.email}``, ``{course}`` or ``{course_id}`` (the course key), and
    #   ``.org``, ``.course`` and ``.run`` of these two are replaced by literals, in quotes or not: ``team = {user}``,
    #   ``email LIKE '%{user.email}%'``. A brace is written twice. No comments, semicolons or parentheses without their
    #   counterpart. Write columns that must hold against guests as ``COLUMNS('^team$')``: see ADR 0008.
    settings.SUPERSET_EXTRA_FILTERS_FORMAT = []

    # .. setting_name: SUPERSET_DASHBOARD_LOCALES
    # .. setting_default: ["en"]
    # .. setting_description: Languages in which localized dashboards of Aspects exist in Superset. A guest token names
    #   all dashboards in each of them, some 85 bytes for one; browsers send it in a header, of which most servers take
    #   8 KiB: keep the number of dashboards times that of languages well below a hundred. The plugin's own boards are
    #   in its own languages, and a token names them in the user's only.
    settings.SUPERSET_DASHBOARD_LOCALES = ["en"]

    # .. setting_name: ASPECTS_SUPERSET_SDK_URL
    # .. setting_default: ""
    # .. setting_description: Address of another copy of Superset's embedding SDK; empty: the one that the package
    #   carries.
    settings.ASPECTS_SUPERSET_SDK_URL = ""

    # .. setting_name: ASPECTS_API_THROTTLE_RATE
    # .. setting_default: "2000/hour"
    # .. setting_description: How many requests per user the dashboards' endpoints and the XBlock's handlers answer
    #   together, as Django REST framework writes rates: a number per second, minute, hour or day. None: any number.
    settings.ASPECTS_API_THROTTLE_RATE = "2000/hour"

    # .. toggle_name: ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS
    # .. toggle_implementation: DjangoSetting
    # .. toggle_default: True
    # .. toggle_description: Studio shows metrics beside the content (Sumac and later). False keeps those dashboards
    #   out of the guest token.
    # .. toggle_use_cases: opt_out
    # .. toggle_creation_date: 2026-11-20
    settings.ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS = True

    # .. setting_name: ASPECTS_IN_CONTEXT_DASHBOARDS
    # .. setting_default: the four in-context dashboards of Aspects
    # .. setting_description: The dashboard of each block type: ``{block type: {"name", "slug", "uuid",
    #   "allow_translations", "course_filter_ids", "block_filter_ids"}}``; the filter ids are those of the dashboard's
    #   native filters. Entries without ``uuid`` and the default value are as for ASPECTS_INSTRUCTOR_DASHBOARDS. The
    #   filter ids of the plugin's boards are known, and need not be named.
    settings.ASPECTS_IN_CONTEXT_DASHBOARDS = {
        "course": _in_context("Course", "in-context-course", "f2880cc1-63e9-48d7-ac3c-d2ff6f6698e2", "QLQbulmHH"),
        "sequential": _in_context(
            "Graded Subsection",
            "in-context-graded-subsection",
            "f0321087-6428-4b97-b32e-2dae7d9cc447",
            "oPAuR7ahy",
            "CBWbI7uLq",
        ),
        "problem": _in_context(
            "Problem", "in-context-problem", "98ff33ff-18dd-48f9-8c58-629ae4f4194b", "29CPcbirK", "TJwItQhUI"
        ),
        "video": _in_context(
            "Video", "in-context-video", "bc6510fb-027f-4026-a333-d0c42d3cc35c", "uaxvZkSAg", "Fse4rzDW0"
        ),
    }

    # .. setting_name: ASPECTS_BOARDS_DIR
    # .. setting_default: ""
    # .. setting_description: The folder in which ``aspects_provision --add`` keeps the site's own boards, and from
    #   which ``aspects_provision`` puts them into Superset: see the how-to "Add a board". It must stay: in a container,
    #   on a volume. Empty: there are none.
    settings.ASPECTS_BOARDS_DIR = ""

    # .. setting_name: IN_CONTEXT_DASHBOARD_COURSE_KEY_COLUMN
    # .. setting_default: "course_key"
    # .. setting_description: The column that the course filters of the in-context dashboards apply to.
    settings.IN_CONTEXT_DASHBOARD_COURSE_KEY_COLUMN = "course_key"

    # .. setting_name: IN_CONTEXT_DASHBOARD_BLOCK_ID_COLUMN
    # .. setting_default: "block_id"
    # .. setting_description: The column that the block filters of the in-context dashboards apply to. It must hold the
    #   last part of usage keys: ``p1`` for ``block-v1:Org+Course+Run+type@problem+block@p1``.
    settings.IN_CONTEXT_DASHBOARD_BLOCK_ID_COLUMN = "block_id"
