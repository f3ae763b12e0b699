"""Common to all stores."""

# Block types whose blocks hang in no course tree.
DETACHED_XBLOCK_TYPES = {"about", "course_info", "static_tab"}
