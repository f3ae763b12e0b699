"""Which release this is; each release's own branch names itself here."""

RELEASE_LINE = "master"
