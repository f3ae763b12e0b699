"""Where course content lives."""


class ModuleStoreEnum:
    """Names that callers hand to a modulestore."""

    class Type:
        """Kinds of modulestores."""

        split = "split"

    class RevisionOption:
        """Which revision a read means."""

        draft_preferred = "rev-opt-draft-preferred"
        draft_only = "rev-opt-draft-only"
        published_only = "rev-opt-published-only"
        all = "rev-opt-all"

    class Branch:
        """The branch that a service reads when it names no revision (setting MODULESTORE_BRANCH)."""

        draft_preferred = "draft-preferred"
        published_only = "published-only"

    class BranchName:
        """The branches as they appear in keys."""

        draft = "draft-branch"
        published = "published-branch"

    class UserID:
        """Users who are nobody."""

        mgmt_command = -1
        system = 0
        test = -3
