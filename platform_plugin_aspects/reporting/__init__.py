"""The SQL relations that boards read: one file each in ``relations/``, and how they are created and rebuilt."""
