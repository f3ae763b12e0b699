"""Names that plugins and the platform agree on."""


class ProjectType:
    """The entry-point group of a service's plugins."""

    LMS = "lms.djangoapp"
    CMS = "cms.djangoapp"


class SettingsType:
    """The moments at which a plugin may add settings."""

    COMMON = "common"
    PRODUCTION = "production"
    DEVSTACK = "devstack"
    TEST = "test"
