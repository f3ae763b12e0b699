"""The backfill: the source is read in the order of its primary keys and inserted."""
